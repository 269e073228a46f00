"""What was read from an original archive, kept in the cache so that it is read only once."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.npz import Plain, file_sha256, read_plain
from harness.errors import DataError
from harness.files import write_atomic
from harness.paths import cache_dir


def prepared(*parts: str) -> Path:
    """A folder in the cache for arrays made from archives."""
    return cache_dir("prepared", *parts)


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an .npz that is whole or absent."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_atomic(path, buffer.getbuffer())


def kept_plain(stem: str, path: Path, read: Callable[[Path], Mapping[str, NDArray[Any]]]) -> Plain:
    """The archive's windows: parsed once by `read` into the arrays of the import format, then taken
    from the cache under the archive's sha256."""
    sha256 = file_sha256(path)
    kept = prepared() / f"{stem}-{sha256[:32]}.npz"
    if kept.is_file():
        try:
            return replace(read_plain(kept), sha256=sha256)
        except DataError:
            kept.unlink(missing_ok=True)  # damaged: parse again
    save_arrays(kept, read(path))
    return replace(read_plain(kept), sha256=sha256)
