"""The real uploaders against the virtual boards, through their ttys."""

import os
import re
import subprocess
import sys
import time

import pytest
import serial

from harness import flash
from harness.boards import find_kind
from harness.errors import FlashError
from harness.firmware.build import build_tree
from harness.firmware.toolchain import find_toolchain
from harness.flash import flash_firmware
from tests.firmware_build.programs import writer

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("boards")


@pytest.fixture(scope="module", params=["uno", "mega2560", "mkr1000"])
def running(request, state):
    """(Board, VirtualBoard) of each kind, running."""
    from harness.virtual.process import VirtualBoard

    with VirtualBoard.start(request.param, state / request.param) as board:
        yield find_kind(request.param).virtual(), board


def flashed_bytes(vboard, state, kind: str, size: int) -> bytes:
    """The application as it lies in the emulator's flash; saved soon after programming."""
    offset = find_kind(kind).virtual().flash.offset
    return (state / kind / "flash.bin").read_bytes()[offset : offset + size]


def image_bytes(firmware) -> bytes:
    """What the uploader writes, as the linker laid it out."""
    prefix = "avr-" if firmware.image.suffix == ".hex" else "arm-none-eabi-"
    raw = firmware.elf.parent / "raw.bin"
    command = [f"{prefix}objcopy", "-O", "binary", str(firmware.elf), str(raw)]
    subprocess.run(command, check=True)
    return raw.read_bytes()


def await_flash(vboard, state, kind, expected: bytes, within_s: float = 5.0) -> None:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        path = state / kind / "flash.bin"
        if path.is_file() and flashed_bytes(vboard, state, kind, len(expected)) == expected:
            return
        time.sleep(0.05)
    pytest.fail(f"flash.bin of {kind} does not hold the image after {within_s} s")


def test_flashing_twice_replaces_the_firmware(cache, running, state, tmp_path):
    board, vboard = running
    log = tmp_path / "flash.log"
    for before in ("", "volatile unsigned char second = 9;\n#define EXTRA sink = second\n"):
        firmware = build_tree(writer(board.kind, before=before), board, name="tiny")
        result = flash_firmware(firmware.image, board, str(vboard.port), deadline_s=30, log=log)
        assert result.tool == board.flash.tool
        assert re.match(r"\d+\.\d+", result.version)
        assert result.attempts == 1
        assert result.seconds < 20
        await_flash(vboard, state, board.kind, image_bytes(firmware))
        assert vboard.status().state != "fault"
    assert log.read_text().count("[status 0 after") == 2


@pytest.mark.parametrize("running", ["uno", "mega2560"], indirect=True)
def test_the_flashed_board_runs_and_says_who_it_is(cache, running):
    """Only the small program of the AVR boards has a serial port."""
    board, vboard = running
    firmware = build_tree(writer(board.kind), board, name="tiny")
    flash_firmware(firmware.image, board, str(vboard.port), deadline_s=30)
    with serial.Serial(str(vboard.port), 115_200, timeout=5) as line:
        assert firmware.firmware_id in line.read(4096)


def test_platformios_own_upload_works_too(cache, running, state):
    board, vboard = running
    firmware = build_tree(writer(board.kind), board, name="tiny")
    command = [sys.executable, "-m", "platformio", "run", "-d", str(firmware.project)]
    done = subprocess.run(
        [*command, "-t", "upload", "--upload-port", str(vboard.port)],
        env={**os.environ, **find_toolchain(board).environment()},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    await_flash(vboard, state, board.kind, image_bytes(firmware))


@pytest.mark.parametrize("kind", ["uno", "mkr1000"])
def test_a_wrong_port_is_named(cache, tmp_path, kind, monkeypatch):
    monkeypatch.setattr(flash, "FIND_S", 0.5)
    board = find_kind(kind).virtual()
    image = tmp_path / "firmware.bin"
    image.write_bytes(bytes(64))
    with pytest.raises(FlashError, match="at /dev/ttyACM-nowhere is not there") as caught:
        flash_firmware(image, board, "/dev/ttyACM-nowhere", deadline_s=15)
    assert "plugged in" in caught.value.hint


@pytest.mark.parametrize("kind", ["uno", "mkr1000"])
def test_a_port_with_nobody_behind_it_fails_at_the_deadline(cache, tmp_path, kind):
    """A pty that nobody reads stands for a board without bootloader."""
    board = find_kind(kind).virtual()
    image = tmp_path / "firmware.bin"
    image.write_bytes(bytes(64))
    master, slave = os.openpty()
    try:
        with pytest.raises(FlashError, match=f"{board.flash.tool} (did not finish|could not)"):
            flash_firmware(image, board, os.ttyname(slave), deadline_s=3)
    finally:
        os.close(master)
        os.close(slave)
