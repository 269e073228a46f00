"""The procedure on virtual boards that misbehave: each rung, quarantine, power, permits."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import pytest

from harness import flash, health, lab
from harness.boards import find_kind
from harness.errors import FlashError, LabError
from harness.flash import FlashResult
from harness.flash.procedure import Event, State
from harness.flash.sight import Mode, Seen, sight_of
from harness.instances import Instance
from harness.link.base import Deadline
from harness.locks import board_lock, flash_permit, holder_of
from harness.qmodel import QModel
from harness.virtual.process import VirtualBoard
from tests.flash.conftest import MODEL, OTHER, FirmwareFor
from tests.usb_tree import UsbTree, re_enumerating

pytestmark = pytest.mark.emulated
S = State
MKR_IDS = ("2341:804e", "2341:004e")  # program, bootloader


class Flashing:
    """`ensure_firmware` on a virtual board, and everything it told."""

    def __init__(self, model: QModel, firmware_for: FirmwareFor, folder: Path) -> None:
        self.model, self.firmware_for, self.folder = model, firmware_for, folder
        self.log = folder / "flash.log"
        self.told: list[FlashResult] = []

    def started(self, kind: str, faults: str, instance: Instance | None = None) -> FlashResult:
        """On a board that is started here, with erased flash."""
        board, flash = find_kind(kind).virtual(), Path(mkdtemp(dir=self.folder))
        with lab.attached(
            board, port=None, state_dir=flash, faults=faults, instance=instance
        ) as attachment:
            return self.on(attachment)

    def on(self, attachment: lab.Attachment) -> FlashResult:
        dut, flashed = lab.ensure_firmware(
            attachment,
            self.model,
            self.firmware_for(attachment.board.kind, self.model),
            log=self.log,
            on_flash=self.told.append,
        )
        assert dut.bench(1).steps == self.model.steps
        dut.close()
        assert flashed is not None and self.told[-1] == flashed
        return flashed


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """For applications that never start."""
    monkeypatch.setattr(flash, "REAPPEAR_S", 2.0)


@pytest.fixture
def flashing(firmware_for: FirmwareFor, tmp_path: Path) -> Flashing:
    return Flashing(MODEL, firmware_for, tmp_path)


def went(result: FlashResult) -> list[tuple[State, Event]]:
    return [(step.state, step.event) for step in result.steps if step.event != Event.NOTHING]


# -- the rungs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["bad-uploads=1", "bad-uploads=odd"])
def test_an_upload_that_failed_is_done_again_without_the_touch(
    flashing: Flashing, fault: str
) -> None:
    result = flashing.started("mkr1000", fault)
    assert (result.attempts, result.recoveries) == (2, 0)
    states = [state for state, _ in went(result)]
    assert states.count(S.TOUCH) == 1 and states.count(S.UPLOAD) == 2


def test_a_board_that_stayed_in_its_bootloader_is_uploaded_to_again(flashing: Flashing) -> None:
    result = flashing.started("mkr1000", "stuck=1")
    path = went(result)
    at = path.index((S.APPLICATION, Event.FAILED))
    assert path[at + 1] == (S.UPLOAD, Event.DONE)
    assert (result.attempts, result.recoveries) == (2, 0)


@pytest.mark.parametrize("fault", ["bad-uploads=2", "stuck=2", "hang=1"])
def test_a_reset_is_the_next_rung(flashing: Flashing, fault: str) -> None:
    result = flashing.started("mkr1000", fault)
    assert (S.RESET, Event.DONE) in went(result) and result.recoveries == 1
    assert went(result)[-1] == (S.HANDSHAKE, Event.DONE)


def test_a_slow_boot_is_waited_for(flashing: Flashing) -> None:
    result = flashing.started("mkr1000", "slow-boot=1500")
    assert (result.attempts, result.recoveries) == (1, 0)


def test_the_uno_is_not_touched_and_opening_it_is_its_reset(flashing: Flashing) -> None:
    result = flashing.started("uno", "stuck=1")
    assert went(result) == [
        (S.FIND, Event.DONE),
        (S.UPLOAD, Event.DONE),
        (S.HANDSHAKE, Event.DONE),
    ]


def test_a_twin_without_bootloader_goes_through_the_same_states(flashing: Flashing) -> None:
    result = flashing.started("nano33ble", "")
    assert (result.tool, result.attempts) == ("direct", 1)
    assert went(result)[-2:] == [(S.APPLICATION, Event.DONE), (S.HANDSHAKE, Event.DONE)]


def test_a_boot_pin_is_held_instead_of_the_touch(flashing: Flashing) -> None:
    """The ROM's loader, left in the middle of a command, wants the reset that comes with it."""
    result = flashing.started("nucleo_l4r5zi", "bad-uploads=1")
    assert went(result).count((S.TOUCH, Event.DONE)) == 2
    assert (result.attempts, result.recoveries) == (3, 1)


