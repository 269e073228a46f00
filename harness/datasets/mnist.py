"""Pixel-MNIST: an image pixel by pixel in reading order, T = 784 steps, D = 1, 10 classes.

Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
recognition", Proc. IEEE 86(11), 1998; the idx format is described on the data set's page. As a
sequence: Q. Le, N. Jaitly, G. Hinton, arXiv:1504.00941. Pixels are raw counts 0..255, raw_step 1.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.datasets.base import Dataset, Windows, stratified_count
from harness.datasets.registry import MNIST_FORMS, MNIST_LICENCE
from harness.errors import DataError

PUBLISHED_WINDOWS = 60_000
VALIDATION_WINDOWS = 10_000  # of them
SIDE = 28
MAX_IMAGES = 100_000
MAX_FILE_BYTES = MAX_IMAGES * SIDE * SIDE + 16
# md5 of the published files, unpacked
PUBLISHED_MD5 = {
    "train-images": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels": "a25bea736e30d166cdddb491f175f624",
    "t10k-images": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels": "27ae3e4e09519cfbb04c329615203637",
}
FETCH_HINT = "harness data fetch pixel-mnist, or download the four idx files again"


def mnist_dataset(path: Path) -> Dataset:
    """`pixel-mnist` from the folder of `path`, which holds the four idx files, packed or not.

    Validation is a fixed sixth of every training class, 10,000 windows of the published set.
    """
    digest = hashlib.sha256()
    parts: list[Windows] = []
    for part in ("train", "t10k"):
        images = _idx(path.parent, part, "images", digest)
        labels = _idx(path.parent, part, "labels", digest)
        if len(images) != len(labels) or len(images) == 0:
            raise DataError(
                f"{path.parent}: {len(images):,} {part} images, {len(labels):,} labels",
                hint=FETCH_HINT,
            )
        if labels.max() > 9:
            raise DataError(f"{path.parent}: {part} labels reach {labels.max()}, must be 0..9")
        pixels = images.reshape(len(images), -1, 1).astype(np.float32)
        parts.append(Windows(pixels, labels.astype(np.int64)))
    windows, test = parts
    if len(windows) < 2:
        raise DataError(f"{path.parent}: {len(windows)} training image is too few to split")
    count = max(1, VALIDATION_WINDOWS * len(windows) // PUBLISHED_WINDOWS)
    kept, held = stratified_count(windows.y, count, "pixel-mnist validation")
    return Dataset(
        name="pixel-mnist",
        train=windows.take(kept),
        validation=windows.take(held),
        test=test,
        class_names=tuple(str(digit) for digit in range(10)),
        channels=("pixel",),
        raw_step=np.ones(1),
        companded=np.zeros(1, np.bool_),
        licence=MNIST_LICENCE,
        source=path.parent.name,
        source_sha256=digest.hexdigest(),
    )


def is_published(folder: Path) -> bool:
    """Whether the four files, unpacked, are the published ones."""
    for stem, md5 in PUBLISHED_MD5.items():
        part, kind = stem.split("-")
        if hashlib.md5(_bytes(_file(folder, part, kind))).hexdigest() != md5:
            return False
    return True


def _file(folder: Path, part: str, kind: str) -> Path:
    dimensions = "idx3" if kind == "images" else "idx1"
    names = [form.format(part, kind, dimensions) for form in MNIST_FORMS]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{folder}: no {names[0]}, packed or not", hint=FETCH_HINT)


def _bytes(path: Path) -> bytes:
    """The file unpacked, bounded."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                data = packed.read(MAX_FILE_BYTES + 1)
        else:
            with path.open("rb") as plain:
                data = plain.read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}", hint=FETCH_HINT) from error
    if len(data) > MAX_FILE_BYTES:
        raise DataError(f"{path}: unpacks to more than {MAX_FILE_BYTES:,} bytes")
    return data


def _idx(folder: Path, part: str, kind: str, digest: hashlib._Hash) -> NDArray[np.uint8]:
    """An idx file: big-endian magic 0x08 (unsigned byte) and rank, sizes, values in C order."""
    path = _file(folder, part, kind)
    data = _bytes(path)
    digest.update(data)
    rank = 3 if kind == "images" else 1
    header = np.frombuffer(data[: min(4 + 4 * rank, len(data) // 4 * 4)], ">u4")
    if len(header) != 1 + rank or header[0] != 0x800 + rank:
        raise DataError(f"{path}: not an idx file of {kind}", hint=FETCH_HINT)
    shape = tuple(int(size) for size in header[1:])
    if rank == 3 and shape[1:] != (SIDE, SIDE):
        raise DataError(f"{path}: images are {shape[1:]}, must be ({SIDE}, {SIDE})")
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * rank)
    if values.size != int(np.prod(shape)):
        raise DataError(f"{path}: {values.size:,} values, the header says {shape}", hint=FETCH_HINT)
    return values.reshape(shape)
