"""A board that runs Linux, reached as on the desk: over ssh, here to a sshd of this machine."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pandas as pd
import pytest

from harness import lab, remote
from harness.boards import find_kind
from harness.errors import FlashError, LabError, LinkError, UsageError
from harness.firmware.build import build_firmware
from harness.flash import flash_firmware
from harness.link.base import Deadline
from harness.link.process import ProcessLink
from harness.reference.model import run
from tests.emulated.conftest import Run
from tests.models import random_qmodel, random_raw

pytestmark = pytest.mark.emulated

BOARD = find_kind("rpi3").silicon()
MODEL = random_qmodel("fastgrnn", hidden=16, features=9, density=0.4)


def eventually(condition, within=10.0):
    until = time.monotonic() + within
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


@pytest.fixture(scope="module")
def firmware():
    return build_firmware(MODEL, BOARD, bench_raw=random_raw(MODEL, 1)[0])


def flash_and_open(linux_board, firmware, log):
    attachment = lab.Attachment(BOARD, linux_board.address)
    return lab.ensure_firmware(attachment, MODEL, firmware, log=log)


def test_flash_open_infer_and_leave_nothing_behind(linux_board, firmware, tmp_path):
    dut, flashed = flash_and_open(linux_board, firmware, tmp_path / "flash.log")
    assert (flashed.tool, flashed.attempts) == ("ssh", 1)
    assert flashed.version[0].isdigit()
    assert linux_board.program.read_bytes() == firmware.image.read_bytes()
    assert [p.name for p in linux_board.home.iterdir()] == ["rnn-firmware"]
    raw = random_raw(MODEL, 2)
    expected = run(MODEL, raw, trace=True)
    for n in range(2):
        outcome = dut.infer(raw[n], trace=True)
        np.testing.assert_array_equal(outcome.hidden, expected.hidden[n])
        np.testing.assert_array_equal(outcome.logits, expected.logits[n])
        assert outcome.cycles > 0
    dut.reset()
    dut.connect(boot_wait_s=10, banner=False)
    np.testing.assert_array_equal(dut.infer(raw[0]).logits, expected.logits[0])
    assert linux_board.programs()
    dut.close()
    assert eventually(lambda: not linux_board.programs())


def test_a_second_opening_finds_it_there(linux_board, firmware, tmp_path):
    log = tmp_path / "flash.log"
    flash_and_open(linux_board, firmware, log)[0].close()
    dut, flashed = flash_and_open(linux_board, firmware, log)
    dut.close()
    assert flashed is None


def test_a_whole_run_is_timed_by_the_boards_clock(linux_board, tmp_path):
    done = Run(
        tmp_path / "results",
        *["--board", "rpi3", "--port", linux_board.address, "--preset", "smoke"],
        *["--models", "fastgrnn", "--windows", "6"],
    )
    assert done.finish() == 0, done.stderr
    row = done.summary().loc["fastgrnn"]
    assert (row["status"], row["mismatches"], row["trace_mismatches"]) == ("ok", 0, 0)
    assert (row["board_kind"], row["timing_source"]) == ("silicon", "board-clock")
    assert row["uploader"].startswith("ssh ")
    assert row["latency_repeats"] == 5
    assert 0 < row["latency_ms"] <= row["latency_median_ms"]
    for column in ("cycles_median", "cycles_max", "cycles_per_step", "bench_cycles_min"):
        assert pd.isna(row[column]), column
    windows = pd.read_parquet(done.results / "windows.parquet")
    assert (windows["cycles"] == -1).all()
    fastest_ns = [min(latencies) for latencies in windows["latency_ns"]]
    assert all(len(latencies) == 5 for latencies in windows["latency_ns"])
    assert row["latency_ms"] == pytest.approx(np.median(fastest_ns) / 1e6)
    assert eventually(lambda: not linux_board.programs())


def test_a_connection_lost_midway_is_an_error_with_its_words(linux_board, firmware, tmp_path):
    dut, _ = flash_and_open(linux_board, firmware, tmp_path / "flash.log")
    dut.infer(random_raw(MODEL, 1)[0])
    for session in linux_board.sessions():
        os.kill(session, signal.SIGKILL)
    lost = r"ended with status 255: .*(closed|reset|[Bb]roken pipe)"
    try:
        with pytest.raises(LinkError, match=lost) as caught:
            for _ in range(50):
                dut.infer(random_raw(MODEL, 1)[0])
    finally:
        dut.close()
    assert "power or its network" in caught.value.hint
    assert eventually(lambda: not linux_board.programs())


def losing_its_board(linux_board, folder, stays_away):
    """A run whose connection is cut in mid-stream, and whose board may be off from then on."""
    board = ["--board", "rpi3", "--port", linux_board.address]
    cut = Run(folder, *board, "--preset", "smoke", "--models", "fastgrnn", "--windows", "all")
    cut.wait_for_windows("fastgrnn", 3)
    sessions = linux_board.sessions()
    if stays_away:
        linux_board.server.terminate()
        linux_board.server.wait(10)
    for session in sessions:
        os.kill(session, signal.SIGKILL)
    return cut


def test_a_run_that_loses_its_board_finds_it_again(linux_board, tmp_path):
    cut = losing_its_board(linux_board, tmp_path, stays_away=False)
    assert cut.finish() == 0, cut.stderr
    row = cut.summary().loc["fastgrnn"]
    assert (row["status"], row["windows"], row["mismatches"]) == ("ok", 359, 0)
    assert eventually(lambda: not linux_board.programs())


def test_a_run_whose_board_stays_away_ends_as_lab_trouble(linux_board, tmp_path):
    cut = losing_its_board(linux_board, tmp_path, stays_away=True)
    assert cut.finish() == 3, cut.stderr
    row = cut.summary().loc["fastgrnn"]
    assert row["status"] == "lab-error"
    assert linux_board.address in row["message"]
    assert eventually(lambda: not linux_board.programs())


def test_an_upload_that_hangs_ends_at_its_deadline(linux_board, firmware, tmp_path):
    shell = linux_board.folder / "shell"
    shell.write_text("#!/bin/sh\nexec sleep 20\n")
    with pytest.raises(FlashError, match="did not finish flashing rpi3"):
        flash_firmware(firmware.image, BOARD, linux_board.address, deadline_s=2.0)


def test_a_harness_that_is_gone_leaves_no_program(linux_board, firmware, tmp_path):
    """As after SIGKILL: nobody says good-bye, the pipe to ssh just closes."""
    flash_and_open(linux_board, firmware, tmp_path / "flash.log")[0].close()
    link = ProcessLink(remote.start_command(linux_board.address), name="it")
    assert eventually(linux_board.programs)
    link._input.close()
    assert eventually(lambda: not linux_board.programs())
    link.close()


def test_a_board_of_another_architecture_is_told(linux_board, firmware, tmp_path):
    linux_board.become("armv7l")
    with pytest.raises(FlashError, match="the board is armv7l, the firmware is for aarch64") as e:
        flash_and_open(linux_board, firmware, tmp_path / "flash.log")
    assert "64-bit" in e.value.hint
    assert not linux_board.program.exists()


def test_a_program_that_the_kernel_refuses(linux_board):
    """The kernel's own words: here of an ELF for an AVR."""
    header = bytearray(firmware_header())
    header[18:20] = (83).to_bytes(2, "little")  # e_machine
    linux_board.program.write_bytes(header)
    linux_board.program.chmod(0o755)
    shell = linux_board.folder / "shell"
    shell.write_text(shell.read_text().replace("qemu-aarch64 ", ""))
    link = ProcessLink(remote.start_command(linux_board.address), name="it", advise=remote.advice)
    with pytest.raises(LinkError, match="Exec format error") as caught:
        link.read(Deadline.after(20))
    assert "aarch64" in caught.value.hint
    link.close()


