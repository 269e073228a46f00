"""What a data set is, and the two views of it: standardised floats and raw int16 counts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError, near_miss
from harness.reference.model import to_raw
from harness.reference.preprocess import COUNTS_PER_S

SPLITS = ("train", "validation", "test", "fit")
MIN_STD = 1e-6
MAX_DEVIATION_STD = 7.9  # int8 with 4 bits after the point holds +-8
DEVIATION_PERCENTILE = 99.99

Progress = Callable[[int, int | None], None]
"""(units done, units in all or None), of a download or of reading an archive."""


def ignore_progress(done: int, total: int | None) -> None:
    """The progress callback that does nothing."""


@dataclass(frozen=True)
class Windows:
    """One part of a data set: x [N, T, D] float32 in physical units, y [N] int64 in 0..C-1,
    subjects [N] int64 where the source names them."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    subjects: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: NDArray[np.int64]) -> Windows:
        """The windows with these indices, in this order."""
        subjects = None if self.subjects is None else self.subjects[index]
        return Windows(self.x[index], self.y[index], subjects)


def join(first: Windows, second: Windows) -> Windows:
    """Both parts, one after the other."""
    subjects = None
    if first.subjects is not None and second.subjects is not None:
        subjects = np.concatenate([first.subjects, second.subjects])
    return Windows(
        np.concatenate([first.x, second.x]), np.concatenate([first.y, second.y]), subjects
    )


@dataclass(frozen=True)
class Dataset:
    """Windows in three parts, and how a sensor would deliver them.

    Fields
        raw_step   float64 [D]: physical value of one count of a raw int16 sample
        companded  bool [D]: channels that enter as asinh(x / s), s = 16 raw_step
        source     where it came from, with its licence; source_sha256 of the file that was read
    """

    name: str
    train: Windows
    validation: Windows
    test: Windows
    class_names: tuple[str, ...]
    channels: tuple[str, ...]
    raw_step: NDArray[np.float64]
    companded: NDArray[np.bool_]
    licence: str = ""
    source: str = ""
    source_sha256: str = ""

    @property
    def steps(self) -> int:
        """T, time steps of a window."""
        return int(self.train.x.shape[1])

    @property
    def features(self) -> int:
        """D, channels."""
        return int(self.train.x.shape[2])

    @property
    def classes(self) -> int:
        """C."""
        return len(self.class_names)

    def part(self, split: str) -> Windows:
        """`train`, `validation`, `test`, or `fit`: train and validation together."""
        if split not in SPLITS:
            raise near_miss("split", split, SPLITS)
        if split == "fit":
            return join(self.train, self.validation)
        windows: Windows = getattr(self, split)
        return windows

    @cached_property
    def sha256(self) -> str:
        """Hash of the content: equal hashes mean equal windows, labels, splits and raw counts."""
        digest = hashlib.sha256(f"{self.class_names} {self.channels}".encode())
        for split in ("train", "validation", "test"):
            windows = self.part(split)
            for array in (windows.x, windows.y):
                digest.update(f"\n{split} {array.dtype.str} {array.shape}\n".encode())
                digest.update(np.ascontiguousarray(array).data)
        digest.update(self.raw_step.tobytes() + self.companded.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Standardisation:
    """Per-channel mean and scale, float64 [D], of the companded windows that a model trains on.

    The scale is the standard deviation, but wider where a nearly constant channel would otherwise
    leave the int8 range: then 99.99 % of its values stay within 7.9.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


def compand(
    x: NDArray[np.float32], raw_step: NDArray[np.float64], companded: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """asinh(x / s) on companded channels; the others as they are. x [..., D]."""
    if not companded.any():
        return x
    bent = x.copy()
    scale = (COUNTS_PER_S * raw_step[companded]).astype(np.float32)
    bent[..., companded] = np.arcsinh(x[..., companded] / scale)
    return bent


def standardisation(dataset: Dataset, split: str = "train") -> Standardisation:
    """Constants of a split, one pair per channel over all windows and steps."""
    bent = compand(dataset.part(split).x, dataset.raw_step, dataset.companded)
    flat = bent.reshape(-1, bent.shape[-1]).astype(np.float64)
    mean, std = flat.mean(axis=0), flat.std(axis=0)
    flat -= mean
    np.abs(flat, out=flat)
    reach = np.percentile(flat, DEVIATION_PERCENTILE, axis=0, overwrite_input=True)
    std = np.maximum(std, reach / MAX_DEVIATION_STD)
    return Standardisation(mean, np.where(std < MIN_STD, 1.0, std))


def features(
    dataset: Dataset, split: str, constants: Standardisation | None = None
) -> NDArray[np.float32]:
    """Standardised windows [N, T, D] float32 for training: companded, zero mean, unit variance.

    `constants` of the windows trained on; by default the training split's.
    """
    s = constants or standardisation(dataset)
    bent = compand(dataset.part(split).x, dataset.raw_step, dataset.companded)
    return ((bent - s.mean.astype(np.float32)) / s.std.astype(np.float32)).astype(np.float32)


def raw(dataset: Dataset, split: str) -> NDArray[np.int16]:
    """Raw windows [N, T, D] int16, as the boards receive them."""
    return to_raw(dataset.part(split).x, dataset.raw_step)


def stable_order(name: str, count: int) -> NDArray[np.int64]:
    """A fixed shuffle of 0..count-1 that no library version changes: by sha256 of the index."""
    keys = [hashlib.sha256(f"{name}:{i}".encode()).digest() for i in range(count)]
    return np.array(sorted(range(count), key=keys.__getitem__), dtype=np.int64)


def stratified_split(
    y: NDArray[np.int64], share: float, name: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (kept, held out) in ascending order; `share` of every class is held out."""
    order = stable_order(name, len(y))
    held: list[NDArray[np.int64]] = []
    for label in np.unique(y):
        members = order[y[order] == label]
        held.append(members[: round(share * len(members))])
    out = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(y)), out), out


def stratified_count(
    y: NDArray[np.int64], count: int, name: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Like `stratified_split`, but exactly `count` are held out: each class gives its share rounded
    down, and the classes with the largest remainders one more."""
    labels, sizes = np.unique(y, return_counts=True)
    exact = sizes * (count / len(y))
    quota = np.floor(exact).astype(np.int64)
    quota[np.argsort(quota - exact, kind="stable")[: count - int(quota.sum())]] += 1
    order = stable_order(name, len(y))
    held = [order[y[order] == c][:n] for c, n in zip(labels, quota, strict=True)]
    out = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(y)), out), out


def subject_split(
    subjects: NDArray[np.int64], share: float, name: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (kept, held out): `share` of the subjects is held out, chosen by a fixed rule."""
    people = np.unique(subjects)
    if len(people) < 2:
        raise DataError(f"{name}: {len(people)} training subject, a split by subject needs two")
    count = min(max(round(share * len(people)), 1), len(people) - 1)
    out = people[stable_order(f"{name} subjects", len(people))[:count]]
    held = np.isin(subjects, out)
    return np.flatnonzero(~held), np.flatnonzero(held)
