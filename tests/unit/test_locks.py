"""One board, one user."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import locks
from harness.errors import LabError, UsageError

BOARD = "serial-85736323838351F0E1E1"
HOLD = """
import sys, time
from harness.locks import board_lock
with board_lock(sys.argv[1], wait_s=0):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def lock_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_LOCK_DIR", str(tmp_path / "locks"))
    return tmp_path / "locks"


def holder_process(board: str = BOARD) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, board], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGKILL) -> None:
    process.send_signal(number)
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


def test_a_board_in_use_is_refused_and_says_by_whom() -> None:
    other = holder_process()
    try:
        with pytest.raises(locks.BoardBusy) as caught, locks.board_lock(BOARD, wait_s=0.1):
            pass
        assert f"process {other.pid}" in caught.value.message
        assert BOARD in caught.value.message and "waited 0 s" in caught.value.message
        holder = locks.holder_of(BOARD)
        assert holder is not None and holder.pid == other.pid
    finally:
        end(other)


def test_a_killed_holder_leaves_nothing_behind() -> None:
    end(holder_process(), signal.SIGKILL)
    assert locks.holder_of(BOARD) is None
    with locks.board_lock(BOARD, wait_s=0):
        holder = locks.holder_of(BOARD)
        assert holder is not None and holder.pid == os.getpid()
    assert locks.holder_of(BOARD) is None


def test_waiting_is_told_once_and_ends_with_the_holder() -> None:
    other = holder_process()
    told: list[str] = []

    def on_wait(holder: str) -> None:
        told.append(holder)
        other.kill()

    with locks.board_lock(BOARD, wait_s=30, on_wait=on_wait):
        pass
    end(other)
    assert len(told) == 1 and f"process {other.pid}" in told[0]


def test_other_boards_are_free() -> None:
    with locks.board_lock("hub-1-1.4", wait_s=0), locks.board_lock("hub-1-1.3", wait_s=0):
        pass


def _work(folder: str, rounds: int) -> None:
    os.environ["HARNESS_LOCK_DIR"] = folder
    counter = Path(folder) / "counter"
    for _ in range(rounds):
        with locks.board_lock(BOARD, wait_s=60):
            value = int(counter.read_text() or "0")
            time.sleep(0.001)
            counter.write_text(str(value + 1))


def test_many_processes_take_turns(lock_dir: Path) -> None:
    lock_dir.mkdir()
    (lock_dir / "counter").write_text("0")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(str(lock_dir), 5)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert (lock_dir / "counter").read_text() == "15"


@pytest.mark.parametrize("board", ["../../etc/passwd", "/dev/serial/by-id/usb-Arduino", "a b/c"])
def test_a_name_cannot_leave_the_folder(lock_dir: Path, board: str) -> None:
    assert locks.lock_path(board).parent == lock_dir


def test_a_name_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        locks.lock_path("/..")


def test_a_link_in_the_locks_place_is_not_followed(lock_dir: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("data")
    lock_dir.mkdir()
    locks.lock_path(BOARD).symlink_to(precious)
    with pytest.raises(LabError), locks.board_lock(BOARD, wait_s=0):
        pass
    assert precious.read_text() == "data"


def test_a_record_that_is_none_is_nobodys(lock_dir: Path) -> None:
    other = holder_process()
    try:
        locks.lock_path(BOARD).write_text('{"user": 1')
        assert locks.holder_of(BOARD) is None
        busy = pytest.raises(locks.BoardBusy, match="just come or gone")
        with busy, locks.board_lock(BOARD, wait_s=0):
            pass
    finally:
        end(other)


@pytest.mark.parametrize(
    ("hub_path", "hub"),
    [("1-2.3", "1-2"), ("1-2.3.4", "1-2.3"), ("1-2.3:1.2", "1-2"), ("1-2", "usb1"), ("", "")],
)
def test_the_hub_of_a_place(hub_path: str, hub: str) -> None:
    assert locks.hub_of(hub_path) == hub


def test_as_many_flash_at_a_hub_as_there_are_permits(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = pytest.raises(locks.BoardBusy, match="flash permit of USB hub 1-2 is in use by .*waited")
    with locks.flash_permit("1-2", wait_s=0):
        with locks.flash_permit("1-3", wait_s=0), locks.flash_permit("", wait_s=0):
            pass
        with busy, locks.flash_permit("1-2", wait_s=0.1):
            pass
        monkeypatch.setenv("HARNESS_FLASHES_PER_HUB", "2")
        with locks.flash_permit("1-2", wait_s=0), busy, locks.flash_permit("1-2", wait_s=0):
            pass
    monkeypatch.delenv("HARNESS_FLASHES_PER_HUB")
    with locks.flash_permit("1-2", wait_s=0):
        pass


@pytest.mark.parametrize("number", ["0", "-1", "many", "100"])
def test_a_number_of_permits_that_is_none(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    monkeypatch.setenv("HARNESS_FLASHES_PER_HUB", number)
    refused = pytest.raises(UsageError, match="HARNESS_FLASHES_PER_HUB")
    with refused, locks.flash_permit("1-2", wait_s=0):
        pass
