"""Accuracy on the board against a cost: bytes in flash, latency."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.plots.labels import label_points
from harness.plots.rows import drawable, is_highlighted, wilson
from harness.plots.style import HIGHLIGHT, OTHER, OTHER_DARK, blank, empty_figure, styled
from harness.plots.ticks import decade_ticks, log_axis, octave_ticks
from harness.plots.words import (
    format_bytes,
    latency_words,
    mismatch_note,
    missing_note,
    short_name,
    subtitle,
)
from harness.results import STATUS_MISMATCH


@styled()
def accuracy_vs_bytes(summary: pd.DataFrame) -> Figure:
    """Accuracy on the board against the model's bytes in flash, log2 axis."""
    column = "model_flash_bytes"
    figure, axes, rows = _scatter("Accuracy against model size", summary, column)
    if axes is not None:
        axes.set_xlabel("model in flash, log scale")
        ticks, limits = octave_ticks(rows[column].astype(float))
        log_axis(axes, 2, ticks, limits, format_bytes)
        label_points(axes, rows, column)
    return figure


@styled()
def accuracy_vs_latency(summary: pd.DataFrame) -> Figure:
    """Accuracy on the board against the median latency of one window, log axis."""
    column = "latency_ms"
    figure, axes, rows = _scatter("Accuracy against latency", summary, column)
    if axes is not None:
        axes.set_xlabel(f"{latency_words(summary)} of one window [ms], log scale")
        ticks, limits = decade_ticks(rows[column].astype(float))
        log_axis(axes, 10, ticks, limits, "{:g}".format)
        label_points(axes, rows, column)
    return figure


def _scatter(
    title: str, summary: pd.DataFrame, column: str
) -> tuple[Figure, Axes | None, pd.DataFrame]:
    """Points with Wilson intervals; the caller sets the x axis and then the labels."""
    needed = ["accuracy_board", "windows", column]
    rows = drawable(summary, needed)
    rows = rows[(rows["windows"] > 0) & (rows[column] > 0)]
    interval = [f"Bars: Wilson 95 % interval, {_count_words(rows)}."] if len(rows) else []
    notes = interval + mismatch_note(rows) + missing_note(summary, needed)
    figure = empty_figure(title, subtitle(summary), notes, 2.75 if len(rows) else 1.2)
    if rows.empty:
        return blank(figure, f"no model has accuracy_board and {column}"), None, rows
    axes = figure.subplots()
    for _, row in rows.iterrows():
        _draw_point(axes, row, column)
    axes.set_ylabel("accuracy on the board [%]")
    axes.set_ylim(*_percent_limits(rows))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.grid(visible=True)
    return figure, axes, rows


def _count_words(rows: pd.DataFrame) -> str:
    low, high = int(rows["windows"].min()), int(rows["windows"].max())
    return f"n = {low} windows" if low == high else f"n = {low} to {high} windows"


def _draw_point(axes: Axes, row: pd.Series[Any], column: str) -> None:
    accuracy = float(row["accuracy_board"])
    low, high = wilson(accuracy, int(row["windows"]))
    chosen = is_highlighted(str(row["model"]))
    axes.errorbar(
        [float(row[column])],
        [100 * accuracy],
        yerr=[[100 * (accuracy - low)], [100 * (high - accuracy)]],
        fmt="D" if chosen else "o",
        markersize=4.6 if chosen else 4.2,
        markerfacecolor=HIGHLIGHT if chosen else OTHER,
        markeredgecolor="black" if chosen else OTHER_DARK,
        markeredgewidth=0.6,
        ecolor=HIGHLIGHT if chosen else OTHER,
        elinewidth=0.8,
        capsize=1.8,
        capthick=0.8,
        zorder=4 if chosen else 3,
        label=short_name(row["model"]),
    )
    if row["status"] == STATUS_MISMATCH:
        axes.plot([float(row[column])], [100 * accuracy], "x", color="black", ms=6, zorder=5)


def _percent_limits(rows: pd.DataFrame) -> tuple[float, float]:
    pairs = [
        wilson(float(row["accuracy_board"]), int(row["windows"])) for _, row in rows.iterrows()
    ]
    low, high = 100 * min(pair[0] for pair in pairs), 100 * max(pair[1] for pair in pairs)
    pad = max(1.0, 0.12 * (high - low))
    return max(0.0, low - pad), min(101.0, high + pad)
