"""Accuracy with intervals over seeds against bytes and against latency, one line a model."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.plots.rows import is_highlighted
from harness.plots.style import DARK, HIGHLIGHT, MIDDLE, OTHER_DARK, blank, empty_figure, styled
from harness.plots.ticks import decade_ticks, log_axis, octave_ticks
from harness.plots.words import format_bytes, latency_words, short_name, subtitle

OTHERS = (DARK, MIDDLE, OTHER_DARK)  # colours of the models that are not highlighted
MARKERS = ("o", "s", "^", "v", "P", "X")  # so that lines differ without colour, too
HEIGHT_IN = 4.6


@styled()
def pareto(table: pd.DataFrame) -> Figure:
    """Two panels from the table of `study sizes`: mean accuracy on the whole test set against
    the model's bytes in flash, and against the latency of one window.

    Needs the columns model, accuracy, accuracy_half_width, seeds, model_flash_bytes, latency_ms,
    board, board_kind and timing_source.
    """
    rows = table[table[["accuracy", "model_flash_bytes", "latency_ms"]].notna().all(axis=1)]
    figure = empty_figure(
        "Accuracy at equal bytes and at equal latency",
        subtitle(table),
        _notes(table, rows),
        HEIGHT_IN if len(rows) else 1.2,
    )
    if rows.empty:
        return blank(figure, "no point was measured on a board")
    above, below = figure.subplots(2, 1)
    for axes, column in ((above, "model_flash_bytes"), (below, "latency_ms")):
        _draw(axes, rows, column)
    ticks, limits = octave_ticks(rows["model_flash_bytes"].astype(float))
    log_axis(above, 2, ticks, limits, format_bytes)
    above.set_xlabel("model in flash, log scale")
    above.legend(loc="lower right")
    ticks, limits = decade_ticks(rows["latency_ms"].astype(float))
    log_axis(below, 10, ticks, limits, "{:g}".format)
    below.set_xlabel(f"{latency_words(rows)} of one window [ms], log scale")
    return figure


def _notes(table: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    seeds = sorted(set(table["seeds"]))
    notes = [f"Bars: Student's 95 % interval over {seeds[-1]} seeds." if seeds else ""]
    rest = table.drop(index=rows.index)
    names = [f"{short_name(m)} at {b:,} B" for m, b in zip(rest["model"], rest["budget_bytes"],
                                                           strict=True)]  # fmt: skip
    return notes + ([f"Not measured on a board: {', '.join(names)}."] if names else [])


def _draw(axes: Axes, rows: pd.DataFrame, column: str) -> None:
    others = [m for m in dict.fromkeys(rows["model"]) if not is_highlighted(str(m))]
    for name in dict.fromkeys(rows["model"]):
        own = rows[rows["model"] == name].sort_values(column)
        place = others.index(name) if name in others else None
        axes.errorbar(
            own[column].astype(float),
            100 * own["accuracy"],
            yerr=100 * own["accuracy_half_width"].astype(float).fillna(0.0),
            label=short_name(name),
            **_look(place),
        )
    low, high = axes.get_ylim()
    axes.set_ylim(max(0.0, low), min(101.0, high))
    axes.set_ylabel("mean test accuracy [%]")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.grid(visible=True)


def _look(place: int | None) -> dict[str, Any]:
    """Of the highlighted model (None), or of the others by their place."""
    colour = HIGHLIGHT if place is None else OTHERS[place % len(OTHERS)]
    return {
        "color": colour,
        "marker": "D" if place is None else MARKERS[place % len(MARKERS)],
        "markersize": 4.0,
        "linewidth": 1.2 if place is None else 0.9,
        "elinewidth": 0.8,
        "capsize": 1.8,
        "zorder": 4 if place is None else 3,
    }
