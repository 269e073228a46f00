"""UCI HAR, inertial signals: 50 Hz, T = 128 steps, D = 9 channels; 6 classes, or the paper's 2.

Source: Anguita, Ghio, Oneto, Parra, Reyes-Ortiz, "A Public Domain Dataset for Human Activity
Recognition Using Smartphones", ESANN 2013. HAR-2: Kusupati et al., arXiv:1901.02358, appendix.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.base import Dataset, Windows, subject_split
from harness.datasets.kept import kept_plain
from harness.datasets.npz import Plain, read_plain
from harness.datasets.registry import HAR_LICENCE
from harness.errors import DataError
from harness.reference.preprocess import COUNTS_PER_S

STEPS = 128
SIGNALS = ("body_acc", "body_gyro", "total_acc")
CHANNELS = tuple(f"{signal}_{axis}" for signal in SIGNALS for axis in "xyz")
CLASSES = (
    "WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING", "STANDING", "LAYING",
)  # fmt: skip
HAR2_CLASSES = ("standing/walking/downstairs", "sitting/laying/upstairs")
HAR2_OF_HAR6 = np.array([0, 1, 0, 1, 0, 1])
VALIDATION_SHARE = 4 / 21  # 4 of the 21 training subjects
PUBLISHED_COUNTS = {  # windows per class, as published
    "train": (1226, 1073, 986, 1286, 1374, 1407),
    "test": (496, 471, 420, 491, 532, 537),
}

COMPAND_S = {"body_acc": 0.005, "body_gyro": 0.0125}  # s in asinh(x / s), g and rad/s
LINEAR_STEP = {"body_acc": 2.0**-12, "body_gyro": 2.0**-10, "total_acc": 2.0**-12}  # g, rad/s, g

MAX_ARCHIVE_BYTES = 256 << 20
MAX_MEMBER_BYTES = 96 << 20
ARCHIVE_HINT = (
    "download 'UCI HAR Dataset.zip' from "
    "https://archive.ics.uci.edu/dataset/240/human+activity+recognition+using+smartphones again"
)


def har_dataset(name: str, path: Path, *, compand: bool) -> Dataset:
    """`har6` or `har2` from the original archive (.zip) or an import file (.npz)."""
    plain = kept_plain("har6", path, _arrays) if path.suffix == ".zip" else read_plain(path)
    if plain.x_train.shape[1:] != (STEPS, len(CHANNELS)):
        raise DataError(
            f"{path}: windows are {plain.x_train.shape[1:]} (T, D), UCI HAR has "
            f"({STEPS}, {len(CHANNELS)})",
            hint="is this another data set under the name har6.npz?",
        )
    if plain.class_names != CLASSES or plain.channels != CHANNELS:
        raise DataError(
            f"{path}: classes {plain.class_names} and channels {plain.channels} must be "
            f"{CLASSES} and {CHANNELS}, in this order",
            hint="the order of classes and channels has a meaning; see docs/datasets.md",
        )
    if plain.subject_train is None:
        raise DataError(
            f"{path}: array subject_train is missing; validation is split by subject",
            hint="see docs/datasets.md",
        )
    if name == "har2":
        plain = replace(
            plain,
            y_train=HAR2_OF_HAR6[plain.y_train],
            y_test=HAR2_OF_HAR6[plain.y_test],
            class_names=HAR2_CLASSES,
        )
    return _split(name, plain, path, compand)


def is_published(dataset: Dataset) -> bool:
    """Whether the class counts are those of the published data set."""
    for split, published in (
        ("fit", PUBLISHED_COUNTS["train"]),
        ("test", PUBLISHED_COUNTS["test"]),
    ):
        counts = np.array(published)
        if dataset.classes == 2:
            counts = np.bincount(HAR2_OF_HAR6, counts).astype(int)
        found = np.bincount(dataset.part(split).y, minlength=dataset.classes)
        if found.tolist() != counts.tolist():
            return False
    return True


def _split(name: str, plain: Plain, path: Path, compand: bool) -> Dataset:
    assert plain.subject_train is not None  # checked by the caller
    windows = Windows(plain.x_train, plain.y_train, plain.subject_train)
    kept, held = subject_split(plain.subject_train, VALIDATION_SHARE, "har")
    companded = np.array([compand and signal in COMPAND_S for signal in SIGNALS]).repeat(3)
    steps = [
        COMPAND_S[s] / COUNTS_PER_S if compand and s in COMPAND_S else LINEAR_STEP[s]
        for s in SIGNALS
    ]
    return Dataset(
        name=name,
        train=windows.take(kept),
        validation=windows.take(held),
        test=Windows(plain.x_test, plain.y_test, plain.subject_test),
        class_names=plain.class_names,
        channels=plain.channels,
        raw_step=np.array(steps).repeat(3),
        companded=companded,
        licence=HAR_LICENCE,
        source=path.name,
        source_sha256=plain.sha256,
    )


# -- the original archive ------------------------------------------------------------------------


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The archive's content as the arrays of the import format."""
    plain = read_archive(path)
    assert plain.subject_train is not None and plain.subject_test is not None
    return {
        "X_train": plain.x_train,
        "y_train": plain.y_train,
        "subject_train": plain.subject_train,
        "X_test": plain.x_test,
        "y_test": plain.y_test,
        "subject_test": plain.subject_test,
        "channels": np.array(CHANNELS),
        "classes": np.array(CLASSES),
    }


