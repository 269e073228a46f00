"""A program as a Link: it speaks the link on its stdin and stdout, as firmware behind ssh does."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import tempfile
from collections.abc import Callable, Sequence

from harness.errors import LinkError, LinkTimeout
from harness.link.base import Deadline

READ_SIZE = 4096
END_S = 2.0  # for a program to end by itself once its input has ended
LAST_WORDS_CHARS = 500


class ProcessLink:
    """A running program. Its input ends with `close`, and it with its input.

    name    what errors call the other end
    advise  from the program's last words to what to try
    """

    def __init__(
        self, command: Sequence[str], *, name: str, advise: Callable[[str], str] = lambda _: ""
    ) -> None:
        self._name = name
        self._advise = advise
        # A file, unlike a pipe, cannot fill up and stop the program.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for us; the program follows when we go
            )
        except OSError as error:
            self._words.close()
            raise LinkError(f"cannot start {command[0]}: {error.strerror}") from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        os.set_blocking(self._input.fileno(), False)

    def write(self, data: bytes, deadline: Deadline) -> None:
        """Send all bytes; see Link."""
        left = memoryview(data)
        while left:
            try:
                ready = select.select([], [self._input], [], deadline.remaining_s)[1]
                if not ready:
                    raise LinkTimeout(f"{self._name}: {len(left)} bytes not taken in time")
                left = left[os.write(self._input.fileno(), left) :]
            except BlockingIOError:
                continue
            except (OSError, ValueError) as error:
                raise self._ended() from error

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, or b"" at the deadline; see Link."""
        try:
            if not select.select([self._output], [], [], deadline.remaining_s)[0]:
                return b""
            data = os.read(self._output.fileno(), READ_SIZE)
        except (OSError, ValueError) as error:
            raise self._ended() from error
        if not data:
            raise self._ended()
        return data

    def close(self) -> None:
        """End the program, by force if need be."""
        with contextlib.suppress(OSError):
            self._input.close()
        self._output.close()
        for escalate in (self._process.terminate, self._process.kill, None):
            try:
                self._process.wait(END_S)
                break
            except subprocess.TimeoutExpired:
                if escalate:
                    escalate()
        self._words.close()

    def _ended(self) -> LinkError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        status = self._process.poll()
        how = "has closed its output" if status is None else f"ended with status {status}"
        words = self._last_words()
        said = f": {words}" if words else ""
        return LinkError(f"{self._name}: the program {how}{said}", hint=self._advise(words))

    def _last_words(self) -> str:
        if self._words.closed:
            return ""
        self._words.seek(0)
        text = self._words.read().decode(errors="replace")[-LAST_WORDS_CHARS:]
        return " / ".join(line.strip() for line in text.splitlines() if line.strip())
