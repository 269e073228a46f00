"""Put a firmware image on a board with the vendor's own uploader, under one deadline.

The uploader is called directly rather than through `pio run -t upload`: an image is a file here,
not a project, and PlatformIO's official upload sets DTR, which a pty refuses. The arguments are
those PlatformIO would use. A virtual board is flashed like one on the desk, through its tty. A
board with Linux has no flash: its program is copied there, over ssh, or beside its twin's port.

Ref: avrdude(1); bossac(1), whose 1.9.1 needs `-o` on a SAMD21 and has no working `-a`;
stm32flash(1); OpenOCD User's Guide, "Flash Programming".
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import serial
from serial.tools import list_ports

from harness import remote, tools
from harness.boards import Board
from harness.errors import FlashError, LabError

ATTEMPTS = 2
SETTLE_S = 0.5  # between the touch and the bootloader's answer, where USB tells nothing
REAPPEAR_S = 5.0  # for the bootloader's USB device to appear after the touch
POLL_S = 0.05
WORDS = 4  # lines of the uploader that an error quotes
VERSION_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class FlashResult:
    """A successful upload: uploader and its version, seconds for all attempts, their number."""

    tool: str
    version: str
    seconds: float
    attempts: int


@dataclass(frozen=True, slots=True)
class _Uploader:
    """How to find a tool and how to call it: (executable, image, board, port) -> command.

    package         PlatformIO's, looked into when the tool is not on PATH
    apt             Debian's; '' = only PlatformIO's knows the board, whatever is on PATH
    version_option  what makes it tell its version
    reads_image     it takes the image on its stdin
    executable      its name, where that is not the name in boards.yaml
    """

    package: str
    apt: str
    command: Callable[[Path, Path, Board, str], list[str]]
    version_option: str = "-?"
    reads_image: bool = False
    executable: str = ""

    @property
    def sources(self) -> str:
        """Where to get it."""
        apt = f"apt-get install {self.apt}" if self.apt else ""
        pio = f"pio pkg install -g -t platformio/{self.package}" if self.package else ""
        return ", or: ".join(filter(None, (apt, pio)))


def flash_firmware(
    firmware_image: Path,
    board: Board,
    port: str,
    *,
    deadline_s: float | None = None,
    log: Path | None = None,
) -> FlashResult:
    """Write `firmware_image` (.hex for avrdude, .bin for bossac) to the board at `port`; verify it.

    Tries twice within `deadline_s` seconds (default: the board's own), half of it each. What the
    uploader said is appended to `log`. Raises FlashError with its last words.
    """
    if not firmware_image.is_file():
        raise FlashError(f"{firmware_image}: no such image", hint="harness build makes one")
    uploader, executable = _find_uploader(board)
    start = time.monotonic()
    whole_s = board.flash.timeout_s if deadline_s is None else deadline_s
    end = start + whole_s
    for attempt in range(1, ATTEMPTS + 1):
        # A board whose first upload failed is still in its bootloader: no second touch.
        touched = _touch(board, port, end) if attempt == 1 else port
        command = uploader.command(executable, firmware_image, board, touched)
        finished = tools.run_tool(
            command,
            deadline_s=min(end - time.monotonic(), whole_s / ATTEMPTS),
            stdin=firmware_image if uploader.reads_image else None,
        )
        _note(log, command, finished)
        if finished.ok:
            seconds = time.monotonic() - start
            return FlashResult(board.flash.tool, tool_version(executable), seconds, attempt)
        if time.monotonic() >= end:
            break
    raise _failure(board, port, finished, time.monotonic() - start, attempt)


@lru_cache
def tool_version(executable: Path) -> str:
    """Version of an uploader, as it tells itself; empty when it does not."""
    known = _UPLOADERS.get(executable.name)
    option = known.version_option if known else "-?"
    try:
        said = tools.run_tool([str(executable), option], deadline_s=VERSION_TIMEOUT_S).output
    except LabError:
        return ""
    names = "version |OpenSSH_|coreutils\\) |stm32flash |Debugger "
    found = re.search(rf"(?:{names})(\d[\w.\-]*)", said, re.I)
    return found[1].rstrip(".,") if found else ""


def uploader_path(tool: str) -> Path | None:
    """The executable of an uploader: on PATH, else from PlatformIO's packages."""
    known = _UPLOADERS.get(tool)
    if known is None:
        return None
    return tools.find_tool(known.executable or tool, known.package, on_path=bool(known.apt))


def _find_uploader(board: Board) -> tuple[_Uploader, Path]:
    tool = board.flash.tool
    known = _UPLOADERS.get(tool)
    if known is None:
        raise FlashError(
            f"{board.kind}: unknown uploader {tool!r}", hint=f"known: {', '.join(_UPLOADERS)}"
        )
    executable = uploader_path(tool)
    if executable is None:
        raise FlashError(
            f"no {tool} on PATH and none in {tools.user_platformio_dir()}",
            hint=known.sources,
        )
    return known, executable


def _avrdude(executable: Path, image: Path, board: Board, port: str) -> list[str]:
    configuration = executable.parent / "avrdude.conf"  # beside PlatformIO's avrdude
    if not configuration.is_file():
        configuration = executable.parent.parent / "avrdude.conf"
    return [
        str(executable),
        *(["-C", str(configuration)] if configuration.is_file() else []),
        *("-p", board.mcu.lower()),
        *("-c", board.flash.programmer),
        *("-P", port),
        *("-b", str(board.flash.baud)),
        "-D",  # these bootloaders erase page by page
        *("-U", f"flash:w:{image}:i"),
    ]


def _bossac(executable: Path, image: Path, board: Board, port: str) -> list[str]:
    named = "ttyACM" in port or "ttyUSB" in port  # it knows USB by name
    line = ["--usb-port=0"] if board.flash.over_uart else [] if named else ["-U"]
    return [
        str(executable),
        "-p",
        port,
        *line,
        *(["-o", f"{board.flash.offset:#x}"] if board.flash.offset else []),
        *("-i", "-e", "-w", "-v"),
        *(["-b"] if board.flash.over_uart else []),
        str(image),
        "-R",
    ]


def _bossac_nrf52(executable: Path, image: Path, board: Board, port: str) -> list[str]:
    """As Arduino's boards.txt has it for the Nano 33 BLE, whose bootloader adds the offset."""
    return [str(executable), "-p", port, "-U", "-i", "-e", "-w", str(image), "-R"]


def _stm32flash(executable: Path, image: Path, board: Board, port: str) -> list[str]:
    return [
        str(executable),
        *("-b", str(board.flash.baud)),
        *("-m", board.flash.mode or "8e1"),
        *("-w", str(image), "-v"),
        *("-g", f"{board.flash.offset:#x}"),
        port,
    ]


def _openocd(executable: Path, image: Path, board: Board, port: str) -> list[str]:
    """Through the board's own debug probe, whatever its serial port is."""
    write = f"program {{{image}}} verify reset exit {board.flash.offset:#x}"
    return [str(executable), "-f", board.flash.programmer, "-c", write]


def _ssh(executable: Path, image: Path, board: Board, port: str) -> list[str]:
    return remote.upload_command(executable, image, port)


def _install(executable: Path, image: Path, board: Board, port: str) -> list[str]:
    """A virtual board that runs Linux takes its program from beside its port."""
    return [str(executable), "-m", "755", str(image), f"{port}.elf"]


_UPLOADERS = {
    "avrdude": _Uploader("tool-avrdude", "avrdude", _avrdude),
    "bossac": _Uploader("tool-bossac", "bossa-cli", _bossac, "-h"),
    # The bossac of other distributions knows no nRF52840.
    "bossac-nrf52": _Uploader(
        "tool-bossac-nordicnrf52", "", _bossac_nrf52, "-h", executable="bossac"
    ),
    "stm32flash": _Uploader("", "stm32flash", _stm32flash, "/dev/null"),  # it greets any device
    "openocd": _Uploader("tool-openocd", "openocd", _openocd, "--version"),
    "ssh": _Uploader("", "openssh-client", _ssh, "-V", reads_image=True),
    "install": _Uploader("", "coreutils", _install, "--version"),
}


# --- the 1200-baud touch -------------------------------------------------------------------------


def _touch(board: Board, port: str, end: float) -> str:
    """Ask the board for its bootloader, where it wants to be asked; returns the port it is at then.

    Failure to touch is no failure yet: the board may be in its bootloader already.
    """
    if not board.flash.touch_baud:
        return port
    identity = _usb_identity(port)
    with suppress(OSError, serial.SerialException):
        line = serial.Serial(port, board.flash.touch_baud)
        with suppress(OSError):  # a pty has no DTR
            line.dtr = False
        line.close()
    if identity is None:
        time.sleep(min(SETTLE_S, max(0.0, end - time.monotonic())))
        return port
    return _await_reappearance(port, identity, min(end, time.monotonic() + REAPPEAR_S))


def _await_reappearance(port: str, identity: str, end: float) -> str:
    """Wait until the USB device `identity` has left and come back; returns where it is now."""
    gone = False
    while time.monotonic() < end:
        now = next((p.device for p in list_ports.comports() if _identity_of(p) == identity), None)
        if now is None:
            gone = True
        elif gone:
            time.sleep(SETTLE_S)  # the kernel still sets the rights of the new device
            return str(now)
        time.sleep(POLL_S)
    return port


def _usb_identity(port: str) -> str | None:
    """Serial number, else place on the hub, of the USB device at `port`; None for a pty."""
    device = os.path.realpath(port)
    return next((_identity_of(p) for p in list_ports.comports() if p.device == device), None)


def _identity_of(port: object) -> str | None:
    return getattr(port, "serial_number", None) or getattr(port, "location", None)


# --- words of failure ----------------------------------------------------------------------------


def _note(log: Path | None, command: list[str], finished: tools.Finished) -> None:
    if log is None:
        return
    end = "ran past the deadline" if finished.timed_out else f"status {finished.status}"
    with log.open("a") as file:
        file.write(f"$ {' '.join(command)}\n{finished.output.rstrip()}\n")
        file.write(f"[{end} after {finished.seconds:.1f} s]\n")


def _failure(
    board: Board, port: str, finished: tools.Finished, seconds: float, attempts: int
) -> FlashError:
    tool, words = board.flash.tool, last_words(finished.output)
    said = f"; it said: {words}" if words else "; it said nothing"
    hint = _advice(finished.output, board)
    if finished.timed_out:
        return FlashError(
            f"{tool} did not finish flashing {board.kind} at {port} within {seconds:.1f} s "
            f"(attempt {attempts}){said}",
            hint=hint,
        )
    return FlashError(
        f"{tool} could not flash {board.kind} at {port} (status {finished.status}, "
        f"{attempts} attempts, {seconds:.1f} s){said}",
        hint=hint,
    )


def last_words(output: str) -> str:
    """The last lines of an uploader that mean something, on one line."""
    noise = re.compile(r"^\W*$|^(avrdude: )?(reading|writing) \||\| #|thank you|^\[[= ]*\]", re.I)
    lines = [line.strip() for line in re.split(r"[\r\n]+", output)]
    return " / ".join([line for line in lines if not noise.search(line)][-WORDS:])


_ADVICE = (
    (
        "permission denied",
        "join the group of the port: sudo usermod -aG dialout $USER, then log in",
    ),
    ("busy", "another program has the port open; close its monitor"),
    ("no such file|can't open|no device found", "is the board plugged in? harness boards --scan"),
    ("not in sync|not responding", "is this the right board? press reset, or try another cable"),
    ("verif|mismatch", "flash it once more; if it fails again the board's flash is worn out"),
)


def _advice(output: str, board: Board) -> str:
    if board.flash.tool == "ssh":
        return remote.advice(output)
    if board.flash.tool == "install":
        return "name the port as `harness virtual up` prints it: the program lies beside that name"
    for words, advice in _ADVICE:
        if re.search(words, output, re.I):
            return advice
    if board.flash.touch_baud:
        return "press reset twice to start the bootloader, then flash again"
    return "press reset and flash again; harness doctor checks the tools"
