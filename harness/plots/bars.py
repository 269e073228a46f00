"""What the bar charts share: one named row per model, a value at the end of each bar."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from harness.plots.rows import is_highlighted
from harness.plots.words import short_name


def end_label(axes: Axes, x: float, y: int, words: str, chosen: bool) -> None:
    """Words just right of the end of a bar."""
    axes.annotate(
        words,
        xy=(x, y),
        xytext=(2.5, 0),
        textcoords="offset points",
        va="center",
        size=6.2,
        weight="bold" if chosen else "normal",
        annotation_clip=False,
    )


def name_rows(axes: Axes, rows: pd.DataFrame) -> None:
    """Model names at the y axis, first row on top, FastGRNN in bold."""
    axes.set_yticks(range(len(rows)), [short_name(model) for model in rows["model"]])
    for text, model in zip(axes.get_yticklabels(), rows["model"], strict=True):
        if is_highlighted(str(model)):
            text.set(weight="bold")
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.grid(visible=True, axis="x")
