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
        entry, nonzero, code  as in Floor, by vector type and bytes of a sum (`s16_4`)
        inner, channel, unit  as in Floor
    """

    entry: Mapping[str, float]
    nonzero: Mapping[str, float]
    code: Mapping[str, float]
    inner: float
    channel: float
    unit: Mapping[str, float]

    def step(self, model: QModel, as_code: bool) -> float:
        """Cycles of rnn_model_step, of a model without joint products."""
        cycles = self.channel * model.dims.features + self.unit[model.cell] * model.dims.hidden
        cycles += self.inner * ((model.dims.rank_w or 0) + (model.dims.rank_u or 0))
        for product, _ in make_plan(model, core_of("avr"), "balanced").kept:
            if product.name != "F":
                cycles += self._product(product, as_code)
        return cycles

    def _product(self, product: Product, as_code: bool) -> float:
        width = f"{product.vector}_{sum_bytes(product)}"
        if as_code:
            return self.code[width] * product.nonzero
        dense = self.entry[width] * product.matrix.size
        return min(dense, self.nonzero[width] * product.nonzero)


FLOORS: Mapping[str, Floor | AvrFloor] = {
    "avr": AvrFloor(
        entry={"s8_2": 7, "s8_3": 8, "s16_3": 12, "s16_4": 14},
        nonzero={"s8_2": 12, "s8_3": 13, "s16_3": 19, "s16_4": 21},
        code={"s8_2": 5, "s8_3": 6, "s16_3": 10, "s16_4": 12},
        inner=15,
        channel=59,
        unit={"fastgrnn": 73, "lstm": 145, "gru": 146, "ugrnn": 77, "rnn": 28},
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
