"""A matrix as AVR instructions: each nonzero weight is an immediate.

A block of rows is summed in registers, column after column; only nonzero weights leave code. An
element is taken unsigned, as v + 2^(bits - 1), and a weight by its magnitude, so that one MUL
serves either sign; what that adds to a row is a constant of the model and goes into the sum's
start. The macros are firmware_templates/kernels/avr/rnn_matvec_avr.h; what becomes of the sums is
rnn_results_avr.h.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.firmware.ascode import PREFIX, CodeForm, Routine
from harness.firmware.avr import VECTOR_BYTES, split_rows, sum_bytes
from harness.firmware.storage import Matrix, Product

SUM_REGISTERS = 21
REACH = 63  # bytes that LDD reaches from Z


def write_routine(product: Product) -> Routine:
    """The function: Z = v, Y = where the results go. Its cycles without rare clamps."""
    name, body = PREFIX + product.name, list(_body(product))
    rows, cols = product.matrix.shape
    finish = UPDATE if product.starts is not None else FINISH
    lines = [
        f"/* Generated: {product.name} [{rows}, {cols}] as code. Do not edit. */",
        '#include "rnn_results_avr.h"',
        f'    .section .text.{name}, "ax", @progbits',
        f"    .global {name}",
        f"    .type {name}, @function",
        f"{name}:",
        *(line if line.endswith(":") else f"    {line}" for line in body),
        f"    .size {name}, . - {name}",
    ]
    costs = [_cost(line) for line in body]
    cycles = CALL_CYCLES + sum(cycles for cycles, _ in costs) + finish[0] * rows
    sizes = sum(size for _, size in costs) + finish[1] * _finished(body)
    return Routine("\n".join(lines) + "\n", sizes, cycles)


def _body(product: Product) -> Iterator[str]:
    width, element = sum_bytes(product), VECTOR_BYTES[product.vector]
    at = 0  # where Z points, from the start of v
    starts = product.starts
    blocks = split_rows(product.matrix, SUM_REGISTERS // width)
    if starts is not None:
        yield "code_units"
    first = 0
    for block in blocks:
        if starts is not None and first:
            yield f"vector_z {product.place}"
            at = 0
        for row, weights in enumerate(block):
            start = -int(weights.astype(np.int64).sum()) << (8 * element - 1)
            start += 0 if starts is None else int(starts[first + row, 0])
            yield f"code_start {width}, {row}, {start}, RESULT_{product.name}"
        for column in np.flatnonzero(block.any(axis=0)):
            target = int(column) * element
            if not 0 <= target - at <= REACH - element + 1:
                yield f"code_move {target - at}"
                at = target
            yield f"code_element {element}, {target - at}"
            yield from _column(block[:, column], element, width)
        yield f"call finish_{len(block)}"
        first += len(block)
    yield "ret"
    for size in sorted({len(block) for block in blocks}):
        yield f"finish_{size}:"
        yield f"finish_sums {width}, {size}, RESULT_{product.name}"
        yield "ret"
    if starts is not None:
        yield "code_later:"
        yield from (f".word {int(later) & 0xFFFF}" for later in starts[:, 1])


def _finished(body: list[str]) -> int:
    """Rows in the routines that finish a block."""
    return sum(int(line.split(", ")[1]) for line in body if line.startswith("finish_sums"))


def _column(weights: Matrix, element: int, width: int) -> Iterator[str]:
    """Each nonzero of a column; equal magnitudes follow each other and share what they can."""
    loaded = 0
    for row in np.argsort(np.abs(weights.astype(np.int64)), kind="stable"):
        weight = int(weights[row])
        if weight == 0:
            continue
        sign = "add, adc" if weight > 0 else "sub, sbc"
        target = f"{element}, {width}, {width * int(row)}, {sign}"
        if abs(weight) == 1 or (abs(weight) == 2 and 2 * width < _product_cycles(element, width)):
            yield from [f"code_one {target}"] * abs(weight)
            continue
        if abs(weight) != loaded:
            loaded = abs(weight)
            yield f"code_weight {element}, {loaded}"
        yield f"code_product {target}"


def _product_cycles(element: int, width: int) -> int:
    """Of one weight: LDI, the products, the additions."""
    return 1 + 2 + width + (2 + width - 1 if element == 2 else 0)


# -- cost ----------------------------------------------------------------------------------------

START_CYCLES, START_BYTES = 7, 14  # of a row, about: it depends on the constant
FINISH = (16, 30)  # cycles and bytes of a row, about: it depends on its results
UPDATE = (0, 98)  # a unit's update has no part in a product's cycles
CALL_CYCLES = 5


def _cost(line: str) -> tuple[int, int]:
    """Cycles and bytes of one line; what a row's end takes is counted apart."""
    name, _, rest = line.partition(" ")
    if name.endswith(":"):
        return 0, 0
    if name == "ret":
        return 0, 2
    if name == "call":
        return 8, 4  # with its return
    if name == "code_start":
        return START_CYCLES, START_BYTES
    if name == "finish_sums":
        return 0, 0
    if name == ".word":
        return 0, 2
    if name in ("code_units", "vector_z"):
        return 2, 4
    if name == "code_move":
        return 2, 4
    element, width = (int(word) for word in [*rest.split(", "), "0"][:2])
    if name == "code_element":
        return 2 * element + 1, 2 * element + 2
    if name == "code_weight":
        return (3, 4) if element == 1 else (1, 2)
    if name == "code_one":
        return width, 2 * width
    products = 2 if element == 2 else 0  # MULs; for one byte it is in code_weight
    additions = width if element == 1 else 2 * width - 1
    return 2 * products + additions, 2 * (products + additions)


CODE = CodeForm(write_routine, tuple(VECTOR_BYTES))
