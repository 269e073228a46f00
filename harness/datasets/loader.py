"""Find a data set by name and load it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.datasets import text
from harness.datasets.base import (
    Dataset,
    Progress,
    Windows,
    ignore_progress,
    stratified_split,
    subject_split,
)
from harness.datasets.digits import load_digits, load_pixel_digits
from harness.datasets.dsa import dsa_dataset
from harness.datasets.har import har_dataset
from harness.datasets.kept import save_arrays
from harness.datasets.mnist import mnist_dataset
from harness.datasets.npz import Plain, read_plain
from harness.datasets.registry import SOURCES
from harness.datasets.speech import speech_dataset
from harness.datasets.table import LABEL, read_csv
from harness.datasets.text import TextDataset
from harness.errors import DataError, UsageError, near_miss
from harness.files import atomic_path
from harness.paths import cache_dir

VALIDATION_SHARE = 0.2
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def data_dirs(data_dir: Path | None = None) -> list[Path]:
    """Where files are looked for: the given folder, else `$HARNESS_DATA_DIR`; then the cache."""
    given = data_dir or (Path(env) if (env := os.environ.get("HARNESS_DATA_DIR")) else None)
    return ([given] if given else []) + [cache_dir("data")]


def load(
    name: str,
    data_dir: Path | None = None,
    *,
    compand: bool = True,
    progress: Progress = ignore_progress,
) -> Dataset:
    """Load a data set of the registry, or any `<name>.npz` in the import format.

    `compand=False` leaves HAR's input linear, as in the paper. `progress` is called while a large
    archive is read for the first time. Raises DataError with what to do.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a data set name",
            hint="letters a-z, digits, - and _; a file is named by its stem: mydata for mydata.npz",
        )
    if name in SOURCES and SOURCES[name].text:
        raise UsageError(
            f"{name} is a text corpus, not a set of windows: it has no classes to tell apart",
            hint=f"harness study paper --dataset {name} --models fastgrnn trains language models",
        )
    if name in _SHIPPED:
        return _SHIPPED[name]()
    path = _find(name, data_dir)
    if name in _READERS:
        return _READERS[name](path, compand, progress)
    return _imported(name, path, compand)


_SHIPPED: Mapping[str, Callable[[], Dataset]] = {
    "digits": load_digits,
    "pixel-digits": load_pixel_digits,
}
# how a set of the registry is read: (file or folder found, compand, progress) -> Dataset
_READERS: Mapping[str, Callable[[Path, bool, Progress], Dataset]] = {
    "har6": lambda path, compand, _: har_dataset("har6", path, compand=compand),
    "har2": lambda path, compand, _: har_dataset("har2", path, compand=compand),
    "dsa19": lambda path, _, progress: dsa_dataset(path, progress),
    "pixel-mnist": lambda path, _, __: mnist_dataset(path),
    "google12": lambda path, _, progress: speech_dataset("google12", path, progress),
    "google30": lambda path, _, progress: speech_dataset("google30", path, progress),
}


def load_text(name: str, data_dir: Path | None = None) -> TextDataset:
    """Load a text corpus (`ptb`), for language models."""
    return text.load_text(name, data_dirs(data_dir))


def available(data_dir: Path | None = None) -> list[str]:
    """Names that `load` or `load_text` can read now: what is shipped and what lies in the data
    folders."""
    names = set(_SHIPPED)
    for folder in data_dirs(data_dir):
        if folder.is_dir():
            names |= {p.stem for p in folder.glob("*.npz") if NAME.fullmatch(p.stem)}
            names |= {p.stem for p in folder.glob("*/*.npz") if p.parent.name == p.stem}
            names |= {
                source.name
                for source in SOURCES.values()
                if any((folder / place).exists() for place in source.places)
            }
    return sorted(names)


def _find(name: str, data_dir: Path | None) -> Path:
    """The file or folder of a data set; DataError or UsageError saying where it was looked for."""
    source = SOURCES.get(name)
    places = source.places if source else (f"{name}/{name}.npz", f"{name}.npz")
    folders = data_dirs(data_dir)
    for folder in folders:
        for place in places:
            if (folder / place).exists():
                return folder / place
    looked = " or ".join(str(f) for f in folders)
    if source is None:
        error = near_miss("data set", name, set(SOURCES) | set(available(data_dir)))
        raise UsageError(f"{error.message}: no {name}.npz in {looked}", hint=error.hint)
    wanted = source.filename if not source.files else f"{places[0]} and its like"
    raise DataError(
        f"data set {name!r} is not here: no {wanted!r} (or {', '.join(places[:3])}) in {looked}",
        hint=f"harness data fetch {name}, or download {source.url} by hand and put it at "
        f"{folders[0] / source.filename}",
    )


def import_file(
    source: Path,
    name: str,
    dest: Path | None = None,
    *,
    labels: str | None = None,
    subjects: str | None = None,
) -> Dataset:
    """Check a file of windows and keep it as `<dest>/<name>.npz` (default: the cache).

    The file is an .npz in the import format, or a .csv in long form with columns `labels` (default
    'label') and `subjects`. From then on `load(name)` finds it.
    """
    if not NAME.fullmatch(name) or name in SOURCES:
        raise UsageError(
            f"{name!r} cannot name an imported data set",
            hint=f"letters a-z, digits, - and _; not {', '.join(SOURCES)}",
        )
    if source.suffix not in (".npz", ".csv"):
        raise UsageError(f"{source}: neither .npz nor .csv", hint="see docs/datasets.md")
    if source.suffix == ".npz" and (labels or subjects):
        raise UsageError(
            "--labels and --subjects name columns of a CSV; an .npz has arrays y_train, "
            "subject_train, ...",
            hint="see docs/datasets.md",
        )
    with atomic_path((dest or cache_dir("data")) / f"{name}.npz") as partial:
        if source.suffix == ".npz":
            _imported(name, source, True)
            shutil.copyfile(source, partial)
        else:
            save_arrays(partial, read_csv(source, labels or LABEL, subjects))
        return replace(_imported(name, partial, True), source=source.name)


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
