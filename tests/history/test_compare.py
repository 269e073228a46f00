"""Comparisons: what is paired, what is beyond noise, and what must never meet."""

import math
from dataclasses import replace

import pytest

from harness.history import store
from harness.history.accuracy import FISHER, MCNEMAR
from harness.history.compare import (
    BETTER,
    MOVED,
    REGRESSION,
    SAME,
    WITHIN,
    compare,
)
from harness.history.record import read_folder
from harness.history.trend import table, tracks
from harness.history.verdict import since_previous
from harness.study.stats import mcnemar_p
from tests.history.folders import SILICON, row, write_run

BRACKET = {
    "timing_source": "estimated-bracket", "cycles_median": None, "cycles_p95": None,
    "cycles_max": None, "latency_ms": None,
}  # fmt: skip


def estimate(low, high):
    return row(**BRACKET, cycles_lo=low, cycles_hi=high)


@pytest.fixture
def runs(tmp_path):
    """A run with these rows as entries; the folders are numbered as they come."""
    numbers = iter(range(100))

    def make(*rows, **options):
        return read_folder(write_run(tmp_path, next(numbers), list(rows) or [row()], **options))

    return make


def verdicts(found):
    """metric -> verdict of what is not the same."""
    return {d.metric: d.verdict for d in found.differences if d.verdict != SAME}


def test_the_same_run_again_has_no_differences(runs):
    found = compare(runs(), runs())
    assert found.differences
    assert verdicts(found) == {}
    assert found.exit_code == 0


def test_one_emulated_cycle_is_a_regression(runs):
    found = compare(runs(), runs(row(cycles_median=160_001.0)))
    assert verdicts(found) == {"cycles_median": REGRESSION}
    assert found.exit_code == 1


def test_one_byte_less_is_better(runs):
    found = compare(runs(), runs(row(flash_bytes=8764, ram_static_bytes=655)))
    assert verdicts(found) == {"flash_bytes": BETTER, "ram_static_bytes": REGRESSION}


def test_exactly_the_cell_that_got_slower_is_named(runs):
    rows = [row(), row("gru"), row("lstm")]
    found = compare(runs(*rows), runs(row(), row("gru", cycles_median=163_200.0), row("lstm")))
    (worse,) = found.regressions
    assert worse.cell.model == "gru"
    assert worse.change == 3200
    assert worse.label == "gru on uno (virtual), digits, smoke, 10 windows"


@pytest.mark.parametrize(
    "factor, firmware, verdict",
    [
        (1.0004, "f0", WITHIN),
        (1.0010, "f0", REGRESSION),
        (0.9990, "f0", BETTER),
        (1.0150, "f1", WITHIN),
        (1.0250, "f1", REGRESSION),
        (0.9750, "f1", BETTER),
    ],
)
def test_measured_cycles_regress_only_beyond_noise(runs, factor, firmware, verdict):
    first = runs(row(**SILICON, cycles_max=None))
    second = runs(
        row(**SILICON, cycles_max=None, cycles_median=160_000 * factor, firmware_id=firmware)
    )
    assert verdicts(compare(first, second)) == {"cycles_median": verdict}


def test_the_history_widens_the_noise_of_measured_cycles(runs):
    flips = [
        runs(row(**SILICON, cycles_median=(160_000.0, 170_000.0)[n % 2], firmware_id=str(n)))
        for n in range(6)
    ]
    past = [entry for run in flips for entry in run]
    slow = runs(row(**SILICON, cycles_median=170_000.0, firmware_id="new"))
    assert "cycles_median" in verdicts(compare(flips[4], slow))
    assert verdicts(compare(flips[4], slow)) == {"cycles_median": REGRESSION}
    assert verdicts(compare(flips[4], slow, past)) == {"cycles_median": WITHIN}


def test_a_clocks_latencies_are_compared_with_its_own_noise(runs):
    clock = {
        "board": "rpi3", "board_kind": "silicon", "timing_source": "board-clock",
        "cycles_median": None, "cycles_p95": None, "cycles_max": None,
    }  # fmt: skip
    first = runs(row(**clock))
    assert verdicts(compare(first, runs(row(**clock | {"latency_ms": 10.4})))) == {
        "latency_ms": WITHIN
    }
    slow = compare(first, runs(row(**clock | {"latency_ms": 10.6})))
    assert verdicts(slow) == {"latency_ms": REGRESSION}
    (line,) = table(tracks([*first, *runs(row(**clock | {"latency_ms": 11.0}))]))
    assert line["change_percent"] == pytest.approx(10)


