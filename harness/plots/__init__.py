"""Plots of a run: DataFrame -> matplotlib Figure. No I/O but `save`.

Every figure is one journal column wide (3.3 in), readable in greyscale, and says whether its
numbers come from silicon or from a virtual board. A model without the numbers a figure needs is
named in the note below the figure; it is never drawn at 0. Nothing here uses pyplot, so figures
can be made from any thread.
"""

from __future__ import annotations

from harness.plots.bracket import cycle_brackets
from harness.plots.confusion import COUNTS_UP_TO, confusion_counts, confusion_matrix
from harness.plots.files import PNG_DPI, drawn, save
from harness.plots.gallery import Plot, all_plots
from harness.plots.history import FIGURES, history_lines
from harness.plots.labels import LABEL_SIZE_PT, Box, place_labels
from harness.plots.latency import latency_bars
from harness.plots.memory import memory_bars, memory_parts
from harness.plots.pareto import pareto
from harness.plots.rows import Z_95, best_model, drawable, is_highlighted, wilson
from harness.plots.scatter import accuracy_vs_bytes, accuracy_vs_latency
from harness.plots.style import DARK, HIGHLIGHT, LIGHT, MIDDLE, OTHER, OTHER_DARK, STYLE, WIDTH_IN
from harness.plots.words import format_bytes, format_ms, left_out, origin, subtitle

__all__ = [
    "Box",
    "COUNTS_UP_TO",
    "DARK",
    "FIGURES",
    "HIGHLIGHT",
    "LABEL_SIZE_PT",
    "LIGHT",
    "MIDDLE",
    "OTHER",
    "OTHER_DARK",
    "PNG_DPI",
    "Plot",
    "STYLE",
    "WIDTH_IN",
    "Z_95",
    "accuracy_vs_bytes",
    "accuracy_vs_latency",
    "all_plots",
    "best_model",
    "confusion_counts",
    "confusion_matrix",
    "cycle_brackets",
    "drawable",
    "drawn",
    "format_bytes",
    "format_ms",
    "history_lines",
    "is_highlighted",
    "latency_bars",
    "left_out",
    "memory_bars",
    "memory_parts",
    "origin",
    "pareto",
    "place_labels",
    "save",
    "subtitle",
    "wilson",
]
