"""Equal bytes, equal latency, paired tests and their sentences, on measurements made up here."""

import numpy as np
import pandas as pd
import pytest

from harness import plots
from harness.study import comparison
from harness.study.comparison import Choice, Measured
from harness.study.stats import mcnemar_p, mean_interval

WINDOWS = 200
SETTINGS = {
    "hidden": 20, "rank_w": None, "rank_u": 5, "density_w": 1.0, "density_u": 0.3, "lr": 0.01,
    "weight_decay": 0.03, "epochs_rounded": 0,
}  # fmt: skip


def measured(model, budget_bytes, right, *, validation=0.9, latency_ms=10.0, **changes):
    """A point whose seeds get `right` windows of 200 right, the first ones of the test set."""
    outcomes = np.array([np.arange(WINDOWS) < count for count in right])
    rows = pd.DataFrame(
        {
            "seed": range(len(right)),
            "accuracy_host_test": outcomes.mean(axis=1),
            "latency_ms": latency_ms,
            "cycles_median": 480_000.0,
            "model_flash_bytes": budget_bytes - 10,
            "status": "ok",
            "mismatches": 0,
            "windows": 30,
            "board": "mkr1000",
            "board_kind": "virtual",
            "timing_source": "emulated-cycles",
        }
        | changes
    )
    return Measured(Choice(model, budget_bytes, SETTINGS, validation, 12, 1), rows, outcomes)


@pytest.fixture
def four():
    """FastGRNN ahead at 1 KB and slower there, GRU ahead at 2 KB within the spread."""
    return [
        measured("fastgrnn", 1024, [190, 192, 191], latency_ms=[20.0, 22.0, 21.0]),
        measured("gru", 1024, [180, 181, 182], latency_ms=9.0),
        measured("fastgrnn", 2048, [190, 196, 190], latency_ms=40.0, validation=0.85),
        measured("gru", 2048, [196, 190, 194], latency_ms=18.0, validation=0.95),
    ]


def test_every_seed_is_shown_and_the_interval_is_over_seeds(four):
    table = comparison.bytes_table(four, [1024, 2048])
    row = table.iloc[0]
    assert list(table["model"]) == ["fastgrnn", "gru"] * 2
    assert row["accuracy_each_seed"] == "0.9500 0.9600 0.9550"
    assert row["accuracy_half_width"] == pytest.approx(
        mean_interval([0.95, 0.96, 0.955]).half_width
    )
    assert (row["seeds"], row["trials"], row["trials_failed"]) == (3, 12, 1)
    assert row["latency_ms"] == 22.0  # the slowest seed's


def test_models_are_paired_with_the_first_by_seed_and_by_window(four):
    table = comparison.bytes_table(four, [1024])
    assert pd.isna(table.iloc[0]["behind"])
    gru = table.iloc[1]
    assert (gru["behind"], gru["points_behind"]) == ("fastgrnn", pytest.approx(5.0))
    assert gru["p_seeds"] == pytest.approx(2 / 2**3)
    by_window = [mcnemar_p(10, 0), mcnemar_p(11, 0), mcnemar_p(9, 0)]
    assert gru["p_windows_each_seed"] == " ".join(f"{p:.2g}" for p in by_window)


def test_more_bytes_than_the_budget_are_marked(four):
    assert not comparison.bytes_table(four, [1024])["over_budget"].any()
    fat = measured("lstm", 1024, [190] * 3, model_flash_bytes=1025)
    assert list(comparison.bytes_table([*four, fat], [1024])["over_budget"]) == [0, 0, 1]


def test_within_a_latency_the_best_on_validation_stands_not_the_best_on_test(four):
    def chosen(latency_ms):
        found = comparison.within_latency(four, latency_ms)
        return [(m.choice.model, m.choice.budget_bytes) for m in found]

    assert chosen(5) == []
    assert chosen(9) == [("gru", 1024)]
    assert chosen(21.9) == [("gru", 2048)]  # a seed of fastgrnn needs 22 ms
    assert chosen(22) == [("fastgrnn", 1024), ("gru", 2048)]
    assert chosen(100) == [("fastgrnn", 1024), ("gru", 2048)]  # .9 on validation, not .85
    assert list(comparison.latency_table(four, [5, 9])["latency_budget_ms"]) == [9]


def test_of_equals_on_validation_the_smaller_stands():
    two = [measured("gru", 2048, [180]), measured("gru", 1024, [170])]
    (found,) = comparison.within_latency(two, 100)
    assert found.choice.budget_bytes == 1024


def test_sentences_say_who_is_ahead_and_whether_it_shows(four):
    ahead, level, nothing = comparison.sentences(four, [1024, 2048, 4096])
    assert ahead.startswith("1,024 B: fastgrnn has 95.50 %, 5.00 points above gru (90.50 %; ")
    assert "p over seeds 0.25, p over windows below 0.05 in 3 of 3 seeds)." in ahead
    assert level.startswith("2,048 B: gru has 96.67 %, 0.67 points above fastgrnn")
    assert level.endswith("no difference shown).")
    assert nothing == "4,096 B: no model was trained to its end."


def test_one_seed_gets_no_test():
    two = [measured("gru", 1024, [180]), measured("lstm", 1024, [170])]
    (line,) = comparison.sentences(two, [1024])
    assert line.endswith("(85.00 %; one seed, no test).")


def test_the_pareto_plot_draws_every_point_with_its_interval(four, tmp_path):
    table = comparison.bytes_table(four, [1024, 2048])
    figure = plots.pareto(table)
    above, below = figure.axes
    for axes, column in ((above, "model_flash_bytes"), (below, "latency_ms")):
        for model, line in zip(("fastgrnn", "gru"), axes.containers, strict=True):
            own = table[table["model"] == model]
            assert list(line.lines[0].get_xdata()) == list(own[column])
            assert list(line.lines[0].get_ydata()) == pytest.approx(list(100 * own["accuracy"]))
            (bars,) = line.lines[2]
            spans = [segment[1, 1] - segment[0, 1] for segment in bars.get_segments()]
            assert spans == pytest.approx(list(200 * own["accuracy_half_width"]))
    words = " ".join(text.get_text() for text in figure.texts)
    assert "VIRTUAL BOARD mkr1000" in words
    assert "interval over 3 seeds" in words
    png, svg = plots.save(figure, tmp_path, "sizes")
    assert png.stat().st_size > 0 and svg.stat().st_size > 0


def test_what_did_not_fit_the_board_is_named_not_drawn(four):
    absent = measured("lstm", 2048, [180] * 3, latency_ms=None, model_flash_bytes=None)
    figure = plots.pareto(comparison.bytes_table([*four, absent], [1024, 2048]))
    assert [len(axes.containers) for axes in figure.axes] == [2, 2]
    words = " ".join(" ".join(text.get_text().split()) for text in figure.texts)
    assert "Not measured on a board: lstm at 2,048 B." in words
