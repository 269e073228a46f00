"""The probe firmware, the virtual AVR boards that run it, and a serial client."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import serial

from harness.virtual.process import VirtualBoard

from .sequences import Sequence, assembly, sequences_of

FIRMWARE = Path(__file__).parent / "firmware"
READY = b"ready\n"


@dataclass(frozen=True)
class Mcu:
    """A board and the facts about its MCU that the tests check it against."""

    board: str
    name: str
    flash_bytes: int
    boot_start: int
    pc_bytes: int  # of the program counter on the stack
    uploader: tuple[str, ...]  # arguments of avrdude

    @property
    def sequences(self) -> list[Sequence]:
        return sequences_of(self.pc_bytes)


MCUS = (
    Mcu("uno", "atmega328p", 0x8000, 0x7E00, 2, ("-p", "m328p", "-c", "arduino")),
    Mcu("mega2560", "atmega2560", 0x40000, 0x3E000, 3, ("-p", "m2560", "-c", "wiring")),
)


@dataclass(frozen=True)
class Firmware:
    mcu: Mcu
    hex: Path
    image: bytes  # from address 0

    def install(self, state_dir: Path) -> None:
        """Puts it into the flash of a board that is not running."""
        state_dir.mkdir(parents=True, exist_ok=True)
        flash = self.image.ljust(self.mcu.flash_bytes, b"\xff")
        (state_dir / "flash.bin").write_bytes(flash)


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, timeout=120)


@pytest.fixture(scope="session", params=MCUS, ids=lambda mcu: mcu.board)
def mcu(request: pytest.FixtureRequest) -> Mcu:
    return request.param


@pytest.fixture(scope="session")
def probe(mcu: Mcu, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    folder = tmp_path_factory.mktemp("probe")
    rows = folder / "rows.S"
    rows.write_text(assembly(mcu.sequences))
    elf, hex_file, image = folder / "probe.elf", folder / "probe.hex", folder / "probe.bin"
    flags = (f"-mmcu={mcu.name}", "-DF_CPU=16000000UL", "-Os", "-std=gnu11", "-Wall", "-Werror")
    _run("avr-gcc", *flags, "-o", elf, FIRMWARE / "probe.c", rows)
    _run("avr-objcopy", "-O", "ihex", elf, hex_file)
    _run("avr-objcopy", "-O", "binary", elf, image)
    return Firmware(mcu, hex_file, image.read_bytes())


class Client:
    """A serial client that asks the probe."""

    def __init__(self, port: serial.Serial) -> None:
        self.port = port

    def send(self, *pieces: bytes | str | int) -> None:
        data = b""
        for piece in pieces:
            if isinstance(piece, int):
                data += bytes([piece])
            else:
                data += piece.encode() if isinstance(piece, str) else piece
        self.port.write(data)

    def read(self, count: int) -> bytes:
        data = self.port.read(count)
        assert len(data) == count, f"{len(data)} of {count} bytes came: {data[:40]!r}"
        return data

    def await_idle(self) -> None:
        """The probe has finished what it was asked before."""
        self.send("e", 1, 0, "!")
        assert self.read(1) == b"!"

    def await_ready(self) -> None:
        line = self.port.readline()
        assert line == READY, line


@contextmanager
def opened(board: VirtualBoard, timeout: float = 10.0) -> Iterator[Client]:
    """Opens the port, which resets the board, and waits for the firmware's banner."""
    with serial.Serial(str(board.port), 115200, timeout=timeout, write_timeout=timeout) as port:
        client = Client(port)
        client.await_ready()
        yield client


def eventually(condition, within: float = 5.0) -> bool:
    """Whether `condition()` becomes true in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture(scope="module")
def board(probe: Firmware, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualBoard]:
    """One board with the probe in flash, shared by the tests of a module."""
    state = tmp_path_factory.mktemp(probe.mcu.board)
    probe.install(state)
    with VirtualBoard.start(probe.mcu.board, state) as running:
        yield running


@pytest.fixture(scope="module")
def client(board: VirtualBoard) -> Iterator[Client]:
    """One session on the shared board; tests must leave the probe waiting for a letter."""
    with opened(board) as session:
        yield session
