"""UGRNN in integers. Ref: Collins, Sohl-Dickstein, Sussillo, ICLR 2017, arXiv:1611.09913.

Twins: harness/models/ugrnn.py (float), firmware_templates/cells/rnn_cell_ugrnn.c.
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


class UGRNN(ReferenceCell):
    """z = sigmoid(W_z x + U_z h + b_z), c = tanh(W_c x + U_c h + b_c), h' = z h + (1 - z) c."""

    name = "ugrnn"
    low_rank = True
    gates = 2
    biases = {"b": 2}
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
            "g": ops.candidate_gate_table(1.0, 0.0),
            "c": ops.tanh_table(fracs["h"]),
        }
        return shifts, tables

    @classmethod
    def state_bound(
        cls, scalars: Mapping[str, float], steps: int, options: Mapping[str, str]
    ) -> float:
        """|h| <= max(|c|, |h_0|) <= 1: a convex combination at every step."""
        return 1.0

    def step(self, x: IntArray, state: State, sat: Saturations) -> State:
        a = self.acc_w(x, sat) + self.acc_u(state["h"], sat) + self.bias("b")
        a_z, a_c = np.split(a, 2, axis=1)
        gate = table_index(a_z, self.shift["z"])
        c = self.table["c"][table_index(a_c, self.shift["c"])]
        h = mix(self.table["g"][gate], c, self.table["z"][gate], state["h"])
        return {"h": self.to_state(h, sat)}

    @classmethod
    def float_step(cls, f: Floats, x: Array, state: FloatState) -> FloatState:
        a_z, a_c = np.split(f.w(x) + f.u(state["h"]) + f.t["b"], 2, axis=1)
        z = sigmoid(a_z)
        return {"h": z * state["h"] + (1 - z) * np.tanh(a_c)}
