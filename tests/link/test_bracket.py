"""Cycles as a bracket: both ends from the emulator, never a figure between, never in `cycles`."""

from __future__ import annotations

import numpy as np
import pytest

from harness.bench import Span, Windows, bracket, measure
from harness.firmware.host import build_host
from harness.link.dut import connect
from harness.reference.model import bench_window
from harness.results import Journal
from tests.kernels.process_link import ProcessLink
from tests.models import random_qmodel, random_raw

MODEL = random_qmodel("gru", 5, hidden=6, features=4, classes=3, steps=8)
COUNT = 3
WINDOWS = Windows(random_raw(MODEL, COUNT), np.zeros(COUNT, np.int64), np.arange(COUNT))


class Emulator:
    """A witness: each window takes 1000 to 1500 cycles and 900 instructions.

    A window numbered in `restarts` ends with a restart of the board, which forgets what it counted.
    """

    def __init__(self, dut, restarts=()):
        self.dut, self.restarts, self.asked = dut, set(restarts), 0

    def marked(self):
        windows = (self.asked + 1) // 2
        if self.asked % 2 and windows in self.restarts:
            self.dut.counters.restarts += 1
        self.asked += 1
        return Span(1000 * windows, 1500 * windows, 900 * windows)


@pytest.fixture(scope="module")
def executable():
    return build_host(MODEL, bench_window(MODEL), sanitize=True)


@pytest.fixture
def dut(executable):
    dut = connect(lambda: ProcessLink(executable), boot_wait_s=10, banner=True)
    yield dut
    dut.close()


def measured(dut, journal, witness):
    raw = bench_window(MODEL)
    return measure(dut, MODEL, WINDOWS, raw, journal, witness=witness, time_unit="bracket")


def test_a_window_has_both_ends_and_no_cycles(dut, tmp_path):
    result = measured(dut, Journal(tmp_path / "j.jsonl"), Emulator(dut))
    for row in result.rows:
        assert (row.cycles, row.latency_ns) == (-1, [])
        assert (row.cycles_lo, row.cycles_hi, row.instructions) == (1000, 1500, 900)
    assert (result.bench_cycles_min, result.bench_cycles_max) == (-1, -1)


def test_a_resumed_run_keeps_the_first_ones_figures(dut, tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    first = measured(dut, journal, Emulator(dut))
    assert measured(dut, journal, Emulator(dut)).rows == first.rows


def test_without_a_witness_there_is_no_bracket(dut, tmp_path):
    """The board's own figure is the lower end alone, and that is not told."""
    result = measured(dut, Journal(tmp_path / "j.jsonl"), None)
    for row in result.rows:
        assert (row.cycles, row.cycles_lo, row.cycles_hi, row.instructions) == (-1, -1, -1, -1)


def test_what_is_since_an_earlier_span():
    assert Span(10, 30, 8).since(Span(4, 10, 3)) == Span(6, 20, 5)
    assert Span(10).since(Span(4)) == Span(6, -1, -1)  # an emulator that counts cycles alone


def test_medians_of_both_ends():
    spans = [Span(10, 20, 8), Span(12, 26, 9), Span(30, 60, 10)]
    assert bracket(spans) == {"cycles_lo": 12.0, "cycles_hi": 26.0, "instructions": 9.0}


@pytest.mark.parametrize("spans", [[], [Span(-1)], [Span(1, 2, 3), Span(1)]])
def test_no_bracket_when_any_window_has_none(spans):
    assert bracket(spans) == {}
