"""Where a board is now, and whether its bootloader or its application has the port.

The port of a board with native USB is another device, maybe with another name, once its bootloader
runs; so the board is looked for by what it is known by (discovery.py), never by what is new. An
emulated board tells by its control socket. Of a board behind an adaptor, or beyond ssh, nothing
tells.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from harness import discovery, remote
from harness.boards import Board
from harness.discovery import UsbPort
from harness.errors import LabError
from harness.link.base import Deadline
from harness.virtual.control import control_at

POLL_S = 0.05
LEAVE_S = 2.0  # for a device to leave after the touch, where its bootloader's id is not known


class Mode(StrEnum):
    """Who has the port."""

    BOOTLOADER = "bootloader"
    APPLICATION = "application"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Seen:
    """A board that is there: at which port, in which mode."""

    port: str
    mode: Mode = Mode.UNKNOWN


class Sight(Protocol):
    """How one board is looked for."""

    def look(self) -> Seen | None:
        """Once: the board, or None while it is away."""

    def wait(self, deadline: Deadline, mode: Mode = Mode.UNKNOWN) -> Seen:
        """The board once it is there in this mode (UNKNOWN: any), or in one that nothing tells.

        Raises LabError at the deadline, with what is there instead.
        """


def sight_of(board: Board, port: str, place: UsbPort | None = None) -> Sight:
    """How to look for the board that is at `port` now, or was at `place`."""
    place = place or (None if remote.is_address(port) else discovery.port_at(port))
    return _OnUsb(board, place) if place else _AtPort(board, port)


@dataclass(frozen=True)
class _OnUsb:
    board: Board
    place: UsbPort

    def look(self) -> Seen | None:
        try:
            return self._seen(discovery.await_port(self.place, (), Deadline.after(0)))
        except LabError:
            return None

    def wait(self, deadline: Deadline, mode: Mode = Mode.UNKNOWN) -> Seen:
        if mode == Mode.BOOTLOADER and self._has_unknown_bootloader:
            discovery.await_gone(self.place, deadline.sooner(LEAVE_S))
        return self._seen(discovery.await_port(self.place, self._usb_ids(mode), deadline))

    @property
    def _has_unknown_bootloader(self) -> bool:
        flash = self.board.flash
        return bool(flash.touch_baud) and not (flash.usb_ids or flash.over_uart)

    def _usb_ids(self, mode: Mode) -> tuple[str, ...]:
        """Those that tell the mode; none where both modes have the same."""
        if mode == Mode.UNKNOWN or not self.board.flash.usb_ids:
            return ()
        return self.board.flash.usb_ids if mode == Mode.BOOTLOADER else self.board.link.usb_ids

    def _seen(self, port: UsbPort) -> Seen:
        ids = self.board.flash.usb_ids
        told = Mode.BOOTLOADER if port.usb_id in ids else Mode.APPLICATION
        return Seen(port.device, told if ids else Mode.UNKNOWN)


@dataclass(frozen=True)
class _AtPort:
    """A pty, a UART of the mainboard, an address: its name stays."""

    board: Board
    port: str

    def look(self) -> Seen | None:
        if remote.is_address(self.port):
            return Seen(self.port)
        if not Path(self.port).exists():
            return None
        if not self.board.is_virtual:
            return Seen(self.port)
        mode = _mode_of_twin(self.port)
        return Seen(self.port, mode) if mode else None

    def wait(self, deadline: Deadline, mode: Mode = Mode.UNKNOWN) -> Seen:
        while True:
            seen = self.look()
            if seen and Mode.UNKNOWN in (mode, seen.mode):
                return seen
            if seen and seen.mode == mode:
                return seen
            if deadline.expired:
                raise self._missing(seen, mode)
            time.sleep(min(POLL_S, deadline.remaining_s))

    def _missing(self, seen: Seen | None, mode: Mode) -> LabError:
        board = f"the {self.board.title} at {self.port}"
        if seen is None:
            return LabError(f"{board} is not there", hint="is the board plugged in?")
        return LabError(f"{board} did not start its {mode}: its {seen.mode} has the port")


def _mode_of_twin(port: str) -> Mode | None:
    """None when nobody is behind the control socket: the pty that a killed emulator's link leads to
    may be somebody else's by now."""
    control = control_at(port)
    if control is None:
        return Mode.UNKNOWN
    try:
        state = control.status().state
    except LabError:
        return None
    known = {"running": Mode.APPLICATION, "sleeping": Mode.APPLICATION}
    return Mode.BOOTLOADER if state == "bootloader" else known.get(state, Mode.UNKNOWN)
