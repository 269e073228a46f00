"""The process contract, from Python, on both boards: nothing runs in their flash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.boards import find_kind
from harness.errors import LabError, UsageError
from harness.virtual import BOARDS
from harness.virtual.control import BoardStatus, Fault
from harness.virtual.process import VirtualBoard

from .conftest import eventually

pytestmark = pytest.mark.emulated

each_board = pytest.mark.parametrize("name", BOARDS)


def alive(pid: int) -> bool:
    """Zombies do not count."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


@each_board
def test_start_status_reset_stop(name: str, tmp_path: Path) -> None:
    with VirtualBoard.start(name, tmp_path) as board:
        assert board.port.is_symlink()
        assert board.port.resolve().parent == Path("/dev/pts")
        status = board.status()
        assert status.board == name
        assert status.clock_hz == find_kind(name).silicon().clock_hz
        board.reset()
        assert board.status().resets == status.resets + 1
        later = board.status()
        assert later.cycles >= status.cycles
        pid = board.pid
    assert not alive(pid)
    assert not board.port.is_symlink()
    board.stop()  # again does no harm


def test_a_port_for_bossac_names_ttyacm(tmp_path: Path) -> None:
    with VirtualBoard.start("mkr1000", tmp_path) as board:
        assert "ttyACM" in board.port.name


@each_board
def test_a_board_that_borrows_an_emulator_has_its_own_name(name: str, tmp_path: Path) -> None:
    with VirtualBoard.start(name, tmp_path, called="mine") as board:
        assert board.status().board == "mine"
        assert board.port.name.endswith("-mine")


@each_board
def test_a_port_link_of_ones_own(name: str, tmp_path: Path) -> None:
    link = tmp_path / "ttyACM-mine"
    with VirtualBoard.start(name, tmp_path / "state", port_link=link) as board:
        assert board.port == link
        assert link.is_symlink()
    assert not link.is_symlink()


@each_board
def test_a_deep_state_folder(name: str, tmp_path: Path) -> None:
    """Unix sockets allow some 107 bytes of path; folders of tests are often longer."""
    deep = tmp_path.joinpath(*["a_rather_long_name"] * 8)
    with VirtualBoard.start(name, deep) as board:
        assert board.status().board == name


OWNER = """
import sys, time
from pathlib import Path
from harness.virtual.process import VirtualBoard
board = VirtualBoard.start(sys.argv[1], Path(sys.argv[2]))
print(board.pid, flush=True)
time.sleep(60)
"""


@each_board
def test_the_board_ends_when_its_owner_is_killed(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, name, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert alive(pid)
        owner.kill()
        owner.wait(5)
        assert eventually(lambda: not alive(pid), within=3.0)
    assert list(tmp_path.glob("tty*")) == []


@each_board
def test_sigterm_cleans_up(name: str, tmp_path: Path) -> None:
    with VirtualBoard.start(name, tmp_path) as board:
        os.kill(board.pid, signal.SIGTERM)
        assert eventually(lambda: not board.port.is_symlink(), within=3.0)
        with pytest.raises(LabError, match="ended with status 0"):
            assert eventually(lambda: not alive(board.pid))
            board.status()


@each_board
def test_an_idle_board_uses_little_of_a_core(name: str, tmp_path: Path) -> None:
    with VirtualBoard.start(name, tmp_path) as board:
        time.sleep(1.5)
        shares = []
        for _ in range(2):
            before, wall = cpu_seconds(board.pid), time.monotonic()
            time.sleep(1.5)
            shares.append((cpu_seconds(board.pid) - before) / (time.monotonic() - wall))
        assert min(shares) < 0.15, shares


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100  # USER_HZ


def test_a_board_that_dies_at_once_leaves_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "flash.bin").write_bytes(b"not 32 KiB")
    with pytest.raises(LabError, match=r"ended before it was ready[^$]*flash\.bin"):
        VirtualBoard.start("uno", tmp_path)


def test_a_board_that_was_killed_is_reported(tmp_path: Path) -> None:
    with VirtualBoard.start("uno", tmp_path) as board:
        board.status()
        os.kill(board.pid, signal.SIGKILL)
        with pytest.raises(LabError, match="did not answer"):
            board.status()


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="virtual board 'unoo'") as caught:
        VirtualBoard.start("unoo", tmp_path)
    assert "'uno'" in caught.value.hint
    with pytest.raises(UsageError, match="flash mode"):
        VirtualBoard.start("mkr1000", tmp_path, flash_mode="slow")
    with pytest.raises(UsageError, match="no wait states"):
        VirtualBoard.start("uno", tmp_path, flash_mode="rws1")


STATUS = (
    '{"board":"uno","state":"fault","cycles":5,"instructions":4,"clock_hz":16000000,"resets":0,'
    '"rx_bytes":0,"tx_bytes":0,"rx_overruns":0,"min_sp":2303,"marks_count":0,"marks_cycles":0,'
    '"marks_first_cycles":0,"marks_last_cycles":0,"new_member":1,'
    '"fault":{"reason":"lockup","pc":16,"address":3}}'
)


def test_status_is_parsed() -> None:
    status = BoardStatus.parse(STATUS)
    assert status.min_sp == 2303
    assert status.fault == Fault(reason="lockup", pc=16, address=3)
    for damaged in ("", "[]", "{}", STATUS.replace('"pc"', '"pq"')):
        with pytest.raises(LabError, match="status request"):
            BoardStatus.parse(damaged)
