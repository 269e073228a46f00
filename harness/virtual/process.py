"""One running virtual board: a process that cannot outlive us, and its control socket."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from harness.errors import LabError, UsageError, near_miss
from harness.files import reserve_folder
from harness.virtual.build import emulator_binary, optiboot_hex, qemu_path, stk500v2_hex
from harness.virtual.control import Control
from harness.virtual.faults import parse_faults

START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 5.0
CONTROL = "ctl"  # the socket in the board's private folder
FLASH_MODES = ("zero-wait", "rws1")
LAST_WORDS_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Emulated:
    """What an emulator has to be told to be one board.

    Fields
        port_prefix  of its port's name; bossac takes one with `ttyACM` for USB
        options      arguments beyond the common ones, for the board at that port
        flash_modes  whether it has wait states to choose from
    """

    port_prefix: str
    options: Callable[[Path], list[str]] = lambda port: []
    flash_modes: tuple[str, ...] = FLASH_MODES[:1]


def _avr(mcu: str, bootloader_hex: Callable[[], Path]) -> Emulated:
    return Emulated("ttyUSB", lambda port: ["--mcu", mcu, "--boot", str(bootloader_hex())])


def _linux(port: Path) -> list[str]:
    return ["--emulator", str(qemu_path()), "--program", str(program_beside(port))]


EMULATED = {
    "uno": _avr("atmega328p", optiboot_hex),
    "mega2560": _avr("atmega2560", stk500v2_hex),
    "mkr1000": Emulated("ttyACM", flash_modes=FLASH_MODES),
    "due": Emulated("ttyACM"),
    "nano33ble": Emulated("ttyACM"),
    "nucleo_l4r5zi": Emulated("ttyACM"),
    "rpi3": Emulated("tty", _linux),
}


class VirtualBoard(Control):
    """A running emulator. Use as a context manager, or call `stop`.

    Example::

        with VirtualBoard.start("uno", Path("state")) as board:
            serial.Serial(str(board.port), 115200)
    """

    def __init__(
        self, process: subprocess.Popen[bytes], port: Path, run_dir: tuple[int, Path], log: Path
    ) -> None:
        self._alive, self._run_dir = run_dir
        super().__init__(self._run_dir / CONTROL)
        self._process = process
        self._port = port
        self._log = log

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
        faults: str = "",
    ) -> VirtualBoard:
        """Starts board `name` with its flash, log and (unless given) port link in `state_dir`.

        `flash_mode` is for the mkr1000 only. `called` is what the board says it is, for a kind
        that borrows the emulator of another. `faults` is what it is to do wrong
        (docs/faults.md). Returns once the port can be opened.
        """
        if name not in EMULATED:
            raise near_miss("virtual board", name, EMULATED)
        called = called or name
        binary = emulator_binary(name)
        state_dir = state_dir.resolve()
        state_dir.mkdir(parents=True, exist_ok=True)
        port = port_link or state_dir / f"{EMULATED[name].port_prefix}-{called}"
        options = _board_options(name, flash_mode, port)
        run_dir = reserve_folder(_short_base(), "vboard-run-")
        log = state_dir / "board.log"
        command = [
            *(str(binary), "--state-dir", str(state_dir), "--port-link", str(port)),
            *("--control", str(run_dir[1] / CONTROL), "--owner-stdin", "--board", called),
            *(["--realtime"] if realtime else []),
            *(["--fault", parse_faults(faults)] if faults else []),
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

    def stop(self) -> None:
        """Ends the board; its flash is saved. Can be called twice."""
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
        if self._alive >= 0:
            shutil.rmtree(self._run_dir, ignore_errors=True)
            os.close(self._alive)
            self._alive = -1

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

    def _failed(self, what: str) -> LabError:
        status = self._process.poll()
        state = "runs" if status is None else f"ended with status {status}"
        words = self._log.read_text(errors="replace")[-LAST_WORDS_CHARS:].strip()
        message = f"the virtual board {what}; its process {state}"
        return LabError(f"{message}; its last words:\n{words}" if words else message)


def _board_options(name: str, flash_mode: str, port: Path) -> list[str]:
    modes = EMULATED[name].flash_modes
    if flash_mode not in FLASH_MODES:
        raise near_miss("flash mode", flash_mode, FLASH_MODES)
    if flash_mode not in modes:
        raise UsageError(f"the {name}'s flash has no wait states", hint="drop the flash mode")
    chosen = ["--flash-mode", flash_mode] if len(modes) > 1 else []
    return [*EMULATED[name].options(port), *chosen]


def program_beside(port: Path) -> Path:
    """Where a virtual board that runs Linux finds its firmware: beside its port."""
    return port.with_name(f"{port.name}.elf")


def _short_base() -> Path:
    """Where control sockets go: their paths may have 107 bytes at most."""
    base = tempfile.gettempdir()
    return Path(base if len(os.fsencode(base)) <= 60 else "/tmp")
