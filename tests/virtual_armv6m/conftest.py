"""The test firmware, and virtual MKR1000s that run it."""

import subprocess
import time
from pathlib import Path

import pytest
import serial

from harness.virtual.process import VirtualBoard

FIRMWARE = Path(__file__).parent / "firmware"
FLAGS = (
    "-mcpu=cortex-m0plus",
    "-mthumb",
    "-Os",
    "-ffreestanding",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-nostartfiles",
)


@pytest.fixture(scope="session")
def echo_image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("echo")
    elf, image = folder / "echo.elf", folder / "echo.bin"
    for command in (
        [
            "arm-none-eabi-gcc",
            *FLAGS,
            "-T",
            FIRMWARE / "board.ld",
            FIRMWARE / "echo.c",
            "-lgcc",
            "-o",
            elf,
        ],
        ["arm-none-eabi-objcopy", "-O", "binary", elf, image],
    ):
        subprocess.run(command, check=True, timeout=60)
    return image


@pytest.fixture
def start(tmp_path):
    """Starts a virtual MKR1000 on one state folder; stops it at the end of the test."""
    boards = []

    def start_board(**options):
        board = VirtualBoard.start("mkr1000", tmp_path / "state", **options)
        boards.append(board)
        return board

    yield start_board
    for board in boards:
        board.stop()


def bossac(board, *arguments):
    command = ["bossac", "-p", str(board.port), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def flash(board, image):
    done = bossac(board, "-o", "0x2000", "-i", "-e", "-w", "-v", image, "-R")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verify successful" in done.stdout
    wait_for(lambda: board.status().state in ("running", "sleeping"))
    return done.stdout


def opened(board, baud=115200):
    return serial.Serial(str(board.port), baud, timeout=5)


def touch(board):
    """The 1200-baud touch of the Arduino tools."""
    opened(board, 1200).close()
    wait_for(lambda: board.status().state == "bootloader")


def wait_for(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)
