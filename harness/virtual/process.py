"""One running virtual board: a process that cannot outlive us, and its control socket."""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.errors import LabError, UsageError, near_miss
from harness.virtual import BOARDS
from harness.virtual.build import emulator_binary, optiboot_hex, stk500v2_hex

START_TIMEOUT_S = 15.0
REQUEST_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
FLASH_MODES = ("zero-wait", "rws1")
# What the port of a board is called, before the board's name. bossac takes one for USB when its
# name contains ttyACM.
PORT_PREFIXES = {"uno": "ttyUSB", "mega2560": "ttyUSB", "mkr1000": "ttyACM"}
LAST_WORDS_CHARS = 2000


@dataclass(frozen=True, slots=True)
class AvrBoard:
    """What the emulator of the AVR boards has to be told: libsimavr's MCU and the bootloader."""

    mcu: str
    bootloader_hex: Callable[[], Path]


AVR_BOARDS = {
    "uno": AvrBoard("atmega328p", optiboot_hex),
    "mega2560": AvrBoard("atmega2560", stk500v2_hex),
}


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

    @classmethod
    def parse(cls, line: str) -> BoardStatus:
        """From the JSON line; a member that is not a field here is ignored."""
        try:
            found: dict[str, Any] = json.loads(line)
            values = {field.name: found[field.name] for field in fields(cls)}
            if values["fault"] is not None:
                fault = values["fault"]
                values["fault"] = Fault(
                    reason=fault["reason"], pc=fault["pc"], address=fault["address"]
                )
            return cls(**values)
        except (ValueError, KeyError, TypeError) as error:
            raise LabError(f"the virtual board answered {line!r} to a status request") from error


class VirtualBoard:
    """A running emulator. Use as a context manager, or call `stop`.

    Example::

        with VirtualBoard.start("uno", Path("state")) as board:
            serial.Serial(str(board.port), 115200)
    """

    def __init__(
        self, process: subprocess.Popen[bytes], port: Path, run_dir: Path, log: Path
    ) -> None:
        self._process = process
        self._port = port
        self._run_dir = run_dir
        self._log = log
        self._control: socket.socket | None = None
        self._unread = b""

    @classmethod
    def start(
        cls,
        name: str,
        state_dir: Path,
        *,
        realtime: bool = False,
        flash_mode: str = "zero-wait",
        port_link: Path | None = None,
        called: str | None = None,
    ) -> VirtualBoard:
        """Starts board `name` with its flash, log and (unless given) port link in `state_dir`.

        `flash_mode` is for the mkr1000 only. `called` is what the board says it is, for a kind
        that borrows the emulator of another. Returns once the port can be opened.
        """
        called = called or name
        options = _board_options(name, flash_mode)
        binary = emulator_binary(name)
        state_dir = state_dir.resolve()
        state_dir.mkdir(parents=True, exist_ok=True)
        port = port_link or state_dir / f"{PORT_PREFIXES[name]}-{called}"
        run_dir = _short_dir()
        log = state_dir / "board.log"
        command = [
            *(str(binary), "--state-dir", str(state_dir), "--port-link", str(port)),
            *("--control", str(run_dir / "ctl"), "--owner-stdin", "--board", called),
            *(["--realtime"] if realtime else []),
            *options,
        ]
        with log.open("wb") as log_file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log_file,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for us; the board follows when we go
            )
        board = cls(process, port, run_dir, log)
        try:
            board._await_ready()
        except BaseException:
            board.stop()
            raise
        return board

    @property
    def port(self) -> Path:
        """The link to the serial port; valid while the board runs."""
        return self._port

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> Path:
        """What the emulator wrote to stderr: events, one JSON object per line."""
        return self._log

    def status(self) -> BoardStatus:
        return BoardStatus.parse(self._request("status"))

    def reset(self) -> None:
        """Pulls the reset line, as the button on the board does."""
        self._request("reset")

    def stop(self) -> None:
        """Ends the board; its flash is saved. Can be called twice."""
        self._close_control()
        if self._process.stdin:
            self._process.stdin.close()  # the end of its owner, hence its own
        for escalate in (self._process.terminate, self._process.kill, None):
            try:
                self._process.wait(STOP_TIMEOUT_S)
                break
            except subprocess.TimeoutExpired:
                if escalate:
                    escalate()
        if self._process.stdout:
            self._process.stdout.close()
        shutil.rmtree(self._run_dir, ignore_errors=True)

    def __enter__(self) -> VirtualBoard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        line = b""
        assert self._process.stdout is not None
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise self._failed(f"was not ready within {START_TIMEOUT_S:.0f} s")
            piece = self._process.stdout.read(4096)
            if not piece:
                raise self._failed("ended before it was ready")
            line += piece
        if json.loads(line).get("event") != "ready":
            raise self._failed(f"said {line!r} instead of being ready")

    def _request(self, word: str) -> str:
        try:
            control = self._connected()
            control.sendall(word.encode() + b"\n")
            return self._read_line(control)
        except (OSError, EOFError) as error:
            self._close_control()
            raise self._failed(
                f"did not answer {word!r} ({error or 'connection closed'})"
            ) from error

    def _connected(self) -> socket.socket:
        if self._control is None:
            control = socket.socket(socket.AF_UNIX)
            control.settimeout(REQUEST_TIMEOUT_S)
            self._control = control
            control.connect(str(self._run_dir / "ctl"))
        return self._control

    def _read_line(self, control: socket.socket) -> str:
        deadline = time.monotonic() + REQUEST_TIMEOUT_S
        while b"\n" not in self._unread:
            if time.monotonic() > deadline:
                raise TimeoutError("no whole line in time")
            piece = control.recv(4096)
            if not piece:
                raise EOFError
            self._unread += piece
        line, self._unread = self._unread.split(b"\n", 1)
        return line.decode()

    def _close_control(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control = None
        self._unread = b""

    def _failed(self, what: str) -> LabError:
        status = self._process.poll()
        state = "runs" if status is None else f"ended with status {status}"
        words = self._log.read_text(errors="replace")[-LAST_WORDS_CHARS:].strip()
        message = f"the virtual board {what}; its process {state}"
        return LabError(f"{message}; its last words:\n{words}" if words else message)


def _board_options(name: str, flash_mode: str) -> list[str]:
    if name not in BOARDS:
        raise near_miss("virtual board", name, BOARDS)
    if flash_mode not in FLASH_MODES:
        raise near_miss("flash mode", flash_mode, FLASH_MODES)
    avr = AVR_BOARDS.get(name)
    if avr is None:
        return ["--flash-mode", flash_mode]
    if flash_mode != "zero-wait":
        raise UsageError(f"the {name}'s flash has no wait states", hint="drop the flash mode")
    return ["--mcu", avr.mcu, "--boot", str(avr.bootloader_hex())]


def _short_dir() -> Path:
    """A private folder for the control socket, whose path may have 107 bytes at most."""
    base = tempfile.gettempdir()
    if len(os.fsencode(base)) > 60:
        base = "/tmp"
    return Path(tempfile.mkdtemp(prefix="vboard-", dir=base))
