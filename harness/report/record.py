"""What a results folder records: run.json, summary.csv and windows.parquet, checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import UsageError
from harness.results import SUMMARY_COLUMNS, read_json, read_summary, read_windows

Run = Mapping[str, Any]
WINDOW_COLUMNS = {"model", "label_true", "label_board"}


def load(folder: Path) -> tuple[Run, pd.DataFrame, pd.DataFrame]:
    """(run.json, summary.csv, windows.parquet); UsageError names what is missing or damaged."""
    names = ("run.json", "summary.csv", "windows.parquet")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        started = "run.json" not in missing
        hint = "the run was cut short: resume it first" if started else "give a results folder"
        raise UsageError(f"{folder}: missing {', '.join(missing)}", hint=hint)
    return read_json(folder / "run.json"), _read_rows(folder), _read_windows(folder)


def _read_rows(folder: Path) -> pd.DataFrame:
    """summary.csv with every column of the schema; columns it lacks come out empty."""
    frame = read_summary(folder)
    if "model" not in frame:
        raise UsageError(f"{folder / 'summary.csv'}: has no column 'model'")
    return frame.reindex(columns=list(SUMMARY_COLUMNS)).astype(SUMMARY_COLUMNS)


def _read_windows(folder: Path) -> pd.DataFrame:
    """windows.parquet with at least the columns that the report uses."""
    frame = read_windows(folder)
    lacking = WINDOW_COLUMNS - set(frame.columns)
    if lacking:
        words = ", ".join(sorted(lacking))
        raise UsageError(f"{folder / 'windows.parquet'}: has no column {words}")
    return frame


def mapping(run: Run, key: str) -> Run:
    """The object under a key; an empty one when there is something else."""
    value = run.get(key)
    return value if isinstance(value, dict) else {}


def whole(value: Any) -> int | None:
    """A positive integer, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def available_flash(board: Run) -> int | None:
    """Bytes of flash that a firmware may use, if recorded."""
    total = whole(board.get("flash_bytes"))
    return None if total is None else total - (whole(board.get("flash_reserved_bytes")) or 0)


def class_names(dataset: Run) -> list[str]:
    """Names of the classes by label; empty if not recorded."""
    names = dataset.get("class_names")
    return [str(name) for name in names] if isinstance(names, list) else []


def only(summary: pd.DataFrame, column: str) -> Any:
    """The value that all rows share, else None."""
    values = summary[column].dropna().unique()
    return values[0] if len(values) == 1 else None


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """One dict per row."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]
