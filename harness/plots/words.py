"""The words of a figure: where its numbers come from, what it leaves out, how values read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from harness.plots.rows import drawable
from harness.results import STATUS_DOES_NOT_FIT, STATUS_MISMATCH

EMULATED = ("emulated-cycles", "estimated-bracket")  # what only a virtual board can say
_LEFT_OUT_WORDS = {
    STATUS_DOES_NOT_FIT: "does not fit",
    "host-only": "host only",
    "lab-error": "lab error",
    "error": "error",
}


def origin(summary: pd.DataFrame) -> str:
    """`silicon`, `virtual`, `mixed` or `unknown`; silicon only when every row says so."""
    kinds = set(summary["board_kind"].fillna("unknown"))
    emulated = bool(summary["timing_source"].isin(EMULATED).any())
    if kinds == {"silicon"}:
        return "mixed" if emulated else "silicon"
    if kinds == {"virtual"}:
        return "virtual"
    return "mixed" if kinds - {"unknown"} else "unknown"


def subtitle(summary: pd.DataFrame) -> str:
    """Where the numbers come from, in one line."""
    boards = ", ".join(short_name(name) for name in summary["board"].dropna().unique())
    where = {
        "virtual": f"VIRTUAL BOARD {boards}: {_emulated(summary)}, not silicon",
        "silicon": f"SILICON {boards}: {_counters(summary)}",
        "mixed": f"MIXED, silicon and VIRTUAL: {boards}",
        "unknown": f"{boards}: silicon or virtual not recorded",
    }
    return where[origin(summary)]


def _counters(summary: pd.DataFrame) -> str:
    sources = [str(source) for source in summary["timing_source"].dropna().unique()]
    timed = [source for source in sources if source != "none"]
    if timed == ["board-clock"]:
        return "timed by the board's clock"
    return f"cycles counted by {', '.join(timed)}" if timed else "cycles not measured"


def _emulated(summary: pd.DataFrame) -> str:
    sources = set(summary["timing_source"].dropna()) - {"none"}
    if sources == {"estimated-bracket"}:
        return "cycles estimated as a bracket"
    return "emulated cycles" if sources or summary["timing_source"].isna().all() else "not timed"


def latency_words(summary: pd.DataFrame) -> str:
    """What a latency is; `emulated` unless all rows are from silicon."""
    return "median latency" if origin(summary) == "silicon" else "median emulated latency"


def left_out(summary: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """`model (why)` for each row that `drawable` drops."""
    rest = summary.drop(index=drawable(summary, columns).index)
    words = [_LEFT_OUT_WORDS.get(str(status), "not measured") for status in rest["status"]]
    return [f"{short_name(model)} ({why})" for model, why in zip(rest["model"], words, strict=True)]


def missing_note(summary: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """A note that names the models left out; no note when there are none."""
    names = left_out(summary, columns)
    return [f"Not plotted: {', '.join(names)}."] if names else []


def mismatch_note(rows: pd.DataFrame) -> list[str]:
    """A note that names the models marked ×; no note when there are none."""
    names = [
        short_name(row["model"]) for _, row in rows.iterrows() if row["status"] == STATUS_MISMATCH
    ]
    return [f"× board and reference disagree: {', '.join(names)}."] if names else []


def format_bytes(count: float) -> str:
    """`812 B`, `1.5 KiB`, `31.5 KiB`, `248 KiB`."""
    if count < 1024:
        return f"{count:.0f} B"
    kib = count / 1024
    return f"{kib:.0f} KiB" if kib >= 100 or kib == int(kib) else f"{kib:.1f} KiB"


def format_bracket(low: float, high: float) -> str:
    """`134 to 216 k`, the ends rounded outwards."""
    return f"{math.floor(low / 1000):,} to {math.ceil(high / 1000):,} k"


def format_ms(value: float) -> str:
    """Three significant digits without an exponent."""
    if value <= 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(value)))
    return f"{value:.{decimals}f}"


def short_name(model: Any, limit: int = 22) -> str:
    """A model or class name fit for a figure: one line, not too long."""
    text = "unnamed" if pd.isna(model) else " ".join(str(model).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
