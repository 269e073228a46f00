"""Flash and RAM on the board: stacked bars per model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.plots.bars import end_label, name_rows
from harness.plots.rows import drawable, is_highlighted
from harness.plots.style import DARK, LIGHT, MIDDLE, blank, empty_figure, styled
from harness.plots.words import format_bytes, mismatch_note, missing_note, short_name, subtitle


@styled()
def memory_bars(
    summary: pd.DataFrame,
    flash_available: int | None = None,
    ram_available: int | None = None,
) -> Figure:
    """Flash (model, tables, rest) and RAM (static, stack peak) per model, in KiB."""
    needed = ["flash_bytes", "model_flash_bytes", "table_flash_bytes", "ram_static_bytes"]
    rows = drawable(summary, needed)
    no_stack = [
        short_name(row["model"]) for _, row in rows.iterrows() if pd.isna(row["stack_peak_bytes"])
    ]
    notes = [f"Stack peak not measured: {', '.join(no_stack)}."] if no_stack else []
    notes += mismatch_note(rows) + missing_note(summary, needed)
    height = 0.3 + 2 * (0.58 + 0.185 * len(rows)) if len(rows) else 1.2
    figure = empty_figure("Memory on the board", subtitle(summary), notes, height)
    if rows.empty:
        return blank(figure, "no model has flash and RAM figures")
    upper, lower = figure.subplots(2, 1)
    flash, ram = memory_parts(rows)
    _stacked(upper, rows, flash, "flash", flash_available)
    _stacked(lower, rows, ram, "RAM", ram_available)
    return figure


def memory_parts(rows: pd.DataFrame) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Bytes of each part of flash and of RAM, one value per row; NaN = not measured."""
    model, tables = rows["model_flash_bytes"], rows["table_flash_bytes"]
    rest = (rows["flash_bytes"] - model - tables).clip(lower=0)
    flash = {"model": model, "tables": tables, "code and rest": rest}
    ram = {"static": rows["ram_static_bytes"], "stack peak": rows["stack_peak_bytes"]}
    return _floats(flash), _floats(ram)


def _floats(parts: Mapping[str, pd.Series[Any]]) -> dict[str, list[float]]:
    return {name: [float(v) for v in s.astype("float64")] for name, s in parts.items()}


def _stacked(
    axes: Axes,
    rows: pd.DataFrame,
    parts: Mapping[str, Sequence[float]],
    memory: str,
    available: int | None,
) -> None:
    left = np.zeros(len(rows))
    looks = (
        [(DARK, ""), (MIDDLE, "////"), (LIGHT, "")]
        if memory == "flash"
        else [(DARK, ""), (LIGHT, "////")]
    )
    for (name, values), (colour, hatch) in zip(parts.items(), looks, strict=True):
        kib = np.asarray(values) / 1024
        axes.barh(
            range(len(rows)), np.nan_to_num(kib), left=left, height=0.62, color=colour,
            hatch=hatch, edgecolor="#222222", linewidth=0.4, label=name,
        )  # fmt: skip
        left = left + np.nan_to_num(kib)
    unknown = np.isnan(np.asarray(list(parts.values()))).any(axis=0)
    for y, (total, model) in enumerate(zip(left, rows["model"], strict=True)):
        words = ("≥ " if unknown[y] else "") + format_bytes(1024 * total)
        end_label(axes, float(total), y, words, is_highlighted(str(model)))
    _memory_axis(axes, memory, 1.22 * float(left.max()), available)
    name_rows(axes, rows)
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 0.98), ncols=3, handlelength=1.2,
        columnspacing=1.0, handletextpad=0.4, borderpad=0.1,
    )  # fmt: skip


def _memory_axis(axes: Axes, memory: str, limit_kib: float, available: int | None) -> None:
    """Axis label and, where it does not squeeze the bars, a line at what the board has."""
    words = f"{memory} [KiB]"
    if available is not None:
        words = f"{memory} [KiB]; board: {format_bytes(available)}"
        if available / 1024 <= 2.5 * limit_kib:
            axes.axvline(available / 1024, color="black", lw=0.9, ls=(0, (4, 2)), gid="available")
            limit_kib = max(limit_kib, 1.04 * available / 1024)
            words += " (dashed)"
    axes.set_xlabel(words)
    axes.set_xlim(0, limit_kib)
