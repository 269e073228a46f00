"""The import format: windows in one `.npz`, without pickles. docs/datasets.md describes it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.npzfile import read_npz

MAX_FILE_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 4 << 30
MAX_CLASSES = 255
REQUIRED = ("X_train", "y_train", "X_test", "y_test")
FORMAT_HINT = "the format is described in docs/datasets.md"

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Plain:
    """Checked content of an import file: the official two parts, before any validation split."""

    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    subject_train: NDArray[np.int64] | None
    subject_test: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    channels: tuple[str, ...]
    step: NDArray[np.float64] | None  # given by the file, for windows stored as integers
    raw_step: NDArray[np.float64] | None
    companded: NDArray[np.bool_] | None
    licence: str
    sha256: str


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_plain(path: Path) -> Plain:
    """Read and check an import file. Raises DataError naming file, array and problem."""
    arrays = _read_arrays(path)
    for name in REQUIRED:
        if name not in arrays:
            raise DataError(
                f"{path}: array {name} is missing (found: {', '.join(sorted(arrays)) or 'none'})",
                hint=FORMAT_HINT,
            )
    step = _vector(path, arrays, "step", arrays["X_train"])
    x_train = _windows(path, arrays, "X_train", step)
    x_test = _windows(path, arrays, "X_test", step)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DataError(
            f"{path}: X_test has windows {x_test.shape[1:]} (T, D), X_train has "
            f"{x_train.shape[1:]}; they must be equal",
            hint=FORMAT_HINT,
        )
    y_train = _labels(path, arrays, "y_train", len(x_train))
    y_test = _labels(path, arrays, "y_test", len(x_test))
    class_names = _names(path, arrays, "classes", "class", int(y_train.max()) + 1)
    channels = _names(path, arrays, "channels", "channel", x_train.shape[2])
    _check_channels(path, channels, x_train.shape[2])
    for name, y in (("y_train", y_train), ("y_test", y_test)):
        if y.max() >= len(class_names):
            raise DataError(
                f"{path}: {name}[{int(y.argmax())}] is {int(y.max())}, but there are "
                f"{len(class_names)} classes (labels are 0..{len(class_names) - 1})",
                hint=FORMAT_HINT,
            )
    companded = _vector(path, arrays, "companded", arrays["X_train"])
    return Plain(
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        subject_train=_subjects(path, arrays, "subject_train", len(x_train)),
        subject_test=_subjects(path, arrays, "subject_test", len(x_test)),
        class_names=class_names,
        channels=channels,
        step=step,
        raw_step=_positive(path, "raw_step", _vector(path, arrays, "raw_step", arrays["X_train"])),
        companded=None if companded is None else companded != 0,
        licence=str(arrays["licence"]) if "licence" in arrays else "",
        sha256=file_sha256(path),
    )


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        return read_npz(path, MAX_FILE_BYTES, MAX_UNPACKED_BYTES)
    except ValueError as error:
        raise DataError(f"{path}: {error}", hint=FORMAT_HINT) from error


def _windows(
    path: Path, arrays: Arrays, name: str, step: NDArray[np.float64] | None
) -> NDArray[np.float32]:
    x = arrays[name]
    if x.ndim != 3 or 0 in x.shape:
        raise DataError(
            f"{path}: {name} has shape {x.shape}, must be [N, T, D] with at least one of each",
            hint=FORMAT_HINT,
        )
    if x.dtype.kind not in "fiu":
        raise DataError(f"{path}: {name} is {x.dtype}, must be float or integer", hint=FORMAT_HINT)
    if step is not None and x.shape[2] != len(step):
        raise DataError(
            f"{path}: {name} has {x.shape[2]} channels, X_train {len(step)}", hint=FORMAT_HINT
        )
    values: NDArray[np.float32] = x.astype(np.float32)
    if step is not None:
        values = values * step.astype(np.float32)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        n, t, d = (int(i) for i in bad[0])
        raise DataError(
            f"{path}: {name} has {len(bad):,} values that are not finite, the first at "
            f"window {n}, step {t}, channel {d}",
            hint="remove or repair these windows and write the file again",
        )
    return np.ascontiguousarray(values)


def _labels(path: Path, arrays: Arrays, name: str, count: int) -> NDArray[np.int64]:
    y = _counted(path, arrays, name, count)
    if y.min() < 0 or y.max() >= MAX_CLASSES:
        raise DataError(
            f"{path}: {name} has labels {int(y.min())}..{int(y.max())}, must be 0..C-1, "
            f"C at most {MAX_CLASSES}",
            hint=FORMAT_HINT,
        )
    return y


def _counted(path: Path, arrays: Arrays, name: str, count: int) -> NDArray[np.int64]:
    values = arrays[name]
    if values.shape != (count,) or values.dtype.kind not in "iu":
        raise DataError(
            f"{path}: {name} is {values.dtype} {values.shape}, must be integers ({count},)",
            hint=FORMAT_HINT,
        )
    return values.astype(np.int64)


def _subjects(path: Path, arrays: Arrays, name: str, count: int) -> NDArray[np.int64] | None:
    return _counted(path, arrays, name, count) if name in arrays else None


def _vector(path: Path, arrays: Arrays, name: str, x: NDArray[Any]) -> NDArray[np.float64] | None:
    """An optional per-channel vector [D]."""
    if name not in arrays:
        return None
    values = arrays[name]
    features = x.shape[-1] if x.ndim else 0
    if values.shape != (features,) or values.dtype.kind not in "fiub":
        raise DataError(
            f"{path}: {name} is {values.dtype} {values.shape}, must be numbers ({features},)",
            hint=FORMAT_HINT,
        )
    result = values.astype(np.float64)
    return _positive(path, name, result) if name == "step" else result


def _positive(
    path: Path, name: str, values: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    if values is not None and not (np.isfinite(values).all() and (values > 0).all()):
        raise DataError(f"{path}: {name} must be finite and above 0", hint=FORMAT_HINT)
    return values


def _names(path: Path, arrays: Arrays, name: str, stem: str, count: int) -> tuple[str, ...]:
    if name not in arrays:
        return tuple(f"{stem} {i}" for i in range(count))
    values = arrays[name]
    if values.ndim != 1 or values.dtype.kind not in "US":
        raise DataError(
            f"{path}: {name} is {values.dtype} {values.shape}, must be a list of strings",
            hint=FORMAT_HINT,
        )
    return tuple(v.decode() if isinstance(v, bytes) else str(v) for v in values.tolist())


def _check_channels(path: Path, channels: tuple[str, ...], features: int) -> None:
    if len(channels) != features:
        raise DataError(
            f"{path}: channels has {len(channels)} names, windows have {features} channels",
            hint=FORMAT_HINT,
        )
