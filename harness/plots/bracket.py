"""Cycles of one window where an emulator counts a bracket: from the least to the most, per model.

There is no figure between the two ends, so none is drawn, and the models keep the table's order.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from harness.plots.bars import end_label, name_rows
from harness.plots.rows import drawable, is_highlighted
from harness.plots.style import HIGHLIGHT, OTHER, OTHER_DARK, blank, empty_figure, styled
from harness.plots.words import format_bracket, mismatch_note, missing_note, subtitle

COLUMNS = ("cycles_lo", "cycles_hi")


@styled()
def cycle_brackets(summary: pd.DataFrame) -> Figure:
    """A bar from `cycles_lo` to `cycles_hi` per model, in thousands of cycles."""
    rows = drawable(summary, COLUMNS)
    notes = ["From the least to the most the core may take, without waiting for flash."]
    notes += mismatch_note(rows) + missing_note(summary, COLUMNS)
    height = 0.85 + 0.2 * max(2, len(rows))
    figure = empty_figure("Cycles of one window", subtitle(summary), notes, height)
    if rows.empty:
        return blank(figure, "no model has a bracket of cycles")
    axes = figure.subplots()
    for y, (_, row) in enumerate(rows.iterrows()):
        low, high = (float(row[name]) / 1000 for name in COLUMNS)
        chosen = is_highlighted(str(row["model"]))
        axes.barh(
            [y],
            [high - low],
            left=[low],
            height=0.5,
            color=HIGHLIGHT if chosen else OTHER,
            edgecolor="black" if chosen else OTHER_DARK,
            linewidth=0.5,
        )
        end_label(axes, high, y, format_bracket(1000 * low, 1000 * high), chosen)
    axes.set_xlabel("estimated bracket of cycles [thousands]")
    axes.set_xlim(0, 1.4 * float(rows["cycles_hi"].astype(float).max()) / 1000)
    name_rows(axes, rows)
    return figure
