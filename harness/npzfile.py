"""Arrays from an .npz of somebody else's: bounded before anything is unpacked, no pickles.

Ref: numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

MAX_ARRAYS = 1000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
KINDS = "biufcUS"
CHUNK_BYTES = 1 << 20


class NpzError(ValueError):
    """What is wrong with a file, without its name: who reads it has an error of its own kind."""


def read_npz(path: Path, most_bytes: int, most_unpacked: int) -> dict[str, NDArray[Any]]:
    """The arrays by name; most_unpacked bounds the bytes of all. Raises NpzError."""
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise NpzError(f"{size:,} bytes, at most {most_bytes:,} are read")
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, most_unpacked)
            return {name: _array(archive, member) for name, member in members.items()}
    except NpzError:
        raise
    except OSError as error:
        raise NpzError(f"cannot read: {error.strerror or error}") from error
    except Exception as error:  # zip and numpy raise a dozen kinds for damaged bytes
        raise NpzError(f"not a readable .npz: {error}") from error


def _members(archive: zipfile.ZipFile, most_unpacked: int) -> dict[str, zipfile.ZipInfo]:
    listed = archive.infolist()
    unpacked = sum(member.file_size for member in listed)
    if len(listed) > MAX_ARRAYS or unpacked > most_unpacked:
        raise NpzError(
            f"unpacks to {len(listed):,} arrays of {unpacked:,} bytes, at most {MAX_ARRAYS:,} of "
            f"{most_unpacked:,} are read"
        )
    members = {member.filename.removesuffix(".npy"): member for member in listed}
    if len(members) != len(listed):
        raise NpzError("an array is there twice")
    return members


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.compress_type not in METHODS:
        raise NpzError(f"{member.filename}: packed by method {member.compress_type}")
    with archive.open(member) as stream:
        shape, in_columns, dtype = _header(stream, member)
        count = math.prod(shape)
        data = memoryview(bytearray(count * dtype.itemsize))
        for start in range(0, len(data), CHUNK_BYTES):
            part = data[start : start + CHUNK_BYTES]
            if stream.readinto(part) != len(part):  # type: ignore[attr-defined]  # zipfile's has it
                raise NpzError(f"{member.filename}: ends early")
    array = np.frombuffer(data, dtype) if count else np.zeros(0, dtype)
    return array.reshape(shape, order="F" if in_columns else "C")


def _header(
    stream: IO[bytes], member: zipfile.ZipInfo
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type; held to the size that the archive names."""
    version = npy.read_magic(stream)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise NpzError(f"{member.filename}: .npy of version {version}")
    shape, in_columns, dtype = readers[version](stream)
    if dtype.kind not in KINDS or dtype.itemsize == 0:
        raise NpzError(f"{member.filename}: holds {dtype}, only numbers and texts are read")
    wanted = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or wanted != member.file_size - stream.tell():
        raise NpzError(
            f"{member.filename}: {shape} of {dtype} in a file of {member.file_size:,} bytes"
        )
    return shape, in_columns, dtype
