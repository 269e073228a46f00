"""Floors: the fewest cycles a step can take on a core, counted by hand in docs/kernels.md.

A floor has what the instruction set forces (loads, multiplications, additions, table look-ups) and
nothing of what a program adds to it: loops, addresses, calls, saved registers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.firmware.avr import sum_bytes
from harness.firmware.cores import core_of
from harness.firmware.plan import make_plan
from harness.firmware.storage import Product
from harness.qmodel import QModel


@dataclass(frozen=True, slots=True)
class Floor:
    """Cycles of a core.

    Fields
        entry     of a weight in a dense product from data
        nonzero   of a nonzero weight in a sparse product from data
        code      of a nonzero weight as code
        inner     of one of low rank's inner values: load, rshift, clamp, store
        channel   of one channel of the input stage, without compander
        unit      of one unit's update, by cell
    """

    entry: float
    nonzero: float
    code: float
    inner: float
    channel: float
    unit: Mapping[str, float]

    def step(self, model: QModel, as_code: bool) -> float:
        """Cycles of rnn_model_step."""
        products = 0.0
        for matrix in model.matrices.values():
            nonzero = int(np.count_nonzero(matrix))
            from_data = min(self.entry * matrix.size, self.nonzero * nonzero)
            products += self.code * nonzero if as_code else from_data
        dims = model.dims
        inner = self.inner * ((dims.rank_w or 0) + (dims.rank_u or 0))
        return products + inner + self.channel * dims.features + self.unit[model.cell] * dims.hidden


@dataclass(frozen=True, slots=True)
class AvrFloor:
    """Cycles of an AVR, where the width of a product decides.

    Fields
        entry, nonzero, code  as in Floor, by vector type and bytes of a sum (`s16_4`); `code` with
                              a byte vector is where every magnitude of a column is another
        shared                of `code`, what equal magnitudes of a column take only once
        inner, channel, unit  as in Floor
        narrow_inner, narrow_channel, narrow_unit
                              the same where all sums have 16 bits, and FastGRNN's unit
    """

    entry: Mapping[str, float]
    nonzero: Mapping[str, float]
    code: Mapping[str, float]
    shared: float
    inner: float
    channel: float
    unit: Mapping[str, float]
    narrow_inner: float
    narrow_channel: float
    narrow_unit: float

    def step(self, model: QModel, as_code: bool) -> float:
        """Cycles of rnn_model_step, of a model without joint products."""
        dims, plan = model.dims, make_plan(model, core_of("avr"), "balanced")
        channel = self.narrow_channel if plan.narrow else self.channel
        inner = self.narrow_inner if plan.narrow else self.inner
        unit = self.narrow_unit if plan.narrow else self.unit[model.cell]
        ranks = (dims.rank_w or 0) + (dims.rank_u or 0)
        cycles = channel * dims.features + inner * ranks + unit * dims.hidden
        for product, _ in plan.kept:
            if product.name != "F":
                cycles += self._product(product, as_code)
        return cycles

    def _product(self, product: Product, as_code: bool) -> float:
        width = f"{product.vector}_{sum_bytes(product)}"
        if as_code:
            alike = _alike(product) if product.vector == "s8" else 0
            return self.code[width] * product.nonzero - self.shared * alike
        dense = self.entry[width] * product.matrix.size
        return min(dense, self.nonzero[width] * product.nonzero)


def _alike(product: Product) -> int:
    """Nonzero weights without a multiplication of their own: 1, 2 and what a column has twice."""
    columns = np.abs(product.matrix.astype(np.int64)).T
    return product.nonzero - sum(len(set(column.tolist()) - {0, 1, 2}) for column in columns)


FLOORS: Mapping[str, Floor | AvrFloor] = {
    "avr": AvrFloor(
        entry={"s8_2": 7, "s8_3": 8, "s16_3": 12, "s16_4": 14},
        nonzero={"s8_2": 12, "s8_3": 13, "s16_3": 19, "s16_4": 21},
        code={"s8_2": 5, "s8_3": 6, "s16_3": 10, "s16_4": 12},
        shared=3,
        inner=15,
        channel=59,
        unit={"fastgrnn": 73, "lstm": 145, "gru": 146, "ugrnn": 77, "rnn": 28},
        narrow_inner=4,
        narrow_channel=44,
        narrow_unit=54,
    ),
    "cortex-m0plus": Floor(
        entry=3.06,
        nonzero=6.6,
        code=2.0,
        inner=8.5,
        channel=13.5,
        unit={"fastgrnn": 32.0, "lstm": 52.0, "gru": 71.0, "ugrnn": 29.0, "rnn": 9.5},
    ),
    # In the middle of the bracket; `code` for a back end that does not exist yet.
    "cortex-m3": Floor(
        entry=3.06,
        nonzero=6.1,
        code=3.0,
        inner=7.0,
        channel=11.0,
        unit={"fastgrnn": 23.0, "lstm": 45.0, "gru": 47.0, "ugrnn": 24.5, "rnn": 8.0},
    ),
    "cortex-m4f": Floor(
        entry=1.06,
        nonzero=4.6,
        code=2.0,
        inner=7.0,
        channel=10.0,
        unit={"fastgrnn": 22.0, "lstm": 44.0, "gru": 46.0, "ugrnn": 23.5, "rnn": 8.0},
    ),
}
