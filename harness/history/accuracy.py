"""Whether two accuracies differ by more than chance: on the same windows if they are still there.

The windows are in the results folders (windows.parquet). Where a folder is gone, or the windows
are not the same ones, only the counts of the history remain.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.history.noise import fisher_p
from harness.history.record import Entry
from harness.results import read_windows
from harness.study.stats import mcnemar_p

Windows = NDArray[np.int64]  # [n, 3]
MCNEMAR, FISHER = "exact McNemar", "Fisher's exact test on counts"


@dataclass(frozen=True)
class AccuracyTest:
    """Accuracies before and after, the two-sided p of no difference, and which test in words.

    doubts  what in the folders contradicts itself; the windows count then
    """

    before: float
    after: float
    p: float
    words: str
    doubts: tuple[str, ...] = ()


def accuracy_test(before: Entry, after: Entry) -> AccuracyTest | None:
    """The test that the data allow; None when no accuracy was measured on the board."""
    first, second = _windows(before), _windows(after)
    if first is not None and second is not None and np.array_equal(first[:, :2], second[:, :2]):
        return _paired(before, after, first, second)
    was, now = _counts(before), _counts(after)
    if was is None or now is None:
        return None
    (right_a, n_a), (right_b, n_b) = was, now
    words = f"{FISHER}: {right_a} of {n_a}, {right_b} of {n_b} windows"
    return AccuracyTest(right_a / n_a, right_b / n_b, fisher_p(right_a, n_a, right_b, n_b), words)


def _counts(entry: Entry) -> tuple[int, int] | None:
    accuracy, windows = entry.number("accuracy_board"), entry.number("windows")
    if accuracy is None or not windows:
        return None
    return round(accuracy * windows), int(windows)


def _paired(before: Entry, after: Entry, first: Windows, second: Windows) -> AccuracyTest:
    was_right, is_right = first[:, 2] == first[:, 1], second[:, 2] == second[:, 1]
    lost, won = int((was_right & ~is_right).sum()), int((is_right & ~was_right).sum())
    shares = float(was_right.mean()), float(is_right.mean())
    doubts = [_doubt(e, share) for e, share in zip((before, after), shares, strict=True)]
    words = f"{MCNEMAR}: {lost} lost, {won} won of {len(first)} windows"
    return AccuracyTest(*shares, mcnemar_p(lost, won), words, tuple(filter(None, doubts)))


def _doubt(entry: Entry, share: float) -> str:
    recorded = entry.number("accuracy_board")
    if recorded is None or abs(recorded - share) < 1e-9:
        return ""
    return (
        f"{entry.run_id}: the table says accuracy {100 * recorded:.2f} %, "
        f"its windows {100 * share:.2f} %; the windows count"
    )


def _windows(entry: Entry) -> Windows | None:
    """(window, true label, the board's label) in order of the windows; None when the folder is
    gone or another run's by now."""
    try:
        run: Any = json.loads((entry.folder / "run.json").read_text())
        frame = read_windows(entry.folder)
        own = frame[frame["model"] == entry.cell.model].sort_values("window")
        rows: Windows = own[["window", "label_true", "label_board"]].to_numpy(np.int64)
    except (OSError, ValueError, LookupError, UsageError):
        return None
    return rows if len(rows) and run.get("started") == entry.started else None
