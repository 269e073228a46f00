"""A CSV of windows in long form, one row a time step, as arrays of the import format.

window,step,ax,ay,az,label,person        columns in any order; docs/datasets.md
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.base import stratified_split, subject_split
from harness.datasets.npz import MAX_CLASSES
from harness.errors import DataError

WINDOW, STEP, SPLIT = "window", "step", "split"
LABEL, SUBJECT = "label", "subject"
PARTS = ("train", "test")
TEST_SHARE = 0.2
MAX_CSV_BYTES = 1 << 30
MAX_VALUES = 1 << 28  # 1 GiB of float32
MAX_COLUMNS = 4_096
FLOAT32_MAX = float(np.finfo(np.float32).max)
HINT = "columns: window, step, one per channel, label, and maybe subject and split; see " + (
    "docs/datasets.md"
)


@dataclass(frozen=True)
class _Columns:
    """Where in a row what stands."""

    window: int
    step: int
    label: int
    subject: int | None
    split: int | None
    channels: tuple[int, ...]
    names: tuple[str, ...]  # of all columns


@dataclass
class _Window:
    """One window on its way: its first row, and what all its rows must agree on."""

    row: int
    label: str
    subject: int | None
    split: str | None
    values: list[list[float]] = field(default_factory=list)


def read_csv(
    path: Path, labels: str = LABEL, subjects: str | None = None
) -> dict[str, NDArray[Any]]:
    """The arrays of the import format. `labels`, `subjects`: names of these columns; without
    `subjects`, a column 'subject' is taken when there is one.

    Without a column `split` (train or test), a fifth of the subjects, or without subjects of every
    class, is the test part, by a fixed rule. Raises DataError with row and column.
    """
    try:
        size = path.stat().st_size
        if size > MAX_CSV_BYTES:
            raise DataError(f"{path}: {size:,} bytes, at most {MAX_CSV_BYTES:,} are read")
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file, strict=True)
            columns = _columns(path, next(rows, []), labels, subjects)
            windows = _windows(path, rows, columns)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a readable CSV: {error}", hint=HINT) from error
    return _arrays(path, windows, columns)


def _columns(path: Path, header: Sequence[str], labels: str, subjects: str | None) -> _Columns:
    names = tuple(name.strip() for name in header)
    if len(names) > MAX_COLUMNS:
        raise DataError(f"{path}: {len(names):,} columns, at most {MAX_COLUMNS:,} are read")
    for name in names:
        if not name or names.count(name) > 1:
            raise DataError(f"{path}: row 1: column name {name!r} is empty or there twice")
    if subjects is None and SUBJECT in names:
        subjects = SUBJECT
    required = [WINDOW, STEP, labels] + ([subjects] if subjects else [])
    for name in required:
        if name not in names:
            raise DataError(
                f"{path}: row 1: no column {name!r} (found: {', '.join(names) or 'none'})",
                hint=HINT,
            )
    special = {*required, SPLIT}
    channels = tuple(i for i, name in enumerate(names) if name not in special)
    if not channels:
        raise DataError(f"{path}: row 1: no column is left for a channel", hint=HINT)
    return _Columns(
        window=names.index(WINDOW),
        step=names.index(STEP),
        label=names.index(labels),
        subject=names.index(subjects) if subjects else None,
        split=names.index(SPLIT) if SPLIT in names else None,
        channels=channels,
        names=names,
    )


def _windows(path: Path, rows: Iterator[list[str]], columns: _Columns) -> dict[str, _Window]:
    """Windows by their name, in order of appearance. The steps of a window must be 0, 1, 2, ... in
    this order; rows of different windows may alternate."""
    windows: dict[str, _Window] = {}
    count = 0
    for row, cells in enumerate(rows, start=2):
        if not cells:
            continue
        if len(cells) != len(columns.names):
            raise DataError(f"{path}: row {row} has {len(cells)} cells, row 1 {len(columns.names)}")
        count += len(columns.channels)
        if count > MAX_VALUES:
            raise DataError(f"{path}: more than {MAX_VALUES:,} values")
        _add(path, row, cells, columns, windows)
    if not windows:
        raise DataError(f"{path}: no rows below the header", hint=HINT)
    return windows


def _add(
    path: Path, row: int, cells: list[str], columns: _Columns, windows: dict[str, _Window]
) -> None:
    def fail(column: int, problem: str) -> DataError:
        where = f"row {row}, column {columns.names[column]!r}"
        return DataError(f"{path}: {where}: {problem}", hint=HINT)

    def whole(column: int) -> int:
        try:
            return int(cells[column])
        except ValueError:
            raise fail(column, f"{cells[column]!r} is not a whole number") from None

    name, label = cells[columns.window].strip(), cells[columns.label].strip()
    if not name:
        raise fail(columns.window, "is empty")
    if not label:
        raise fail(columns.label, "is empty")
    subject = None if columns.subject is None else whole(columns.subject)
    split = None if columns.split is None else cells[columns.split].strip()
    if split is not None and split not in PARTS:
        assert columns.split is not None
        raise fail(columns.split, f"{split!r} is neither 'train' nor 'test'")
    window = windows.setdefault(name, _Window(row, label, subject, split))
    for column, value, first in (
        (columns.label, label, window.label),
        (columns.subject, subject, window.subject),
        (columns.split, split, window.split),
    ):
        if value != first:
            assert column is not None
            raise fail(column, f"{value!r}, but row {window.row} of this window has {first!r}")
    step = whole(columns.step)
    if step != len(window.values):
        raise fail(
            columns.step,
            f"step {step} of window {name!r} where step {len(window.values)} is expected",
        )
    values = []
    for column in columns.channels:
        try:
            number = float(cells[column])
        except ValueError:
            raise fail(column, f"{cells[column]!r} is not a number") from None
        if not math.isfinite(number) or abs(number) > FLOAT32_MAX:
            raise fail(column, f"{cells[column]!r} is not finite")
        values.append(number)
    window.values.append(values)


def _arrays(path: Path, windows: dict[str, _Window], columns: _Columns) -> dict[str, NDArray[Any]]:
    steps = len(next(iter(windows.values())).values)
    for name, window in windows.items():
        if len(window.values) != steps:
            raise DataError(
                f"{path}: window {name!r} (from row {window.row}) has {len(window.values)} steps, "
                f"the first window {steps}; all must have the same",
                hint=HINT,
            )
    everything = list(windows.values())
    x = np.array([w.values for w in everything], np.float32)
    classes = _classes(path, {w.label for w in everything})
    y = np.array([classes.index(w.label) for w in everything])
    subject = None
    if columns.subject is not None:
        subject = np.array([w.subject for w in everything], np.int64)
    train, test = _split(path, everything, y, subject)
    arrays: dict[str, NDArray[Any]] = {
        "classes": np.array(classes),
        "channels": np.array([columns.names[i] for i in columns.channels]),
    }
    for part, index in (("train", train), ("test", test)):
        arrays[f"X_{part}"], arrays[f"y_{part}"] = x[index], y[index]
        if subject is not None:
            arrays[f"subject_{part}"] = subject[index]
    return arrays


def _classes(path: Path, labels: set[str]) -> list[str]:
    """Class names in order: by value when all are whole numbers, else alphabetical."""
    if len(labels) > MAX_CLASSES:
        raise DataError(
            f"{path}: {len(labels)} different labels, at most {MAX_CLASSES} classes",
            hint="is --labels the right column?",
        )
    try:
        return sorted(labels, key=int)
    except ValueError:
        return sorted(labels)


def _split(
    path: Path, windows: list[_Window], y: NDArray[Any], subject: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the training and the test windows."""
    if windows[0].split is not None:
        is_test = np.array([w.split == "test" for w in windows])
        train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    elif subject is not None and len(np.unique(subject)) > 1:
        train, test = subject_split(subject, TEST_SHARE, "imported test")
    else:
        train, test = stratified_split(y, TEST_SHARE, "imported test")
    if len(train) == 0 or len(test) == 0:
        raise DataError(
            f"{path}: {len(train)} training and {len(test)} test windows; both parts are needed",
            hint="add a column split with train and test, or more windows",
        )
    return train, test
