"""How a weight matrix is laid out in flash: forms every core has, and what a form costs.

Contract of the layouts: firmware_templates/kernels/rnn_matvec.h. A core adds forms in a module of
its own (armv6m.py), and cores.py says which core has which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int8]

STORAGES = ("dense", "index", "bitmap")  # every core has these
INDEX_MAX_COLS = 256
INDEX_MAX_ROW = 255


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix of a model and the vector it is multiplied with.

    Fields
        name    of the matrix: its array is `rnn_model_<name>`
        matrix  int8 [rows, cols]
        vector  type of the vector's elements in RAM: s8, s16 or s32
        reach   int64 [cols], proved largest |element| of the vector
        adds    whether it is added to what the sums hold
        proved  largest |sum| with all that is added to it; None: what `reach` says
        place   of the vector in its page of RAM, in a step whose sums all have 16 bits; else None
        starts  int64 [rows, 2] of such a step's last product: what each sum starts from, and what
                is added for its second table
    """

    name: str
    matrix: Matrix
    vector: str
    reach: NDArray[np.int64]
    adds: bool = False
    proved: int | None = None
    place: int | None = None
    starts: NDArray[np.int64] | None = None

    @property
    def bound(self) -> int:
        """Proved largest |sum| of any row."""
        if self.proved is not None:
            return self.proved
        return int((np.abs(self.matrix.astype(np.int64)) @ self.reach).max())

    @property
    def nonzero(self) -> int:
        """Nonzero weights."""
        return int(np.count_nonzero(self.matrix))


@dataclass(frozen=True, slots=True)
class Cost:
    """Cycles of one product, fitted to measured ones (docs/kernels.md).

    cycles = call + row * rows + col * cols + entry * rows * cols + nonzero * nonzeros
    """

    call: float = 0.0
    row: float = 0.0
    col: float = 0.0
    entry: float = 0.0
    nonzero: float = 0.0

    def of(self, product: Product) -> float:
        """Cycles of `product`."""
        rows, cols = (int(size) for size in product.matrix.shape)
        steady = self.call + self.row * rows + self.col * cols
        return steady + self.entry * rows * cols + self.nonzero * product.nonzero


@dataclass(frozen=True, slots=True)
class Form:
    """A way to keep a matrix: the <storage> in the name of the kernel that reads it.

    Fields
        name    dense, index, ...
        cost    cycles, by type of the vector: a form has a kernel for these types only
        fits    whether this matrix can be kept so
        pack    the array that the kernel reads: int8, or words of the core
        pad     words behind the sums that the kernel overwrites
    """

    name: str
    cost: dict[str, Cost]
    fits: Callable[[Product], bool]
    pack: Callable[[Product], NDArray[Any]]
    pad: int = 0

    def usable(self, product: Product) -> bool:
        """Is there a kernel for this product, and can it take the matrix?"""
        return product.vector in self.cost and self.fits(product)

    def macros(self, product: Product) -> dict[str, object]:
        """What the kernel has to know: RNN_<matrix>_<name> of model_data.h."""
        return {}

    def size(self, product: Product) -> int:
        """Bytes in flash."""
        return int(self.pack(product).nbytes)

    def cycles(self, product: Product) -> float:
        """Expected cycles."""
        return self.cost[product.vector].of(product)


# -- the portable forms --------------------------------------------------------------------------


def allowed(matrix: Matrix, storage: str) -> bool:
    """Can `matrix` [R, C] be stored so? An index list has one byte for a column and for a count."""
    if storage != "index":
        return True
    fullest = int(np.count_nonzero(matrix, axis=1).max())
    return matrix.shape[1] <= INDEX_MAX_COLS and fullest <= INDEX_MAX_ROW


def form_bytes(rows: int, cols: int, nonzero: int, storage: str) -> int:
    """Bytes of a matrix [rows, cols] with so many nonzero values in one storage."""
    sizes: dict[str, int] = {
        "dense": rows * cols,
        "index": rows + 2 * nonzero,
        "bitmap": rows * -(-cols // 8) + nonzero,
    }
    return sizes[storage]


def packed_size(matrix: Matrix, storage: str) -> int:
    """Bytes that `pack` will give."""
    rows, cols = matrix.shape
    return form_bytes(rows, cols, int(np.count_nonzero(matrix)), storage)


def most_bytes(rows: int, cols: int, nonzero: int) -> int:
    """Bytes that a plan for `size` will not exceed for a matrix with at most `nonzero` values that
    are not zero, wherever they lie: an index list counts only where no row can be too full for one.
    """
    usable = [s for s in STORAGES if s != "index" or cols <= INDEX_MAX_ROW]
    return min(form_bytes(rows, cols, nonzero, storage) for storage in usable)


def pack(matrix: Matrix, storage: str) -> Matrix:
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


def portable(costs: dict[str, dict[str, Cost]]) -> tuple[Form, ...]:
    """The portable forms with a core's costs: {storage: {vector type: Cost}}."""
    return tuple(
        Form(
            name,
            costs[name],
            lambda p, name=name: allowed(p.matrix, name),  # type: ignore[misc]
            lambda p, name=name: pack(p.matrix, name),  # type: ignore[misc]
        )
        for name in STORAGES
    )