# -- what must not meet ---------------------------------------------------------------------------


def test_silicon_and_virtual_never_meet_unless_asked(runs):
    virtual, silicon = runs(), runs(row(**SILICON))
    found = compare(virtual, silicon)
    assert found.exit_code == 3
    assert "board_kind (virtual / silicon)" in found.notes[0]
    across = frozenset({"board_kind"})  # two selectors that name the kind do not ask for it
    assert compare(virtual, silicon, across=across).exit_code == 3
    asked = compare(virtual, silicon, across_kinds=True)
    assert asked.exit_code == 0
    assert "ACROSS KINDS" in asked.notes[0]
    assert all("board_kind" in d.changed for d in asked.differences)


@pytest.mark.parametrize("across_kinds", [False, True])
def test_an_estimate_meets_only_estimates(runs, across_kinds):
    counted, estimated = runs(), runs(estimate(150_000, 170_000))
    found = compare(counted, estimated, across_kinds=across_kinds)
    assert not {d.metric for d in found.differences} & {"cycles_median", "cycles_lo", "cycles_hi"}
    assert "cycles not compared" in found.skipped[0][1]
    assert {d.metric for d in found.differences} >= {"flash_bytes", "accuracy_board"}


@pytest.mark.parametrize(
    "ends, verdict",
    {
        (150_000, 170_000): None,
        (150_000, 171_000): REGRESSION,
        (151_000, 171_000): REGRESSION,
        (149_000, 170_000): BETTER,
        (149_000, 171_000): MOVED,
    }.items(),
)
def test_estimates_are_compared_at_both_ends(runs, ends, verdict):
    found = compare(runs(estimate(150_000, 170_000)), runs(estimate(*ends)))
    assert set(verdicts(found).values()) == ({verdict} if verdict else set())


def test_other_options_are_another_cell(runs):
    for change in ({"windows": 20}, {"overrides": {"hidden": 8}}, {"compand": False}):
        found = compare(runs(), runs(**change))
        assert found.exit_code == 3
        assert next(iter(change)) in found.notes[0]


def test_an_option_of_another_version_counts_only_when_it_is_set(runs):
    assert compare(runs(), runs(faults="")).exit_code == 0
    assert compare(runs(), runs(faults="drop=3")).exit_code == 3


def test_two_boards_are_compared_across_the_board(runs):
    found = compare(runs(), runs(row(board="mega2560")), across=frozenset({"board"}))
    assert found.exit_code == 0
    assert all(d.changed == ("board",) for d in found.differences)


def test_each_board_of_a_kind_is_compared_with_itself(runs, tmp_path):
    def boards(**cycles):
        made = []
        for name, value in cycles.items():
            (entry,) = runs(row(**SILICON, cycles_median=value))
            made.append(replace(entry, board_id=name))
        return made

    found = compare(boards(a=160_000.0, b=170_000.0), boards(b=170_000.0, a=160_000.0))
    assert verdicts(found) == {}
    assert [d.board_id for d in found.differences if d.metric == "cycles_median"] == ["b", "a"]
    (row_a, row_b) = table(tracks(boards(a=160_000.0, b=164_000.0)))
    assert row_a["board_spread_percent"] == row_b["board_spread_percent"]
    assert row_a["board_spread_percent"] == pytest.approx(100 * 4000 / 162_000)


# -- status and lab trouble -----------------------------------------------------------------------


def test_a_mismatch_is_a_regression_and_its_end_is_better(runs):
    good, bad = runs(), runs(row(status="mismatch", mismatches=1))
    assert verdicts(compare(good, bad)) == {"status": REGRESSION}
    assert verdicts(compare(bad, good)) == {"status": BETTER}
    assert verdicts(compare(bad, bad)) == {}


def test_a_model_that_no_longer_fits_is_a_regression(runs):
    empty = dict.fromkeys(("cycles_median", "cycles_max", "flash_bytes", "accuracy_board"))
    found = compare(runs(), runs(row(status="does-not-fit", **empty)))
    assert verdicts(found) == {"status": REGRESSION}


def test_lab_trouble_is_no_regression_and_says_so(runs):
    found = compare(runs(), runs(row(status="lab-error", cycles_median=None, message="unplugged")))
    assert found.exit_code == 3
    assert "lab trouble in run1" in found.skipped[0][1]


