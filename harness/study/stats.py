"""Means with intervals over seeds, and paired comparisons. Seeds are few: t, not z."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
MAX_EXACT = 16  # seeds up to which all sign flips are tried


@dataclass(frozen=True)
class Mean:
    """Mean of n values and the half-width of its 95 % interval (None for one value)."""

    mean: float
    half_width: float | None
    n: int

    def text(self, scale: float = 100.0, digits: int = 2) -> str:
        """`96.72 ± 0.40 (5)`, here in percent."""
        spread = "" if self.half_width is None else f" ± {scale * self.half_width:.{digits}f}"
        return f"{scale * self.mean:.{digits}f}{spread} ({self.n})"


def mean_interval(values: Sequence[float]) -> Mean:
    """Student's t interval of the mean. Raises ValueError for no values."""
    if not values:
        raise ValueError("no values")
    mean = float(np.mean(values))
    if len(values) == 1:
        return Mean(mean, None, 1)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    quantile = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1))
    return Mean(mean, quantile * error, len(values))


def sign_flip_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p of equal means, paired by seed: share of sign flips at least as far apart.

    Exact over all 2^n flips; with n seeds it cannot be below 2^(1-n). Raises ValueError when the
    lengths differ or there are more than 16 pairs.
    """
    if len(first) != len(second) or not 0 < len(first) <= MAX_EXACT:
        raise ValueError(
            f"{len(first)} and {len(second)} values; 1 to {MAX_EXACT} pairs are needed"
        )
    differences = np.asarray(first, float) - np.asarray(second, float)
    observed = abs(differences.sum())
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=len(differences))))
    return float(np.mean(np.abs(signs @ differences) >= observed - 1e-12))


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Two-sided exact McNemar p from the windows that only one of two models got right."""
    n = only_first + only_second
    if n == 0:
        return 1.0
    return float(min(1.0, 2 * stats.binom.cdf(min(only_first, only_second), n, 0.5)))
