"""Ticks and limits of a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator


def octave_ticks(values: pd.Series[float]) -> tuple[list[float], tuple[float, float]]:
    """Powers of two around the values, at most about six; and the axis limits."""
    first = math.floor(math.log2(values.min() / 1.12))
    last = math.ceil(math.log2(values.max() * 1.12))
    step = max(1, math.ceil((last - first) / 6))
    return [2.0**power for power in range(first, last + 1, step)], (2.0**first, 2.0**last)


def decade_ticks(values: pd.Series[float]) -> tuple[list[float], tuple[float, float]]:
    """1, 2, 5 of each decade around the values (only 1 over many decades); and the limits."""
    decades = range(
        math.floor(math.log10(values.min())) - 1, math.ceil(math.log10(values.max())) + 2
    )
    every = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]
    low = max(tick for tick in every if tick <= values.min() / 1.12)
    high = min(tick for tick in every if tick >= values.max() * 1.12)
    ticks = [tick for tick in every if low <= tick <= high]
    if len(ticks) > 9:
        ticks = [float(f"1e{decade}") for decade in decades]
    return [tick for tick in ticks if low <= tick <= high], (low, high)


def log_axis(
    axes: Axes, base: int, ticks: Sequence[float], limits: tuple[float, float], words: Any
) -> None:
    """Make the x axis logarithmic with these ticks; `words` turns a value into its label."""
    axes.set_xscale("log", base=base)
    axes.set_xlim(*limits)
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
