"""What `study sizes` reports: every model's chosen point, at equal bytes and at equal latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.study.stats import Mean, mcnemar_p, mean_interval, sign_flip_p

BESIDE = ("behind", "points_behind", "points_behind_half_width", "p_seeds", "p_windows_each_seed")
SHOWN = ("density_w", "density_u", "lr", "weight_decay", "epochs_rounded")
Outcomes = NDArray[np.bool_]  # [seeds, test windows]: whether the integer model was right


@dataclass(frozen=True)
class Choice:
    """The point of a search that was best on validation; of equals the first.

    overrides        the hyper-parameters it stands for
    trials, trials_failed  how many ended, and how many of those did not fit or diverged
    """

    model: str
    budget_bytes: int
    overrides: Mapping[str, Any]
    accuracy_validation: float
    trials: int
    trials_failed: int


@dataclass(frozen=True)
class Measured:
    """A choice, trained again with several seeds, built and run on a board.

    rows      one summary row per seed, in order of the seeds
    outcomes  [seeds, test windows]
    """

    choice: Choice
    rows: pd.DataFrame
    outcomes: Outcomes

    @property
    def accuracies(self) -> list[float]:
        """Integer accuracy on the whole test set, by seed."""
        return [float(v) for v in self.rows["accuracy_host_test"]]

    @property
    def latency_ms(self) -> float:
        """The slowest seed's; NaN when none was measured."""
        return float(self.rows["latency_ms"].astype(float).max())

    @property
    def model_flash_bytes(self) -> float:
        """The largest seed's; NaN when none was linked."""
        return float(self.rows["model_flash_bytes"].astype(float).max())


@dataclass(frozen=True)
class Pair:
    """Two models over the same seeds and test windows.

    difference  first minus second, by seed
    windows_p   by seed, exact McNemar over the test windows
    """

    difference: Mean
    p: float
    windows_p: tuple[float, ...]


def compare(first: Measured, second: Measured) -> Pair:
    """Paired tests: sign flips over the seeds, McNemar over the windows of each seed."""
    differences = np.subtract(first.accuracies, second.accuracies)
    only_first = (first.outcomes & ~second.outcomes).sum(axis=1)
    only_second = (second.outcomes & ~first.outcomes).sum(axis=1)
    return Pair(
        mean_interval([float(d) for d in differences]),
        sign_flip_p(first.accuracies, second.accuracies),
        tuple(mcnemar_p(int(a), int(b)) for a, b in zip(only_first, only_second, strict=True)),
    )


def of_budget(measured: Sequence[Measured], budget_bytes: int) -> list[Measured]:
    """The points of one byte budget, in the order of the models."""
    return [m for m in measured if m.choice.budget_bytes == budget_bytes]


def within_latency(measured: Sequence[Measured], latency_ms: float) -> list[Measured]:
    """Of every model the point with the best validation accuracy among those no seed of which is
    slower; of equals the smaller. Models without one are left out."""
    fitting = [m for m in measured if m.latency_ms <= latency_ms]
    models = dict.fromkeys(m.choice.model for m in measured)
    own = [[m for m in fitting if m.choice.model == model] for model in models]
    return [min(points, key=_rank) for points in own if points]


def _rank(m: Measured) -> tuple[float, int]:
    return -m.choice.accuracy_validation, m.choice.budget_bytes


def bytes_table(measured: Sequence[Measured], budgets_bytes: Sequence[int]) -> pd.DataFrame:
    """Equal bytes: a row for every budget and model."""
    return _table("budget_bytes", {b: of_budget(measured, b) for b in budgets_bytes})


def latency_table(measured: Sequence[Measured], latencies_ms: Sequence[float]) -> pd.DataFrame:
    """Equal latency: a row for every latency and model that has a point within it."""
    return _table("latency_budget_ms", {t: within_latency(measured, t) for t in latencies_ms})


def sentences(measured: Sequence[Measured], budgets_bytes: Sequence[int]) -> list[str]:
    """One plain line a budget: who is ahead, by how much, and how sure that is."""
    return [_sentence(b, of_budget(measured, b)) for b in budgets_bytes]


def _table(limit: str, groups: Mapping[Any, Sequence[Measured]]) -> pd.DataFrame:
    rows = [
        {limit: value, **_row(m), **_beside(group[0], m)}
        for value, group in groups.items()
        for m in group
    ]
    return pd.DataFrame(rows)


def _row(m: Measured) -> dict[str, Any]:
    accuracy, rows, chosen = mean_interval(m.accuracies), m.rows, m.choice.overrides
    return {
        "model": m.choice.model,
        "accuracy": accuracy.mean,
        "accuracy_half_width": accuracy.half_width,
        "seeds": accuracy.n,
        "accuracy_each_seed": " ".join(f"{v:.4f}" for v in m.accuracies),
        "accuracy_validation": m.choice.accuracy_validation,
        "model_flash_bytes": m.model_flash_bytes,
        "searched_bytes": m.choice.budget_bytes,
        "over_budget": m.model_flash_bytes > m.choice.budget_bytes,
        "latency_ms": m.latency_ms,
        "cycles_median": float(rows["cycles_median"].astype(float).median()),
        **{name: chosen[name] for name in ("hidden", "rank_w", "rank_u")},
        **{name: chosen[name] for name in SHOWN},
        "trials": m.choice.trials,
        "trials_failed": m.choice.trials_failed,
        "status": " ".join(sorted(set(rows["status"]))),
        "mismatches": int(rows["mismatches"].fillna(0).sum()),
        "windows_on_board": int(rows["windows"].fillna(0).sum()),
        "board": rows["board"].iloc[0],
        "board_kind": rows["board_kind"].iloc[0],
        "timing_source": rows["timing_source"].iloc[0],
    }


def _beside(first: Measured, other: Measured) -> dict[str, Any]:
    """How far `other` is behind the first model named, in points; nothing for that one itself."""
    if first is other:
        return dict.fromkeys(BESIDE)
    pair = compare(first, other)
    half_width = pair.difference.half_width
    windows = " ".join(f"{p:.2g}" for p in pair.windows_p)
    found = (
        first.choice.model,
        100 * pair.difference.mean,
        None if half_width is None else 100 * half_width,
        pair.p,
        windows,
    )
    return dict(zip(BESIDE, found, strict=True))


def _sentence(budget_bytes: int, group: Sequence[Measured]) -> str:
    where = f"{budget_bytes:,} B"
    if not group:
        return f"{where}: no model was trained to its end."
    ranked = sorted(group, key=lambda m: -mean_interval(m.accuracies).mean)
    best = ranked[0]
    lead = f"{where}: {best.choice.model} has {_percent(best)}"
    if len(ranked) == 1:
        return f"{lead}."
    return f"{lead}, " + "; ".join(_ahead(best, other) for other in ranked[1:]) + "."


def _ahead(best: Measured, other: Measured) -> str:
    pair = compare(best, other)
    gap, half_width = pair.difference.mean, pair.difference.half_width
    words = f"{100 * gap:.2f} points above {other.choice.model} ({_percent(other)}"
    if half_width is None:
        return f"{words}; one seed, no test)"
    verdict = "" if gap > half_width else ", no difference shown"
    below = sum(p < 0.05 for p in pair.windows_p)
    return (
        f"{words}; 95 % interval ±{100 * half_width:.2f}, p over seeds {pair.p:.3g}, "
        f"p over windows below 0.05 in {below} of {pair.difference.n} seeds{verdict})"
    )


def _percent(m: Measured) -> str:
    return f"{100 * mean_interval(m.accuracies).mean:.2f} %"
