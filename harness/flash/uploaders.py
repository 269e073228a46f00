"""The vendors' own uploaders, as data: how each is found, called and understood.

They are called directly rather than through `pio run -t upload`: an image is a file here, not a
project, and PlatformIO's official upload sets DTR, which a pty refuses. The arguments are those
PlatformIO would use. A board with Linux has no flash: its program is copied there, over ssh, or
beside its twin's port. What comes before and after an upload is `procedure.py`'s.

Ref: avrdude(1); bossac(1), whose 1.9.1 needs `-o` on a SAMD21 and has no working `-a`;
stm32flash(1); OpenOCD User's Guide, "Flash Programming".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness import discovery, remote, tools
from harness.boards import Board
from harness.errors import FlashError, LabError

WORDS = 4  # lines of the uploader that an error quotes
VERSION_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Uploader:
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


def find_uploader(board: Board) -> tuple[Uploader, Path]:
    """The board's uploader and its executable. Raises FlashError when there is none here."""
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
    """Through the board's own debug probe, of which the serial port is a part: the same number.

    `adapter serial` is of OpenOCD 0.12.
    """
    usb = discovery.port_at(port)
    probe = ["-c", f"adapter serial {{{usb.serial_number}}}"] if usb and usb.serial_number else []
    write = f"program {{{image}}} verify reset exit {board.flash.offset:#x}"
    return [str(executable), "-f", board.flash.programmer, *probe, "-c", write]


def _ssh(executable: Path, image: Path, board: Board, port: str) -> list[str]:
    return remote.upload_command(executable, image, port)


def _install(executable: Path, image: Path, board: Board, port: str) -> list[str]:
    """A virtual board that runs Linux takes its program from beside its port."""
    return [str(executable), "-m", "755", str(image), f"{port}.elf"]


_UPLOADERS = {
    "avrdude": Uploader("tool-avrdude", "avrdude", _avrdude),
    "bossac": Uploader("tool-bossac", "bossa-cli", _bossac, "-h"),
    # The bossac of other distributions knows no nRF52840.
    "bossac-nrf52": Uploader(
        "tool-bossac-nordicnrf52", "", _bossac_nrf52, "-h", executable="bossac"
    ),
    "stm32flash": Uploader("", "stm32flash", _stm32flash, "/dev/null"),  # it greets any device
    "openocd": Uploader("tool-openocd", "openocd", _openocd, "--version"),
    "ssh": Uploader("", "openssh-client", _ssh, "-V", reads_image=True),
    "install": Uploader("", "coreutils", _install, "--version"),
}


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


def is_the_boards_fault(words: str) -> bool:
    """False when an uploader could not even reach the board, for a reason on this side."""
    return not re.search("permission denied|busy|resolve|host key", words, re.I)


def advice(output: str, board: Board) -> str:
    """What to try after an uploader said this."""
    if board.flash.tool == "ssh":
        return remote.advice(output)
    if board.flash.tool == "install":
        return "name the port as `harness virtual up` prints it: the program lies beside that name"
    for words, what_to_try in _ADVICE:
        if re.search(words, output, re.I):
            return what_to_try
    if board.flash.touch_baud:
        return "press reset twice to start the bootloader, then flash again"
    return "press reset and flash again; harness doctor checks the tools"
