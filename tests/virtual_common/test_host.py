"""Arguments, end of life, control socket, flash file and pacing of the shared host code."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import serial

from .conftest import FakeBoard, eventually

pytestmark = pytest.mark.emulated


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100  # USER_HZ


def run(binary: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(binary), *arguments], capture_output=True, text=True, timeout=20, check=False
    )


# ---- arguments ----


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "missing --state-dir"),
        (["--state-dir", "s", "--port-link", "p"], "missing --control"),
        (["--state-dir"], "no value for --state-dir"),
        (["--colour", "red"], "unknown argument --colour"),
    ],
)
def test_bad_arguments_are_named(fake_binary: Path, arguments: list[str], words: str) -> None:
    done = run(fake_binary, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "usage: fake" in done.stderr


def test_help(fake_binary: Path) -> None:
    done = run(fake_binary, "--help")
    assert done.returncode == 0
    assert "--owner-stdin" in done.stdout and "[--greeting WORD]" in done.stdout


def test_an_option_of_the_board(fake_binary: Path, tmp_path: Path) -> None:
    board = FakeBoard(fake_binary, tmp_path, "--greeting", "hello")
    assert eventually(lambda: board.events("greeting"))
    assert board.events("greeting")[0]["word"] == "hello"
    board.stop()


def test_a_socket_path_that_is_too_long_is_refused(fake_binary: Path, tmp_path: Path) -> None:
    long = str(tmp_path / ("x" * 120))
    done = run(fake_binary, "--state-dir", str(tmp_path), "--port-link", "p", "--control", long)
    assert done.returncode == 1
    assert "too long" in done.stderr


def test_files_in_the_way_are_not_removed(fake_binary: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("data")
    free = str(tmp_path / "free")
    for link, control in ((str(precious), free), (free, str(precious))):
        done = run(
            fake_binary, "--state-dir", str(tmp_path), "--port-link", link, "--control", control
        )
        assert done.returncode == 1
        assert "exists and is not a" in done.stderr
        assert precious.read_text() == "data"


def test_one_board_per_state_folder(fake: FakeBoard, fake_binary: Path, tmp_path: Path) -> None:
    link, control = str(tmp_path / "other"), str(tmp_path / "other-ctl")
    done = run(
        fake_binary, "--state-dir", str(fake.state), "--port-link", link, "--control", control
    )
    assert done.returncode == 1
    assert "another board" in done.stderr


# ---- end of life ----


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_nothing_is_left(fake: FakeBoard, number: int) -> None:
    fake.process.send_signal(number)
    assert fake.process.wait(5) == 0
    assert not fake.link.is_symlink()
    assert not fake.socket_path.exists()


def test_quit_is_answered_and_ends_it(fake: FakeBoard) -> None:
    assert fake.ask("quit") == {"ok": True}
    assert fake.process.wait(5) == 0
    assert not fake.link.is_symlink()


def test_the_remains_of_a_killed_board_are_no_obstacle(fake_binary: Path, tmp_path: Path) -> None:
    first = FakeBoard(fake_binary, tmp_path)
    first.process.kill()
    first.process.wait(5)
    assert first.process.stdin is not None and first.process.stdout is not None
    first.process.stdin.close()
    first.process.stdout.close()
    assert first.link.is_symlink() and first.socket_path.exists()
    second = FakeBoard(fake_binary, tmp_path)
    assert second.ask("status")["rx"] == 0
    second.stop()


# ---- control socket ----


def test_many_requests_on_one_connection(fake: FakeBoard) -> None:
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(10)
        control.connect(str(fake.socket_path))
        control.sendall(b'status\nno\\such"word\r\nsta')
        control.sendall(b"tus\n")
        with control.makefile("rb") as lines:
            answers = [json.loads(lines.readline()) for _ in range(3)]
    assert "cycles" in answers[0] and "cycles" in answers[2]
    assert answers[1] == {"error": "unknown request", "request": 'no\\such"word'}


def test_several_clients_and_one_that_talks_nonsense(fake: FakeBoard) -> None:
    with ExitStack() as stack:
        controls = []
        for _ in range(12):  # more than the board has seats: the others wait
            control = stack.enter_context(socket.socket(socket.AF_UNIX))
            control.settimeout(10)
            control.connect(str(fake.socket_path))
            controls.append(control)
        controls[0].sendall(b"x" * 5000)  # no newline: it is dropped
        with suppress(ConnectionResetError):
            assert controls[0].recv(10) == b""
        controls[1].sendall(b"status\n")
        assert controls[1].recv(10).startswith(b"{")
    assert "cycles" in fake.ask("status")


def test_a_client_that_never_reads_its_answers_does_no_harm(fake: FakeBoard) -> None:
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(0.2)
        control.connect(str(fake.socket_path))
        with suppress(OSError):  # it is dropped, or blocks by itself
            for _ in range(10_000):
                control.sendall(b"status\n" * 30)
        assert "cycles" in fake.ask("status")


# ---- flash ----


def test_flash_is_saved_when_quiet_and_at_the_end(fake: FakeBoard) -> None:
    saved = fake.state / "flash.bin"
    assert not saved.exists()
    fake.ask("flash")
    assert eventually(saved.exists)
    assert saved.read_bytes() == b"\x01" + bytes(1023)
    fake.ask("flash")
    fake.ask("quit")
    fake.process.wait(5)
    assert saved.read_bytes()[0] == 2
    assert [p.name for p in fake.state.iterdir()] == ["flash.bin"]


def test_a_flash_file_of_another_size_is_refused(fake_binary: Path, tmp_path: Path) -> None:
    (tmp_path / "flash.bin").write_bytes(b"short")
    control = str(tmp_path / "ctl")
    done = run(
        fake_binary, "--state-dir", str(tmp_path), "--port-link", "unused", "--control", control
    )
    assert done.returncode == 1
    assert "size" in done.stderr
    assert (tmp_path / "flash.bin").read_bytes() == b"short"


# ---- time; the fake's clock is 1 MHz ----


def rate_hz(fake: FakeBoard, seconds: float) -> float:
    before, wall = fake.ask("status")["cycles"], time.monotonic()
    time.sleep(seconds)
    return float((fake.ask("status")["cycles"] - before) / (time.monotonic() - wall))


def test_a_quiet_board_keeps_to_its_clock(fake: FakeBoard) -> None:
    assert rate_hz(fake, 1.0) == pytest.approx(1e6, rel=0.1)


def test_a_board_at_work_runs_freely(fake: FakeBoard) -> None:
    with serial.Serial(str(fake.link), 115200):
        assert eventually(lambda: fake.ask("status")["open"])
        assert rate_hz(fake, 0.4) > 2e6


def test_realtime_holds_it_back(fake_binary: Path, tmp_path: Path) -> None:
    board = FakeBoard(fake_binary, tmp_path, "--realtime")
    with serial.Serial(str(board.link), 115200):
        assert rate_hz(board, 0.5) == pytest.approx(1e6, rel=0.2)
    board.stop()


def test_a_sleeping_board_keeps_time_and_costs_nothing(fake: FakeBoard) -> None:
    fake.ask("sleep")
    cpu = cpu_seconds(fake.process.pid)
    assert rate_hz(fake, 1.0) == pytest.approx(1e6, rel=0.1)
    assert cpu_seconds(fake.process.pid) - cpu < 0.15
    with serial.Serial(str(fake.link), 115200, timeout=5) as port:
        port.write(b"wake")
        assert port.read(4) == b"wake"


def test_the_owner_is_not_left_waiting_for_a_dead_stdin(fake: FakeBoard) -> None:
    assert fake.process.stdin is not None
    os.write(fake.process.stdin.fileno(), b"what the owner writes is ignored\n")
    assert "cycles" in fake.ask("status")
    fake.process.stdin.close()
    assert fake.process.wait(3) == 0
