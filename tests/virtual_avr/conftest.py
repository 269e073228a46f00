"""The probe firmware, a virtual Uno that runs it, and a serial client."""

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

from .sequences import assembly

FIRMWARE = Path(__file__).parent / "firmware"
FLASH_BYTES = 32768
READY = b"ready\n"


@dataclass(frozen=True)
class Firmware:
    hex: Path
    image: bytes  # from address 0

    def install(self, state_dir: Path) -> None:
        """Puts it into the flash of a board that is not running."""
        state_dir.mkdir(parents=True, exist_ok=True)
        flash = self.image.ljust(FLASH_BYTES, b"\xff")
        (state_dir / "flash.bin").write_bytes(flash)


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, timeout=120)


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    folder = tmp_path_factory.mktemp("probe")
    rows = folder / "rows.S"
    rows.write_text(assembly())
    elf, hex_file, image = folder / "probe.elf", folder / "probe.hex", folder / "probe.bin"
    flags = ("-mmcu=atmega328p", "-DF_CPU=16000000UL", "-Os", "-std=gnu11", "-Wall", "-Werror")
    _run("avr-gcc", *flags, "-o", elf, FIRMWARE / "probe.c", rows)
    _run("avr-objcopy", "-O", "ihex", elf, hex_file)
    _run("avr-objcopy", "-O", "binary", elf, image)
    return Firmware(hex_file, image.read_bytes())


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
    """One Uno with the probe in flash, shared by the tests of a module."""
    state = tmp_path_factory.mktemp("uno")
    probe.install(state)
    with VirtualBoard.start("uno", state) as running:
        yield running


@pytest.fixture(scope="module")
def client(board: VirtualBoard) -> Iterator[Client]:
    """One session on the shared board; tests must leave the probe waiting for a letter."""
    with opened(board) as session:
        yield session
