"""Forms of a matrix on ARMv7-M (Cortex-M3) and ARMv7E-M (Cortex-M4).

Kernels: firmware_templates/kernels/armv7m/ and armv7em/. Costs are the middle of the emulator's
bracket of cycles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.firmware.armv6m import ROWS, CountedForm, pack_block
from harness.firmware.storage import Cost, Form, Product, portable

PAIRS = 4  # of rows, at once
S16 = {"s16": Cost()}  # a counted form's vectors


def pack_dual(product: Product) -> NDArray[np.uint32]:
    """Words of two columns and two rows p, q: halfwords p + 128 + 256 q."""
    rows, cols = product.matrix.shape
    padded = np.zeros((rows + rows % 2, cols + cols % 2), np.int64)
    padded[:rows, :cols] = product.matrix
    halves = padded[0::2] + 128 + 256 * padded[1::2] & 0xFFFF  # [pairs, columns]
    words = halves[:, 0::2] | halves[:, 1::2] << 16
    if cols % 2:  # the last column's partner is not multiplied
        words[:, -1] &= 0xFFFF
    blocks = (words[i : i + PAIRS].T.ravel() for i in range(0, len(words), PAIRS))
    return np.concatenate(list(blocks)).astype(np.uint32)


MAX_COLS = 256  # a column is a byte
MAX_PAIRS = 32  # of a row: what the kernel's loop is unrolled to


def fits_pairs(product: Product) -> bool:
    """Can the columns be bytes, and is the unrolled loop long enough for every row?"""
    fullest = int(np.count_nonzero(product.matrix, axis=1).max())
    return int(product.matrix.shape[1]) <= MAX_COLS and fullest <= 2 * MAX_PAIRS


def pack_pairs(product: Product) -> NDArray[np.uint32]:
    """Rows of a count of pairs and the pairs: bytes column, weight, column, weight."""
    words: list[int] = []
    for row in product.matrix:
        columns = np.flatnonzero(row)
        entries = [int(c) | (int(row[c]) & 0xFF) << 8 for c in columns] + [0] * (len(columns) % 2)
        words.append(len(entries) // 2)
        words += [low | high << 16 for low, high in zip(entries[::2], entries[1::2], strict=True)]
    return np.array(words, np.uint32)


def is_of_a_step(product: Product) -> bool:
    """Not the classifier: it runs once a window, and these kernels are made for each matrix."""
    return product.name != "F"


def dual_cycles(product: Product) -> float:
    """Along rnn_matvec_dual_s8_s16.h: words of two columns, of four pairs of rows or fewer."""
    rows, cols = product.matrix.shape
    full, last = divmod((rows + 1) // 2, PAIRS)
    blocks = full + (last > 0)
    word = 19.5 * full + (0, 6, 10.5, 15)[last]
    rounds = max(0, cols // 2 // UNROLL - 1) * blocks
    return float(40 * blocks - 25 + 2 * rows + 3 * cols + 7.5 * rounds + word * ((cols + 1) // 2))


def block_cycles(product: Product) -> float:
    """Along rnn_matvec_block_s8_s16.h: columns of eight rows, and of a last four."""
    rows, cols = product.matrix.shape
    full, last = divmod((rows + 3) // 4, 2)
    rounds = max(0, cols // UNROLL - 1) * (full + last)
    return float((26.5 * full + 14 * last + 8) * cols + 8 * rounds + 3 * rows)


def streams(extra: int) -> tuple[Form, ...]:
    """The portable C; M3's multiply-add takes a cycle more."""
    vectors = ("s8", "s16")
    dense = Cost(55, 22, entry=11 + extra)
    index = Cost(51, 24, nonzero=14.5 + extra)
    bitmap = Cost(50, 80, entry=6.6, nonzero=8.4 + extra)
    costs = {"dense": dense, "index": index, "bitmap": bitmap}
    return portable({name: dict.fromkeys(vectors, cost) for name, cost in costs.items()})


UNROLL = 8  # words, columns, where bytes are spent for speed
M3_PAIRS = Form("pairs", {"s16": Cost(53, 22, nonzero=6.25)}, fits_pairs, pack_pairs)
M4_PAIRS = Form("pairs", {"s16": Cost(52, 20, nonzero=4.75)}, fits_pairs, pack_pairs)
BLOCK = CountedForm("block", S16, is_of_a_step, pack_block, ROWS - 1, block_cycles)
DUAL = CountedForm("dual", S16, is_of_a_step, pack_dual, 1, dual_cycles)
M3_FORMS = (BLOCK, M3_PAIRS, *streams(1))
M4_FORMS = (DUAL, M4_PAIRS, *streams(0))
