"""oRNN in integers: an orthogonal recurrent matrix, leaky ReLU.

Ref: Mhammedi et al., ICML 2017, arXiv:1612.00188. The product of the Householder reflections is
multiplied out: one dense int8 matrix.
Twins: harness/models/ornn.py (float), firmware_templates/cells/rnn_cell_ornn.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.reference.cell import ReferenceCell, State
from harness.reference.floats import Array, Floats, FloatState
from harness.reference.ops import IntArray, Saturations, rshift

LEAK = 26  # slope of the negative side in 1/256: the authors' 0.1


class ORNN(ReferenceCell):
    """h' = leaky_relu(Wx + Uh + b), slope 26/256 below zero."""

    name = "ornn"
    gates = 1
    biases = {"b": 1}
    tables: ClassVar[Mapping[str, str]] = {}
    shifts = ("out",)

    @classmethod
    def plan(
        cls,
        acc_frac: int,
        fracs: Mapping[str, int],
        scalars: Mapping[str, float],
        options: Mapping[str, str],
    ) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
        return {"out": acc_frac - fracs["h"]}, {}

    def step(self, x: IntArray, state: State, sat: Saturations) -> State:
        a = self.acc_w(x, sat) + self.acc_u(state["h"], sat) + self.bias("b")
        p = self.to_state(rshift(a, self.shift["out"]), sat)
        return {"h": np.where(p >= 0, p, (LEAK * p + 128) >> 8)}

    @classmethod
    def float_step(cls, f: Floats, x: Array, state: FloatState) -> FloatState:
        a = f.w(x) + f.u(state["h"]) + f.t["b"]
        f.peak("pre", a)
        return {"h": np.maximum(a, np.float32(LEAK / 256) * a)}
