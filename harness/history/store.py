"""The rows of the history: one for every cell of every run, none twice.

Many processes may add at once (one transaction a run, writers wait for each other), and a process
that is killed leaves the old or the new state.

Ref: sqlite.org/lang_upsert.html
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.history.database import opened, transaction
from harness.history.record import Cell, Entry, read_folder

HISTORY_NAME = "history.db"
# Figures with a column of their own, for who asks with SQL; `row_json` has every column of the row.
INTEGERS = (
    "clock_hz", "windows", "mismatches", "model_flash_bytes", "table_flash_bytes", "flash_bytes",
    "ram_static_bytes", "stack_peak_bytes", "test_windows",
)  # fmt: skip
REALS = (
    "cycles_median", "cycles_p95", "cycles_max", "cycles_lo", "cycles_hi", "latency_ms",
    "accuracy_float", "accuracy_host", "accuracy_board", "accuracy_host_test",
)  # fmt: skip
TEXTS = (
    "status", "message", "timing_source", "mcu", "compiler", "compiler_flags", "model_sha256",
    "elf_sha256", "firmware_id",
)  # fmt: skip
CELL = tuple(f.name if f.name != "windows" else "windows_asked" for f in fields(Cell))


@dataclass(frozen=True)
class Added:
    """What adding a folder did: rows it holds, rows that were new or different."""

    rows: int
    changed: int


def add_folder(file: Path, folder: Path) -> Added:
    """Add every whole row of a results folder; twice changes nothing, a resumed run is completed.

    A finished run stays as it is. Raises UsageError (no results folder; other figures than the
    finished run of this id has; a newer or foreign file) and LabError (damaged, busy).
    """
    entries = read_folder(folder)
    if not entries:
        return Added(0, 0)
    with opened(file, create=True) as database, transaction(database):
        known = _known_run(database, entries[0])
        state, offered = (known["finished"] or "" if known else ""), entries[0].finished or ""
        if state > offered:
            return Added(len(entries), 0)  # an older copy
        run = _put_run(database, entries[0], file)
        if known and state and state == offered:
            for entry in entries:
                _refuse_other_figures(database, run, entry)
        return Added(len(entries), sum(_put(database, run, entry) for entry in entries))


def read(file: Path) -> list[Entry]:
    """Every entry, oldest first. Raises UsageError when there is no history yet."""
    if not file.is_file():
        raise UsageError(
            f"{file}: no history yet",
            hint="`harness run` adds to it; `harness history --add FOLDER` takes older folders",
        )
    with opened(file, create=False) as database:
        rows = database.execute("SELECT * FROM history").fetchall()
    return [_entry(row, file) for row in rows]


# -- rows ---------------------------------------------------------------------------------------


def _known_run(database: sqlite3.Connection, entry: Entry) -> sqlite3.Row | None:
    key = (entry.run_id, entry.started)
    found: sqlite3.Row | None = database.execute(
        "SELECT id, finished FROM run WHERE run_id = ? AND started = ?", key
    ).fetchone()
    return found


def _put_run(database: sqlite3.Connection, entry: Entry, file: Path) -> int:
    """The id of the entry's run, inserted or brought up to date."""
    values = {
        "run_id": entry.run_id,
        "started": entry.started,
        "finished": entry.finished,
        "night": entry.night,
        "folder": _relative(entry.folder, file),
        "git_sha": entry.git_sha,
        "git_dirty": int(entry.git_dirty),
        "harness_version": entry.harness_version,
    }
    _upsert(database, "run", values, ("run_id", "started"))
    run = _known_run(database, entry)
    assert run is not None
    return int(run["id"])


def _refuse_other_figures(database: sqlite3.Connection, run: int, entry: Entry) -> None:
    """UsageError when a finished run is offered again with figures that it did not have."""
    stored = database.execute(
        "SELECT * FROM result WHERE run = ? AND model = ?", (run, entry.cell.model)
    ).fetchone()
    for name in (*INTEGERS, *REALS) if stored else ():
        had, has = stored[name], entry.number(name)
        if had is not None and has is not None and not math.isclose(had, has, rel_tol=1e-9):
            raise UsageError(
                f"{entry.folder}: {entry.cell.model}: {name} is {has:g}, but run {entry.run_id} "
                f"is in the history with {had:g}, and a finished run does not change",
                hint="a copy needs a run_id of its own in run.json",
            )


def _put(database: sqlite3.Connection, run: int, entry: Entry) -> int:
    """1 when the row was new or different, else 0."""
    cell = dict(zip(CELL, asdict(entry.cell).values(), strict=True))
    values = {"run": run, **cell, "board_id": entry.board_id}
    values |= {name: entry.text(name) or None for name in TEXTS}
    values |= {name: entry.number(name) for name in (*INTEGERS, *REALS)}
    values["row_json"] = json.dumps(entry.values, sort_keys=True)
    key = ("run", "board", "board_kind", "board_id", "dataset", "model")
    return _upsert(database, "result", values, key)


def _upsert(
    database: sqlite3.Connection, table: str, values: dict[str, Any], key: Sequence[str]
) -> int:
    """Insert, or update what differs; the number of rows changed (0 or 1). Names are our own."""
    rest = [name for name in values if name not in key]
    sets = ", ".join(f"{name} = excluded.{name}" for name in rest)
    differs = " OR ".join(f"{table}.{name} IS NOT excluded.{name}" for name in rest)
    marks = ", ".join("?" * len(values))
    before = database.total_changes
    database.execute(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks}) "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sets} WHERE {differs}",
        list(values.values()),
    )
    return database.total_changes - before


def _entry(row: sqlite3.Row, file: Path) -> Entry:
    cell = {f.name: row[name] for f, name in zip(fields(Cell), CELL, strict=True)}
    return Entry(
        cell=Cell(**(cell | {"compand": bool(row["compand"])})),
        board_id=row["board_id"],
        run_id=row["run_id"],
        started=row["started"],
        finished=row["finished"],
        night=row["night"],
        folder=Path(os.path.normpath(file.resolve().parent / row["folder"])),
        git_sha=row["git_sha"],
        git_dirty=bool(row["git_dirty"]),
        harness_version=row["harness_version"],
        values=json.loads(row["row_json"]),
    )


def _relative(folder: Path, file: Path) -> str:
    """Relative to the history file when it lies beside or below, so both can be moved together."""
    home = file.resolve().parent
    return str(folder.relative_to(home) if folder.is_relative_to(home) else folder)
