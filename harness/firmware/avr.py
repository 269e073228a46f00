"""Forms of a matrix on an AVR, with sums of two, three or four bytes where that is proved enough.

The kernels are firmware_templates/kernels/avr/rnn_matvec_avr.h. A sum of n bytes is exact modulo
2^(8 n), so only the bound of whole rows counts (`Product.bound`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.firmware.storage import INDEX_MAX_ROW, Cost, Form, Matrix, Product, pack

SUM_REGISTERS = 18  # BLOCK_ROWS in rnn_matvec_avr.h
VECTOR_BYTES = {"s8": 1, "s16": 2}
MAX_BITMAP_COLS = 255 * 8  # bytes of bits in a row are counted by a byte
MAX_SKIP = 255  # bytes of v from one weight of an index list to the next


def sum_bytes(product: Product) -> int:
    """Bytes that a sum of `product` needs, 2 to 4.

    Low rank's first product has one bit to spare, for the rounding of its shift; a 2-byte vector
    needs 3 bytes, as its kernels add into the third. A step of narrow sums has nothing else.
    """
    if product.place is not None:
        return 2
    spare = product.name.endswith("2T")
    bits = product.bound.bit_length() + 1 + spare
    return min(4, max(VECTOR_BYTES[product.vector] + 1, -(-bits // 8)))


def split_rows(matrix: Matrix, most: int) -> list[Matrix]:
    """Blocks of at most `most` rows: as few and as equal as can be, larger ones first."""
    count = -(-len(matrix) // most)
    larger = -(-len(matrix) // count)
    short = count * larger - len(matrix)
    sizes = [larger] * (count - short) + [larger - 1] * short
    return np.split(matrix, np.cumsum(sizes)[:-1])


# -- packing -------------------------------------------------------------------------------------


def pack_dense(product: Product) -> NDArray[np.int8]:
    """Blocks of rows, each column after column."""
    blocks = split_rows(product.matrix, SUM_REGISTERS // sum_bytes(product))
    return np.concatenate([block.T.ravel() for block in blocks])


def pack_index(product: Product) -> NDArray[np.int8]:
    """Per row: count, then count times (bytes of v to skip, weight)."""
    element = VECTOR_BYTES[product.vector]
    rows = [_index_row(row, element) for row in product.matrix]
    return np.array([byte for row in rows for byte in row], np.int64).astype(np.uint8).view(np.int8)


def _index_row(row: NDArray[np.int8], element: int) -> list[int]:
    entries: list[int] = []
    at, reach = 0, MAX_SKIP // element
    for column in map(int, np.flatnonzero(row)):
        while column - at > reach:  # a zero weight on the way
            entries += [reach * element, 0]
            at += reach + 1
        entries += [(column - at) * element, int(row[column])]
        at = column + 1
    return [len(entries) // 2, *entries]


def pack_bitmap(product: Product) -> NDArray[np.int8]:
    """Per row and eight columns a byte of bits, then the weights of those set."""
    rows = []
    for row in product.matrix:
        padded = np.pad(row, (0, -len(row) % 8)).reshape(-1, 8)
        for eight in padded:
            rows += [np.packbits(eight != 0, bitorder="little").view(np.int8), eight[eight != 0]]
    return np.concatenate(rows)


# -- forms ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SumForm(Form):
    """A form of the fused products; its costs are by vector type and bytes of a sum: `s8_3`."""

    def usable(self, product: Product) -> bool:
        """Is there a kernel for this product? The classifier's is another."""
        own = product.name != "F" and product.place is None
        return own and widths(product) in self.cost and self.fits(product)

    def cycles(self, product: Product) -> float:
        """Expected cycles."""
        return self.cost[widths(product)].of(product)

    def macros(self, product: Product) -> dict[str, object]:
        """The width of a sum."""
        return {"SUM_BYTES": sum_bytes(product)}


def widths(product: Product) -> str:
    """Type of the vector and bytes of a sum: `s8_3`."""
    return f"{product.vector}_{sum_bytes(product)}"


def _dense_fits(product: Product) -> bool:
    return True


def _index_fits(product: Product) -> bool:
    element = VECTOR_BYTES[product.vector]
    counts = [_index_row(row, element)[0] for row in product.matrix]
    return max(counts) <= INDEX_MAX_ROW


def _bitmap_fits(product: Product) -> bool:
    return int(product.matrix.shape[1]) <= MAX_BITMAP_COLS


# Least squares over random models on the virtual Uno; tests/kernels/test_avr_products.py holds them
# to what is measured.
DENSE = {
    "s8_2": Cost(call=15, row=17, col=3, entry=7.4),
    "s8_3": Cost(call=15, row=20, col=3, entry=9.7),
    "s8_4": Cost(call=15, row=16, col=3, entry=11.3),
    "s16_3": Cost(call=10, row=14, col=6, entry=14.3),
    "s16_4": Cost(call=5, row=9, col=9, entry=17.7),
}
INDEX = {
    "s8_2": Cost(call=12, row=32, nonzero=15.7),
    "s8_3": Cost(call=5, row=32, nonzero=17.5),
    "s8_4": Cost(call=5, row=32, nonzero=19.5),
    "s16_3": Cost(call=5, row=40, nonzero=23.5),
    "s16_4": Cost(call=0, row=30, nonzero=26.5),
}
BITMAP = {
    "s8_2": Cost(call=10, row=34, entry=4.1, nonzero=8),
    "s8_3": Cost(call=10, row=36, entry=4.1, nonzero=10),
    "s8_4": Cost(call=10, row=34, entry=4.1, nonzero=12),
    "s16_3": Cost(call=10, row=34, entry=4.1, nonzero=16),
    "s16_4": Cost(call=10, row=24, entry=4.1, nonzero=19),
}


def _classifier(product: Product) -> bool:
    return product.name == "F"


FORMS = (
    SumForm("dense", DENSE, _dense_fits, pack_dense),
    SumForm("bitmap", BITMAP, _bitmap_fits, pack_bitmap),
    SumForm("index", INDEX, _index_fits, pack_index),
    # The classifier's product is a kernel by itself, once a window.
    Form("dense", {"s8": Cost(), "s16": Cost()}, _classifier, lambda p: pack(p.matrix, "dense")),
)
