"""How a weight matrix is laid out in flash. Contract: firmware_templates/kernels/rnn_matvec.h."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STORAGES = ("dense", "index", "bitmap")  # fastest kernel first: it wins a tie in bytes
INDEX_MAX_COLS = 256
INDEX_MAX_ROW = 255
INDEX_BREAK_EVEN = 0.5  # density below which a list is faster than dense in C, on AVR and M0+


def allowed(matrix: NDArray[np.int8], storage: str) -> bool:
    """Can `matrix` [R, C] be stored so? An index list has one byte for a column and for a count."""
    if storage != "index":
        return True
    fullest = int(np.count_nonzero(matrix, axis=1).max())
    return matrix.shape[1] <= INDEX_MAX_COLS and fullest <= INDEX_MAX_ROW


def packed_size(matrix: NDArray[np.int8], storage: str) -> int:
    """Bytes that `pack` will give."""
    rows, cols = matrix.shape
    nnz = int(np.count_nonzero(matrix))
    sizes: dict[str, int] = {
        "dense": rows * cols,
        "index": rows + 2 * nnz,
        "bitmap": rows * -(-cols // 8) + nnz,
    }
    return sizes[storage]


def pick(matrix: NDArray[np.int8], policy: str) -> str:
    """The storage of one matrix: fewest bytes ('size') or cycles ('speed'), or the one named."""
    usable = [s for s in STORAGES if allowed(matrix, s)]
    if policy == "size":
        return min(usable, key=lambda s: packed_size(matrix, s))
    if policy == "speed":
        density = np.count_nonzero(matrix) / matrix.size
        return "index" if "index" in usable and density < INDEX_BREAK_EVEN else "dense"
    return policy if policy in usable else "bitmap"


def pack(matrix: NDArray[np.int8], storage: str) -> NDArray[np.int8]:
    """The bytes of `matrix` [R, C] in one storage, as int8."""
    if storage == "dense":
        return matrix.ravel()
    rows = [_index_row(row) if storage == "index" else _bitmap_row(row) for row in matrix]
    return np.concatenate(rows).view(np.int8)


def _index_row(row: NDArray[np.int8]) -> NDArray[np.uint8]:
    columns = np.flatnonzero(row)
    pairs = np.column_stack([columns.astype(np.uint8), row[columns].view(np.uint8)])
    return np.concatenate([np.array([len(columns)], np.uint8), pairs.ravel()])


def _bitmap_row(row: NDArray[np.int8]) -> NDArray[np.uint8]:
    bits = np.packbits(row != 0, bitorder="little")
    return np.concatenate([bits, row[row != 0].view(np.uint8)])
