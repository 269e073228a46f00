"""scikit-learn's 8x8 digits, row by row (T = 8, D = 8) or pixel by pixel (T = 64, D = 1).

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (test part).
"""

from __future__ import annotations

import hashlib

import numpy as np

from harness.datasets.base import Dataset, Windows, stratified_split
from harness.datasets.registry import DIGITS_LICENCE
from harness.errors import DataError

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.15


def load_digits() -> Dataset:
    """1,797 windows [8, 8], pixels 0..16; a fixed stratified split, since the source has none."""
    return _digits("digits", tuple(f"column_{i}" for i in range(8)))


def load_pixel_digits() -> Dataset:
    """The same images in the same split as windows [64, 1], in reading order."""
    return _digits("pixel-digits", ("pixel",))


def _digits(name: str, channels: tuple[str, ...]) -> Dataset:
    try:
        from sklearn.datasets import load_digits as sklearn_digits
    except ImportError as error:
        raise DataError(
            "the digits data set is part of scikit-learn, which is not installed",
            hint="pip install 'harness[train]', or pip install scikit-learn",
        ) from error
    bunch = sklearn_digits()
    x = bunch.images.astype(np.float32)
    y = bunch.target.astype(np.int64)
    windows = Windows(x.reshape(len(x), -1, len(channels)), y)
    rest, test = stratified_split(y, TEST_SHARE, "digits test")
    kept, held = stratified_split(y[rest], VALIDATION_SHARE, "digits validation")
    return Dataset(
        name=name,
        train=windows.take(rest[kept]),
        validation=windows.take(rest[held]),
        test=windows.take(test),
        class_names=tuple(str(digit) for digit in range(10)),
        channels=channels,
        raw_step=np.ones(len(channels)),
        companded=np.zeros(len(channels), np.bool_),
        licence=DIGITS_LICENCE,
        source="scikit-learn load_digits",
        source_sha256=hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest(),
    )
