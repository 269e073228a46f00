"""Model bytes before training: the largest hidden size whose linked model fits a byte budget."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from harness.errors import DoesNotFit
from harness.firmware.storage import most_bytes
from harness.qmodel import MAX_HIDDEN
from harness.reference import Dims, ReferenceCell

SPARSE = {"W": ("W", "W1", "W2T"), "U": ("U", "U1", "U2T")}


def kept(size: int, density: float) -> int:
    """Weights of a matrix that sparsification leaves: compress.Sparsifier's count."""
    return size if density == 1.0 else max(1, round(density * size))


def sparse_u(cell: type[ReferenceCell]) -> bool:
    """Whether U can be made sparse. Cells without a low-rank form have no U, or build it from
    other parameters."""
    return cell.low_rank


def model_bytes(
    cell: type[ReferenceCell], dims: Dims, density_w: float = 1.0, density_u: float = 1.0
) -> int:
    """Bytes that `model_flash_bytes` of the linked firmware will not exceed.

    Every matrix takes its smallest storage (firmware/storage.py). The linked model is smaller only
    where rounding to bytes turns more weights to zero than sparsification did.
    """
    density = dict.fromkeys(SPARSE["W"], density_w)
    if sparse_u(cell):
        density |= dict.fromkeys(SPARSE["U"], density_u)
    total = 0
    for name, (dtype, shape) in cell.tensor_spec(dims).items():
        size = math.prod(shape)
        if name in SPARSE["W"] + SPARSE["U"]:
            rows, cols = shape
            total += most_bytes(rows, cols, kept(size, density.get(name, 1.0)))
        else:
            total += size * np.dtype(dtype).itemsize
    return total


def largest_hidden(
    cell: type[ReferenceCell], budget_bytes: int, bytes_of: Callable[[int], int]
) -> int:
    """The largest H, a multiple of the cell's `multiple`, with `bytes_of(H)` within the budget.

    Raises DoesNotFit if even the smallest is larger.
    """
    fitting = 0
    for hidden in range(cell.multiple, MAX_HIDDEN + 1, cell.multiple):
        needed = bytes_of(hidden)
        if needed > budget_bytes:
            break
        fitting = hidden
    if not fitting:
        over = needed - budget_bytes
        raise DoesNotFit(
            f"{cell.name}: with {cell.multiple} hidden units it has {needed:,} bytes, "
            f"{over:,} more than {budget_bytes:,}",
            over_bytes=over,
            hint="raise the byte budget",
        )
    return fitting