def firmware_header() -> bytes:
    return build_firmware(MODEL, BOARD, bench_raw=random_raw(MODEL, 1)[0]).image.read_bytes()


def test_a_key_that_the_board_does_not_know(linux_board, firmware, tmp_path):
    linux_board.trust_client(False)
    with pytest.raises(FlashError, match="Permission denied") as caught:
        flash_and_open(linux_board, firmware, tmp_path / "flash.log")
    assert "ssh-copy-id" in caught.value.hint


def test_a_home_that_cannot_be_written(linux_board, firmware, tmp_path):
    (linux_board.home / ".rnn-firmware.new").mkdir()
    with pytest.raises(FlashError, match=r"could not flash rpi3 at ssh://.*directory"):
        flash_and_open(linux_board, firmware, tmp_path / "flash.log")


def test_a_board_that_is_off(linux_board, firmware, tmp_path):
    linux_board.server.terminate()
    linux_board.server.wait(10)
    with pytest.raises(FlashError, match="Connection refused") as caught:
        flash_and_open(linux_board, firmware, tmp_path / "flash.log")
    assert "is the board up" in caught.value.hint


def test_a_name_that_nobody_has(linux_board, firmware, tmp_path):
    attachment = lab.Attachment(BOARD, "ssh://pi@board.invalid")
    with pytest.raises(FlashError, match="(?i)resolve|name or service") as caught:
        lab.ensure_firmware(attachment, MODEL, firmware, log=tmp_path / "flash.log")
    assert "is the name right" in caught.value.hint


@pytest.mark.parametrize(
    "address", ["ssh://", "ssh://-oProxyCommand=x", "ssh://a b", "ssh://u@h:port", "/dev/ttyACM0"]
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(UsageError, match="no address"):
        lab.check_port(BOARD, address)


def test_addresses_are_for_boards_with_linux():
    with pytest.raises(UsageError, match="reached over ssh"):
        lab.check_port(find_kind("uno").silicon(), "ssh://pi@board")
    with pytest.raises(UsageError, match="twin is reached over ssh"):
        lab.check_port(find_kind("rpi3").virtual(), "ssh://pi@board")


def test_without_an_address_the_way_to_one_is_told():
    with pytest.raises(LabError, match="reached over ssh") as caught:
        lab.find_board_port(BOARD)
    assert "ssh://USER@HOST" in caught.value.hint and "--virtual" in caught.value.hint
