"""FastGRNN in integers. Ref: Kusupati et al., NeurIPS 2018, arXiv:1901.02358, eq. (6).

Twins: harness/models/fastgrnn.py (float), firmware_templates/cells/rnn_cell_fastgrnn.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.reference import ops
from harness.reference.cell import ReferenceCell, State
from harness.reference.floats import Array, Floats, FloatState, sigmoid
from harness.reference.ops import IntArray, Saturations, mix, table_index


class FastGRNN(ReferenceCell):
    """z = sigmoid(Wx + Uh + b_z), c = tanh(Wx + Uh + b_h), h' = (zeta (1 - z) + nu) c + z h."""

    name = "fastgrnn"
    gates = 1
    biases = {"b_z": 1, "b_h": 1}
    tables = {"z": "uint8", "g": "uint8", "c": "int16"}
    shifts = ("z", "c")

    @classmethod
    def plan(
        cls,
        acc_frac: int,
        fracs: Mapping[str, int],
        scalars: Mapping[str, float],
        options: Mapping[str, str],
    ) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
        shifts = {"z": acc_frac - ops.SIGMOID_STEP_LOG2, "c": acc_frac - ops.TANH_STEP_LOG2}
        tables: dict[str, NDArray[Any]] = {
            "z": ops.sigmoid_table(),
            "g": ops.candidate_gate_table(scalars["zeta"], scalars["nu"]),
            "c": ops.tanh_table(fracs["h"]),
        }
        return shifts, tables

    @classmethod
    def state_bound(
        cls, scalars: Mapping[str, float], steps: int, options: Mapping[str, str]
    ) -> float:
        """|h_T| <= zeta + T nu: |h| <= z |h| + zeta (1 - z) + nu is linear in z in [0, 1]."""
        return scalars["zeta"] + steps * scalars["nu"]

    def step(self, x: IntArray, state: State, sat: Saturations) -> State:
        a = self.acc_w(x, sat) + self.acc_u(state["h"], sat)
        gate = table_index(a + self.bias("b_z"), self.shift["z"])
        c = self.table["c"][table_index(a + self.bias("b_h"), self.shift["c"])]
        h = mix(self.table["g"][gate], c, self.table["z"][gate], state["h"])
        return {"h": self.to_state(h, sat)}

    @classmethod
    def float_step(cls, f: Floats, x: Array, state: FloatState) -> FloatState:
        a = f.w(x) + f.u(state["h"])
        z, c = sigmoid(a + f.t["b_z"]), np.tanh(a + f.t["b_h"])
        return {"h": (f.scalars["zeta"] * (1 - z) + f.scalars["nu"]) * c + z * state["h"]}
