"""The input stage in integers: raw int16 samples -> companded -> standardised int8.

Section 1 of docs/arithmetic.md. The compander is asinh(x / s), which keeps the millig and
millirad movements that tell sitting from standing visible beside walking.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.reference.ops import IntArray, saturate

COMPANDER_SIZE = 192
COMPANDER_FRAC = 11
COUNTS_PER_S = 16  # raw_step = s / COUNTS_PER_S for a companded channel


def compander_index(u: IntArray) -> IntArray:
    """Bucket of u = |r|, 0..32767: linear below 16, then 16 buckets per octave."""
    u = np.asarray(u, np.int64)
    bit_length = np.floor(np.log2(np.maximum(u, 1))).astype(np.int64) + 1
    exponent = np.maximum(bit_length - 5, 0)
    return np.where(u < 16, u, 16 * (exponent + 1) + ((u >> exponent) & 15))


def compander_table() -> NDArray[np.int16]:
    """asinh(u / 16) * 2^11 at the middle of each of the 192 buckets, int16."""
    index = np.arange(COMPANDER_SIZE)
    exponent = np.maximum(index // 16 - 1, 0)
    centre = np.where(index < 16, index, (16 + index % 16 + 0.5) * 2.0**exponent - 0.5)
    centre = np.where(exponent == 0, index, centre)
    table = np.floor(np.arcsinh(centre / COUNTS_PER_S) * 2.0**COMPANDER_FRAC + 0.5)
    return table.astype(np.int16)


def input_stage(
    raw: NDArray[np.int16],
    compander: NDArray[np.int16],
    companded: NDArray[np.uint8],
    multiplier: NDArray[np.int16],
    offset: NDArray[np.int32],
    shift: int,
    saturated: IntArray,
) -> IntArray:
    """One step for N windows: raw [N, D] int16 -> x [N, D] in the int8 range."""
    r = raw.astype(np.int64)
    v = r
    if companded.any():
        bent = np.sign(r) * compander[compander_index(np.minimum(np.abs(r), 32767))].astype(
            np.int64
        )
        v = np.where(companded.astype(bool), bent, r)
    scaled = (v * multiplier.astype(np.int64) + offset.astype(np.int64)) >> shift
    return saturate(scaled, 8, saturated)
