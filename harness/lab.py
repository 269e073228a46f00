"""Boards on the desk and their virtual twins: find the port, put firmware on it, open it.

Everything that talks to a port goes through here, so that the measuring code cannot tell silicon
from emulation; only `Board.is_virtual` decides what is started.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import discovery, health, remote
from harness.bench import CycleWitness, Span, check_identity
from harness.boards import Board
from harness.discovery import UsbPort
from harness.errors import LabError, LinkError, UsageError
from harness.firmware.build import Firmware
from harness.flash import FIND_S, POWER_CYCLE_S, FlashResult, Means, flash_firmware
from harness.flash.recovery import power_cycle_of, reset_of
from harness.flash.sight import Mode, Seen, sight_of
from harness.flash.uploaders import is_the_boards_fault
from harness.instances import Instance
from harness.link.base import Deadline, Link
from harness.link.dut import Dut, connect
from harness.link.process import ProcessLink
from harness.link.serial import SerialLink
from harness.locks import Holder, board_lock, flash_permit, hub_of
from harness.qmodel import QModel
from harness.virtual.control import Control, control_at
from harness.virtual.faults import parse_faults
from harness.virtual.process import VirtualBoard

WAIT_S = 600.0  # for a board that somebody else has
REAPPEAR_S = 5.0  # how long a port that is gone may take to come back
POLL_S = 0.1
PROBE_S = 2.0  # how long to ask what already runs before flashing


@dataclass(frozen=True)
class Attachment:
    """A board within reach.

    port      where it was when it was attached
    emulator  a virtual one's control socket
    board_id  which of several boards of a kind; '' where nothing tells
    instance  its entry among the lab's boards, if it has one
    place     where it is on USB; None for a port of another kind
    on_trial  it may be used in spite of its quarantine
    """

    board: Board
    port: str
    emulator: Control | None = None
    board_id: str = ""
    instance: Instance | None = None
    place: UsbPort | None = None
    on_trial: bool = False

    @property
    def hub(self) -> str:
        """The USB hub it is plugged into; '' where there is none."""
        named = self.instance.hub_path if self.instance else ""
        return hub_of(named or (self.place.hub_path if self.place else ""))

    @property
    def witness(self) -> CycleWitness | None:
        """Who counts cycles beside the firmware."""
        if self.emulator is None or self.board.time_unit not in ("cycles", "bracket"):
            return None
        return EmulatorWitness(self.emulator)


@dataclass(frozen=True)
class EmulatorWitness:
    """The emulator's own count of what lies between the marks that the firmware sets."""

    emulator: Control

    def marked(self) -> Span:
        """What the marked stretches since reset took, each less the empty stretch's."""
        status = self.emulator.status()
        count = status.marks_count
        return Span(
            status.marks_cycles - count * status.marks_first_cycles,
            _net(status.marks_cycles_hi, count, status.marks_first_cycles_hi),
            _net(status.marks_instructions, count, status.marks_first_instructions),
        )


def _net(total: int | None, count: int, empty: int | None) -> int:
    return -1 if total is None or empty is None else total - count * empty


OnWait = Callable[[str], None]
OnFlash = Callable[[FlashResult], None]


def _say_nothing(holder: str) -> None:
    pass


def _ignore(result: FlashResult) -> None:
    pass


@contextlib.contextmanager
def attached(
    board: Board,
    *,
    port: str | None,
    state_dir: Path,
    faults: str = "",
    wait_s: float = WAIT_S,
    on_wait: OnWait = _say_nothing,
    instance: Instance | None = None,
    on_trial: bool = False,
) -> Iterator[Attachment]:
    """The board, for as long as the block runs; a virtual one is started and stopped here.

    state_dir: where a virtual board keeps its flash. faults: what it is to do wrong. The rest: see
    `reached`. Raises LabError when there is no board.
    """
    port = port or (instance.port if instance else "")
    if port or not board.is_virtual:
        port = port or _found(board, instance, wait_s, on_wait)
        with reached(
            board, port, wait_s=wait_s, on_wait=on_wait, instance=instance, on_trial=on_trial
        ) as attachment:
            yield attachment
        return
    known_as = instance.board_id if instance else ""
    ours = board_lock(known_as, wait_s=wait_s, on_wait=on_wait) if known_as else _nobody_elses()
    with ours:
        _refuse_quarantined(known_as, on_trial, instance)
        with VirtualBoard.start(
            board.emulator, state_dir, called=board.kind, faults=faults
        ) as emulator:
            yield Attachment(
                board, str(emulator.port), emulator, known_as, instance, on_trial=on_trial
            )


