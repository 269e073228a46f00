"""Real avrdude writes through the real bootloaders; flash and resets behave as on the boards."""

from __future__ import annotations

import random
import select
import subprocess
import time
from pathlib import Path

import pytest
import serial

from harness.virtual.process import VirtualBoard

from .conftest import READY, Firmware, Mcu, eventually, opened

pytestmark = pytest.mark.emulated


def run_avrdude(mcu: Mcu, port: Path, hex_file: Path) -> subprocess.CompletedProcess[str]:
    command = ["avrdude", *mcu.uploader, "-P", str(port), "-b", "115200", "-D"]
    command += ["-U", f"flash:w:{hex_file}:i"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def avrdude(mcu: Mcu, port: Path, hex_file: Path) -> None:
    done = run_avrdude(mcu, port, hex_file)
    assert done.returncode == 0, done.stderr


def test_avrdude_flashes_and_the_image_survives_a_restart(probe: Firmware, tmp_path: Path) -> None:
    with VirtualBoard.start(probe.mcu.board, tmp_path) as board:
        avrdude(probe.mcu, board.port, probe.hex)
        before = time.monotonic()
        with opened(board):
            window = time.monotonic() - before
        assert 0.8 < window < 5.0, window  # the bootloader listens for a second
        saved = tmp_path / "flash.bin"
        assert eventually(lambda: saved.is_file() and probe.image in saved.read_bytes())
    with VirtualBoard.start(probe.mcu.board, tmp_path) as board, opened(board) as client:
        client.send("e", 2, 0, "ok")
        assert client.read(2) == b"ok"


def test_a_second_upload_replaces_the_first(probe: Firmware, tmp_path: Path) -> None:
    stale = tmp_path / "flash.bin"
    stale.write_bytes(random.Random(3).randbytes(probe.mcu.flash_bytes))
    with VirtualBoard.start(probe.mcu.board, tmp_path) as board:
        avrdude(probe.mcu, board.port, probe.hex)
        with opened(board) as client:
            client.send("e", 2, 0, "ok")
            assert client.read(2) == b"ok"


def hex_of_zeros(addresses: range) -> str:
    """Intel HEX with 16 zeros at each address, all in one 64 KB block."""
    linear = bytes([2, 0, 0, 4]) + (addresses[0] >> 16).to_bytes(2, "big")
    data = [bytes([16, (at >> 8) & 255, at & 255, 0]) + bytes(16) for at in addresses]
    text = [":" + (r + bytes([-sum(r) & 255])).hex().upper() for r in [linear, *data]]
    return "\n".join([*text, ":00000001FF", ""])


def test_the_bootloader_cannot_be_overwritten(probe: Firmware, tmp_path: Path) -> None:
    """An image that reaches into the boot section fails to verify and leaves it alive."""
    too_long = tmp_path / "too_long.hex"
    start = probe.mcu.boot_start
    too_long.write_text(hex_of_zeros(range(start - 0x100, start + 0x100, 16)))
    with VirtualBoard.start(probe.mcu.board, tmp_path / "state") as board:
        done = run_avrdude(probe.mcu, board.port, too_long)
        assert done.returncode != 0
        assert "verification" in done.stderr
        avrdude(probe.mcu, board.port, probe.hex)
        with opened(board):
            pass


def test_each_opening_resets_the_board(board: VirtualBoard, mcu: Mcu) -> None:
    for _ in range(5):
        before = board.status().resets
        with opened(board) as client:
            client.send("e", 3, 0, "abc")
            assert client.read(3) == b"abc"
            # the opening, and Optiboot's own start of the program by the watchdog
            assert board.status().resets == before + (2 if mcu.board == "uno" else 1)


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
        assert board.status().resets == before + 1  # which the bootloader passes on
        assert board.status().fault is None


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
