"""Find a data set by name and load it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.datasets.base import Dataset, Windows, stratified_split, subject_split
from harness.datasets.digits import load_digits
from harness.datasets.har import har_dataset
from harness.datasets.npz import Plain, read_plain
from harness.datasets.registry import SOURCES
from harness.errors import DataError, UsageError, near_miss
from harness.files import atomic_path
from harness.paths import cache_dir

VALIDATION_SHARE = 0.2
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def data_dirs(data_dir: Path | None = None) -> list[Path]:
    """Where files are looked for: the given folder, else `$HARNESS_DATA_DIR`; then the cache."""
    given = data_dir or (Path(env) if (env := os.environ.get("HARNESS_DATA_DIR")) else None)
    return ([given] if given else []) + [cache_dir("data")]


def load(name: str, data_dir: Path | None = None, *, compand: bool = True) -> Dataset:
    """Load a data set: `digits`, `har2`, `har6`, or any `<name>.npz` in the import format.

    `compand=False` leaves HAR's input linear, as in the paper. Raises DataError with what to do.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a data set name",
            hint="letters a-z, digits, - and _; a file is named by its stem: mydata for mydata.npz",
        )
    if name == "digits":
        return load_digits()
    path = _find(name, data_dir)
    if name in ("har2", "har6"):
        return har_dataset(name, path, compand=compand)
    return _imported(name, path, compand)


def available(data_dir: Path | None = None) -> list[str]:
    """Names that `load` can read now: digits, and what lies in the data folders."""
    names = {"digits"}
    for folder in data_dirs(data_dir):
        if folder.is_dir():
            names |= {p.stem for p in folder.glob("*.npz") if NAME.fullmatch(p.stem)}
            names |= {p.stem for p in folder.glob("*/*.npz") if p.parent.name == p.stem}
            if (folder / SOURCES["har6"].filename).is_file():
                names.add("har6")
    names = {n for n in names if not re.fullmatch(r"har6-[0-9a-f]{32}", n)}
    return sorted(names | ({"har2"} if "har6" in names else set()))


def _find(name: str, data_dir: Path | None) -> Path:
    stem = "har6" if name == "har2" else name
    candidates = [f"{stem}/{stem}.npz", f"{stem}.npz"]
    if stem in SOURCES:
        filename = SOURCES[stem].filename
        candidates += [filename, f"{stem}/{filename}"]
    folders = data_dirs(data_dir)
    for folder in folders:
        for candidate in candidates:
            if (folder / candidate).is_file():
                return folder / candidate
    known = sorted(set(SOURCES) | set(available(data_dir)))
    if stem not in SOURCES:
        error = near_miss("data set", name, known)
        looked = " or ".join(str(f) for f in folders)
        raise UsageError(f"{error.message}: no {stem}.npz in {looked}", hint=error.hint)
    source = SOURCES[stem]
    raise DataError(
        f"data set {name!r} is not here: no {candidates[1]} and no {source.filename!r} in "
        f"{' or '.join(str(f) for f in folders)}",
        hint=f"harness data fetch {name}, or download {source.url} by hand and put it at "
        f"{folders[0] / source.filename}",
    )


def import_file(source: Path, name: str, dest: Path | None = None) -> Dataset:
    """Check a file in the import format and keep a copy: `<dest>/<name>.npz` (default: cache).

    From then on `load(name)` finds it.
    """
    if not NAME.fullmatch(name) or name in SOURCES:
        raise UsageError(
            f"{name!r} cannot name an imported data set",
            hint=f"letters a-z, digits, - and _; not {', '.join(SOURCES)}",
        )
    dataset = _imported(name, source, True)
    folder = dest or cache_dir("data")
    with atomic_path(folder / f"{name}.npz") as partial:
        shutil.copyfile(source, partial)
    return dataset


def _imported(name: str, path: Path, compand: bool) -> Dataset:
    plain = read_plain(path)
    windows = Windows(plain.x_train, plain.y_train, plain.subject_train)
    if plain.subject_train is not None and len(np.unique(plain.subject_train)) > 1:
        kept, held = subject_split(plain.subject_train, VALIDATION_SHARE, name)
    else:
        kept, held = stratified_split(plain.y_train, VALIDATION_SHARE, name)
    if len(kept) == 0 or len(held) == 0:
        raise DataError(f"{path}: {len(windows)} training windows are too few to split")
    features = plain.x_train.shape[2]
    none = np.zeros(features, np.bool_)
    return Dataset(
        name=name,
        train=windows.take(kept),
        validation=windows.take(held),
        test=Windows(plain.x_test, plain.y_test, plain.subject_test),
        class_names=plain.class_names,
        channels=plain.channels,
        raw_step=_raw_step(plain),
        companded=plain.companded if compand and plain.companded is not None else none,
        licence=plain.licence or "not stated by the file",
        source=path.name,
        source_sha256=plain.sha256,
    )


def _raw_step(plain: Plain) -> NDArray[np.float64]:
    """The file's `raw_step`, else its `step`, else a power of two with a factor of two of room."""
    if plain.raw_step is not None:
        return plain.raw_step
    if plain.step is not None:
        return plain.step
    largest = np.abs(plain.x_train).reshape(-1, plain.x_train.shape[2]).max(axis=0)
    room = 2.0 * np.maximum(largest, 1e-9).astype(np.float64) / 32767
    step: NDArray[np.float64] = np.exp2(np.ceil(np.log2(room)))
    return step
