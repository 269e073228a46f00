"""Rows of the site's tables: words to show, and the value to sort by where the words are not it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.history.compare import Difference
from harness.history.record import Entry
from harness.history.trend import Track, table
from harness.report.page import REPORT_NAME
from harness.report.values import DASH, number, percent, text

Cell = dict[str, Any]  # words, and optionally sort, link, style
COUNTS = ("model_flash_bytes", "flash_bytes", "ram_static_bytes", "stack_peak_bytes")


def cell_rows(tracks: Sequence[Track], links: Mapping[str, str]) -> list[list[Cell]]:
    """Of every cell its latest figures; in the order of the heading in `cells.html.j2`."""
    return [_cell_row(row, links) for row in table(tracks)]


def _cell_row(row: Mapping[str, Any], links: Mapping[str, str]) -> list[Cell]:
    board = f"{row['board']} ({row['board_kind']})"
    setting = [row["preset"], f"{row['windows_asked']} windows", row["setting"]]
    return [
        {"words": row["model"], "link": links.get(row["model"])},
        {"words": board, "link": links.get(board)},
        {"words": text(row["board_id"])},
        {"words": row["dataset"]},
        {"words": ", ".join(filter(None, setting))},
        _count(row["runs"]),
        {"words": _time(row["started"])},
        {"words": text(row["status"]), "style": row["status"]},
        _cycles(row),
        _count(row["latency_ms"]),
        {"words": text(row["timing_source"])},
        _share(row["change_percent"], "+.3g"),
        _share(row["spread_percent"], ".2g"),
        _share(row["board_spread_percent"], ".2g"),
        *(_count(row[name]) for name in COUNTS),
        _accuracy(row["accuracy_board"]),
    ]


def group_row(title: str, file: str, tracks: Sequence[Track]) -> list[Cell]:
    """A board or a model in the lists of the first page."""
    entries = [entry for track in tracks for entry in track.entries]
    return [
        {"words": title, "link": file},
        _count(len(tracks)),
        _count(len({(e.run_id, e.started) for e in entries})),
        {"words": _time(max(e.started for e in entries))},
        _count(sum(track.latest.is_lab_trouble for track in tracks)),
    ]


def run_rows(entries: Sequence[Entry], folder: Path) -> list[list[Cell]]:
    """One row for every entry; the run leads to its report where that still lies there."""
    return [_run_row(entry, folder) for entry in entries]


def _run_row(entry: Entry, folder: Path) -> list[Cell]:
    report = entry.folder / REPORT_NAME
    link = Path(os.path.relpath(report, folder.resolve())).as_posix() if report.is_file() else None
    commit = (entry.git_sha[:8] or DASH) + ("+" if entry.git_dirty else "")
    return [
        {"words": _time(entry.started)},
        {"words": entry.run_id, "link": link},
        {"words": entry.cell.model},
        {"words": f"{entry.cell.board} ({entry.cell.board_kind})"},
        {"words": entry.cell.dataset},
        {"words": text(entry.values.get("status")), "style": entry.status},
        _cycles(entry.values),
        _count(entry.values.get("flash_bytes")),
        _accuracy(entry.values.get("accuracy_board")),
        {"words": commit},
        {"words": text(entry.values.get("compiler"))},
    ]


def difference_rows(differences: Sequence[Difference]) -> list[list[Cell]]:
    """One row for every figure that moved."""
    return [_difference_row(d) for d in differences]


def _difference_row(d: Difference) -> list[Cell]:
    change = _share(100 * d.change / float(d.before) if d.change and d.before else None, "+.3g")
    noise = d.noise if d.p is None else f"{d.noise}, p = {d.p:.3g}"
    values = [_value(d, d.before), _value(d, d.after)]
    changed = {"words": ", ".join(d.changed) or DASH}
    return [{"words": d.label}, {"words": d.metric}, *values, change, {"words": noise}, changed]


def _value(d: Difference, value: float | str) -> Cell:
    if isinstance(value, str):
        return {"words": value, "style": value}
    return _accuracy(value) if d.metric == "accuracy_board" else _count(value)


def track_rows(tracks: Sequence[Track]) -> list[dict[str, str]]:
    """Cell, time and message of the latest run of each."""
    return [
        {
            "label": t.label(),
            "time": _time(t.latest.started),
            "message": t.latest.text("message"),
        }
        for t in tracks
    ]


def _time(started: str) -> str:
    return started[:16].replace("T", " ")


def _count(value: Any) -> Cell:
    return {"words": number(value), "sort": _sort(value), "style": "number"}


def _accuracy(value: Any) -> Cell:
    words = DASH if value is None else f"{percent(value)} %"
    return {"words": words, "sort": _sort(value), "style": "number"}


def _share(value: float | None, form: str) -> Cell:
    words = DASH if value is None else f"{value:{form}} %"
    return {"words": words, "sort": _sort(value), "style": "number"}


def _cycles(values: Mapping[str, Any]) -> Cell:
    """The median, or both ends of an estimated bracket, which sorts by its lower end."""
    low, high = values.get("cycles_lo"), values.get("cycles_hi")
    if values.get("cycles_median") is None and low is not None and high is not None:
        return {"words": f"{number(low)} to {number(high)}", "sort": _sort(low), "style": "number"}
    return _count(values.get("cycles_median"))


def _sort(value: Any) -> str:
    return "" if value is None else repr(float(value))
