"""The noise model: exact where figures are exact, from what was measured elsewhere."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.history import noise
from harness.history.record import Cell, Entry

CELL = Cell(board="mkr1000", board_kind="silicon", dataset="digits", model="fastgrnn")
POSITIVE = st.floats(1.0, 1e9)
COUNTS = st.tuples(st.integers(1, 60), st.integers(1, 60)).flatmap(
    lambda n: st.tuples(st.integers(0, n[0]), st.just(n[0]), st.integers(0, n[1]), st.just(n[1]))
)


def entry(
    number, cycles, *, firmware="f", source="systick", model="m", board="", cell=CELL, **rest
):
    values = {
        "status": "ok", "cycles_median": cycles, "timing_source": source,
        "firmware_id": firmware, "model_sha256": model, **rest,
    }  # fmt: skip
    return Entry(
        cell=cell, board_id=board, run_id=f"run{number}", started=f"2026-01-{number + 1:02d}T22:00",
        finished=None, night="", folder=Path(), git_sha="", git_dirty=False, harness_version="",
        values=values,
    )  # fmt: skip


def allowed(before, after, past=()):
    """As a part of the cycles before."""
    found = noise.time_noise("cycles_median", before, after, past)
    return found.allowed / before.number("cycles_median"), found.why


def test_emulated_cycles_and_estimates_have_no_noise():
    for source in ("emulated-cycles", "estimated-bracket"):
        first, second = (entry(n, 1000.0, firmware=str(n), source=source) for n in (0, 1))
        assert noise.time_noise("cycles_median", first, second, [first]) == noise.NONE


def test_the_same_image_has_the_default_for_repeats():
    part, why = allowed(entry(0, 1000.0), entry(1, 1001.0))
    assert part == pytest.approx(noise.REPEAT_DEFAULT)
    assert "default" in why


def test_the_repeated_window_widens_it():
    moving = entry(1, 1000.0, bench_cycles_min=1000, bench_cycles_max=1010)
    assert allowed(entry(0, 1000.0), moving)[0] == pytest.approx(10 / 1005)


def test_runs_of_the_same_image_widen_it():
    past = [entry(n, 1000.0 + 4 * n) for n in range(4)]
    assert allowed(past[-1], entry(9, 1000.0), past)[0] == pytest.approx(12 / 1006)
    few = past[2:]
    assert allowed(past[-1], entry(9, 1000.0), few)[0] == pytest.approx(noise.REPEAT_DEFAULT)


@pytest.mark.parametrize("source, part", [("systick", 0.02), ("dwt", 0.02), ("timer1", 0.0005)])
def test_another_image_has_the_default_for_layout(source, part):
    first, second = (entry(n, 1000.0, firmware=str(n), source=source) for n in (0, 1))
    assert allowed(first, second)[0] == pytest.approx(part)


def test_a_layout_that_flips_between_two_times_is_noise():
    """Two nops decide about a quarter of the time; the history shows it, so it is no regression."""
    past = [entry(n, (1000.0, 1240.0)[n % 2], firmware=str(n)) for n in range(6)]
    part, why = allowed(past[-2], entry(9, 1240.0, firmware="new"), past)
    assert part == pytest.approx(0.24)
    assert "6 images" in why


def test_one_change_that_was_real_is_not_noise():
    past = [entry(n, 2000.0 if n < 3 else 1000.0 + n, firmware=str(n)) for n in range(8)]
    assert allowed(past[-1], entry(9, 1000.0, firmware="new"), past)[0] < 0.01


def test_images_of_other_weights_say_nothing_about_layout():
    past = [entry(n, 1000.0 + 500 * n, firmware=str(n), model=str(n)) for n in range(6)]
    part, why = allowed(past[-1], entry(9, 3000.0, firmware="new", model="5"), past)
    assert part == pytest.approx(noise.LAYOUT_DEFAULT_ELSEWHERE)
    assert "default" in why


def test_what_comes_after_says_nothing_about_before():
    past = [entry(n, (1000.0, 1240.0)[n % 2], firmware=str(n)) for n in range(10, 16)]
    assert allowed(entry(0, 1000.0), entry(1, 1000.0, firmware="x"), past)[0] == pytest.approx(0.02)


def test_another_board_adds_the_spread_between_boards():
    past = [entry(n, 1000.0 + 10 * n, board=str(n)) for n in range(3)]
    first, second = entry(5, 1000.0, board="0"), entry(6, 1000.0, board="2")
    assert allowed(first, second, past)[0] == pytest.approx(20 / 1010)


def test_stack_on_silicon_may_be_one_interrupt_deeper():
    first, second = entry(0, 1.0, stack_peak_bytes=200), entry(1, 1.0, stack_peak_bytes=210)
    assert noise.stack_noise(first, second, []).allowed == noise.STACK_DEFAULT_BYTES
    past = [entry(n, 1.0, stack_peak_bytes=200 + 2 * n) for n in range(3)]
    assert noise.stack_noise(first, entry(9, 1.0), past).allowed == 4
    virtual = replace(CELL, board_kind="virtual")
    pair = [replace(e, cell=virtual) for e in (first, second)]
    assert noise.stack_noise(*pair, past) == noise.NONE


@given(st.lists(POSITIVE, min_size=3, max_size=12), st.floats(0.5, 2.0))
def test_layout_noise_is_relative_and_ignores_one_outlying_step(values, factor):
    found = noise.layout_of(values)
    assert found >= 0
    assert math.isclose(found, noise.layout_of([factor * v for v in values]), abs_tol=1e-6)
    assert found <= max(noise.steps(values))
    jump = [*values, 1e3 * values[-1]]
    assert math.isclose(noise.layout_of(jump), max(noise.steps(values)), abs_tol=1e-9) or (
        max(noise.steps(values)) > 999
    )


@given(st.lists(POSITIVE, min_size=1, max_size=12))
def test_spread_does_not_depend_on_order(values):
    assert noise.spread(values) == pytest.approx(noise.spread(sorted(values)))
    assert noise.spread(values) >= 0


@given(st.lists(st.floats(900, 1100), max_size=12), st.booleans())
def test_noise_is_never_below_the_default_for_repeats(cycles, same_image):
    past = [entry(n, c, firmware=str(n)) for n, c in enumerate(cycles)]
    after = entry(20, 1000.0, firmware="f" if same_image else "g")
    assert allowed(entry(15, 1000.0), after, past)[0] >= noise.REPEAT_DEFAULT - 1e-12


@given(COUNTS)
def test_fishers_test_agrees_with_scipy(counts):
    right_a, n_a, right_b, n_b = counts
    table = [[right_a, n_a - right_a], [right_b, n_b - right_b]]
    assert noise.fisher_p(*counts) == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-6)


@given(COUNTS)
def test_fishers_test_is_symmetric(counts):
    right_a, n_a, right_b, n_b = counts
    assert noise.fisher_p(*counts) == pytest.approx(noise.fisher_p(right_b, n_b, right_a, n_a))


@given(st.lists(st.floats(0, 1), max_size=10))
def test_holm_lies_between_bonferroni_and_no_correction(p_values):
    rejected = noise.holm(p_values)
    for p, is_rejected in zip(p_values, rejected, strict=True):
        assert is_rejected or p > noise.ALPHA / len(p_values)
        assert not is_rejected or p <= noise.ALPHA
    pairs = list(zip(p_values, rejected, strict=True))
    assert all(b for (p, b), (q, c) in itertools.product(pairs, pairs) if c and p < q)


def test_holm_of_the_textbook():
    assert noise.holm([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]
