"""A whole virtual MKR1000: real bossac, a real tty, pyserial, and the control socket."""

import json
import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from harness.virtual.build import emulator_binary
from tests.virtual_armv6m.conftest import bossac, flash, opened, touch, wait_for

pytestmark = pytest.mark.emulated
COMMANDS = bytes(range(1, 6))
BOOTLOADER_BYTES = 0x2000


def noise(size, seed=1):
    return random.Random(seed).randbytes(size).translate(None, COMMANDS)


def read_flash(board, size, path):
    done = bossac(board, f"--read={size}", path)
    assert done.returncode == 0, done.stdout + done.stderr
    return path.read_bytes()


def test_flash_run_echo_touch_and_flash_again(start, echo_image):
    board = start()
    assert board.status().state == "bootloader"  # nothing in flash yet
    words = flash(board, echo_image)
    assert "ATSAMD21x18" in words and "256KB" in words
    with opened(board) as port:
        data = noise(4000)
        port.write(data)
        assert port.read(len(data)) == data
    status = board.status()
    assert status.state == "sleeping" and status.fault is None
    assert (status.rx_bytes, status.rx_overruns) == (len(data), 0)
    assert status.tx_bytes == len(b"ready\n") + len(data)
    touch(board)
    flash(board, echo_image)
    with opened(board) as port:
        port.write(b"again")
        assert port.read(5) == b"again"


def test_firmware_counts_what_the_marks_count(start, echo_image):
    board = start()
    flash(board, echo_image)
    with opened(board) as port:
        port.write(b"\1")
        first = int(port.readline()[1:])
        port.write(b"\1")
        assert int(port.readline()[1:]) == first
    status = board.status()
    assert status.marks_count == 2
    assert status.marks_cycles == 2 * status.marks_first_cycles
    assert status.marks_last_cycles == status.marks_first_cycles
    # 2999 of the loop; the store that begins (1) and what loads the 1000 are inside the marks,
    # the SysTick reads outside
    assert 3000 <= status.marks_first_cycles <= 3006
    assert 0 < first - status.marks_first_cycles < 12


def test_the_line_takes_its_time(start, echo_image):
    """1000 characters of ten bits at 115200 baud are 87 ms of emulated time, echo alongside."""
    board = start()
    flash(board, echo_image)
    with opened(board) as port:
        port.write(b"x")
        port.read(1)
        before = board.status().cycles
        port.write(bytes(1000).replace(b"\0", b"y"))
        assert len(port.read(1000)) == 1000
        passed = board.status().cycles - before
    expected = 1000 * 10 * 48_000_000 / 115_200
    assert expected <= passed < expected * 1.5 + 48_000_000 * 0.05


def test_a_deaf_receiver_loses_bytes_and_they_are_counted(start, echo_image):
    board = start()
    flash(board, echo_image)
    with opened(board) as port:
        port.write(b"\3" + b"abcdefghijklmnopqrstuvwxyz")
        port.timeout = 0.5
        got = port.read(26)
        assert got.startswith(b"abc") and len(got) < 26
        wait_for(lambda: board.status().rx_overruns == 26 - len(got))


def test_fault_is_reported_and_reset_recovers(start, echo_image):
    board = start()
    flash(board, echo_image)
    with opened(board) as port:
        port.write(b"\2")
        wait_for(lambda: board.status().state == "fault")
        fault = board.status().fault
        assert fault.reason == "unaligned access" and fault.address == 0x2000_0002
        assert 0x2000 <= fault.pc < 0x2000 + echo_image.stat().st_size
        assert "unaligned access" in board.log.read_text()
        board.reset()
        assert port.read_until(b"ready\n").endswith(b"ready\n")
    assert board.status().fault is None


def test_software_reset(start, echo_image):
    board = start()
    flash(board, echo_image)
    resets = board.status().resets
    with opened(board) as port:
        port.write(b"\4")
        assert port.read_until(b"ready\n").endswith(b"ready\n")
    assert board.status().resets == resets + 1


def test_bootloader_survives_a_missing_offset(start, echo_image, tmp_path):
    """bossac without -o writes from address 0: a real board's BOOTPROT refuses, so do we."""
    board = start()
    before = read_flash(board, BOOTLOADER_BYTES, tmp_path / "before.bin")
    done = bossac(board, "-e", "-w", "-v", echo_image)
    assert done.returncode == 2, "the verify must fail"
    after = read_flash(board, BOOTLOADER_BYTES, tmp_path / "after.bin")
    assert after == before and before[:4] == (0x20007FFC).to_bytes(4, "little")
    flash(board, echo_image)


