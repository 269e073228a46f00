"""Forms of a matrix on ARMv6-M (Cortex-M0, M0+); kernels: firmware_templates/kernels/armv6m/.

All vectors are words or int16: ARMv6-M has no load of a signed byte or halfword with an immediate
offset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.firmware.armv6m_code import write_routine
from harness.firmware.ascode import CodeForm
from harness.firmware.storage import Cost, Form, Product, portable

ROWS = 4  # of a block's word
ELEMENT_BYTES = {"s16": 2, "s32": 4}


def pack_block(product: Product) -> NDArray[np.uint32]:
    """Words of four rows in a column: bytes w_0 + 128, w_1 + 128, w_2 + 128, w_3."""
    rows, cols = product.matrix.shape
    padded = np.zeros((rows + -rows % ROWS, cols), np.int64)
    padded[:rows] = product.matrix
    groups = padded.reshape(-1, ROWS, cols) + np.array([128, 128, 128, 0])[:, None]
    words = (groups << np.array([0, 8, 16, 24])[:, None]).sum(axis=1)  # [groups, cols]
    pairs, single = words[: len(words) // 2 * 2], words[len(words) // 2 * 2 :]
    paired = pairs.reshape(-1, 2, cols).transpose(0, 2, 1)
    return np.concatenate([paired.ravel(), single.ravel()]).astype(np.uint32)


UNIT_BYTES, PAIR_BYTES = 46, 22  # code of rnn_matvec_pairs.inc: two pairs and their load; one pair
ROW_END_BYTES = {False: 12, True: 14}  # from the end of its loop to where jumps count from; `adds`
MAX_ROW = 64


def fits_pairs(product: Product) -> bool:
    """Can the offsets be bytes, and is the unrolled loop long enough for every row?"""
    fullest = int(np.count_nonzero(product.matrix, axis=1).max())
    widest = product.matrix.shape[1] * ELEMENT_BYTES[product.vector]
    return widest <= 256 and fullest <= MAX_ROW


def pack_pairs(product: Product) -> NDArray[np.uint32]:
    """Rows of a jump and pairs (w0, c0, c1, w1), and the jump 0 after the last."""
    size = ELEMENT_BYTES[product.vector]
    words: list[int] = []
    for row in product.matrix:
        columns = np.flatnonzero(row)
        weights = [*(int(w) & 0xFF for w in row[columns]), 0]
        offsets = [*(int(c) * size for c in columns), 0]
        count = (len(columns) + 1) // 2
        jump = ROW_END_BYTES[product.adds] + count // 2 * UNIT_BYTES + count % 2 * PAIR_BYTES
        words += [-jump & 0xFFFF_FFFF] + [0] * (1 - count % 2)
        for i in range(0, 2 * count, 2):
            w, c = weights[i : i + 2], offsets[i : i + 2]
            words.append(w[0] | c[0] << 8 | c[1] << 16 | w[1] << 24)
    return np.array([*words, 0, 0], np.uint32)


@dataclass(frozen=True, slots=True)
class CountedForm(Form):
    """A form whose cycles are counted along its code: they depend on more than shape and zeros."""

    count: Callable[[Product], float] = lambda product: 0.0

    def cycles(self, product: Product) -> float:
        """Expected cycles."""
        return self.count(product)


def block_cycles(product: Product) -> float:
    """Along rnn_block.inc: the sum of v, then eight rows at a time, then four."""
    rows, cols = product.matrix.shape
    eights, fours = (rows + 3) // 8, (rows + 3) // 4 % 2
    rounds = -(-cols // UNROLL)
    loop = 6 * rounds * (rounds > 1)
    eight, four = 27 * cols + 57 + loop, 15 * cols + 31 + loop
    return float(42 + 2.5 * cols + eights * eight + fours * four)


def pairs_cycles(product: Product) -> float:
    """Along rnn_pairs.inc: 13 a pair, 3 for two of them, 9 a row."""
    pairs = (np.count_nonzero(product.matrix, axis=1) + 1) // 2
    return 16 + float((9 + 13 * pairs + 3 * (pairs // 2)).sum())


def bitmap_cycles(product: Product) -> float:
    """Along rnn_bitmap.inc: 15 a row, 7 a byte of bits, 3 a zero and 9 or 10 a weight."""
    rows, cols = product.matrix.shape
    row_bytes = -(-cols // 8)
    weight = {"s16": 10, "s32": 9}[product.vector]
    zeros = 8 * row_bytes * rows - product.nonzero
    return float(20 + rows * (15 + 7 * row_bytes) + 3 * zeros + weight * product.nonzero)


UNROLL = 32  # RNN_UNROLL where bytes are spent for speed
TYPES = tuple(ELEMENT_BYTES)
DENSE = {"s16": Cost(38, 21, entry=9.9), "s32": Cost(38, 21, entry=7.9)}
INDEX = dict.fromkeys(TYPES, Cost(31, 24, nonzero=22))

ANY = dict.fromkeys(TYPES, Cost())
DENSE_FORM, INDEX_FORM, BITMAP_FORM = portable({"dense": DENSE, "index": INDEX, "bitmap": ANY})
FORMS = (
    CountedForm("block", {"s32": Cost()}, lambda _: True, pack_block, ROWS - 1, block_cycles),
    CountedForm("pairs", ANY, fits_pairs, pack_pairs, count=pairs_cycles),
    DENSE_FORM,
    INDEX_FORM,
    CountedForm("bitmap", ANY, BITMAP_FORM.fits, BITMAP_FORM.pack, count=bitmap_cycles),
)
CODE = CodeForm(write_routine, ("s32",))
