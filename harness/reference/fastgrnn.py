"""FastGRNN in integers. Ref: Kusupati et al., NeurIPS 2018, arXiv:1901.02358, eq. (6).

The gate's non-linearity is a sigmoid, or the tanh that the paper's table 11 gives for three data
sets; then z may be negative. Gates are narrow, uint8 at 2^8, or wide, int16 at 2^13: always with
tanh, and in long windows, since a narrow z of at most 255/256 forgets within a few hundred steps.
Twins: harness/models/fastgrnn.py (float), firmware_templates/cells/rnn_cell_fastgrnn.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.reference import ops
from harness.reference.cell import Dims, ReferenceCell, State, table_reach
from harness.reference.floats import Array, Floats, FloatState, sigmoid
from harness.reference.ops import IntArray, Saturations, mix, mix_wide, table_index

NARROW_STEPS = 256  # windows longer than this get wide gates


def is_wide(options: Mapping[str, str]) -> bool:
    """Whether z and g are int16."""
    return options["gate"] == "tanh" or options["width"] == "wide"


class FastGRNN(ReferenceCell):
    """z = gate(Wx + Uh + b_z), c = tanh(Wx + Uh + b_h), h' = (zeta (1 - z) + nu) c + z h."""

    name = "fastgrnn"
    low_rank = True
    gates = 1
    biases = {"b_z": 1, "b_h": 1}
    tables = {"z": "uint8", "g": "uint8", "c": "int16"}
    wide_tables = {"z": "int16", "g": "int16", "c": "int16"}  # z in [-1, 1], g up to 2 zeta + nu
    shifts = ("z", "c")
    options = {"gate": ("sigmoid", "tanh"), "width": ("narrow", "wide")}
    formats = ("width",)

    @classmethod
    def table_spec(cls, dims: Dims) -> Mapping[str, str]:
        return cls.wide_tables if is_wide(dims.options) else cls.tables

    @classmethod
    def integer_options(cls, options: Mapping[str, str], steps: int) -> dict[str, str]:
        wide = {"width": "wide"} if steps > NARROW_STEPS else {}
        return {**options, **wide}

    @classmethod
    def plan(
        cls,
        acc_frac: int,
        fracs: Mapping[str, int],
        scalars: Mapping[str, float],
        options: Mapping[str, str],
    ) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
        zeta, nu = scalars["zeta"], scalars["nu"]
        tables: dict[str, NDArray[Any]] = {"c": ops.tanh_table(fracs["h"])}
        gate = options["gate"]
        if is_wide(options):
            tables["z"] = ops.value_table(gate, ops.WIDE_GATE_FRAC)
            tables["g"] = ops.wide_candidate_gate_table(gate, zeta, nu)
        else:
            tables["z"] = ops.sigmoid_table()
            tables["g"] = ops.candidate_gate_table(zeta, nu)
        gate_step = ops.TANH_STEP_LOG2 if gate == "tanh" else ops.SIGMOID_STEP_LOG2
        return {"z": acc_frac - gate_step, "c": acc_frac - ops.TANH_STEP_LOG2}, tables

    @classmethod
    def state_bound(
        cls, scalars: Mapping[str, float], steps: int, options: Mapping[str, str]
    ) -> float | None:
        """|h_T| <= zeta + T nu: |h| <= z |h| + zeta (1 - z) + nu is linear in z in [0, 1]. With a
        tanh gate only T (2 zeta + nu) holds, of no use for a format."""
        return None if options["gate"] == "tanh" else scalars["zeta"] + steps * scalars["nu"]

    @classmethod
    def update_bounds(
        cls,
        state_bits: int,
        tensors: Mapping[str, NDArray[Any]],
        tables: Mapping[str, NDArray[Any]],
        options: Mapping[str, str],
    ) -> dict[str, int]:
        """|g c + z h| with wide gates; narrow ones stay below 2^24."""
        if not is_wide(options):
            return {}
        g, z = np.abs(tables["g"].astype(np.int64)), np.abs(tables["z"].astype(np.int64))
        worst = int((g * table_reach(tables["c"]) + (z << (state_bits - 1))).max())
        return {"update": worst + (1 << (ops.WIDE_GATE_FRAC - 1))}

    def step(self, x: IntArray, state: State, sat: Saturations) -> State:
        a = self.acc_w(x, sat) + self.acc_u(state["h"], sat)
        gate = table_index(a + self.bias("b_z"), self.shift["z"])
        c = self.table["c"][table_index(a + self.bias("b_h"), self.shift["c"])]
        blend = mix_wide if is_wide(self.dims.options) else mix
        h = blend(self.table["g"][gate], c, self.table["z"][gate], state["h"])
        return {"h": self.to_state(h, sat)}

    @classmethod
    def float_step(cls, f: Floats, x: Array, state: FloatState) -> FloatState:
        a = f.w(x) + f.u(state["h"])
        gate = np.tanh if f.options["gate"] == "tanh" else sigmoid
        z, c = gate(a + f.t["b_z"]), np.tanh(a + f.t["b_h"])
        return {"h": (f.scalars["zeta"] * (1 - z) + f.scalars["nu"]) * c + z * state["h"]}
