"""LSTM in integers, gates in PyTorch's order i, f, g, o.

Ref: Hochreiter and Schmidhuber 1997, in the form of torch.nn.LSTM.
Twins: harness/models/lstm.py (float), firmware_templates/cells/rnn_cell_lstm.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.reference import ops
from harness.reference.cell import ReferenceCell, State, table_reach
from harness.reference.floats import Array, Floats, FloatState, sigmoid
from harness.reference.ops import IntArray, Saturations, mix, saturate, table_index


class LSTM(ReferenceCell):
    """c' = f c + i g, h' = o tanh(c'). The cell state c is int16, whatever the width of h."""

    name = "lstm"
    low_rank = True
    gates = 4
    biases = {"b": 4}
    tables = {"z": "uint8", "c": "int16", "tc": "int16"}
    shifts = ("z", "c", "tc")
    states = ("h", "c")
    fracs = ("c",)

    @classmethod
    def plan(
        cls,
        acc_frac: int,
        fracs: Mapping[str, int],
        scalars: Mapping[str, float],
        options: Mapping[str, str],
    ) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
        shifts = {
            "z": acc_frac - ops.SIGMOID_STEP_LOG2,
            "c": acc_frac - ops.TANH_STEP_LOG2,
            "tc": fracs["c"] - ops.TANH_STEP_LOG2,
        }
        tables: dict[str, NDArray[Any]] = {
            "z": ops.sigmoid_table(),
            "c": ops.tanh_table(fracs["c"]),
            "tc": ops.tanh_table(fracs["h"]),
        }
        return shifts, tables

    @classmethod
    def state_bound(
        cls, scalars: Mapping[str, float], steps: int, options: Mapping[str, str]
    ) -> float:
        """|h| = o |tanh(c)| < 1."""
        return 1.0

    @classmethod
    def state_reach(
        cls,
        tensors: Mapping[str, NDArray[Any]],
        tables: Mapping[str, NDArray[Any]],
        shifts: Mapping[str, int],
        steps: int,
    ) -> int:
        """One product, no recurrence."""
        half = 1 << (ops.GATE_BITS - 1)
        return (table_reach(tables["z"]) * table_reach(tables["tc"]) + half) >> ops.GATE_BITS

    def step(self, x: IntArray, state: State, sat: Saturations) -> State:
        a = self.acc_w(x, sat) + self.acc_u(state["h"], sat) + self.bias("b")
        a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
        i, f, o = (self.table["z"][table_index(v, self.shift["z"])] for v in (a_i, a_f, a_o))
        g = self.table["c"][table_index(a_g, self.shift["c"])]
        c = saturate(mix(f, state["c"], i, g), 16, sat.state)
        tc = self.table["tc"][table_index(c, self.shift["tc"])]
        half = 1 << (ops.GATE_BITS - 1)
        return {"h": self.to_state((o * tc + half) >> ops.GATE_BITS, sat), "c": c}

    @classmethod
    def float_step(cls, f: Floats, x: Array, state: FloatState) -> FloatState:
        a_i, a_f, a_g, a_o = np.split(f.w(x) + f.u(state["h"]) + f.t["b"], 4, axis=1)
        c = sigmoid(a_f) * state["c"] + sigmoid(a_i) * np.tanh(a_g)
        return {"h": sigmoid(a_o) * np.tanh(c), "c": c}
