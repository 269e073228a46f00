"""The control socket of a virtual board: what it answers (docs/virtual-boards.md).

Whoever has a virtual board's port finds its control socket beside it, in another process too.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import time
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from harness.errors import LabError
from harness.files import workshop

REQUEST_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why the MCU stopped: `pc` and `address` are byte addresses (or `address` an opcode)."""

    reason: str
    pc: int
    address: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardStatus:
    """The answer to `status`; docs/virtual-boards.md says what each field counts."""

    board: str
    state: str  # running, sleeping, bootloader, fault
    cycles: int
    instructions: int
    clock_hz: int
    resets: int
    rx_bytes: int
    tx_bytes: int
    rx_overruns: int
    min_sp: int
    marks_count: int
    marks_cycles: int
    marks_first_cycles: int
    marks_last_cycles: int
    fault: Fault | None
    # Of a core whose cycles are a bracket: the upper bounds, and instructions, which are exact.
    marks_cycles_hi: int | None = None
    marks_first_cycles_hi: int | None = None
    marks_instructions: int | None = None
    marks_first_instructions: int | None = None

    @classmethod
    def parse(cls, line: str) -> BoardStatus:
        """From the JSON line; a member that is not a field here is ignored."""
        try:
            found: dict[str, Any] = json.loads(line)
            wanted = [f.name for f in fields(cls) if f.default is MISSING or f.name in found]
            values = {name: found[name] for name in wanted}
            if values["fault"] is not None:
                fault = values["fault"]
                values["fault"] = Fault(
                    reason=fault["reason"], pc=fault["pc"], address=fault["address"]
                )
            return cls(**values)
        except (ValueError, KeyError, TypeError) as error:
            raise LabError(f"the virtual board answered {line!r} to a status request") from error


class Control:
    """A client of the control socket at `path`; each request is a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def status(self) -> BoardStatus:
        """What the board is doing."""
        return BoardStatus.parse(self._request("status"))

    def reset(self) -> None:
        """Pulls the reset line, as the button on the board does."""
        self._command("reset")

    def enter_bootloader(self) -> None:
        """Holds the boot pin over a reset; raises LabError where the board has none."""
        self._command("bootloader")

    def load(self, image: Path, address: int) -> None:
        """Writes `image` into flash from `address` on, as a debug probe does, and resets.

        Raises LabError when it does not fit there.
        """
        base = Path(tempfile.gettempdir())
        with workshop(base, "vboard-load-") as folder:  # a request is a short line
            copy = shutil.copyfile(image, folder / "image")
            self._command(f"load {address:#x} {copy}")

    def _command(self, word: str) -> None:
        answer = self._request(word)
        if json.loads(answer) != {"ok": True}:
            raise LabError(f"the virtual board refused {word!r}: {answer}")

    def _request(self, word: str) -> str:
        """The answer to one request. Raises LabError when there is none."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(REQUEST_TIMEOUT_S)
                client.connect(os.path.realpath(self._path))  # the link's may be too long
                client.sendall(word.encode() + b"\n")
                return _read_line(client)
        except (OSError, EOFError) as error:
            what = f"did not answer {word!r} ({error or 'connection closed'})"
            raise self._failed(what) from error

    def _failed(self, what: str) -> LabError:
        return LabError(f"the virtual board {what}", hint="is it still up? harness virtual up NAME")


def _read_line(client: socket.socket) -> str:
    deadline = time.monotonic() + REQUEST_TIMEOUT_S
    line = b""
    while not line.endswith(b"\n"):
        if time.monotonic() > deadline:
            raise TimeoutError("no whole line in time")
        piece = client.recv(4096)
        if not piece:
            raise EOFError
        line += piece
    return line.decode().rstrip("\n")


def control_at(port: str) -> Control | None:
    """The control socket of the virtual board at `port`, a link; None when there is none.

    It goes on to serve when the board was started again in the meantime, with another socket.
    """
    path = Path(f"{port}.control")
    return Control(path) if path.exists() else None
