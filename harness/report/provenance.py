"""The rest of the table, and everything else that run.json and the rows record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from harness.report.memory import FLASH_PARTS
from harness.report.record import Run, only, records
from harness.report.values import DASH, number, percent, text
from harness.results import SUMMARY_COLUMNS

HEADLINE = {
    "model", "status", "accuracy_float", "accuracy_host", "accuracy_board", "windows",
    "mismatches", "model_flash_bytes", "flash_bytes", "ram_static_bytes", "stack_peak_bytes",
    "cycles_median", "latency_ms", "message",
}  # fmt: skip
PER_MODEL_PROVENANCE = ("model_sha256", "elf_sha256", "firmware_id", "uploader", "attempts")


def details(summary: pd.DataFrame) -> dict[str, Any]:
    """The columns that are not in the headline and differ between models, one row a column."""
    names = [name for name in _other_columns() if not _is_shared(summary, name)]
    names = [name for name in names if summary[name].notna().any()]
    rows = [(name, [_value(name, v) for v in summary[name]]) for name in names]
    return {"models": [text(model) for model in summary["model"]], "rows": rows}


def _value(column: str, value: Any) -> str:
    if column.startswith("accuracy"):
        return DASH if pd.isna(value) else f"{percent(value)} %"
    if SUMMARY_COLUMNS[column] == "string":
        return text(value)
    return DASH if pd.isna(value) else number(value)


def _other_columns() -> list[str]:
    hidden = HEADLINE | set(FLASH_PARTS) | set(PER_MODEL_PROVENANCE)
    return [name for name in SUMMARY_COLUMNS if name not in hidden]


def _is_shared(summary: pd.DataFrame, column: str) -> bool:
    """True when all models have one value; for words (a compiler), all that have any."""
    words = SUMMARY_COLUMNS[column] == "string"
    values = summary[column]
    return values.nunique(dropna=words) == 1 and bool(values.notna().any())


def _shared(summary: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Columns with the same value for every model (compiler, flags, seed, …)."""
    for column in _other_columns():
        if _is_shared(summary, column):
            value = only(summary, column)
            yield column, str(value) if column == "seed" else _value(column, value)


def provenance(run: Run, summary: pd.DataFrame) -> list[tuple[str, list[tuple[str, str]]]]:
    """(heading, entries) of everything that run.json and the shared columns record."""
    told = {"stages", "board", "dataset", "options", "packages", "tools", "tool_versions"}
    general = [(key, text(run[key])) for key in _in_order(run) if key not in told]
    groups = [("Run", general)]
    for heading, key in (
        ("Options", "options"), ("Data set", "dataset"), ("Board", "board"),
        ("Tools", "tools"), ("Tool versions", "tool_versions"), ("Packages", "packages"),
    ):  # fmt: skip
        value = run.get(key)
        entries = value.items() if isinstance(value, dict) else [(key, value)] if value else []
        groups.append((heading, [(str(name), text(v)) for name, v in entries]))
    groups.append(("Same for every model", list(_shared(summary))))
    return [(heading, entries) for heading, entries in groups if entries]


def _in_order(run: Run) -> list[str]:
    """What a reader looks for first, then the rest by name."""
    first = ["run_id", "started", "finished", "git_sha", "git_dirty", "harness_version", "seed"]
    return [key for key in first if key in run] + sorted(set(run) - set(first))


def hashes(summary: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Per model: hashes of the model and the image, firmware id, uploader, attempts."""
    rows = records(summary)
    return [(text(row["model"]), [text(row[c]) for c in PER_MODEL_PROVENANCE]) for row in rows]
