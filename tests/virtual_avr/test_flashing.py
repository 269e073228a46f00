"""Real avrdude writes through real Optiboot; flash and resets behave as on an Uno."""

from __future__ import annotations

import random
import select
import subprocess
import time
from pathlib import Path

import pytest
import serial

from harness.virtual.process import VirtualBoard

from .conftest import READY, Firmware, eventually, opened

pytestmark = pytest.mark.emulated


def avrdude(port: Path, hex_file: Path) -> None:
    command = ["avrdude", "-p", "m328p", "-c", "arduino", "-P", str(port), "-b", "115200", "-D"]
    command += ["-U", f"flash:w:{hex_file}:i"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_avrdude_flashes_and_the_image_survives_a_restart(probe: Firmware, tmp_path: Path) -> None:
    with VirtualBoard.start("uno", tmp_path) as board:
        avrdude(board.port, probe.hex)
        before = time.monotonic()
        with opened(board):
            window = time.monotonic() - before
        assert 0.8 < window < 5.0, window  # the bootloader listens for a second
        saved = tmp_path / "flash.bin"
        assert eventually(lambda: saved.is_file() and probe.image in saved.read_bytes())
    with VirtualBoard.start("uno", tmp_path) as board, opened(board) as client:
        client.send("e", 2, 0, "ok")
        assert client.read(2) == b"ok"


def test_a_second_upload_replaces_the_first(probe: Firmware, tmp_path: Path) -> None:
    stale = tmp_path / "flash.bin"
    stale.write_bytes(random.Random(3).randbytes(32768))
    with VirtualBoard.start("uno", tmp_path) as board:
        avrdude(board.port, probe.hex)
        with opened(board) as client:
            client.send("e", 2, 0, "ok")
            assert client.read(2) == b"ok"


def test_the_bootloader_cannot_be_overwritten(probe: Firmware, tmp_path: Path) -> None:
    """An image that reaches into the boot section fails to verify and leaves Optiboot alive."""
    too_long = tmp_path / "too_long.hex"
    page = bytes(16)
    records = [bytes([16, at >> 8, at & 255, 0]) + page for at in range(0x7D80, 0x7E80, 16)]
    text = [":" + (r + bytes([-sum(r) & 255])).hex().upper() for r in records]
    too_long.write_text("\n".join([*text, ":00000001FF", ""]))
    with VirtualBoard.start("uno", tmp_path / "state") as board:
        command = ["avrdude", "-p", "m328p", "-c", "arduino", "-P", str(board.port)]
        command += ["-b", "115200", "-D", "-U", f"flash:w:{too_long}:i"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode != 0
        assert "verification" in done.stderr
        avrdude(board.port, probe.hex)
        with opened(board):
            pass


def test_each_opening_resets_the_board(board: VirtualBoard) -> None:
    for _ in range(5):
        before = board.status().resets
        with opened(board) as client:
            client.send("e", 3, 0, "abc")
            assert client.read(3) == b"abc"
            # the opening, and Optiboot's own start of the program by the watchdog
            assert board.status().resets == before + 2


def test_a_second_client_does_not_reset_the_board(board: VirtualBoard) -> None:
    with opened(board) as client:
        before = board.status().resets
        with serial.Serial(str(board.port), 115200):
            time.sleep(0.1)
        client.send("e", 1, 0, "a")
        assert client.read(1) == b"a"
        assert board.status().resets == before


def test_reset_by_control_starts_over_and_clears_the_marks(board: VirtualBoard) -> None:
    with opened(board) as client:
        client.send("i")
        client.read(4)
        assert board.status().marks_count == 1
        board.reset()
        assert board.status().state == "bootloader"
        client.await_ready()
        assert board.status().marks_count == 0


def test_watchdog_reset(board: VirtualBoard) -> None:
    with opened(board) as client:
        before = board.status().resets
        client.send("w")
        client.await_ready()
        assert board.status().resets == before + 1  # Optiboot passes on after a watchdog reset


def test_without_a_program_the_board_says_so(tmp_path: Path) -> None:
    with VirtualBoard.start("uno", tmp_path) as board:
        assert eventually(lambda: board.status().state == "fault")
        fault = board.status().fault
        assert fault is not None
        assert (fault.reason, fault.pc) == ("erased flash executed", 0)
        with serial.Serial(str(board.port), 115200, timeout=5):
            assert eventually(lambda: board.status().state == "bootloader")


def test_the_banner_is_not_left_over_for_the_next_client(board: VirtualBoard) -> None:
    """What a client leaves unread is gone, even for one that does not flush on opening."""
    with opened(board) as client:
        client.send("u")
        assert eventually(lambda: client.port.in_waiting > 500)
    time.sleep(0.1)
    with board.port.open("rb", buffering=0) as raw:
        assert select.select([raw], [], [], 10)[0]
        assert READY.startswith(raw.read(6))