# -- causes and logs ------------------------------------------------------------------------------


def test_the_first_cause_is_the_one_that_is_told(flashing: Flashing) -> None:
    with pytest.raises(FlashError) as caught:
        flashing.started("mkr1000", "bad-uploads=1,stuck")
    assert caught.value.message.startswith("bossac could not flash mkr1000")
    summary = "upload failed, application failed, reset done, application failed"
    assert caught.value.message.endswith(f": {summary}")
    (told,) = flashing.told  # uploads that did not help are reported, too
    assert (told.attempts, told.recoveries) == (3, 1)


def test_the_log_has_every_step_with_its_time_and_the_uploaders_words(flashing: Flashing) -> None:
    result = flashing.started("mkr1000", "bad-uploads=1")
    lines = flashing.log.read_text().splitlines()
    steps = [m for line in lines if (m := re.match(r"\[ *([\d.]+) s  ([a-z-]+) +(.+?)\]?$", line))]
    assert [m[2] for m in steps] == [str(step.state) for step in result.steps]
    assert [float(m[1]) for m in steps] == sorted(float(m[1]) for m in steps)
    assert sum(line.startswith("$ ") for line in lines) == 2


def test_a_board_that_dies_is_missed_not_waited_for(
    flashing: Flashing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flash, "FIND_S", 0.5)
    monkeypatch.setattr(lab, "REAPPEAR_S", 0.5)
    board = find_kind("mkr1000").virtual()
    with (
        VirtualBoard.start("mkr1000", tmp_path / "b") as emulator,
        lab.reached(board, str(emulator.port)) as attachment,
    ):
        os.kill(emulator.pid, signal.SIGKILL)
        pty = os.openpty()  # maybe that of the dead board, under its number
        with pytest.raises(FlashError, match="is not there; gave up after .*: find failed"):
            flashing.on(attachment)
        for end_of_pty in pty:
            os.close(end_of_pty)
    assert not flashing.told  # there was no upload to tell of


# -- quarantine -----------------------------------------------------------------------------------


def test_a_board_that_nothing_helps_is_kept_from_everybody(flashing: Flashing) -> None:
    board = Instance("mkr1000-7", "mkr1000", virtual=True)
    with pytest.raises(FlashError):
        flashing.started("mkr1000", "stuck", board)
    record = health.quarantined("virtual-mkr1000-7")
    assert record is not None
    assert "did not start its application" in record.why and record.log == str(flashing.log)
    with pytest.raises(LabError, match="in quarantine since .*did not start") as refused:
        flashing.started("mkr1000", "", board)
    assert "harness boards --prove mkr1000-7" in refused.value.message
    counters = health.health_of("virtual-mkr1000-7").counters
    assert counters == health.Counters(sessions=1, failures=1, uploads=3, retries=3)
    health.release("virtual-mkr1000-7")
    assert flashing.started("mkr1000", "", board).attempts == 1


