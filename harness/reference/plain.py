"""The plain recurrent cell in integers: h' = f(Wx + Uh + b). What differs is how U came about.

Cells whose training builds U from factors (reflections, a factorisation) multiply it out before
quantisation, so on the board they are this cell: one dense int8 matrix.
Twins: harness/models/plain.py (float), firmware_templates/cells/rnn_cell_plain.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.reference import ops
from harness.reference.cell import Dims, ReferenceCell, State, table_reach
from harness.reference.floats import Array, Floats, FloatState
from harness.reference.ops import IntArray, Saturations, rshift, table_index

LEAK = 26  # slope of the negative side of `leaky` in 1/256: the nearest to 0.1


class Plain(ReferenceCell):
    """h' = f(Wx + Uh + b), f by the option `activation`: tanh (a table), relu, leaky.

    A subclass lists `activation` in `options`, or fixes it.
    """

    source = "plain"
    gates = 1
    biases = {"b": 1}
    tables = {"c": "int16"}
    shifts = ("c",)

    @classmethod
    def table_spec(cls, dims: Dims) -> Mapping[str, str]:
        return cls.tables if cls._is_tanh(dims.options) else {}

    @classmethod
    def plan(
        cls,
        acc_frac: int,
        fracs: Mapping[str, int],
        scalars: Mapping[str, float],
        options: Mapping[str, str],
    ) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
        if cls._is_tanh(options):
            return {"c": acc_frac - ops.TANH_STEP_LOG2}, {"c": ops.tanh_table(fracs["h"])}
        return {"c": acc_frac - fracs["h"]}, {}

    @classmethod
    def state_bound(
        cls, scalars: Mapping[str, float], steps: int, options: Mapping[str, str]
    ) -> float | None:
        """|tanh| < 1; the other two are not bounded."""
        return 1.0 if cls._is_tanh(options) else None

    @classmethod
    def state_reach(
        cls,
        tensors: Mapping[str, NDArray[Any]],
        tables: Mapping[str, NDArray[Any]],
        shifts: Mapping[str, int],
        steps: int,
    ) -> int:
        """The table's largest entry."""
        return table_reach(tables["c"])

    def step(self, x: IntArray, state: State, sat: Saturations) -> State:
        a = self.acc_w(x, sat) + self.acc_u(state["h"], sat) + self.bias("b")
        activation = self.choices(self.dims.options)["activation"]
        if activation == "tanh":
            return {"h": self.to_state(self.table["c"][table_index(a, self.shift["c"])], sat)}
        p = rshift(a, self.shift["c"])
        if activation == "relu":
            return {"h": self.to_state(np.maximum(p, 0), sat)}
        p = self.to_state(p, sat)
        return {"h": np.where(p >= 0, p, (LEAK * p + 128) >> 8)}

    @classmethod
    def float_step(cls, f: Floats, x: Array, state: FloatState) -> FloatState:
        a = f.w(x) + f.u(state["h"]) + f.t["b"]
        activation = cls.choices(f.options)["activation"]
        if activation == "tanh":
            return {"h": np.tanh(a)}
        slope = np.float32(LEAK / 256 if activation == "leaky" else 0.0)
        return {"h": np.maximum(a, slope * a)}

    @classmethod
    def _is_tanh(cls, options: Mapping[str, str]) -> bool:
        return cls.choices(options)["activation"] == "tanh"
