"""A serial port as a Link: real USB or UART adaptors, and the ptys of virtual boards."""

from __future__ import annotations

import contextlib
import os
import select

import serial
from serial.tools import list_ports

from harness.errors import LinkError, LinkTimeout
from harness.link.base import Deadline

WRITE_TIMEOUT_S = 10.0
READ_SIZE = 4096


class SerialLink:
    """An open serial port, exclusive to this process. Opening it resets some boards."""

    def __init__(self, port: str, baud: int) -> None:
        self.port = port
        try:
            self._serial = serial.Serial(
                port, baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True
            )
        except (OSError, ValueError) as error:
            raise LinkError(
                f"cannot open {port}: {error}",
                hint="is the board attached, is another program using the port, may you read it "
                "(group dialout)? `harness doctor` checks",
            ) from error

    def write(self, data: bytes, deadline: Deadline) -> None:
        """Send all bytes; see Link."""
        if deadline.expired:
            raise LinkTimeout(f"{self.port}: no time left to send {len(data)} bytes")
        try:
            self._serial.write(data)
        except serial.SerialTimeoutException as error:
            raise LinkTimeout(
                f"{self.port}: {len(data)} bytes not taken within {WRITE_TIMEOUT_S:.0f} s"
            ) from error
        except OSError as error:
            raise LinkError(f"{self.port}: write failed: {error}") from error

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, or b"" at the deadline; see Link."""
        try:
            ready, _, _ = select.select([self._serial.fileno()], [], [], deadline.remaining_s)
            if not ready:
                return b""
            data = os.read(self._serial.fileno(), READ_SIZE)
        except (OSError, ValueError) as error:
            raise LinkError(f"{self.port}: read failed: {error}") from error
        if not data:
            raise LinkError(f"{self.port}: the port is gone", hint="was the board unplugged?")
        return data

    def close(self) -> None:
        """Release the port."""
        with contextlib.suppress(OSError):
            self._serial.close()


def hardware_id(port: str) -> str:
    """What the board at `port` is known by, wherever it is plugged in: its USB serial number, else
    its place on the hub; '' for a port that has neither (a pty, a UART on the mainboard)."""
    device = os.path.realpath(port)
    found = next((p for p in list_ports.comports() if p.device == device), None)
    if found is None:
        return ""
    return f"serial-{found.serial_number}" if found.serial_number else f"hub-{found.location}"


def find_ports(usb_ids: tuple[str, ...]) -> list[str]:
    """Device names of attached serial ports whose `vid:pid` (hex, lower case) is in `usb_ids`."""
    return sorted(
        port.device
        for port in list_ports.comports()
        if port.vid is not None and f"{port.vid:04x}:{port.pid:04x}" in usb_ids
    )
