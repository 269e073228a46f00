"""scikit-learn's 8x8 digits, read row by row: T = 8 steps of D = 8 pixels, 10 classes.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (test part).
"""

from __future__ import annotations

import hashlib

import numpy as np

from harness.datasets.base import Dataset, Windows, stratified_split
from harness.errors import DataError

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.15


def load_digits() -> Dataset:
    """1,797 windows [8, 8], pixels 0..16; a fixed stratified split, since the source has none."""
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
    windows = Windows(x, y)
    rest, test = stratified_split(y, TEST_SHARE, "digits test")
    kept, held = stratified_split(y[rest], VALIDATION_SHARE, "digits validation")
    return Dataset(
        name="digits",
        train=windows.take(rest[kept]),
        validation=windows.take(rest[held]),
        test=windows.take(test),
        class_names=tuple(str(digit) for digit in range(10)),
        channels=tuple(f"column_{i}" for i in range(8)),
        raw_step=np.ones(8),
        companded=np.zeros(8, np.bool_),
        licence="CC BY 4.0 (UCI, DOI 10.24432/C50P49); the copy shipped with scikit-learn (BSD)",
        source="scikit-learn load_digits",
        source_sha256=hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest(),
    )
