"""Sleep, faults, repeatability, and the control socket of a board at work."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.virtual.control import BoardStatus
from harness.virtual.process import VirtualBoard

from .conftest import Client, Firmware, Mcu, eventually, opened

pytestmark = pytest.mark.emulated


@pytest.fixture
def session(board: VirtualBoard) -> Iterator[Client]:
    """A session of its own for a test that leaves the probe in a bad way."""
    with opened(board) as client:
        yield client


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100  # USER_HZ


def share_of_a_core(pid: int, seconds: float = 2.0) -> float:
    cpu, wall = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - cpu) / (time.monotonic() - wall)


def faulted(board: VirtualBoard) -> BoardStatus:
    assert eventually(lambda: board.status().state == "fault")
    return board.status()


def test_sleep_until_a_character_comes(board: VirtualBoard, session: Client) -> None:
    session.send("s")
    assert eventually(lambda: board.status().state == "sleeping")
    time.sleep(1.2)  # the line is quiet by now
    before, wall = board.status().cycles, time.monotonic()
    assert share_of_a_core(board.pid, 1.0) < 0.05
    rate = (board.status().cycles - before) / (time.monotonic() - wall)
    assert rate == pytest.approx(16e6, rel=0.1)  # time passes while the MCU sleeps
    session.send("A")
    assert session.read(1) == b"A"


def test_sleep_with_interrupts_off_ends_with_a_reset(board: VirtualBoard, session: Client) -> None:
    session.send("z")
    assert eventually(lambda: board.status().state == "sleeping")
    session.send("hello")
    time.sleep(0.2)
    assert board.status().state == "sleeping"
    board.reset()
    session.await_ready()


def test_an_idle_board_uses_little_of_a_core(board: VirtualBoard, session: Client) -> None:
    time.sleep(1.2)
    assert board.status().state == "running"  # it polls the USART, as sketches do
    assert min(share_of_a_core(board.pid) for _ in range(2)) < 0.15


def test_control_answers_while_the_board_is_busy(board: VirtualBoard, session: Client) -> None:
    session.send("b")
    slowest = 0.0
    for _ in range(50):
        before = time.monotonic()
        assert board.status().state == "running"
        slowest = max(slowest, time.monotonic() - before)
    assert slowest < 1.0
    board.reset()
    session.await_ready()


def test_a_busy_board_runs_ahead_of_real_time(board: VirtualBoard, session: Client) -> None:
    """Free running: only a loaded machine could fail this, so it asks for little."""
    session.send("e", 0, 200)
    before, cpu = board.status().cycles, cpu_seconds(board.pid)
    wanted = 200 * 256
    for _ in range(wanted // 512):
        session.send(bytes(512))
        session.read(512)
    cycles = board.status().cycles - before
    assert cycles / 16e6 > cpu_seconds(board.pid) - cpu


@pytest.mark.parametrize(
    ("letter", "reason", "address"),
    [
        ("x", "undefined instruction", 0x0001),
        ("X", "erased flash executed", 0x6000),
        ("p", "write outside memory", 0x4000),
        ("P", "stack pointer below SRAM", None),
    ],
)
def test_faults(
    board: VirtualBoard, session: Client, mcu: Mcu, letter: str, reason: str, address: int | None
) -> None:
    session.send(letter)
    fault = faulted(board).fault
    assert fault is not None
    assert fault.reason == reason
    if address is not None:
        assert fault.address == address
    assert 0 < fault.pc < mcu.boot_start
    stopped = board.status().cycles
    time.sleep(0.05)
    assert board.status().cycles == stopped
    assert reason in board.log.read_text()
    board.reset()
    session.await_ready()
    assert board.status().fault is None


def test_random_programs_do_not_kill_the_emulator(mcu: Mcu, tmp_path: Path) -> None:
    """Whatever the MCU does, the process lives and says what it was."""
    reasons = set()
    # The Mega's bootloader takes a second before it gives up.
    seeds, patience_s, kinds = (20, 0.3, 3) if mcu.board == "uno" else (6, 3.0, 2)
    for seed in range(seeds):
        state = tmp_path / str(seed)
        state.mkdir()
        (state / "flash.bin").write_bytes(random.Random(seed).randbytes(mcu.flash_bytes))
        with VirtualBoard.start(mcu.board, state) as board:
            eventually(lambda: board.status().state == "fault", within=patience_s)  # noqa: B023
            fault = board.status().fault
            reasons.add(fault.reason if fault else None)
    assert len(reasons - {None}) >= kinds, reasons


def test_min_sp_is_the_lowest_since_reset(board: VirtualBoard, session: Client, mcu: Mcu) -> None:
    session.send("q")  # calls what pushes 18
    before_call = int.from_bytes(session.read(2), "little")
    lowest = board.status().min_sp
    assert lowest == before_call - mcu.pc_bytes - 18
    session.await_idle()
    assert board.status().min_sp == lowest


def test_min_sp_is_right_while_the_stack_pointer_is_half_written(
    board: VirtualBoard, session: Client, mcu: Mcu
) -> None:
    """A large frame moves SP by OUT SPH, OUT SPL; the value between the two does not count."""
    session.send("Q")
    before_call = int.from_bytes(session.read(2), "little")
    # two calls, one saved register pair, the frame
    assert board.status().min_sp == before_call - 2 * mcu.pc_bytes - 2 - 300


def run_computation(probe: Firmware, state: Path) -> tuple[bytes, int, int]:
    probe.install(state)
    with VirtualBoard.start(probe.mcu.board, state) as board, opened(board) as client:
        client.send("i")
        result = client.read(4)
        first = board.status().marks_last_cycles
        client.send("i")
        assert client.read(4) == result
        return result, first, board.status().marks_last_cycles


def test_the_same_firmware_takes_the_same_cycles(probe: Firmware, tmp_path: Path) -> None:
    one = run_computation(probe, tmp_path / "one")
    two = run_computation(probe, tmp_path / "two")
    assert one == two
    assert one[1] == one[2]


def test_realtime_keeps_to_the_clock(probe: Firmware, tmp_path: Path) -> None:
    probe.install(tmp_path)
    with (
        VirtualBoard.start(probe.mcu.board, tmp_path, realtime=True) as board,
        opened(board) as client,
    ):
        client.send("b")
        before, wall = board.status().cycles, time.monotonic()
        time.sleep(0.5)
        rate = (board.status().cycles - before) / (time.monotonic() - wall)
        assert rate < 16e6 * 1.1
