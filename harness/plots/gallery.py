"""Every figure of a report, with its title and caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from harness.plots.bracket import COLUMNS, cycle_brackets
from harness.plots.confusion import confusion_matrix
from harness.plots.latency import latency_bars
from harness.plots.memory import memory_bars
from harness.plots.scatter import accuracy_vs_bytes, accuracy_vs_latency
from harness.plots.words import missing_note, subtitle

# name -> title, what is drawn, columns a model needs to be drawn
_WORDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "accuracy_vs_bytes": (
        "Accuracy against model size",
        "Accuracy on the board against the bytes of the model in flash (weights, indices, biases, "
        "scales, classifier; shared tables not included). Bars: Wilson 95 % interval.",
        ("accuracy_board", "windows", "model_flash_bytes"),
    ),
    "accuracy_vs_latency": (
        "Accuracy against latency",
        "Accuracy on the board against the median latency of one window. "
        "Bars: Wilson 95 % interval.",
        ("accuracy_board", "windows", "latency_ms"),
    ),
    "latency": (
        "Latency of one window",
        "Median over the windows; the tick marks the 95th percentile, the whisker the maximum.",
        ("latency_ms",),
    ),
    "cycle_brackets": (
        "Cycles of one window",
        "The least and the most cycles that a window may take on a core without wait states; "
        "the emulator cannot tell where between them. Not to be compared with exact figures.",
        COLUMNS,
    ),
    "memory": (
        "Memory on the board",
        "Flash: model, shared tables, code and rest. RAM: static data and the deepest stack seen.",
        ("flash_bytes", "model_flash_bytes", "table_flash_bytes", "ram_static_bytes"),
    ),
    "confusion": (
        "Confusion matrix of the best model",
        "Windows by true class and by the class the board gave, for the most accurate model.",
        (),
    ),
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure with the words a report needs around it. `name` is its file name."""

    name: str
    title: str
    caption: str
    figure: Figure


def all_plots(
    summary: pd.DataFrame,
    windows: pd.DataFrame,
    *,
    flash_available: int | None = None,
    ram_available: int | None = None,
    class_names: Sequence[str] = (),
) -> list[Plot]:
    """Every figure of a report, in reading order, with captions.

    Where all that is known of time is a bracket, one figure of it takes the place of latencies.
    """
    figures = {"accuracy_vs_bytes": accuracy_vs_bytes(summary)}
    has_brackets = bool(summary[list(COLUMNS)].notna().all(axis=1).any())
    if has_brackets:
        figures["cycle_brackets"] = cycle_brackets(summary)
    if not has_brackets or bool(summary["latency_ms"].notna().any()):
        figures["accuracy_vs_latency"] = accuracy_vs_latency(summary)
        figures["latency"] = latency_bars(summary)
    figures |= {
        "memory": memory_bars(summary, flash_available, ram_available),
        "confusion": confusion_matrix(summary, windows, class_names),
    }
    source = subtitle(summary)
    return [
        Plot(name, _WORDS[name][0], _caption(name, summary, source), figure)
        for name, figure in figures.items()
    ]


def _caption(name: str, summary: pd.DataFrame, source: str) -> str:
    _, words, needed = _WORDS[name]
    missing = " ".join(missing_note(summary, needed)) if needed else ""
    return f"{words} {source}. {missing}".strip()
