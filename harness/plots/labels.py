"""Names beside points, placed so that they cover neither each other nor a point."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from harness.plots.rows import is_highlighted, wilson
from harness.plots.words import short_name

LABEL_SIZE_PT = 6.2
_GAPS_PT = (4.2, 7.0, 11.0, 16.0, 22.0, 29.0, 37.0, 46.0, 56.0, 67.0, 79.0)
_ANGLES = [math.radians(degrees) for degrees in (0, 180, 90, 270, *range(30, 360, 30))]
_LEADER_FROM_PT = 6.0  # labels further away than this get a line to their point


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    x0: float
    y0: float
    x1: float
    y1: float

    def overlap(self, other: Box) -> float:
        """Area in both."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return width * height if width > 0 and height > 0 else 0.0

    @property
    def area(self) -> float:
        """Width times height."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)


def label_points(axes: Axes, rows: pd.DataFrame, column: str) -> None:
    """Name every point beside it, without covering another label or point."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the places below hold for this layout
    names = [short_name(model) for model in rows["model"]]
    bold = [is_highlighted(str(model)) for model in rows["model"]]
    values = list(zip(rows[column], 100 * rows["accuracy_board"], strict=True))
    points = [_pixels(axes, float(x), float(y)) for x, y in values]
    sizes = [_text_size(figure, name, b) for name, b in zip(names, bold, strict=True)]
    bars = _bar_boxes(axes, rows, column)
    offsets = place_labels(points, sizes, bars, _frame_box(axes), figure.dpi / 72)
    for name, chosen, value, (dx, dy, gap) in zip(names, bold, values, offsets, strict=True):
        line = {"arrowstyle": "-", "lw": 0.4, "color": "#444444", "shrinkA": 0, "shrinkB": 2}
        axes.annotate(
            name,
            xy=(float(value[0]), float(value[1])),
            xytext=(dx, dy),
            textcoords="offset points",
            ha="center",
            va="center",
            size=LABEL_SIZE_PT,
            weight="bold" if chosen else "normal",
            color="black",
            arrowprops=line if gap > _LEADER_FROM_PT else None,
            bbox={"boxstyle": "square,pad=0.05", "fc": "white", "ec": "none", "alpha": 0.75},
            zorder=6 if chosen else 5.5,
        )


def _pixels(axes: Axes, x: float, y: float) -> tuple[float, float]:
    px, py = axes.transData.transform((x, y))
    return float(px), float(py)


def _text_size(figure: Figure, text: str, bold: bool) -> tuple[float, float]:
    canvas: Any = figure.canvas
    font = FontProperties(size=LABEL_SIZE_PT, weight="bold" if bold else "normal")
    width, _, _ = canvas.get_renderer().get_text_width_height_descent(text, font, False)
    return width + 2, 1.15 * LABEL_SIZE_PT * figure.dpi / 72


def _frame_box(axes: Axes) -> Box:
    frame = axes.get_window_extent()
    return Box(frame.x0, frame.y0, axes.get_figure().bbox.x1 - 4, frame.y1 + 8)  # type: ignore[union-attr]


def _bar_boxes(axes: Axes, rows: pd.DataFrame, column: str) -> list[Box]:
    boxes = []
    for _, row in rows.iterrows():
        low, high = wilson(float(row["accuracy_board"]), int(row["windows"]))
        x, y0 = _pixels(axes, float(row[column]), 100 * low)
        _, y1 = _pixels(axes, float(row[column]), 100 * high)
        boxes.append(Box(x - 3, y0, x + 3, y1))
    return boxes


def place_labels(
    points: Sequence[Sequence[float]],
    sizes: Sequence[tuple[float, float]],
    bars: Sequence[Box],
    frame: Box,
    pixels_per_pt: float,
) -> list[tuple[float, float, float]]:
    """(dx, dy, gap) in points for the centre of each label.

    Greedy, then up to three rounds of repair: each label takes the cheapest of its places,
    given where the others are. The same input gives the same places.
    """
    side = 2 * _GAPS_PT[0] * pixels_per_pt
    dots = [around(point, (side, side)) for point in points]
    chosen: dict[int, tuple[Box, tuple[float, float, float]]] = {}
    for _ in range(4):
        before = dict(chosen)
        for index in range(len(points)):
            others = [box for other, (box, _) in chosen.items() if other != index]
            best = min(
                _places(points[index], sizes[index], pixels_per_pt),
                key=lambda place: _cost(place, points[index], others, dots, bars, frame),  # noqa: B023
            )
            chosen[index] = best
        if chosen == before:
            break
    return [chosen[index][1] for index in range(len(points))]


def around(centre: Sequence[float], size: tuple[float, float]) -> Box:
    """The box of a size around its centre."""
    x, y = float(centre[0]), float(centre[1])
    return Box(x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2)


def _places(
    point: Sequence[float], size: tuple[float, float], scale: float
) -> Iterator[tuple[Box, tuple[float, float, float]]]:
    for gap in _GAPS_PT:
        for angle in _ANGLES:
            dx = math.cos(angle) * (size[0] / 2 + gap * scale)
            dy = math.sin(angle) * (size[1] / 2 + gap * scale)
            box = around((point[0] + dx, point[1] + dy), size)
            yield box, (round(dx / scale, 2), round(dy / scale, 2), gap)


def _cost(
    place: tuple[Box, tuple[float, float, float]],
    point: Sequence[float],
    others: Sequence[Box],
    dots: Sequence[Box],
    bars: Sequence[Box],
    frame: Box,
) -> float:
    """Leaving the frame or overlapping a label is worst, then covering a point, then a bar."""
    box, (_, _, gap) = place
    outside = box.area - box.overlap(frame)
    covered = sum(box.overlap(other) for other in others)
    on_dots = sum(box.overlap(dot) for dot in dots)
    on_bars = sum(box.overlap(bar) for bar in bars)
    leader = 0.0
    if gap > _LEADER_FROM_PT:
        leader = sum(_crosses(point, box, other) for other in others)
    share = (1000 * covered + 3000 * outside + 300 * on_dots + 30 * on_bars) / box.area
    return share + 40 * leader + gap / 4


def _crosses(point: Sequence[float], box: Box, other: Box) -> bool:
    """True when the leader line from the point to the label runs over another label."""
    cx, cy = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    return any(
        other.x0 <= point[0] + t * (cx - point[0]) <= other.x1
        and other.y0 <= point[1] + t * (cy - point[1]) <= other.y1
        for t in (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)
    )
