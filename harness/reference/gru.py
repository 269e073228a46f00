"""GRU in integers, gates in PyTorch's order r, z, n.

Ref: Cho et al. 2014, in the form of torch.nn.GRU (reset gate after the recurrent product).
Twins: harness/models/gru.py (float), firmware_templates/cells/rnn_cell_gru.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.reference import ops
from harness.reference.cell import ReferenceCell, State
from harness.reference.floats import Array, Floats, FloatState, sigmoid
from harness.reference.ops import IntArray, Saturations, mix, rshift, saturate, table_index

MID_FRAC = 12  # of the candidate's two terms, int16: +-8


class GRU(ReferenceCell):
    """r, z = sigmoid(.), n = tanh(W_n x + b_n + r (U_n h + b_hn)), h' = (1 - z) n + z h.

    `b` holds the sums of both biases for r and z, and the input-side bias for n.
    """

    name = "gru"
    low_rank = True
    gates = 3
    biases = {"b": 3, "b_hn": 1}
    tables = {"z": "uint8", "g": "uint8", "c": "int16"}
    shifts = ("z", "mid", "c")

    @classmethod
    def plan(
        cls,
        acc_frac: int,
        fracs: Mapping[str, int],
        scalars: Mapping[str, float],
        options: Mapping[str, str],
    ) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
        mid = max(acc_frac - MID_FRAC, 0)
        shifts = {
            "z": acc_frac - ops.SIGMOID_STEP_LOG2,
            "mid": mid,
            "c": acc_frac - mid - ops.TANH_STEP_LOG2,
        }
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
        """|h| <= max(|n|, |h_0|) <= 1: a convex combination at every step."""
        return 1.0

    def step(self, x: IntArray, state: State, sat: Saturations) -> State:
        h = state["h"]
        w_r, w_z, w_n = np.split(self.acc_w(x, sat) + self.bias("b"), 3, axis=1)
        u_r, u_z, u_n = np.split(self.acc_u(h, sat), 3, axis=1)
        r = self.table["z"][table_index(w_r + u_r, self.shift["z"])]
        gate = table_index(w_z + u_z, self.shift["z"])
        m = saturate(rshift(u_n + self.bias("b_hn"), self.shift["mid"]), 16, sat.mid)
        q = saturate(rshift(w_n, self.shift["mid"]), 16, sat.mid)
        p = (r * m + (1 << (ops.GATE_BITS - 1))) >> ops.GATE_BITS
        n = self.table["c"][table_index(q + p, self.shift["c"])]
        return {"h": self.to_state(mix(self.table["g"][gate], n, self.table["z"][gate], h), sat)}

    @classmethod
    def float_step(cls, f: Floats, x: Array, state: FloatState) -> FloatState:
        h = state["h"]
        w_r, w_z, w_n = np.split(f.w(x) + f.t["b"], 3, axis=1)
        u_r, u_z, u_n = np.split(f.u(h), 3, axis=1)
        z = sigmoid(w_z + u_z)
        n = np.tanh(w_n + sigmoid(w_r + u_r) * (u_n + f.t["b_hn"]))
        return {"h": (1 - z) * n + z * h}