def read_archive(path: Path) -> Plain:
    """The inertial signals of `UCI HAR Dataset.zip`; the archive may lie in an outer one."""
    if path.stat().st_size > MAX_ARCHIVE_BYTES:
        raise DataError(
            f"{path}: {path.stat().st_size:,} bytes, at most {MAX_ARCHIVE_BYTES:,} are read"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            inner = [
                n for n in archive.namelist() if PurePosixPath(n).name == "UCI HAR Dataset.zip"
            ]
            if inner:
                data = _member(path, archive, inner[0])
                with zipfile.ZipFile(io.BytesIO(data)) as nested:
                    return _read_members(path, nested)
            return _read_members(path, archive)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise DataError(
            f"{path}: not a readable zip archive: {error}", hint=ARCHIVE_HINT
        ) from error


def _read_members(path: Path, archive: zipfile.ZipFile) -> Plain:
    """Members are looked up by name, ignoring the folders above; nothing is ever extracted."""
    index = {PurePosixPath(name).name: name for name in archive.namelist() if "MACOSX" not in name}
    parts: dict[str, tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]] = {}
    for part in ("train", "test"):
        y = _column(path, archive, index, f"y_{part}.txt")
        if y.min() < 1 or y.max() > len(CLASSES):
            raise DataError(f"{path}: y_{part}.txt has labels {y.min()}..{y.max()}, must be 1..6")
        subjects = _column(path, archive, index, f"subject_{part}.txt", len(y))
        signals = [
            _signal(path, archive, index, f"{channel}_{part}.txt", len(y)) for channel in CHANNELS
        ]
        parts[part] = (np.stack(signals, axis=2), y - 1, subjects)
    x_train, y_train, subject_train = parts["train"]
    x_test, y_test, subject_test = parts["test"]
    return Plain(
        x_train, y_train, x_test, y_test, subject_train, subject_test,
        class_names=CLASSES, channels=CHANNELS,
        step=None, raw_step=None, companded=None, licence=HAR_LICENCE, sha256="",
    )  # fmt: skip


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    limit = MAX_ARCHIVE_BYTES if name.endswith(".zip") else MAX_MEMBER_BYTES
    if archive.getinfo(name).file_size > limit:
        raise DataError(f"{path}: member {name} unpacks to more than {limit:,} bytes")
    with archive.open(name) as stream:
        return stream.read(limit)


def _numbers(
    path: Path, archive: zipfile.ZipFile, index: dict[str, str], name: str
) -> NDArray[np.float64]:
    if name not in index:
        raise DataError(f"{path}: no member named {name}", hint=ARCHIVE_HINT)
    try:
        values = np.array(_member(path, archive, index[name]).split(), dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{path}: {name}: {error}", hint=ARCHIVE_HINT) from error
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(f"{path}: {name}: value {int(bad[0])} is not finite", hint=ARCHIVE_HINT)
    return values


def _column(
    path: Path, archive: zipfile.ZipFile, index: dict[str, str], name: str, count: int | None = None
) -> NDArray[np.int64]:
    values = _numbers(path, archive, index, name).astype(np.int64)
    if len(values) == 0 or (count is not None and len(values) != count):
        raise DataError(
            f"{path}: {name} has {len(values)} values, must be {count or 'at least 1'}",
            hint=ARCHIVE_HINT,
        )
    return values


def _signal(
    path: Path, archive: zipfile.ZipFile, index: dict[str, str], name: str, count: int
) -> NDArray[np.float32]:
    values = _numbers(path, archive, index, name)
    if values.size != count * STEPS:
        raise DataError(
            f"{path}: {name} has {values.size:,} values, must be {count} windows x {STEPS} steps",
            hint=ARCHIVE_HINT,
        )
    return values.reshape(count, STEPS).astype(np.float32)
