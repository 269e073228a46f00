"""A figure of every cell over time: one panel for each board and data set, one line for each cell
and board. Silicon and virtual boards never share a panel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import zip_longest

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from harness.history.record import Entry
from harness.history.trend import Track
from harness.plots.rows import is_highlighted
from harness.plots.style import DARK, HIGHLIGHT, MIDDLE, OTHER_DARK, blank, empty_figure, styled
from harness.plots.words import short_name

# figure -> (column of the table, words of the axis, factor)
FIGURES: dict[str, tuple[str, str, float]] = {
    "cycles": ("cycles_median", "cycles of one window", 1.0),
    "latency": ("latency_ms", "latency of one window [ms]", 1.0),
    "bytes": ("flash_bytes", "flash [bytes]", 1.0),
    "accuracy": ("accuracy_board", "accuracy on the board [%]", 100.0),
}
BRACKET = ("cycles_lo", "cycles_hi")
COLOURS = (OTHER_DARK, MIDDLE, DARK, "#7A7A7A")
MARKERS = "osD^v<>pP*X"
LINES = ("-", "--", "-.", ":")
# Fields of a cell that may tell two lines of one panel apart.
TOLD_APART = (
    "preset", "windows", "seed", "optimise", "compand", "device", "overrides", "other",
)  # fmt: skip
LOG_FROM = 3.0  # largest over smallest from which an axis is logarithmic
PANEL_IN, LEGEND_LINE_IN, COLUMNS = 1.35, 0.13, 2


@styled()
def history_lines(tracks: Sequence[Track], figure: str = "cycles") -> Figure:
    """Figures of the runs over time; `figure` is a key of FIGURES.

    Estimated brackets are drawn from end to end. A run without the figure has no point.
    """
    column, words, factor = FIGURES[figure]
    panels = _panels([t for t in tracks if any(_has(e, column) for e in t.entries)])
    lines = sum(-(-len(panel) // COLUMNS) for panel in panels.values())
    height_in = 0.5 + sum(PANEL_IN for _ in panels) + LEGEND_LINE_IN * lines
    page = empty_figure(f"History: {words}", _source(tracks), _notes(tracks, column), height_in)
    if not panels:
        return blank(page, f"no run has {column}")
    all_axes = page.subplots(len(panels), 1, squeeze=False)[:, 0]
    limits = _day_limits([e for panel in panels.values() for t in panel for e in t.entries])
    for axes, (title, panel) in zip(all_axes, panels.items(), strict=True):
        _draw_panel(axes, panel, column, factor)
        axes.set_xlim(*limits)
        axes.set_title(title, size=6.8, loc="left")
        axes.set_ylabel(words, size=6)
    return page


def _panels(tracks: Sequence[Track]) -> dict[str, list[Track]]:
    panels: dict[str, list[Track]] = {}
    for track in tracks:
        kind = "SILICON" if track.cell.board_kind == "silicon" else "VIRTUAL"
        title = f"{short_name(track.cell.board)} ({kind}), {short_name(track.cell.dataset)}"
        panels.setdefault(title, []).append(track)
    return panels


def _source(tracks: Sequence[Track]) -> str:
    kinds = {track.cell.board_kind for track in tracks}
    if kinds == {"virtual"}:
        return "VIRTUAL BOARDS: emulated, not silicon"
    return (
        "SILICON" if kinds == {"silicon"} else "SILICON and VIRTUAL BOARDS, in panels of their own"
    )


def _notes(tracks: Sequence[Track], column: str) -> list[str]:
    notes = []
    if any(e.number(BRACKET[0]) is not None for t in tracks for e in t.entries) and _is_cycles(
        column
    ):
        notes.append("Bars without a point: estimated brackets, not measured.")
    missing = sorted(
        {t.cell.label() for t in tracks if not any(_has(e, column) for e in t.entries)}
    )
    if missing:
        notes.append(f"Not plotted, no such figure: {len(missing)} cells.")
    return notes


def _is_cycles(column: str) -> bool:
    return column == "cycles_median"


def _has(entry: Entry, column: str) -> bool:
    ends = BRACKET if _is_cycles(column) else ()
    return any(entry.number(name) is not None for name in (column, *ends))


def _draw_panel(axes: Axes, panel: Sequence[Track], column: str, factor: float) -> None:
    names = _names(panel)
    values: list[float] = []
    for index, (track, name) in enumerate(zip(panel, names, strict=True)):
        values += _draw_track(axes, track, name, index, column, factor)
    low, high = min(values), max(values)
    if low > 0 and high / low > LOG_FROM and factor == 1.0:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        least = 0.5 if factor == 100 else 0.002 * abs(high)
        pad = max(0.08 * (high - low), least, 1e-9)
        axes.set_ylim(low - pad, high + pad)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.yaxis.set_major_formatter(FuncFormatter(_words_for(values)))
    locator = AutoDateLocator(minticks=2, maxticks=6)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.grid(visible=True)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.16), ncols=COLUMNS, borderaxespad=0)


def _words_for(values: Sequence[float]) -> Callable[[float, object], str]:
    whole = all(float(value).is_integer() for value in values) and max(values) > 1000
    return lambda value, _: f"{value:,.0f}" if whole else f"{value:g}"


def _draw_track(
    axes: Axes, track: Track, name: str, index: int, column: str, factor: float
) -> list[float]:
    """The values drawn."""
    chosen = is_highlighted(track.cell.model)
    colour = HIGHLIGHT if chosen else COLOURS[index % len(COLOURS)]
    points = [(_day(e), factor * v) for e in track.entries if (v := e.number(column)) is not None]
    line, marker = LINES[index // len(COLOURS) % len(LINES)], MARKERS[index % len(MARKERS)]
    days, heights = [p[0] for p in points], [p[1] for p in points]
    axes.plot(
        days, heights, linestyle=line, marker=marker, color=colour, markersize=3.2, linewidth=0.9,
        markeredgecolor="black" if chosen else colour, markeredgewidth=0.5, label=name,
    )  # fmt: skip
    ends = [_ends(e) for e in track.entries] if _is_cycles(column) else []
    drawn = list(heights)
    for entry, end in zip_longest(track.entries, ends):
        if end is not None and entry is not None:
            axes.plot([_day(entry)] * 2, list(end), color=colour, linewidth=2.2, alpha=0.6)
            drawn += end
    return drawn


def _ends(entry: Entry) -> tuple[float, float] | None:
    low, high = entry.number(BRACKET[0]), entry.number(BRACKET[1])
    return None if low is None or high is None else (low, high)


def _day(entry: Entry) -> float:
    return float(date2num(datetime.fromisoformat(entry.started)))  # type: ignore[no-untyped-call]


def _day_limits(entries: Sequence[Entry]) -> tuple[float, float]:
    """The same days for all panels, with room at both ends."""
    days = [_day(entry) for entry in entries]
    pad = max(0.05 * (max(days) - min(days)), 0.5 / 24)
    return min(days) - pad, max(days) + pad


def _names(panel: Sequence[Track]) -> list[str]:
    """The model, and of the rest only what tells the lines of this panel apart."""
    varying = [
        name for name in TOLD_APART if len({getattr(track.cell, name) for track in panel}) > 1
    ]
    return [_name(track, varying) for track in panel]


def _name(track: Track, varying: Sequence[str]) -> str:
    words = [short_name(track.cell.model)]
    words += [f"{name} {getattr(track.cell, name)}" for name in varying]
    words += [f"board {short_name(track.board_id)}"] if track.board_id else []
    return ", ".join(words)
