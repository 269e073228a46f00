"""How far the sums of a model really reach: a closer proof than that int32 holds them.

`accumulator_bounds` takes a state and low rank's inner values for whatever their types allow. Here
they are taken for what they can become: a narrow gate's state by its worst case, repeated; inner
values by their rows; and U1 rshift(U2T h) for what U1 U2T makes of h, plus a rounding of one half
each. Kernels with sums of 16 bits rest on it (docs/arithmetic.md, "Sums of 16 bits").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.reference.cell import ReferenceCell
from harness.reference.ops import IntArray

X_REACH = 1 << 7
MID_LIMIT = (1 << 15) - 1  # an inner value that passes it is clamped
ANY_STEPS = 1 << 16  # more than a window can have; a state of 8 bits settles long before


@dataclass(frozen=True)
class Reach:
    """Proved largest magnitudes, whatever the input and however long the window.

    Fields
        state  of h, in counts
        first  of the sums of low rank's first product, rounding included, by side: W, U
        inner  int64 [r], of each inner value, by side
        pre    of a pre-activation with its bias, at the scale of the sums
    """

    state: int
    first: Mapping[str, int]
    inner: Mapping[str, IntArray]
    pre: int


def reach_of(
    cell: type[ReferenceCell],
    state_bits: int,
    tensors: Mapping[str, NDArray[Any]],
    tables: Mapping[str, NDArray[Any]],
    shifts: Mapping[str, int],
) -> Reach:
    """The reach of a model's sums. Tensors, tables and shifts are those of a QModel."""
    state = 1 << (state_bits - 1)
    if cell.name == "fastgrnn" and tables["z"].dtype == np.uint8 and state_bits == 8:
        state = min(state, cell.state_reach(tensors, tables, shifts, ANY_STEPS))
    first: dict[str, int] = {}
    inner: dict[str, IntArray] = {}
    pre = np.zeros(1, np.int64)
    for side, v in (("W", X_REACH), ("U", state))[: 2 if cell.recurrent else 1]:
        align = shifts[f"{side.lower()}_align"]
        if side in tensors:
            rows = _rows(tensors[side]) * v
        else:
            shift = shifts[f"{side.lower()}_mid"]
            half = 1 << shift >> 1
            sums = _rows(tensors[f"{side}2T"]) * v + half
            first[side] = int(sums.max())
            inner[side] = np.minimum(sums >> shift, 1 << 15)
            rows = _second(tensors[f"{side}1"], tensors[f"{side}2T"], v, shift, inner[side])
        pre = pre + (rows << align)
    biases = [np.abs(tensors[name].astype(np.int64)) for name in cell.biases]
    widest = max(int(bias.max()) for bias in biases)
    return Reach(state, first, inner, int(pre.max()) + (widest << shifts["b_align"]))


def _second(
    outer: NDArray[Any], first: NDArray[Any], v: int, shift: int, inner: IntArray
) -> IntArray:
    """Reach of outer @ rshift(first @ v): by the inner values, or by outer @ first."""
    by_values: IntArray = np.abs(outer.astype(np.int64)) @ inner
    if int(inner.max()) > MID_LIMIT:
        return by_values
    whole = _rows(outer.astype(np.int64) @ first.astype(np.int64)) * v
    rounding = -(-_rows(outer) // 2) if shift else 0
    by_product: IntArray = -(-whole >> shift) + rounding
    return np.minimum(by_values, by_product)


def _rows(matrix: NDArray[Any]) -> IntArray:
    """Sum of absolute values of each row."""
    sums: IntArray = np.abs(matrix.astype(np.int64)).sum(axis=1)
    return sums