def test_a_board_in_quarantine_is_not_flashed_though_it_is_attached(flashing: Flashing) -> None:
    """Found sick with one model, it is not tried with the next."""
    named = Instance("mkr1000-7", "mkr1000", virtual=True)
    board = find_kind("mkr1000").virtual()
    with lab.attached(
        board, port=None, state_dir=flashing.folder / "b", faults="stuck", instance=named
    ) as attachment:
        with pytest.raises(FlashError):
            flashing.on(attachment)
        with pytest.raises(LabError, match="in quarantine"):
            flashing.on(attachment)
    assert len(flashing.told) == 1


def test_an_emulator_that_a_run_starts_for_itself_is_never_in_quarantine(
    flashing: Flashing,
) -> None:
    with pytest.raises(FlashError):
        flashing.started("mkr1000", "stuck")
    assert not health.records()
    flashing.started("mkr1000", "")


# -- power ----------------------------------------------------------------------------------------


class Powered:
    """`harness virtual up`, switched off and on by commands as a lab's owner would give them."""

    def __init__(self, folder: Path, kind: str, faults: str = "") -> None:
        self.port, self.pids = folder / "ttyACM-desk", folder / "pids"
        up = [sys.executable, "-m", "harness.cli", "virtual", "up", kind]
        up += ["--state-dir", str(folder / "flash"), "--port-link", str(self.port)]
        self._script(folder / "on", f"{shlex.join(up)} &\n")
        faulty = f"{shlex.join([*up, '--fault', faults])} &\n" if faults else f"{folder}/on\n"
        self._script(folder / "first", faulty)
        (folder / "off").write_text(f"#!/bin/sh\nkill $(tail -n 1 {self.pids})\n")
        (folder / "off").chmod(0o755)
        self.instance = Instance(
            "desk",
            kind,
            virtual=True,
            port=str(self.port),
            power_off=(str(folder / "off"),),
            power_on=(str(folder / "on"),),
        )
        subprocess.run([folder / "first"], check=True)

    def _script(self, path: Path, command: str) -> None:
        """It must outlive the command that started it, as a board does."""
        daemon = command if not command.endswith("&\n") else f"setsid {command[:-3]}"
        path.write_text(
            f"#!/bin/sh\n{daemon} </dev/null >>{self.pids}.log 2>&1 &\necho $! >>{self.pids}\n"
            f"for i in $(seq 200); do [ -e {self.port} ] && exit 0; sleep 0.05; done; exit 1\n"
        )
        path.chmod(0o755)

    def starts(self) -> int:
        return len(self.pids.read_text().split())

    def stop(self) -> None:
        for pid in map(int, self.pids.read_text().split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        eventually(lambda: not self.port.exists())


def eventually(true: Callable[[], object], within_s: float = 20.0) -> bool:
    """It becomes true in the end; the limit is for a failing test only."""
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def powered(folder: Path, kind: str, faults: str = "") -> Iterator[Powered]:
    folder.mkdir()
    board = Powered(folder, kind, faults)
    try:
        yield board
    finally:
        board.stop()


def test_a_board_that_only_its_switch_brings_back(flashing: Flashing, tmp_path: Path) -> None:
    """It is another process with another pty and socket afterwards, under the same links."""
    with powered(tmp_path / "desk", "mkr1000", "stuck") as desk:
        board = desk.instance.board
        assert eventually(desk.port.exists)
        socket = Path(f"{desk.port}.control").resolve()
        with lab.reached(board, str(desk.port), instance=desk.instance) as attachment:
            result = flashing.on(attachment)
            assert attachment.emulator is not None
            assert attachment.emulator.status().state in ("running", "sleeping")
        assert (S.POWER_CYCLE, Event.DONE) in went(result)
        assert desk.starts() == 2 and Path(f"{desk.port}.control").resolve() != socket
    assert health.quarantined(desk.instance.board_id) is None


def test_a_switch_that_does_not_work_says_so_and_quarantine_follows(
    flashing: Flashing, tmp_path: Path
) -> None:
    with VirtualBoard.start("mkr1000", tmp_path / "b", faults="stuck") as emulator:
        desk = Instance(
            "desk",
            "mkr1000",
            virtual=True,
            port=str(emulator.port),
            power_off=("sh", "-c", "echo no such hub; exit 3"),
            power_on=("true",),
        )
        with (
            lab.reached(desk.board, desk.port, instance=desk) as attachment,
            pytest.raises(FlashError, match="did not start its application") as caught,
        ):
            flashing.on(attachment)
    assert caught.value.message.endswith("power-cycle failed, quarantine done")
    assert "ended with 3; it said: no such hub" in flashing.log.read_text()
    assert health.quarantined("virtual-desk") is not None


def test_a_board_that_left_usb_altogether_is_switched_off_and_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the switch leads the harness to another sysfs, in which the board is there."""
    with_board, without = UsbTree(tmp_path / "with"), UsbTree(tmp_path / "without")
    sysfs = tmp_path / "sys"
    sysfs.symlink_to(without.root / "sys")
    monkeypatch.setenv("HARNESS_SYSFS", str(sysfs))
    monkeypatch.setenv("HARNESS_DEV", str(with_board.dev))
    with_board.plug("1-2.3", "2341:0043", serial="75123")
    gone = Instance("uno-1", "uno", serial_number="75123")
    with pytest.raises(LabError, match="no uno-1 is attached"):
        lab.check_present(gone)
    on = ("ln", "-sfn", str(with_board.root / "sys"), str(sysfs))
    switched = replace(gone, power_off=("true",), power_on=on)
    lab.check_present(switched)
    with lab.attached(gone.board, port=None, state_dir=tmp_path, instance=switched) as attachment:
        assert attachment.port == str(with_board.dev / "ttyACM0")
        assert (attachment.board_id, attachment.hub) == ("serial-75123", "1-2")


# -- USB ------------------------------------------------------------------------------------------


def test_a_board_that_returns_under_another_name_is_followed(
    flashing: Flashing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real bootloader and uploader, behind a USB device that leaves and comes back."""
    tree = UsbTree(tmp_path / "usb")
    for name, value in tree.environment.items():
        monkeypatch.setenv(name, value)
    board = find_kind("mkr1000").virtual()
    other = Flashing(OTHER, flashing.firmware_for, tmp_path)
    with VirtualBoard.start("mkr1000", tmp_path / "b") as emulator:
        assert tree.plug("1-2.2", MKR_IDS[0], serial="OTHER") == "ttyACM0"
        with (
            re_enumerating(tree, emulator, emulator.port, "1-2.3", MKR_IDS, "MINE"),
            lab.reached(board, str(tree.dev / "ttyACM1")) as attachment,
        ):
            assert (attachment.place is not None, attachment.hub) == (True, "1-2")
            assert flashing.on(attachment).port == str(tree.dev / "ttyACM1")
            tree.unplug("1-2.2")  # its name is free for whoever comes next
            result = other.on(attachment)
            assert result.port == str(tree.dev / "ttyACM0")
            assert (result.attempts, result.recoveries) == (1, 0)
            assert (S.TOUCH, Event.DONE) in went(result)


def test_a_new_port_of_a_stranger_is_not_taken_for_the_board(
    flashing: Flashing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bootloader of another board of the kind shows up while we wait for ours: not ours."""
    tree = UsbTree(tmp_path / "usb")
    for name, value in tree.environment.items():
        monkeypatch.setenv(name, value)
    with VirtualBoard.start("mkr1000", tmp_path / "b") as emulator:
        port = tree.plug("1-2.3", MKR_IDS[0], serial="MINE", leads_to=emulator.port)
        sight = sight_of(find_kind("mkr1000").virtual(), str(tree.dev / port))
        assert sight.look() == Seen(str(tree.dev / port), Mode.APPLICATION)
        tree.unplug("1-2.3")
        stranger = tree.plug("1-2.4", MKR_IDS[1], serial="OTHER", leads_to=emulator.port)
        assert stranger == port and sight.look() is None
        with pytest.raises(LabError, match="did not come back as 2341:004e"):
            sight.wait(Deadline.after(0.2), Mode.BOOTLOADER)
        tree.plug("1-2.3", MKR_IDS[1], leads_to=emulator.port)  # a bootloader without a number
        seen = sight.wait(Deadline.after(5), Mode.BOOTLOADER)
        assert seen == Seen(str(tree.dev / "ttyACM1"), Mode.BOOTLOADER)


# -- permits --------------------------------------------------------------------------------------


def test_of_one_hub_one_board_is_flashed_at_a_time(flashing: Flashing, tmp_path: Path) -> None:
    board = find_kind("mkr1000").virtual()
    told: list[str] = []
    with VirtualBoard.start("mkr1000", tmp_path / "b") as emulator:
        attachment = lab.Attachment(
            board,
            str(emulator.port),
            instance=Instance("x", "mkr1000", virtual=True, hub_path="1-2.3"),
        )
        holder = hold_in_a_process("flash_permit", "1-2")
        firmware = flashing.firmware_for("mkr1000", MODEL)

        def on_wait(who: str) -> None:
            told.append(who)
            holder.kill()

        try:
            dut, _ = lab.ensure_firmware(
                attachment, MODEL, firmware, log=flashing.log, on_wait=on_wait
            )
            dut.close()
        finally:
            end(holder)
    assert len(told) == 1 and f"process {holder.pid}" in told[0]


# -- kill -9 --------------------------------------------------------------------------------------

HOLD = """
import sys, time
from harness import locks
with getattr(locks, sys.argv[1])(sys.argv[2], wait_s=0):
    print("held", flush=True)
    time.sleep(120)
"""


def hold_in_a_process(what: str, name: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, what, name], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(10)
    for pipe in (process.stdout, process.stdin):
        if pipe:
            pipe.close()


FLASH = """
import sys
from pathlib import Path
from harness import lab
from harness.instances import Instance
from tests.flash.conftest import MODEL
from harness.firmware.build import build_firmware
from harness.reference.model import bench_window

folder = Path(sys.argv[1])
named = Instance("one", "uno", virtual=True, hub_path="1-2.3")
firmware = build_firmware(MODEL, named.board, bench_raw=bench_window(MODEL))
with lab.attached(
    named.board, port=None, state_dir=folder / "b", faults="bad-uploads=1", instance=named
) as attachment:
    lab.ensure_firmware(attachment, MODEL, firmware, log=folder / "log")
"""


def test_after_kill_9_nothing_is_held_and_nobody_is_left(
    flashing: Flashing, tmp_path: Path
) -> None:
    """In the middle of an upload that hangs: a lock, a permit, an uploader, an emulator, a pty."""
    flashing.firmware_for("uno", MODEL)
    process = subprocess.Popen(
        [sys.executable, "-c", FLASH, str(tmp_path)], cwd=Path(__file__).parents[2], text=True
    )
    try:
        assert eventually(lambda: named_in_command_lines("avrdude", tmp_path), 60)
        assert holder_of("virtual-one") is not None
        assert named_in_command_lines("vboard", tmp_path)
        waiter: list[str] = []

        def on_wait(who: str) -> None:
            waiter.append(who)
            process.send_signal(signal.SIGKILL)

        with flash_permit("1-2", wait_s=60, on_wait=on_wait), board_lock("virtual-one", wait_s=10):
            pass
        assert len(waiter) == 1 and f"process {process.pid}" in waiter[0]
        assert eventually(lambda: not named_in_command_lines("", tmp_path))
        assert not (tmp_path / "b" / "ttyUSB-uno").exists()
    finally:
        end(process)


def named_in_command_lines(program: str, folder: Path) -> list[int]:
    """Processes that were given a path below the folder, and are this program."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words and program in words and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found
