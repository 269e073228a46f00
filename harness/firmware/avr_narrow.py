"""Forms of a matrix in a step of FastGRNN whose sums all have 16 bits, on an AVR.

The whole step is one function, firmware_templates/kernels/avr/rnn_cell_fastgrnn_narrow.S: a row of
its last product [U1 | W1] is summed from the bias on and becomes a state without leaving registers.
So a row carries two words: what its sum starts from, and what is added to it for its second table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.firmware.avr import SUM_REGISTERS, split_rows, widths
from harness.firmware.storage import Cost, Form, Product

SUM_BYTES = 2
MAX_ROWS = 255  # counted by a byte
PAGE_BYTES = 256  # h, x and inner values lie in one, so that a byte is an address


@dataclass(frozen=True, slots=True)
class NarrowForm(Form):
    """A form of these products; its costs are without the unit's update."""

    def usable(self, product: Product) -> bool:
        """Is it a product of such a step, and can the kernel take the matrix?"""
        return product.place is not None and self.fits(product)

    def cycles(self, product: Product) -> float:
        """Expected cycles."""
        return self.cost[widths(product)].of(product)

    def macros(self, product: Product) -> dict[str, object]:
        """How many weights the fullest row has."""
        return {"LONGEST": int(np.count_nonzero(product.matrix, axis=1).max())}


def _words(product: Product, which: int, first: int, rows: int) -> NDArray[np.int8]:
    """The words of some rows, low bytes first: 0 = the starts, 1 = what is added later."""
    if product.starts is None:
        return np.zeros(0, np.int8)
    words = product.starts[first : first + rows, which]
    return (words & 0xFFFF).astype("<u2").view(np.int8)


def pack_dense(product: Product) -> NDArray[np.int8]:
    """Blocks of rows: their starts, weights column after column, what is added later."""
    parts, first = [], 0
    for block in split_rows(product.matrix, SUM_REGISTERS // SUM_BYTES):
        rows = len(block)
        parts += [_words(product, 0, first, rows), block.T.ravel(), _words(product, 1, first, rows)]
        first += rows
    return np.concatenate(parts)


def pack_index(product: Product) -> NDArray[np.int8]:
    """Per row: its start, count, count times (address in the page, weight), what is added later."""
    parts = []
    for number, row in enumerate(product.matrix):
        columns = np.flatnonzero(row)
        addresses = (columns + (product.place or 0)).astype(np.uint8)
        pairs = np.column_stack([addresses, row[columns].view(np.uint8)])
        count = np.array([len(columns)], np.uint8)
        body = np.concatenate([count, pairs.ravel()]).view(np.int8)
        parts += [_words(product, 0, number, 1), body, _words(product, 1, number, 1)]
    return np.concatenate(parts)


def _index_fits(product: Product) -> bool:
    rows, cols = product.matrix.shape
    return bool(rows <= MAX_ROWS and cols + (product.place or 0) <= PAGE_BYTES)


def _dense_fits(product: Product) -> bool:
    return bool(product.matrix.shape[1] <= PAGE_BYTES)


FORMS = (
    NarrowForm("dense", {"s8_2": Cost(call=8, row=8, col=5, entry=7)}, _dense_fits, pack_dense),
    NarrowForm("index", {"s8_2": Cost(call=6, row=30, nonzero=12)}, _index_fits, pack_index),
)