def test_flash_outlives_the_process(start, echo_image):
    board = start()
    flash(board, echo_image)
    board.stop()
    again = start()
    assert again.status().state in ("running", "sleeping")
    with opened(again) as port:
        port.write(b"still here")
        assert port.read_until(b"still here").endswith(b"still here")


def test_read_back_equals_what_was_written(start, echo_image, tmp_path):
    board = start()
    flash(board, echo_image)
    touch(board)
    size = echo_image.stat().st_size
    whole = read_flash(board, BOOTLOADER_BYTES + size, tmp_path / "all.bin")
    assert whole[BOOTLOADER_BYTES:] == echo_image.read_bytes()


def test_an_uploader_that_dies_leaves_the_monitor_usable(start, echo_image):
    board = start()
    with opened(board) as port:
        port.write(b"N#")
        assert port.read(2) == b"\n\r"
        port.write(b"S20004000,00001000#half of it")  # and goes
    flash(board, echo_image)


def test_flash_mode_costs_float_code_but_not_loops(start, echo_image):
    counts = {}
    for mode in ("zero-wait", "rws1"):
        board = start(flash_mode=mode)
        if board.status().state == "bootloader":
            flash(board, echo_image)
        with opened(board) as port:
            port.reset_input_buffer()
            port.write(b"\1\5")
            lines = port.read_until(b"\n") + port.read_until(b"\n")
        loop, floats = (int(line[1:]) for line in lines.replace(b"ready\n", b"").split())
        counts[mode] = loop, floats
        board.stop()
    loop_ratio, float_ratio = (b / a for a, b in zip(*counts.values(), strict=True))
    assert 1.0 < loop_ratio < 1.01
    assert 1.1 < float_ratio < 1.6


def test_an_idle_board_does_not_burn_the_host(start, echo_image):
    board = start()
    flash(board, echo_image)
    before = cpu_seconds(board.pid)
    time.sleep(1.0)
    assert cpu_seconds(board.pid) - before < 0.2


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_process_ends_with_its_owner(tmp_path):
    """Even when the owner is killed: the pipe on stdin reaches its end."""
    link, control = tmp_path / "ttyACM-x", tmp_path / "ctl"
    process = subprocess.Popen(
        [
            str(emulator_binary("mkr1000")),
            "--state-dir",
            str(tmp_path),
            "--port-link",
            str(link),
            "--control",
            str(control),
            "--owner-stdin",
            "--board",
            "mine",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    ready = json.loads(process.stdout.readline())
    assert ready["event"] == "ready" and ready["board"] == "mine"
    assert link.is_symlink() and str(link.readlink()) == ready["port"]
    process.stdin.close()
    assert process.wait(5) == 0
    process.stdout.close()
    assert not link.exists() and not control.exists()


def test_bad_flash_mode_is_refused(tmp_path):
    done = subprocess.run(
        [
            str(emulator_binary("mkr1000")),
            "--state-dir",
            str(tmp_path),
            "--port-link",
            str(tmp_path / "p"),
            "--control",
            str(tmp_path / "c"),
            "--flash-mode",
            "fast",
        ],
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert done.returncode == 2 and "zero-wait|rws1" in done.stderr


def test_realtime_keeps_to_the_clock(start, echo_image):
    board = start(realtime=True)
    flash(board, echo_image)
    samples = []
    for _ in range(2):
        board.status()  # wakes it: until then `cycles` is when it went to sleep
        asked = time.monotonic()
        time.sleep(0.3)
        samples.append((asked, board.status().cycles))
    (begin, before), (end, after) = samples
    assert after - before == pytest.approx(48e6 * (end - begin), rel=0.1)


def test_a_busy_board_runs_faster_than_real_time(start, echo_image):
    """The receiver is deaf for 100 000 cycles a command; 400 of them are 0.83 s on silicon."""
    board = start()
    flash(board, echo_image)
    with opened(board) as port:
        begin, before = time.monotonic(), board.status().cycles
        for _ in range(400):
            port.write(b"\3")
            port.write(b"x")
            assert port.read(1) == b"x"
        wall, cycles = time.monotonic() - begin, board.status().cycles - before
    assert cycles > 400 * 100_000
    assert wall < cycles / 48e6
