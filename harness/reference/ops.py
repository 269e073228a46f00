"""The integer operations every cell is made of. docs/arithmetic.md is the prose of this file.

Arrays are int64 here so that a bug shows as a value out of range instead of a silent wrap; the
QModel proves that the C kernels may use int32. Matrix products run through float64 BLAS, which is
exact below 2^53.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

TABLE_SIZE = 256
SIGMOID_STEP_LOG2 = 4  # 1/16 per entry: covers [-8, 8)
TANH_STEP_LOG2 = 5  # 1/32 per entry: covers [-4, 4)
GATE_BITS = 8
WIDE_GATE_FRAC = 13  # of gates in [-1, 3], int16


@dataclass
class Saturations:
    """How many values were clamped, per window. Arrays are int64 [N]."""

    input: IntArray
    mid: IntArray
    state: IntArray

    @classmethod
    def zeros(cls, n: int) -> Saturations:
        return cls(*(np.zeros(n, np.int64) for _ in range(3)))


def rshift(v: IntArray, shift: int) -> IntArray:
    """Shift right, rounding half up: (v + 2^(shift-1)) >> shift. shift >= 0."""
    return v if shift == 0 else (v + (1 << (shift - 1))) >> shift


def saturate(v: IntArray, bits: int, count: IntArray) -> IntArray:
    """Clamp v [N, ...] to signed `bits` bits; add the number of clamped values to count [N]."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    clipped: IntArray = np.clip(v, low, high)
    count += (clipped != v).reshape(len(v), -1).sum(axis=1)
    return clipped


def matvec(matrix: NDArray[np.int8], v: IntArray) -> IntArray:
    """Exact product: matrix [R, K] int8 times each row of v [N, K] -> [N, R]."""
    product = v.astype(np.float64) @ matrix.T.astype(np.float64)
    return np.asarray(product, np.int64)


def table_index(v: IntArray, shift: int) -> IntArray:
    """Index into a 256-entry table: clip((v >> shift) + 128, 0, 255)."""
    index: IntArray = np.clip((v >> shift) + TABLE_SIZE // 2, 0, TABLE_SIZE - 1)
    return index


def mix(g: IntArray, c: IntArray, z: IntArray, h: IntArray) -> IntArray:
    """The gated update g*c + z*h with 8-bit gates: (g c + z h + 128) >> 8, before saturation."""
    return (g * c + z * h + (1 << (GATE_BITS - 1))) >> GATE_BITS


def mix_wide(g: IntArray, c: IntArray, z: IntArray, h: IntArray) -> IntArray:
    """The same with int16 gates at frac 13: (g c + z h + 2^12) >> 13."""
    return rshift(g * c + z * h, WIDE_GATE_FRAC)


def bucket_centres(step_log2: int) -> NDArray[np.float64]:
    """The real value that each entry of a table stands for."""
    entry = np.arange(TABLE_SIZE, dtype=np.float64)
    return (entry - TABLE_SIZE // 2 + 0.5) / 2.0**step_log2


def _sigmoid(a: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-a)), np.float64)


def _gate(real: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.floor(real * (1 << GATE_BITS) + 0.5), 0, (1 << GATE_BITS) - 1).astype(
        np.uint8
    )


def sigmoid_table() -> NDArray[np.uint8]:
    """z: uint8, 256 per 1.0."""
    return _gate(_sigmoid(bucket_centres(SIGMOID_STEP_LOG2)))


def candidate_gate_table(zeta: float, nu: float) -> NDArray[np.uint8]:
    """g = zeta (1 - z) + nu: uint8, 256 per 1.0. zeta and nu in [0, 1]."""
    return _gate(zeta * (1.0 - _sigmoid(bucket_centres(SIGMOID_STEP_LOG2))) + nu)


def tanh_table(frac: int) -> NDArray[np.int16]:
    """tanh at 2^frac per 1.0, int16. frac <= 15."""
    return value_table("tanh", frac)


def value_table(activation: str, frac: int, gain: float = 1.0) -> NDArray[np.int16]:
    """gain * tanh or sigmoid at 2^frac per 1.0, int16; each on the range of its index."""
    real = (
        np.tanh(bucket_centres(TANH_STEP_LOG2))
        if activation == "tanh"
        else _sigmoid(bucket_centres(SIGMOID_STEP_LOG2))
    )
    return np.clip(np.floor(gain * real * 2.0**frac + 0.5), -32768, 32767).astype(np.int16)


def wide_candidate_gate_table(gate: str, zeta: float, nu: float) -> NDArray[np.int16]:
    """g = zeta (1 - z) + nu in [0, 3], z a tanh or a sigmoid: int16 at frac 13. zeta and nu in
    [0, 1]."""
    if gate == "tanh":
        z = np.tanh(bucket_centres(TANH_STEP_LOG2))
    else:
        z = _sigmoid(bucket_centres(SIGMOID_STEP_LOG2))
    real = zeta * (1.0 - z) + nu
    return np.floor(real * 2.0**WIDE_GATE_FRAC + 0.5).astype(np.int16)
