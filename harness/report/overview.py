"""The top of the page: where the numbers come from, the verdict, the headline table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness import plots
from harness.report.record import Run, mapping, only, records
from harness.report.values import DASH, cycles, interval, milliseconds, number, percent, text

BANNERS = {
    "virtual": ("VIRTUAL BOARD", "emulated cycles, not measured on silicon"),
    "silicon": ("SILICON", "measured on a real board"),
    "mixed": ("MIXED", "some rows are from silicon, some from a VIRTUAL BOARD (emulated cycles)"),
    "unknown": ("ORIGIN NOT RECORDED", "do not take these figures for silicon"),
}


def banner(run: Run, summary: pd.DataFrame, board: Run) -> dict[str, str]:
    """Silicon or virtual, in the first words of the page; board, clock and data set."""
    origin = plots.origin(summary)
    recorded = str(board.get("board_kind") or ("virtual" if board.get("emulator") else ""))
    if origin == "unknown" and recorded in BANNERS:  # no rows yet: run.json knows the board
        origin = recorded
    word, meaning = BANNERS[origin]
    if set(summary["timing_source"].dropna()) - {"none"} == {"estimated-bracket"}:
        meaning = "cycles estimated as a bracket, not measured on silicon"
    facts = [
        text(board.get("title") or only(summary, "board")),
        text(board.get("mcu") or only(summary, "mcu")),
        _clock(board.get("clock_hz") or only(summary, "clock_hz")),
        "data set " + text(mapping(run, "dataset").get("name") or only(summary, "dataset")),
    ]
    return {
        "origin": origin,
        "word": word,
        "meaning": meaning,
        "facts": " · ".join(fact for fact in facts if fact != DASH and not fact.endswith(DASH)),
    }


def _clock(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return DASH
    try:
        return f"{int(value) / 1e6:g} MHz"
    except (TypeError, ValueError):
        return DASH


def verdict(summary: pd.DataFrame) -> list[tuple[str, str]]:
    """(status, words) for each status that occurs, and how many windows agreed bit for bit."""
    counts = summary["status"].fillna("no status").value_counts(sort=False)
    words = [(str(status), f"{count} {status}") for status, count in counts.items()]
    compared = summary[summary["mismatches"].notna() & summary["windows"].notna()]
    if len(compared):
        wrong, total = int(compared["mismatches"].sum()), int(compared["windows"].sum())
        sentence = (
            f"{number(wrong)} of {number(total)} windows with logits other than the reference"
        )
        words.append(("mismatch" if wrong else "ok", sentence))
    return words


def headline(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """The cells of the headline table, one entry per model."""
    rows = []
    for row in records(summary):
        counts = ["windows", "mismatches", "model_flash_bytes", "flash_bytes", "ram_static_bytes",
                  "stack_peak_bytes"]  # fmt: skip
        cells = [percent(row["accuracy_float"]), percent(row["accuracy_host"])]
        rows.append(
            {
                "model": text(row["model"]),
                "status": text(row["status"]),
                "highlight": plots.is_highlighted(text(row["model"])),
                "accuracies": cells,
                "accuracy_board": percent(row["accuracy_board"]),
                "interval": interval(row),
                "counts": [*(number(row[name]) for name in counts), cycles(row)],
                "latency": milliseconds(row["latency_ms"]),
            }
        )
    return rows


def messages(summary: pd.DataFrame) -> list[tuple[str, str, str]]:
    """(model, status, message) of every row that has something to say."""
    rows = summary[summary["message"].notna() & (summary["message"] != "").fillna(False)]
    return [
        (text(row["model"]), text(row["status"]), text(row["message"])) for row in records(rows)
    ]
