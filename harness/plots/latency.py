"""Latency of one window: a bar per model."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.plots.bars import end_label, name_rows
from harness.plots.rows import drawable, is_highlighted
from harness.plots.style import HIGHLIGHT, OTHER, OTHER_DARK, blank, empty_figure, styled
from harness.plots.words import (
    format_ms,
    latency_words,
    mismatch_note,
    missing_note,
    short_name,
    subtitle,
)
from harness.results import STATUS_MISMATCH


@styled()
def latency_bars(summary: pd.DataFrame) -> Figure:
    """Median latency of one window per model; tick at the 95th percentile, whisker to the max."""
    rows = drawable(summary, ["latency_ms"])
    notes = ["Bar: median. Tick: 95th percentile. Whisker: maximum."] if len(rows) else []
    notes += mismatch_note(rows) + missing_note(summary, ["latency_ms"])
    figure = empty_figure(
        "Latency of one window", subtitle(summary), notes, 0.85 + 0.2 * max(2, len(rows))
    )
    if rows.empty:
        return blank(figure, "no model has latency_ms")
    axes = figure.subplots()
    for y, (_, row) in enumerate(rows.iterrows()):
        _draw_latency(axes, y, row)
    axes.set_xlabel(latency_words(summary).removeprefix("median ") + " [ms]")
    longest = max(_spread(row)[2] for _, row in rows.iterrows())
    axes.set_xlim(0, 1.18 * longest)
    name_rows(axes, rows)
    return figure


def _spread(row: pd.Series[Any]) -> tuple[float, float | None, float]:
    """Median, 95th percentile (None if not measured) and the longest known latency, in ms."""
    median = float(row["latency_ms"])
    if pd.isna(row["clock_hz"]) or row["clock_hz"] <= 0:
        return median, None, median
    to_ms = 1000 / float(row["clock_hz"])
    p95 = None if pd.isna(row["cycles_p95"]) else float(row["cycles_p95"]) * to_ms
    longest = median if pd.isna(row["cycles_max"]) else float(row["cycles_max"]) * to_ms
    return median, p95, max(median, p95 or median, longest)


def _draw_latency(axes: Axes, y: int, row: pd.Series[Any]) -> None:
    median, p95, longest = _spread(row)
    chosen = is_highlighted(str(row["model"]))
    axes.barh(
        [y],
        [median],
        height=0.62,
        color=HIGHLIGHT if chosen else OTHER,
        edgecolor="black" if chosen else OTHER_DARK,
        linewidth=0.5,
        label=short_name(row["model"]),
    )
    if longest > median:
        axes.plot([median, longest], [y, y], color="black", lw=0.7, gid="whisker")
        axes.plot([longest, longest], [y - 0.16, y + 0.16], color="black", lw=0.7, gid="max")
    if p95 is not None:
        axes.plot([p95, p95], [y - 0.24, y + 0.24], color="black", lw=0.7, gid="p95")
    mark = " ×" if row["status"] == STATUS_MISMATCH else ""
    end_label(axes, longest, y, format_ms(median) + mark, chosen)
