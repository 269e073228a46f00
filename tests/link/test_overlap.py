"""Traffic in a measured stretch: no byte is lost, and no cycle is counted for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.reference.model import run
from tests.kernels.test_boards import DUE, MKR1000, NUCLEO, UNO, running
from tests.models import random_qmodel, random_raw

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

MEGA = replace(
    UNO,
    name="mega2560",
    flags=("-mmcu=atmega2560",),
    max_payload=512,
    flash_bytes=1 << 18,
    stack_base=0x21FF,
)
MODEL = random_qmodel("fastgrnn", features=9, hidden=24, density=0.4, steps=30)
RECEIVING = [UNO, MEGA, MKR1000, DUE]


@pytest.fixture(scope="module", params=RECEIVING, ids=lambda target: target.name)
def board_and_dut(request, tmp_path_factory):
    with running(request.param, MODEL, tmp_path_factory.mktemp(request.param.name)) as both:
        yield both


def net_marks(board):
    """Cycles of the marked stretches, as the emulator counts them, each less an empty one's."""
    status = board.status()
    return status.marks_cycles - status.marks_count * status.marks_first_cycles


def long_enough(dut):
    """How often to measure the stored window, so that three windows of bytes come meanwhile."""
    return 40 if dut.identity.board == DUE.name else 2


def test_the_same_windows_take_the_same_cycles_with_and_without_overlap(board_and_dut):
    board, dut = board_and_dut
    raw = random_raw(MODEL, 6, 3)
    expected = run(MODEL, raw)
    cycles = {}
    for overlap in (False, True):
        dut.overlap = overlap
        before = net_marks(board)
        outcomes = list(dut.infer_all(raw))
        cycles[overlap] = [outcome.cycles for outcome in outcomes]
        assert net_marks(board) - before == sum(cycles[overlap])
        for outcome, logits in zip(outcomes, expected.logits, strict=True):
            np.testing.assert_array_equal(outcome.logits, logits)
    assert cycles[True] == cycles[False]
    stats = dut.stats()
    assert (stats.overruns, stats.bad_crc, stats.bad_frame, dut.counters.repeats) == (0, 0, 0, 0)


def test_bytes_that_come_in_a_stretch_cost_it_no_cycle(board_and_dut, monkeypatch):
    """Zeros, which mean nothing, straight behind a request that is measured for long."""
    board, dut = board_and_dut
    repeats = long_enough(dut)
    silent = dut.bench(repeats)
    assert silent.cycles_min == silent.cycles_max
    link, zeros = dut._link, 0
    write = link.write
    monkeypatch.setattr(link, "write", lambda data, until: write(data + bytes(zeros), until))
    window = dut.identity.window_bytes
    for zeros in (1, 2, 77, window):
        received = board.status().rx_bytes
        noisy = dut.bench(repeats)
        assert (noisy.cycles_min, noisy.cycles_max) == (silent.cycles_min, silent.cycles_max)
        np.testing.assert_array_equal(noisy.logits, silent.logits)
        assert board.status().rx_bytes - received > zeros  # before the reply: in the stretches
    zeros = 0
    assert dut.stats().overruns == 0


def test_more_than_the_window_is_lost_and_counted_but_costs_no_cycle_either(board_and_dut):
    """And the board goes on."""
    board, dut = board_and_dut
    repeats = long_enough(dut)
    silent = dut.bench(repeats)
    lost = dut.stats().overruns
    write, window = dut._link.write, dut.identity.window_bytes
    try:
        dut._link.write = lambda data, until: write(data + bytes(3 * window), until)
        noisy = dut.bench(repeats)
    finally:
        del dut._link.write
    assert noisy.cycles_min == silent.cycles_min
    assert (dut.stats().overruns - lost) % 256 > 0
    assert board.status().fault is None


def test_a_board_that_is_deaf_meanwhile_says_so(tmp_path):
    with running(NUCLEO, MODEL, tmp_path) as (_, dut):
        assert dut.identity.window_bytes == 0
        raw = random_raw(MODEL, 2, 3)
        for outcome, logits in zip(dut.infer_all(raw), run(MODEL, raw).logits, strict=True):
            np.testing.assert_array_equal(outcome.logits, logits)
        assert dut.stats().overruns == 0
