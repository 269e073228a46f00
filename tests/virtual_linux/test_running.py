"""The twin of a board that runs Linux: a program that lives while its port is open."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import serial

from harness.errors import LabError
from harness.virtual import build
from harness.virtual.process import VirtualBoard, program_beside

pytestmark = pytest.mark.emulated

# Says how often it has been started, echoes bytes, and ends with status 7 at an 'x'.
PROGRAM = r"""
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    char byte;
    if (write(1, GREETING, 1) != 1)
        return 1;
    while (read(0, &byte, 1) == 1) {
        if (byte == 'x')
            return 7;
        if (write(1, &byte, 1) != 1)
            return 1;
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A program for AArch64 that greets with a letter: letter -> its path."""
    folder = tmp_path_factory.mktemp("programs")
    source = folder / "echo.c"
    source.write_text(PROGRAM)

    def compiled(letter: str) -> Path:
        target = folder / letter
        flags = ["-Os", "-static", f'-DGREETING="{letter}"']
        command = ["aarch64-linux-gnu-gcc", *flags, str(source), "-o", str(target)]
        subprocess.run(command, check=True, timeout=60)
        return target

    return compiled


@pytest.fixture
def board(tmp_path):
    with VirtualBoard.start("rpi3", tmp_path) as running:
        yield running


def put(board, program):
    shutil.copy(program, program_beside(board.port))


def opened(board):
    return serial.Serial(str(board.port), 115200, timeout=10)


def programs_of(board):
    """Processes that run the board's program, zombies left out."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
            state = (process / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:  # it has just ended
            continue
        ours = words[0].endswith("qemu-aarch64") and str(program_beside(board.port)) in words
        if ours and state != "Z":
            found.append(int(process.name))
    return found


def eventually(condition, within=10.0):
    until = time.monotonic() + within
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def test_opening_starts_the_program_and_closing_ends_it(board, program):
    assert board.status().state == "bootloader"  # nothing there yet
    put(board, program("A"))
    assert board.status().state == "sleeping"
    with opened(board) as port:
        assert port.read(1) == b"A"
        port.write(b"hello\0\r\n\x03\x04")
        assert port.read(10) == b"hello\0\r\n\x03\x04"
        assert board.status().state == "running"
        assert programs_of(board)
    assert eventually(lambda: board.status().state == "sleeping")
    assert programs_of(board) == []


def test_the_next_opening_runs_what_lies_there_then(board, program):
    put(board, program("A"))
    with opened(board) as port:
        assert port.read(1) == b"A"
    put(board, program("B"))
    with opened(board) as port:
        assert port.read(1) == b"B"


def test_a_program_that_ends_is_a_fault_until_the_next_start(board, program):
    put(board, program("A"))
    with opened(board) as port:
        assert port.read(1) == b"A"
        port.write(b"x")
        assert eventually(lambda: board.status().state == "fault")
        assert board.status().fault.reason == "the program ended with status 7"
        board.reset()
        assert port.read(1) == b"A"
        assert board.status().fault is None


def test_what_qemu_cannot_run_is_a_fault(board):
    program_beside(board.port).write_bytes(b"no program")
    with opened(board):
        assert eventually(lambda: board.status().state == "fault")
    assert '"event":"fault"' in board.log.read_text()


def test_no_program_outlives_its_board(board, program):
    put(board, program("A"))
    with opened(board) as port:
        assert port.read(1) == b"A"
        os.kill(board.pid, signal.SIGKILL)
        assert eventually(lambda: programs_of(board) == [])


def test_no_time_is_counted(board, program):
    put(board, program("A"))
    with opened(board) as port:
        port.read(1)
        status = board.status()
    assert (status.cycles, status.instructions, status.marks_count) == (0, 0, 0)


def test_without_qemu_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "QEMU", "qemu-of-nobody")
    with pytest.raises(LabError, match="qemu-of-nobody is not on PATH") as caught:
        VirtualBoard.start("rpi3", tmp_path)
    assert caught.value.hint == "apt-get install qemu-user"
