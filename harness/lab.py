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

from harness import remote
from harness.bench import CycleWitness, Span, check_identity
from harness.boards import Board
from harness.errors import LabError, LinkError, UsageError
from harness.firmware.build import Firmware
from harness.flash import FlashResult, flash_firmware
from harness.link.base import Deadline, Link
from harness.link.dut import Dut, connect
from harness.link.process import ProcessLink
from harness.link.serial import SerialLink, find_ports, hardware_id
from harness.locks import board_lock
from harness.qmodel import QModel
from harness.virtual.control import Control, control_at
from harness.virtual.faults import parse_faults
from harness.virtual.process import VirtualBoard

WAIT_S = 600.0  # for a board that somebody else has
REAPPEAR_S = 5.0  # how long a port that is gone may take to come back
POLL_S = 0.05
PROBE_S = 2.0  # how long to ask what already runs before flashing


@dataclass(frozen=True)
class Attachment:
    """A board within reach: its port, and for a virtual one its emulator."""

    board: Board
    port: str
    emulator: Control | None = None
    board_id: str = ""  # which of several boards of a kind; '' where nothing tells

    @classmethod
    def at(cls, board: Board, port: str) -> Attachment:
        """The board at `port`; with its control socket, where a virtual one is up there."""
        control = control_at(port) if board.is_virtual else None
        return cls(board, port, control, "" if board.is_virtual else board_id(port))

    @property
    def witness(self) -> CycleWitness | None:
        """Who counts cycles beside the firmware."""
        if self.emulator is None or self.board.time_unit not in ("cycles", "bracket"):
            return None
        return EmulatorWitness(self.emulator)

    def may_run_firmware(self) -> bool:
        """False when the board is known to sit in its bootloader or on erased flash."""
        return self.emulator is None or self.emulator.status().state in ("running", "sleeping")


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


def _say_nothing(holder: str) -> None:
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
) -> Iterator[Attachment]:
    """The board, for as long as the block runs; a virtual one is started and stopped here.

    state_dir: where a virtual board keeps its flash. faults: what it is to do wrong. wait_s,
    on_wait: see `reached`. Raises LabError when there is no board.
    """
    if board.is_virtual and port is None:
        with VirtualBoard.start(
            board.emulator, state_dir, called=board.kind, faults=faults
        ) as emulator:
            yield Attachment(board, str(emulator.port), emulator)
    else:
        port = port or find_board_port(board)
        with reached(board, port, wait_s=wait_s, on_wait=on_wait) as attachment:
            yield attachment


@contextlib.contextmanager
def reached(
    board: Board, port: str, *, wait_s: float = WAIT_S, on_wait: OnWait = _say_nothing
) -> Iterator[Attachment]:
    """The board at `port`, ours alone for as long as the block runs.

    Waits up to `wait_s` seconds while somebody else has it; `on_wait` is told who.
    Raises BoardBusy.
    """
    check_port(board, port)
    with board_lock(
        board_id(port) or f"port-{Path(port).resolve()}", wait_s=wait_s, on_wait=on_wait
    ):
        yield Attachment.at(board, port)


def board_id(port: str) -> str:
    """What the board at `port` is known by; '' where nothing tells it from others."""
    return port if remote.is_address(port) else hardware_id(port)


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


def find_board_port(board: Board) -> str:
    """The serial port of the one attached board of this kind, by USB vendor and product."""
    if board.flash.tool == "ssh":
        raise LabError(
            f"no address of a {board.title} is given, and it is reached over ssh",
            hint=f"--port ssh://USER@HOST, or the emulated twin: --board {board.kind} --virtual",
        )
    ports = find_ports(board.link.usb_ids)
    if not ports:
        raise LabError(
            f"no {board.title} is attached (looked for USB {', '.join(board.link.usb_ids)})",
            hint=f"attach it, name its port with --port, or use the emulated twin: "
            f"--board {board.kind} --virtual",
        )
    if len(ports) > 1:
        raise LabError(
            f"{len(ports)} boards could be the {board.title}: {', '.join(ports)}",
            hint="name one with --port",
        )
    return ports[0]


def ensure_firmware(
    attachment: Attachment, model: QModel, firmware: Firmware, *, log: Path
) -> tuple[Dut, FlashResult | None]:
    """An open, identified board that runs exactly this firmware; flashed only if it does not."""
    board = attachment.board
    _await_port(attachment.port)
    if attachment.may_run_firmware():
        dut = _already_running(attachment, firmware, model)
        if dut is not None:
            return dut, None
    flashed = _upload(attachment, firmware.image, log)
    dut = _open(attachment, board.link.boot_wait_s)
    try:
        check_identity(dut.identity, model, board.kind, firmware.firmware_id)
    except LinkError:
        dut.close()
        raise
    return dut, flashed


def _await_port(port: str) -> None:
    """A board that was just reset or plugged in again is away for a moment: give it that."""
    deadline = Deadline.after(REAPPEAR_S)
    while not (remote.is_address(port) or Path(port).exists() or deadline.expired):
        time.sleep(POLL_S)


def _upload(attachment: Attachment, image: Path, log: Path) -> FlashResult:
    """By the board's uploader; a twin without a bootloader is written to directly."""
    board, port = attachment.board, attachment.port
    if board.flash.tool == "direct":
        start = time.monotonic()
        _control(attachment).load(image, board.flash.offset)
        return FlashResult("direct", "", time.monotonic() - start, 1)
    if board.flash.boot_pin and board.is_virtual:
        _control(attachment).enter_bootloader()
    return flash_firmware(image, board, port, deadline_s=board.flash.timeout_s, log=log)


def _control(attachment: Attachment) -> Control:
    if attachment.emulator is None:
        raise LabError(
            f"there is no control socket beside {attachment.port}, and the twin of a "
            f"{attachment.board.title} is loaded by means of it",
            hint=f"give the link that `harness virtual up {attachment.board.kind}` prints",
        )
    return attachment.emulator


def _already_running(attachment: Attachment, firmware: Firmware, model: QModel) -> Dut | None:
    try:
        dut = _open(attachment, PROBE_S)
    except LinkError:
        return None
    try:
        check_identity(dut.identity, model, attachment.board.kind, firmware.firmware_id)
    except LinkError:
        dut.close()
        return None
    return dut


def _open(attachment: Attachment, boot_wait_s: float) -> Dut:
    link = attachment.board.link
    return connect(
        lambda: _link(attachment.port, link.baud),
        boot_wait_s=boot_wait_s,
        banner=link.resets_on_open,
    )


def _link(port: str, baud: int) -> Link:
    if remote.is_address(port):
        return ProcessLink(remote.start_command(port), name=port, advise=remote.advice)
    return SerialLink(port, baud)
