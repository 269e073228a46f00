"""Times by a board's clock: repeated, never taken for cycles, dropped where meaningless."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness import bench
from harness.bench import CLOCK_REPEATS, Windows, latency, measure
from harness.firmware.host import build_host
from harness.link.dut import connect
from harness.link.messages import Outcome
from harness.reference.model import bench_window, run
from harness.results import Journal
from tests.kernels.process_link import ProcessLink
from tests.models import random_qmodel, random_raw

MODEL = random_qmodel("gru", 5, hidden=6, features=4, classes=3, steps=8)
COUNT = 3
WINDOWS = Windows(random_raw(MODEL, COUNT), np.zeros(COUNT, np.int64), np.arange(COUNT))


@pytest.fixture(scope="module")
def executable():
    return build_host(MODEL, bench_window(MODEL), sanitize=True)


@pytest.fixture
def dut(executable):
    dut = connect(lambda: ProcessLink(executable), boot_wait_s=10, banner=True)
    yield dut
    dut.close()


def measured(dut, journal, time_unit):
    return measure(dut, MODEL, WINDOWS, bench_window(MODEL), journal, time_unit=time_unit)


def test_every_window_is_timed_as_often_as_agreed(dut, tmp_path):
    result = measured(dut, Journal(tmp_path / "j.jsonl"), "ns")
    assert (result.mismatches, result.trace_mismatches, result.bench_agrees) == (0, 0, True)
    for row in result.rows:
        assert row.cycles == -1
        assert len(row.latency_ns) == CLOCK_REPEATS
        assert min(row.latency_ns) > 0
    assert (result.bench_cycles_min, result.bench_cycles_max) == (-1, -1)


def test_a_resumed_run_keeps_the_times_of_the_first(dut, tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    first = measured(dut, journal, "ns")
    assert measured(dut, journal, "ns").rows == first.rows


def test_a_figure_that_means_nothing_is_dropped(dut, tmp_path):
    result = measured(dut, Journal(tmp_path / "j.jsonl"), "")
    assert [(row.cycles, row.latency_ns) for row in result.rows] == [(-1, [])] * COUNT
    assert (result.bench_cycles_min, result.bench_cycles_max) == (-1, -1)


def test_one_wrong_repeat_is_a_mismatch():
    expected = run(MODEL, WINDOWS.raw)
    good = Outcome(int(expected.labels[0]), 100, 0, 0, 0, expected.logits[0])
    wrong = replace(good, logits=good.logits + 1, cycles=90)
    trial = bench._Trial(good, None, 0)
    row = bench._row(MODEL, WINDOWS, 0, expected, [good, good, wrong], trial, "ns")
    assert row.logits_board != row.logits_host
    assert row.latency_ns == [100, 100, 90]


def test_latency_is_the_median_of_each_windows_fastest_repeat():
    assert latency([[4_000_000, 2_000_000, 9_000_000], [3_000_000, 3_000_000, 3_000_000]]) == {
        "latency_ms": 2.5,
        "latency_median_ms": 3.0,
        "latency_repeats": 3,
    }


@pytest.mark.parametrize("latencies_ns", [[], [[]], [[5], []], [[5, -1]]])
def test_latency_is_absent_when_any_is_not_measured(latencies_ns):
    assert latency(latencies_ns) == {}
