"""The look of every figure: palette, matplotlib settings, and the page around the axes.

Ref: M. Okabe, K. Ito, Color Universal Design (2008): the vermillion and blue of the palette.
"""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

WIDTH_IN = 3.3  # one column of a two-column paper
HIGHLIGHT = "#D55E00"  # FastGRNN, in every figure
OTHER = "#9FB6C8"  # the other models: lighter, so that the two differ in greyscale
OTHER_DARK = "#3B5568"  # the same for thin lines and text
DARK, MIDDLE, LIGHT = "#0B4C7C", "#6FB1DC", "#DCE4EA"  # parts of a stacked bar

STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so figures are the same everywhere
    "font.size": 7,
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#D9D9D9",
    "grid.linewidth": 0.4,
    "hatch.linewidth": 0.5,
    "legend.fontsize": 6.2,
    "legend.frameon": False,
    "text.parse_math": False,  # a `$` in a name is a dollar sign
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "harness",
}
_STYLE_LOCK = threading.RLock()  # rcParams are global to the process


@contextmanager
def styled() -> Iterator[None]:
    """While a figure is drawn or saved: our settings and nobody else's. Also a decorator."""
    with _STYLE_LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's matplotlibrc must not change a published figure
        matplotlib.rcParams.update(STYLE)
        yield


def empty_figure(title: str, source: str, notes: Sequence[str], height_in: float) -> Figure:
    """An empty figure with title, source line and notes; `height_in` is without the notes."""
    lines = [line for note in notes for line in textwrap.wrap(note, 66)]
    foot_in = 0.04 + 0.105 * len(lines)
    source_lines = textwrap.wrap(source, 64)
    head_in = 0.22 + 0.115 * len(source_lines)
    total_in = height_in + foot_in
    figure = Figure(figsize=(WIDTH_IN, total_in), dpi=288, facecolor="white")
    FigureCanvasAgg(figure)
    figure.set_layout_engine(
        ConstrainedLayoutEngine(
            rect=(0, foot_in / total_in, 1, 1 - (foot_in + head_in) / total_in),
            h_pad=0.03,
            w_pad=0.03,
        )
    )
    figure.text(0.012, 1 - 0.06 / total_in, title, va="top", size=8, weight="bold")
    figure.text(
        0.012, 1 - 0.2 / total_in, "\n".join(source_lines), va="top", size=6.2, color="#333333"
    )
    figure.text(0.012, 0.03 / total_in, "\n".join(lines), va="bottom", size=5.8, color="#333333")
    return figure


def blank(figure: Figure, words: str) -> Figure:
    """The figure with words where its axes would be."""
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", color="#555555", size=7)
    return figure
