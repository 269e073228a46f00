"""A serial port as a Link: real USB or UART adaptors, and the ptys of virtual boards."""

from __future__ import annotations

import contextlib
import os
import select

import serial

from harness.errors import LinkError, LinkTimeout
from harness.link.base import Deadline

READ_SIZE = 4096


class SerialLink:
    """An open serial port, exclusive to this process. Opening it resets some boards."""

    def __init__(self, port: str, baud: int) -> None:
        self.port, self._base_baud = port, baud
        try:
            self._serial = serial.Serial(port, baud, timeout=0, exclusive=True)
            self._fd = self._serial.fileno()  # pyserial has made it non-blocking
        except (OSError, ValueError) as error:
            raise LinkError(
                f"cannot open {port}: {error}",
                hint="is the board attached, is another program using the port, may you read it "
                "(group dialout)? `harness doctor` checks",
            ) from error

    def write(self, data: bytes, deadline: Deadline) -> None:
        """Send all bytes; see Link."""
        left = memoryview(data)
        while left:
            if deadline.expired:
                raise LinkTimeout(
                    f"{self.port}: {len(left)} of {len(data)} bytes not taken in time"
                )
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                select.select([], [self._fd], [], deadline.remaining_s)
            except (OSError, ValueError) as error:
                raise LinkError(f"{self.port}: write failed: {error}") from error

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, or b"" at the deadline; see Link."""
        try:
            ready, _, _ = select.select([self._fd], [], [], deadline.remaining_s)
            if not ready:
                return b""
            data = os.read(self._fd, READ_SIZE)
        except (OSError, ValueError) as error:
            raise LinkError(f"{self.port}: read failed: {error}") from error
        if not data:
            raise LinkError(f"{self.port}: the port is gone", hint="was the board unplugged?")
        return data

    def set_baud(self, baud: int) -> None:
        """Go on at this rate; see RatedLink."""
        try:
            self._serial.baudrate = baud or self._base_baud
        except (OSError, ValueError) as error:
            raise LinkError(f"{self.port}: no {baud} baud: {error}") from error

    def close(self) -> None:
        """Release the port."""
        self._fd = -1
        with contextlib.suppress(OSError):
            self._serial.close()