def test_lab_trouble_does_not_stand_for_what_was_measured_before_it(runs):
    trouble = row(status="lab-error", cycles_median=None)
    found = compare(runs(), [*runs(row(cycles_median=160_500.0)), *runs(trouble)])
    assert verdicts(found) == {"cycles_median": REGRESSION}


# -- accuracies -----------------------------------------------------------------------------------


def accuracy(found):
    (difference,) = [d for d in found.differences if d.metric == "accuracy_board"]
    return difference


def test_accuracy_is_tested_on_the_same_windows(runs):
    first = runs(row(accuracy_board=1.0), wrong=())
    second = runs(row(accuracy_board=0.4), wrong=range(6))
    lost = accuracy(compare(first, second))
    assert lost.p == mcnemar_p(6, 0) == pytest.approx(2 / 2**6)
    assert lost.noise == f"{MCNEMAR}: 6 lost, 0 won of 10 windows"
    assert lost.verdict == REGRESSION
    assert accuracy(compare(second, first)).verdict == BETTER


def test_a_few_windows_are_within_noise(runs):
    found = compare(
        runs(row(accuracy_board=1.0), wrong=()), runs(row(accuracy_board=0.5), wrong=range(5))
    )
    assert accuracy(found).p == pytest.approx(2 / 2**5)
    assert accuracy(found).verdict == WITHIN
    assert found.exit_code == 0


def test_many_tests_need_stronger_evidence_each(runs):
    """p = 0.031 is a regression alone, and chance among three such tests."""
    models = ("fastgrnn", "gru", "lstm")
    first = runs(*(row(m, accuracy_board=1.0) for m in models), wrong=())
    second = runs(*(row(m, accuracy_board=0.4) for m in models), wrong=range(6))
    assert compare(first[:1], second[:1]).exit_code == 1
    assert compare(first, second).exit_code == 0


def test_without_the_folders_counts_are_tested_and_it_says_so(runs, tmp_path):
    first = runs(row(accuracy_board=1.0), wrong=())
    second = runs(row(accuracy_board=0.4), wrong=range(6))
    for entry in second:
        (entry.folder / "windows.parquet").unlink()
    lost = accuracy(compare(first, second))
    assert lost.noise == f"{FISHER}: 10 of 10, 4 of 10 windows"
    assert lost.p == pytest.approx(2 * math.comb(10, 4) / math.comb(20, 6))
    assert lost.verdict == REGRESSION


def test_a_table_that_its_windows_contradict_is_told(runs):
    found = compare(
        runs(row(accuracy_board=1.0), wrong=()), runs(row(accuracy_board=1.0), wrong=range(6))
    )
    assert accuracy(found).after == 0.4
    assert "the table says accuracy 100.00 %, its windows 40.00 %" in found.skipped[0][1]


# -- since the previous run -----------------------------------------------------------------------


def test_the_verdict_of_a_morning(runs):
    history = [
        *runs(row(), row("gru"), row("lstm")),
        *runs(row(cycles_median=159_000.0), row("gru", cycles_median=161_000.0),
              row("lstm", status="lab-error"), row("ornn")),
    ]  # fmt: skip
    verdict = since_previous(history)
    assert [d.label.split()[0] for d in verdict.regressions] == ["gru"]
    assert [d.label.split()[0] for d in verdict.moved] == ["fastgrnn"]
    assert [t.cell.model for t in verdict.trouble] == ["lstm"]
    assert [t.cell.model for t in verdict.new] == ["ornn"]


def test_after_lab_trouble_the_last_good_run_is_the_previous_one(runs):
    history = [*runs(), *runs(row(status="lab-error")), *runs(row(cycles_median=161_000.0))]
    (worse,) = since_previous(history).regressions
    assert (worse.before, worse.after) == (160_000, 161_000)


def test_the_table_of_a_cell(runs):
    (line,) = table(tracks([*runs(), *runs(row(cycles_median=164_000.0))]))
    assert line["runs"] == 2
    assert line["cycles_median"] == 164_000
    assert line["change_percent"] == pytest.approx(2.5)
    assert line["spread_percent"] == pytest.approx(100 * 4 / 162)
    assert line["board_spread_percent"] is None


def test_history_and_folders_compare_alike(runs, tmp_path):
    first, second = runs(), runs(row(cycles_median=163_200.0))
    for entry in (*first, *second):
        store.add_folder(tmp_path / "h.db", entry.folder)
    stored = store.read(tmp_path / "h.db")
    assert compare(stored[:1], stored[1:]) == compare(first, second)
