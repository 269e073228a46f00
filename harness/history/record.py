"""A results folder as entries: which cell was measured, when, by what, and every figure of it.

A *cell* is the question (this model on this kind of board over these windows); an *entry* is one
answer to it. Two entries of one cell can be compared; what differs between them (commit, compiler,
trained weights, which of several boards) is why they differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.results import STATUS_LAB, read_json, read_summary

Values = Mapping[str, Any]
NIGHT_BEGINS = timedelta(hours=12)  # after midnight UTC; what runs until the next noon is one night
# Options of a run that say where it ran, or that the cell holds under another name.
NOT_ASKED = frozenset(
    {
        *("board", "virtual", "models", "dataset"),
        *("port", "data_dir", "wait_s", "instance", "sessions"),
    }
)


@dataclass(frozen=True, kw_only=True, order=True)
class Cell:
    """The question. `windows` is the number asked for or `all`; `overrides` and `other` are JSON.

    other  options of a run that this version does not know, when they are set
    """

    board: str
    board_kind: str
    dataset: str
    model: str
    preset: str = "quick"
    seed: int = 0
    optimise: str = "size"
    windows: str = "all"
    compand: bool = True
    device: str = "cpu"
    overrides: str = "{}"
    other: str = "{}"

    def label(self) -> str:
        """`fastgrnn on uno (virtual), digits, smoke, 5 windows`, and what is not the default."""
        words = [f"{self.model} on {self.board} ({self.board_kind})", self.dataset, self.preset]
        words.append(f"{self.windows} windows")
        words += [f"{name} {value}" for name, value in self.unusual().items()]
        return ", ".join(words)

    def unusual(self) -> dict[str, str]:
        """Fields that have a default and differ from it, as words."""
        return {
            f.name: str(getattr(self, f.name))
            for f in fields(self)
            if f.default is not MISSING and f.name not in ("preset", "windows")
            if f.default != getattr(self, f.name)
        }


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One answer: a row of summary.csv with the run it is from.

    board_id  which of several boards of a kind; '' when not recorded
    night     date (UTC) of the evening on which the night of the run began
    folder    where the results folder was when it was added
    values    the whole row; what was not measured is absent
    """

    cell: Cell
    board_id: str
    run_id: str
    started: str
    finished: str | None
    night: str
    folder: Path
    git_sha: str
    git_dirty: bool
    harness_version: str
    values: Values

    @property
    def status(self) -> str:
        """As in summary.csv; '' when not recorded."""
        return str(self.values.get("status", ""))

    @property
    def is_lab_trouble(self) -> bool:
        """True when a board, port or tool failed, so that nothing is known of the model."""
        return self.status == STATUS_LAB

    @property
    def named_night(self) -> str:
        """The night that run.json names; '' where it is only the date."""
        return "" if self.night == night_of(self.started) else self.night

    def label(self) -> str:
        """The cell's, and which board of the kind where that is recorded."""
        return self.cell.label() + (f", board {self.board_id}" if self.board_id else "")

    def text(self, name: str) -> str:
        """A column as words; '' when absent."""
        return str(self.values.get(name, ""))

    def number(self, name: str) -> float | None:
        """A column as a number; None when absent or not one."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            return None
        return float(value)

    def to_json(self) -> dict[str, Any]:
        """Everything, flat; the cell's number of windows is `windows_asked`."""
        run = {f.name: getattr(self, f.name) for f in fields(self)}
        del run["cell"], run["values"]
        cell = asdict(self.cell)
        cell["windows_asked"] = cell.pop("windows")
        return {**self.values, **cell, **run, "folder": str(self.folder)}


def read_folder(folder: Path) -> list[Entry]:
    """Every whole row of a results folder, also of a run that was cut short.

    Raises UsageError that names the file when run.json or summary.csv is missing or damaged.
    """
    run = _read_run(folder)
    path = folder / "summary.csv"
    if not path.is_file():
        if run.get("finished") is None:
            return []  # killed before its first row
        raise UsageError(f"{folder}: no summary.csv", hint="give a results folder")
    frame = read_summary(folder)
    rows = json.loads(frame.to_json(orient="records", double_precision=15))
    return [_entry(folder, run, row) for row in rows if row.get("model")]


def _read_run(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    if not path.is_file():
        raise UsageError(f"{folder}: no run.json", hint="give a results folder, see `results/`")
    run = read_json(path)
    if not isinstance(run.get("started"), str):
        raise UsageError(f"{path}: has no `started`", hint="give a results folder")
    try:
        night_of(run["started"])
    except ValueError as error:
        raise UsageError(f"{path}: started: {error}") from error
    return run


def _entry(folder: Path, run: Mapping[str, Any], row: Mapping[str, Any]) -> Entry:
    values = {name: value for name, value in row.items() if value is not None}
    return Entry(
        cell=_cell(run, values),
        board_id=str(values.get("board_id", "")),
        run_id=str(run.get("run_id") or folder.name),
        started=run["started"],
        finished=run.get("finished"),
        night=str(run.get("night") or night_of(run["started"])),
        folder=folder.resolve(),
        git_sha=str(run.get("git_sha") or ""),
        git_dirty=bool(run.get("git_dirty")),
        harness_version=str(run.get("harness_version") or ""),
        values=values,
    )


def _cell(run: Mapping[str, Any], values: Values) -> Cell:
    options = run.get("options")
    options = options if isinstance(options, dict) else {}
    given = {k: v for k, v in options.items() if k not in NOT_ASKED and v not in (None, "", {}, [])}
    windows = options.get("windows", values.get("windows"))
    own = {f.name for f in fields(Cell)}
    return Cell(
        board=str(values.get("board", "")),
        board_kind=str(values.get("board_kind", "")),
        dataset=str(values.get("dataset", "")),
        model=str(values["model"]),
        preset=str(given.get("preset", "quick")),
        seed=int(given.get("seed", 0)),
        optimise=str(given.get("optimise", "size")),
        windows="all" if windows is None else str(windows),
        compand=bool(given.get("compand", True)),
        device=str(given.get("device", "cpu")),
        overrides=_canonical(given.get("overrides", {})),
        other=_canonical({k: v for k, v in given.items() if k not in own and v is not False}),
    )


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def night_of(started: str) -> str:
    """The date (UTC) of the last noon before a time in ISO 8601; ValueError when it is none."""
    time = datetime.fromisoformat(started)
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (time.astimezone(UTC) - NIGHT_BEGINS).date().isoformat()