def _found(board: Board, instance: Instance | None, wait_s: float, on_wait: OnWait) -> str:
    """Its port; a board that is not there at all is switched off and on, if it can be."""
    cycle = power_cycle_of(instance)
    try:
        return find_board_port(instance or board)
    except LabError:
        if instance is None or cycle is None:
            raise
    with board_lock(instance.board_id, wait_s=wait_s, on_wait=on_wait):
        cycle(Deadline.after(POWER_CYCLE_S))
        return _come_up(instance, Deadline.after(FIND_S))


def _come_up(instance: Instance, deadline: Deadline) -> str:
    while True:
        try:
            return find_board_port(instance)
        except LabError:
            if deadline.expired:
                raise
        time.sleep(POLL_S)


def _nobody_elses() -> contextlib.AbstractContextManager[None]:
    """Of an emulator that we start for ourselves nobody else knows."""
    return contextlib.nullcontext()


@contextlib.contextmanager
def reached(
    board: Board,
    port: str,
    *,
    wait_s: float = WAIT_S,
    on_wait: OnWait = _say_nothing,
    instance: Instance | None = None,
    on_trial: bool = False,
) -> Iterator[Attachment]:
    """The board at `port`, ours alone for as long as the block runs.

    Waits up to `wait_s` seconds while somebody else has it; `on_wait` is told who. instance: its
    entry among the lab's boards: power switch, hub. on_trial: take it in spite of its quarantine.
    Raises BoardBusy, and LabError for a board in quarantine.
    """
    check_port(board, port)
    instance = instance if instance and instance.name else discovery.instance_at(port)
    place = _place(port, instance)
    known_as = _known_as(board, port, place, instance)
    with board_lock(lock_name(board, port, place), wait_s=wait_s, on_wait=on_wait):
        _refuse_quarantined(known_as, on_trial, instance)
        control = control_at(port) if board.is_virtual else None
        yield Attachment(board, port, control, known_as, instance, place, on_trial)


def _place(port: str, instance: Instance | None) -> UsbPort | None:
    """Where the board is on USB; if it is away now, where its entry says."""
    if remote.is_address(port):
        return None
    here = discovery.port_at(port)
    if here or not instance or instance.virtual:
        return here
    if not (instance.serial_number or instance.hub_path):
        return None
    return UsbPort(port, serial_number=instance.serial_number, hub_path=instance.hub_path)


def _known_as(board: Board, port: str, place: UsbPort | None, instance: Instance | None) -> str:
    """What results and records call it; a pty is called by its entry or not at all."""
    if instance and instance.board_id:
        return instance.board_id
    if remote.is_address(port):
        return port
    return place.board_id if place and not board.is_virtual else ""


def lock_name(board: Board, port: str, place: UsbPort | None) -> str:
    """Of one board, the same for everybody, under whatever name they know it.

    A virtual board has another pty after it was away: its link is what stays.
    """
    if place and place.board_id:
        return place.board_id
    if remote.is_address(port):
        return port
    path = Path(port)
    return f"port-{path.parent.resolve() / path.name if board.is_virtual else path.resolve()}"


def _refuse_quarantined(known_as: str, on_trial: bool, instance: Instance | None) -> None:
    record = None if on_trial else health.quarantined(known_as)
    if record:
        name = instance.name if instance and instance.name else known_as
        raise LabError(
            f"the board {known_as} is in quarantine since {record.since} until `harness boards "
            f"--prove {name}`: {record.why}",
            hint=f"see to it, then: harness boards --prove {name}",
        )


def check_faults(faults: str, board: Board, port: str | None) -> None:
    """Only a virtual board that we start ourselves can be asked for faults. Raises UsageError."""
    if not faults:
        return
    parse_faults(faults)
    if not board.is_virtual or port is not None:
        raise UsageError(
            "--fault is for a virtual board that the run starts itself",
            hint=f"--board {board.kind} --virtual, without --port; for a board of your own start: "
            "harness virtual up NAME --fault SPEC",
        )


def check_port(board: Board, port: str) -> None:
    """Refuse a port that cannot be this board's. Raises UsageError.

    A pty is never silicon: no emulated figure may pass for a measured one.
    """
    if not board.is_virtual and Path(port).resolve().is_relative_to("/dev/pts"):
        raise UsageError(
            f"{port} is a pseudo-terminal, not a {board.title}",
            hint=f"for an emulated board say so: --board {board.kind} --virtual --port {port}",
        )
    if board.flash.tool == "ssh":
        remote.parse(port)
    elif remote.is_address(port):
        what = f"{board.title}'s twin" if board.is_virtual else board.title
        raise UsageError(f"{port}: no {what} is reached over ssh", hint="name its serial port")


def check_present(instance: Instance) -> None:
    """Refuse a board that is not attached, unless its power switch may bring it back."""
    if power_cycle_of(instance) is None:
        find_board_port(instance)


