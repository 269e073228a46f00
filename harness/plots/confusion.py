"""Confusion matrix of the best model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.plots.rows import best_model
from harness.plots.style import blank, empty_figure, styled
from harness.plots.words import mismatch_note, short_name, subtitle

COUNTS_UP_TO = 12  # classes; beyond that the counts are too small to read


@styled()
def confusion_matrix(
    summary: pd.DataFrame, windows: pd.DataFrame, class_names: Sequence[str] = ()
) -> Figure:
    """True against predicted class of the best model, as the board labelled the windows."""
    model = best_model(summary, windows)
    if model is None:
        figure = empty_figure("Confusion matrix", subtitle(summary), [], 1.2)
        return blank(figure, "no window was labelled by a board")
    labels, counts = confusion_counts(windows, model, len(class_names))
    many = len(labels) > COUNTS_UP_TO
    shade = "Shade: share of the true class."
    notes = [shade if many else f"{shade} Numbers: windows, {int(counts.sum())} in all."]
    chosen = summary[summary["model"] == model]
    figure = empty_figure(
        f"Confusion of {short_name(model)}", subtitle(summary), notes + mismatch_note(chosen), 3.25
    )
    axes = figure.subplots()
    totals = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(totals, 1)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    if many:
        figure.colorbar(image, ax=axes, fraction=0.045, pad=0.02)  # no room for numbers
    else:
        _write_counts(axes, counts, share)
    _cell_borders(axes, len(labels))
    names = [short_name(class_names[k], 12) if k < len(class_names) else str(k) for k in labels]
    _name_classes(axes, names)
    return figure


def confusion_counts(
    windows: pd.DataFrame, model: str, classes: int = 0
) -> tuple[list[int], np.ndarray[Any, np.dtype[np.int64]]]:
    """(labels, counts [true, predicted]) of the windows that the board labelled."""
    rows = windows[(windows["model"] == model) & (windows["label_board"] >= 0)]
    seen = sorted({int(k) for k in rows["label_true"]} | {int(k) for k in rows["label_board"]})
    top = max(seen[-1] + 1, classes)
    labels = list(range(top)) if top <= 40 else seen  # a vocabulary: only the words that occur
    place = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), np.int64)
    for true, board in zip(rows["label_true"], rows["label_board"], strict=True):
        counts[place[int(true)], place[int(board)]] += 1
    return labels, counts


def _write_counts(axes: Axes, counts: np.ndarray[Any, Any], share: np.ndarray[Any, Any]) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            ink = "white" if share[row, column] > 0.55 else "black"
            axes.text(column, row, str(count), ha="center", va="center", size=6, color=ink)


def _name_classes(axes: Axes, names: Sequence[str]) -> None:
    """Class names (or numbers) at both axes, thinned out when they would run together."""
    worded = max(len(name) for name in names) > 3
    ticks = list(range(0, len(names), math.ceil(len(names) / (32 if worded else 16))))
    size = 6.2 if len(ticks) <= 16 else 4.6
    words = [names[tick] for tick in ticks]
    axes.set_xticks(ticks, words, size=size, rotation=90 if worded else 0)
    axes.set_yticks(ticks, words, size=size)
    axes.tick_params(length=0)
    axes.set_xlabel("class given by the board")
    axes.set_ylabel("true class")
    for spine in axes.spines.values():
        spine.set_visible(True)


def _cell_borders(axes: Axes, classes: int) -> None:
    axes.set_xticks(np.arange(classes - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(classes - 1) + 0.5, minor=True)
    axes.tick_params(which="minor", length=0)
    axes.grid(visible=True, which="minor")
