"""Boards on the desk and their virtual twins: find the port, put firmware on it, open it.

Everything that talks to a port goes through here, so that the measuring code cannot tell silicon
from emulation; only `Board.is_virtual` decides what is started.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.bench import CycleWitness, check_identity
from harness.boards import Board
from harness.errors import LabError, LinkError, UsageError
from harness.firmware.build import Firmware
from harness.flash import FlashResult, flash_firmware
from harness.link.dut import Dut, connect
from harness.link.serial import SerialLink, find_ports
from harness.qmodel import QModel
from harness.virtual.process import VirtualBoard

PROBE_S = 2.0  # how long to ask what already runs before flashing


@dataclass(frozen=True)
class Attachment:
    """A board within reach: its port, and for a virtual one its emulator."""

    board: Board
    port: str
    emulator: VirtualBoard | None = None

    @property
    def witness(self) -> CycleWitness | None:
        """Who counts cycles beside the firmware."""
        return EmulatorWitness(self.emulator) if self.emulator else None

    def may_run_firmware(self) -> bool:
        """False when the board is known to sit in its bootloader or on erased flash."""
        return self.emulator is None or self.emulator.status().state in ("running", "sleeping")


@dataclass(frozen=True)
class EmulatorWitness:
    """The emulator's own count of the cycles between the marks that the firmware sets."""

    emulator: VirtualBoard

    def marked_cycles(self) -> int:
        """Cycles inside marked stretches since reset, each less the empty stretch's."""
        status = self.emulator.status()
        return status.marks_cycles - status.marks_count * status.marks_first_cycles


@contextlib.contextmanager
def attached(board: Board, *, port: str | None, state_dir: Path) -> Iterator[Attachment]:
    """The board, for as long as the block runs; a virtual one is started and stopped here.

    state_dir: where a virtual board keeps its flash. Raises LabError when there is no board.
    """
    if board.is_virtual and port is None:
        with VirtualBoard.start(board.emulator, state_dir, called=board.kind) as emulator:
            yield Attachment(board, str(emulator.port), emulator)
    else:
        port = port or find_board_port(board)
        if not board.is_virtual:
            refuse_pty(board, port)
        yield Attachment(board, port)


def refuse_pty(board: Board, port: str) -> None:
    """A pty is never silicon: no emulated figure may pass for a measured one."""
    if Path(port).resolve().is_relative_to("/dev/pts"):
        raise UsageError(
            f"{port} is a pseudo-terminal, not a {board.title}",
            hint=f"for an emulated board say so: --board {board.kind} --virtual --port {port}",
        )


def find_board_port(board: Board) -> str:
    """The serial port of the one attached board of this kind, by USB vendor and product."""
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
    if attachment.may_run_firmware():
        dut = _already_running(attachment, firmware, model)
        if dut is not None:
            return dut, None
    flashed = flash_firmware(
        firmware.image, board, attachment.port, deadline_s=board.flash.timeout_s, log=log
    )
    dut = _open(attachment, board.link.boot_wait_s)
    try:
        check_identity(dut.identity, model, board.kind, firmware.firmware_id)
    except LinkError:
        dut.close()
        raise
    return dut, flashed


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
        lambda: SerialLink(attachment.port, link.baud),
        boot_wait_s=boot_wait_s,
        banner=link.resets_on_open,
    )
