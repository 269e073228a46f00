"""A worker process, seen from the night: start it, hear it, end it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

Message = dict[str, Any]
READ_BYTES = 65536


class Child:
    """One worker. It ends by itself when we do: we are at the other end of its stdin.

    name  of its board; '' = it trains
    log   where its stderr goes, appended
    """

    def __init__(self, name: str, job: Message, log: Path) -> None:
        self.name = name
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as words:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "harness.nightly.worker", str(log.parent)],  # seen in ps
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                start_new_session=True,  # Ctrl-C is for us; we end it
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._begun = b""
        with suppress(BrokenPipeError):  # it ended at once: its exit status will tell
            self._stdin.write(json.dumps(job).encode() + b"\n")
            self._stdin.flush()

    def fileno(self) -> int:
        """Readable when `read` has something, or the worker has ended."""
        return self._stdout.fileno()

    def read(self) -> list[Message] | None:
        """What it says; None when it has ended. Call it when `fileno` is readable."""
        piece = os.read(self._stdout.fileno(), READ_BYTES)
        if not piece:
            return None
        *lines, self._begun = (self._begun + piece).split(b"\n")
        return [json.loads(line) for line in lines]

    def ask_to_stop(self) -> None:
        """It closes its port, stops its emulator and ends."""
        with suppress(OSError):
            self._stdin.close()

    def ended(self, patience_s: float) -> int | None:
        """Its exit status; None when it is still there after this time."""
        try:
            return self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Now, with what it started in its session; what the kernel holds fast is left behind."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let go of the pipes."""
        for pipe in (self._stdin, self._stdout):
            with suppress(OSError):
                pipe.close()
