"""`harness doctor`, `harness virtual`."""

from __future__ import annotations

import signal
import threading
from dataclasses import asdict
from pathlib import Path

import click

from harness import doctor
from harness.cli.options import fault_option
from harness.cli.progress import Display
from harness.cli.tables import echo_json, echo_table
from harness.doctor.udev import rules
from harness.errors import LabError
from harness.events import Event
from harness.instances import resolve
from harness.paths import cache_dir
from harness.virtual.process import FLASH_MODES, VirtualBoard


@click.command("doctor")
@click.option("--prepare", is_flag=True, help="Also build ahead what can be built.")
@click.option("--udev", is_flag=True, help="Print udev rules for the described boards instead.")
@click.option("--json", "as_json", is_flag=True)
def doctor_command(prepare: bool, udev: bool, as_json: bool) -> int:
    """What this machine has and lacks for real and virtual boards, and how to get it.

    Looks at compilers, uploaders, emulators, room on the disk, rights on serial ports, and who else
    opens them. Exit code 3 when something is missing; a warning is no fault.

    \b
    Example:
      harness doctor
      harness doctor --udev | sudo tee /etc/udev/rules.d/60-harness.rules
    """
    if udev:
        click.echo(rules(), nl=False)
        return 0
    if prepare:
        with Display() as display:
            doctor.prepare(lambda what: display(Event("prepare", what, 1, 1, finished=True)))
    checks = doctor.checks()
    if as_json:
        echo_json([asdict(c) for c in checks])
    else:
        rows = [
            (c.name, c.state, c.detail, "" if c.ok and not c.warning else c.fix) for c in checks
        ]
        echo_table("doctor", ("what", "state", "detail", "how to get it"), rows)
    return 0 if all(c.ok for c in checks) else LabError.exit_code


@click.group("virtual")
def virtual_command() -> None:
    """Virtual boards for any tool.

    \b
    Example:
      harness virtual up uno
    """


@virtual_command.command("up")
@click.argument("name")
@click.option(
    "--state-dir", type=click.Path(file_okay=False, path_type=Path),
    help="Where the board keeps its flash (default: the cache).",
)  # fmt: skip
@click.option("--port-link", type=click.Path(path_type=Path), help="Name for the port.")
@click.option("--realtime", is_flag=True, help="Never run faster than the MCU's clock.")
@click.option(
    "--flash-mode", type=click.Choice(FLASH_MODES), default=FLASH_MODES[0], show_default=True,
    help="SAM D21 boards: charge flash wait states (rws1) or none.",
)  # fmt: skip
@fault_option
def up_command(
    name: str,
    state_dir: Path | None,
    port_link: Path | None,
    realtime: bool,
    flash_mode: str,
    faults: str,
) -> None:
    """Keep a virtual board running until Ctrl-C and print its port.

    Flash it with avrdude or bossac, open it with pyserial or a terminal program. Its flash
    persists in the state folder.

    \b
    Example:
      harness virtual up uno
      avrdude -p m328p -c arduino -P PORT -b 115200 -D -U flash:w:firmware.hex:i
    """
    instance = resolve(name, virtual=True)
    board, faults = instance.board, faults or instance.fault
    state = state_dir or cache_dir("virtual", name)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with VirtualBoard.start(
        board.emulator,
        state,
        realtime=realtime,
        flash_mode=flash_mode,
        port_link=port_link,
        called=board.kind,
        faults=faults,
    ) as running:
        click.echo(running.port)
        click.echo(f"virtual {name} is up; flash in {state}; Ctrl-C ends it", err=True)
        while not stop.wait(1.0):
            running.status()  # raises LabError when the emulator has died
