"""A Link to the POSIX firmware: a process that speaks the protocol on its stdin and stdout."""

from __future__ import annotations

import os
import select
import subprocess
from pathlib import Path

from harness.errors import LinkError
from harness.link.base import Deadline


class ProcessLink:
    """One running firmware; `close` waits for its end, `exit_code` says how it went."""

    def __init__(self, executable: Path) -> None:
        self._process = subprocess.Popen(
            [executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.exit_code: int | None = None
        self.errors = ""

    def write(self, data: bytes, deadline: Deadline) -> None:
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise LinkError(f"the firmware ended: {self._end()}") from error

    def read(self, deadline: Deadline) -> bytes:
        ready, _, _ = select.select([self._process.stdout], [], [], deadline.remaining_s)
        if not ready:
            return b""
        data = os.read(self._process.stdout.fileno(), 65536)
        if not data:
            raise LinkError(f"the firmware ended: {self._end()}")
        return data

    def close(self) -> None:
        if self.exit_code is None:
            self._end()

    def _end(self) -> str:
        _, errors = self._process.communicate(timeout=10)
        self.exit_code = self._process.returncode
        self.errors = errors.decode(errors="replace")
        return self.errors