def find_board_port(wanted: Board | Instance) -> str:
    """The port of this board now: its address, or as `discovery.find` finds it. Raises LabError."""
    board = wanted if isinstance(wanted, Board) else wanted.board
    if isinstance(wanted, Instance) and remote.is_address(wanted.port):
        return wanted.port
    if board.flash.tool == "ssh":
        raise LabError(
            f"no address of a {board.title} is given, and it is reached over ssh",
            hint=f"--port ssh://USER@HOST, or the emulated twin: --board {board.kind} --virtual",
        )
    return discovery.find(wanted).device


def ensure_firmware(
    attachment: Attachment,
    model: QModel,
    firmware: Firmware,
    *,
    log: Path,
    on_flash: OnFlash = _ignore,
    on_wait: OnWait = _say_nothing,
) -> tuple[Dut, FlashResult | None]:
    """An open, identified board that runs exactly this firmware; flashed only if it does not.

    `on_flash` is told of uploads, those that did not help too; `on_wait` who else flashes at the
    same USB hub. Raises LabError; FlashError when the whole procedure (docs/flashing.md) was in
    vain, so that another try at once is pointless, and the board is in quarantine.
    """
    _refuse_quarantined(attachment.board_id, attachment.on_trial, attachment.instance)
    health.note(attachment.board_id, sessions=1)
    try:
        seen = _come_back(attachment)
        if seen and seen.mode != Mode.BOOTLOADER:
            dut = _already_running(attachment, seen.port, firmware, model)
            if dut is not None:
                return dut, None
        with flash_permit(
            attachment.hub,
            wait_s=WAIT_S,
            on_wait=lambda who: on_wait(f"at the same USB hub, {who}"),
        ):
            return _flash(attachment, model, firmware, log, on_flash)
    except LabError:
        health.note(attachment.board_id, failures=1)
        raise


def _come_back(attachment: Attachment) -> Seen | None:
    """A board that was just reset or plugged in again is away for a moment: give it that."""
    sight = sight_of(attachment.board, attachment.port, attachment.place)
    with contextlib.suppress(LabError):
        return sight.wait(Deadline.after(REAPPEAR_S))
    return None


def _flash(
    attachment: Attachment, model: QModel, firmware: Firmware, log: Path, on_flash: OnFlash
) -> tuple[Dut, FlashResult]:
    """By the whole procedure, with all that can be done to this board."""
    board, opened = attachment.board, list[Dut]()

    def handshake(port: str, deadline: Deadline) -> str:
        boot_wait_s = min(board.link.boot_wait_s, deadline.remaining_s)
        opened.append(_identified(board, port, boot_wait_s, firmware, model))
        return f"firmware {firmware.firmware_id.hex()}"

    def count(result: FlashResult) -> None:
        retries = result.attempts - 1 + result.recoveries
        health.note(attachment.board_id, uploads=result.attempts, retries=retries)
        on_flash(result)

    flashed = flash_firmware(
        firmware.image,
        board,
        attachment.port,
        log=log,
        place=attachment.place,
        means=Means(
            handshake,
            reset_of(board),
            power_cycle_of(attachment.instance),
            lambda cause: quarantine(attachment, cause, log),
        ),
        on_flash=count,
    )
    return opened[0], flashed


def quarantine(attachment: Attachment, cause: LabError, log: Path) -> str | None:
    """Keep everybody from the board until it has proved itself; words about it.

    None: it has no name to be known by, or the cause is on our side.
    """
    if not attachment.board_id or not is_the_boards_fault(cause.message):
        return None
    by = str(Holder.ourselves())
    health.quarantine(attachment.board_id, cause.message, by=by, log=str(log.resolve()))
    known = attachment.instance.name if attachment.instance else ""
    name = known or attachment.board_id
    return f"{attachment.board_id}, until harness boards --prove {name}"


def _already_running(
    attachment: Attachment, port: str, firmware: Firmware, model: QModel
) -> Dut | None:
    try:
        return _identified(attachment.board, port, PROBE_S, firmware, model)
    except LinkError:
        return None


def _identified(
    board: Board, port: str, boot_wait_s: float, firmware: Firmware, model: QModel
) -> Dut:
    """Open, and sure to be this firmware. Raises LinkError."""
    dut = connect(
        lambda: _link(port, board.link.baud),
        boot_wait_s=boot_wait_s,
        banner=board.link.resets_on_open,
    )
    try:
        check_identity(dut.identity, model, board.kind, firmware.firmware_id)
    except LinkError:
        dut.close()
        raise
    return dut


def _link(port: str, baud: int) -> Link:
    if remote.is_address(port):
        return ProcessLink(remote.start_command(port), name=port, advise=remote.advice)
    return SerialLink(port, baud)
