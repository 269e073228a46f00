"""UCI Daily and Sports Activities: 25 Hz, T = 125 steps (5 s), D = 45 channels, 19 classes.

Five units (torso, right arm, left arm, right leg, left leg), each with three axes of acceleration,
rate of turn and magnetic field; 8 people, 60 segments of each activity by each person.

Source: K. Altun, B. Barshan, O. Tuncel, "Comparative study on classifying human activities with
miniature inertial and magnetic sensors", Pattern Recognition 43(10), 2010.

There is no official split. Ours: people 1-4 train, people 5-8 test. The FastGRNN paper
(arXiv:1901.02358, Table 1) has 4,560 / 4,560 windows, which a split by segment would give as well;
its accuracy points to the split by people.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.base import Dataset, Progress, Windows, ignore_progress, subject_split
from harness.datasets.kept import kept_plain
from harness.datasets.npz import read_plain
from harness.datasets.registry import DSA_LICENCE, SOURCES
from harness.errors import DataError

STEPS = 125
UNITS = ("T", "RA", "LA", "RL", "LL")
SENSORS = ("acc", "gyro", "mag")
CHANNELS = tuple(f"{unit}_{axis}{s}" for unit in UNITS for s in SENSORS for axis in "xyz")
CLASSES = (
    "sitting",
    "standing",
    "lying on back",
    "lying on right side",
    "ascending stairs",
    "descending stairs",
    "standing in an elevator still",
    "moving around in an elevator",
    "walking in a parking lot",
    "walking on a treadmill 4 km/h flat",
    "walking on a treadmill 4 km/h 15 deg inclined",
    "running on a treadmill 8 km/h",
    "exercising on a stepper",
    "exercising on a cross trainer",
    "cycling on an exercise bike horizontal",
    "cycling on an exercise bike vertical",
    "rowing",
    "jumping",
    "playing basketball",
)
PEOPLE = 8
TRAIN_PEOPLE = (1, 2, 3, 4)
SEGMENTS = 60
VALIDATION_SHARE = 1 / 4  # one of the four training people

# m/s2, rad/s, and the magnetometer's unit (normalised to the earth's field). int16 then reaches
# +-131 m/s2, +-65 rad/s, +-32; the text has five significant digits, not a sensor's resolution.
STEP = np.tile(np.repeat([0.004, 0.002, 0.001], 3), len(UNITS))

MEMBER = re.compile(r"(?:.*/)?a(\d\d)/p(\d)/s(\d\d)\.txt")
MAX_ARCHIVE_BYTES = 512 << 20
MAX_MEMBER_BYTES = 1 << 20
ARCHIVE_HINT = f"download {SOURCES['dsa19'].filename} from {SOURCES['dsa19'].page} again"


def dsa_dataset(path: Path, progress: Progress = ignore_progress) -> Dataset:
    """`dsa19` from the original archive (.zip) or an import file (.npz)."""
    if path.suffix == ".zip":
        plain = kept_plain("dsa19", path, lambda p: read_archive(p, progress))
    else:
        plain = read_plain(path)
    if plain.x_train.shape[1:] != (STEPS, len(CHANNELS)) or len(plain.class_names) != len(CLASSES):
        raise DataError(
            f"{path}: windows are {plain.x_train.shape[1:]} (T, D) in {len(plain.class_names)} "
            f"classes, dsa19 has ({STEPS}, {len(CHANNELS)}) in {len(CLASSES)}",
            hint="is this another data set under the name dsa19.npz?",
        )
    if plain.subject_train is None or plain.subject_test is None:
        raise DataError(
            f"{path}: arrays subject_train and subject_test are needed; the split is by person",
            hint="see docs/datasets.md",
        )
    both = set(plain.subject_train.tolist()) & set(plain.subject_test.tolist())
    if both:
        raise DataError(f"{path}: people {sorted(both)} are in the training and the test part")
    windows = Windows(plain.x_train, plain.y_train, plain.subject_train)
    kept, held = subject_split(plain.subject_train, VALIDATION_SHARE, "dsa19")
    given = plain.raw_step if plain.raw_step is not None else plain.step
    ours = given is None or np.allclose(given, STEP)  # a file may have them as float32
    return Dataset(
        name="dsa19",
        train=windows.take(kept),
        validation=windows.take(held),
        test=Windows(plain.x_test, plain.y_test, plain.subject_test),
        class_names=plain.class_names,
        channels=plain.channels,
        raw_step=STEP if ours or given is None else given,
        companded=np.zeros(len(CHANNELS), np.bool_),
        licence=DSA_LICENCE,
        source=path.name,
        source_sha256=plain.sha256,
    )


def is_published(dataset: Dataset) -> bool:
    """Whether these are all 9,120 windows: 60 segments of 19 activities by 8 people."""
    each = len(TRAIN_PEOPLE) * SEGMENTS
    counts = [np.bincount(dataset.part(s).y, minlength=dataset.classes) for s in ("fit", "test")]
    return all((c == each).all() for c in counts)


# -- the original archive ------------------------------------------------------------------------


def read_archive(path: Path, progress: Progress = ignore_progress) -> dict[str, NDArray[Any]]:
    """The segments of the archive as arrays of the import format, in counts of `STEP`.

    Rounding to counts loses at most half a step; the arrays then equal those of an import file made
    with the same steps. Members are read by name, nothing is extracted.
    """
    size = path.stat().st_size
    if size > MAX_ARCHIVE_BYTES:
        raise DataError(f"{path}: {size:,} bytes, at most {MAX_ARCHIVE_BYTES:,} are read")
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_segments(path, archive, progress)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise DataError(
            f"{path}: not a readable zip archive: {error}", hint=ARCHIVE_HINT
        ) from error


def _read_segments(
    path: Path, archive: zipfile.ZipFile, progress: Progress
) -> dict[str, NDArray[Any]]:
    found: dict[tuple[int, int, int], str] = {}
    for name in archive.namelist():
        if (match := MEMBER.fullmatch(name)) and "MACOSX" not in name:
            activity, person, segment = (int(group) for group in match.groups())
            found[activity, person, segment] = name
    _check_segments(path, set(found))
    arrays: dict[str, NDArray[Any]] = {
        "channels": np.array(CHANNELS),
        "classes": np.array(CLASSES),
        "step": STEP,
    }
    keys = sorted(found)  # by activity, person, segment
    done = 0
    for part, wanted in (("train", True), ("test", False)):
        rows = [key for key in keys if (key[1] in TRAIN_PEOPLE) is wanted]
        x = np.empty((len(rows), STEPS, len(CHANNELS)), np.int16)
        for i, key in enumerate(rows):
            x[i] = _segment(path, archive, found[key])
            done += 1
            progress(done, len(keys))
        arrays[f"X_{part}"] = x
        arrays[f"y_{part}"] = np.array([key[0] - 1 for key in rows])
        arrays[f"subject_{part}"] = np.array([key[1] for key in rows])
    return arrays


def _check_segments(path: Path, found: set[tuple[int, int, int]]) -> None:
    """Every activity must be there for every person, and nothing outside the known numbers."""
    wanted = {(a, p) for a in range(1, len(CLASSES) + 1) for p in range(1, PEOPLE + 1)}
    pairs = {key[:2] for key in found}
    for what, numbers in (("no segment of", wanted - pairs), ("unexpected", pairs - wanted)):
        if numbers:
            activity, person = min(numbers)
            raise DataError(
                f"{path}: {what} activity {activity}, person {person} "
                f"(a{activity:02}/p{person}/sNN.txt), and {len(numbers) - 1} more",
                hint=ARCHIVE_HINT,
            )


def _segment(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[np.int16]:
    """One segment [125, 45] in counts of `STEP`."""
    if archive.getinfo(name).file_size > MAX_MEMBER_BYTES:
        raise DataError(f"{path}: member {name} unpacks to more than {MAX_MEMBER_BYTES:,} bytes")
    with archive.open(name) as stream:
        text = stream.read(MAX_MEMBER_BYTES)
    try:
        values = np.array(text.replace(b",", b" ").split(), dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{path}: {name}: {error}", hint=ARCHIVE_HINT) from error
    if values.size != STEPS * len(CHANNELS):
        raise DataError(
            f"{path}: {name} has {values.size:,} values, must be {STEPS} x {len(CHANNELS)}",
            hint=ARCHIVE_HINT,
        )
    counts = np.rint(values.reshape(STEPS, len(CHANNELS)) / STEP)
    bad = np.argwhere(~(np.abs(counts) <= 32767))  # NaN and infinity too
    if len(bad):
        line, column = (int(i) for i in bad[0])
        raise DataError(
            f"{path}: {name}: line {line + 1}, column {column + 1} is "
            f"{values[line * len(CHANNELS) + column]}, not a finite value in range",
            hint=ARCHIVE_HINT,
        )
    segment: NDArray[np.int16] = counts.astype(np.int16)
    return segment
