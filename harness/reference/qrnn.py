"""QRNN in integers: gates from the last one or two inputs only, then pooling over time.

Ref: Bradbury, Merity, Xiong, Socher, ICLR 2017, arXiv:1611.01576, section 2: eq. (1) and (2), and
the poolings f, fo and ifo of section 2.1.
Twins: harness/models/qrnn.py (float), firmware_templates/cells/rnn_cell_qrnn.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.reference import ops
from harness.reference.cell import Dims, ReferenceCell, State, table_reach
from harness.reference.floats import Array, Floats, FloatState, sigmoid
from harness.reference.ops import IntArray, Saturations, mix, rshift, saturate, table_index

STATE16_MAX = 32767


class QRNN(ReferenceCell):
    """z = tanh(W_z v), f, o, i = sigmoid(W_. v) with v = [x_{t-1}; x_t], or x_t alone (`k1`).

    `f`:   h' = f h + (1 - f) z
    `fo`:  c' = f c + (1 - f) z, h' = o c'
    `ifo`: c' = f c + i z,       h' = o c'

    Rows of W are blocks z, f, o, i, as many as the pooling has. The state `x` is the input before,
    zero before the first step; c is int16, whatever the width of h.
    """

    name = "qrnn"
    recurrent = False
    gates = 3
    biases = {"b": 3}
    tables = {"z": "uint8", "g": "uint8", "c": "int16"}
    shifts = ("z", "c")
    states = ("h", "c", "x")
    fracs = ("c",)
    options = {"pooling": ("fo", "f", "ifo"), "width": ("k2", "k1")}

    @classmethod
    def rows(cls, dims: Dims) -> int:
        return (1 + len(cls._pooling(dims.options))) * dims.hidden

    @classmethod
    def inputs(cls, dims: Dims) -> int:
        return dims.features * (2 if cls._wide(dims.options) else 1)

    @classmethod
    def bias_sizes(cls, dims: Dims) -> Mapping[str, int]:
        return {"b": cls.rows(dims)}

    @classmethod
    def state_sizes(cls, dims: Dims) -> Mapping[str, int]:
        sizes = {"h": dims.hidden}
        sizes |= {"c": dims.hidden} if cls._pooling(dims.options) != "f" else {}
        return sizes | ({"x": dims.features} if cls._wide(dims.options) else {})

    @classmethod
    def shift_names(cls, dims: Dims) -> tuple[str, ...]:
        names = super().shift_names(dims)
        return names if cls._pooling(dims.options) == "f" else (*names, "o")

    @classmethod
    def table_spec(cls, dims: Dims) -> Mapping[str, str]:
        tables = dict(cls.tables)
        if cls._pooling(dims.options) == "ifo":
            del tables["g"]
        return tables

    @classmethod
    def plan(
        cls,
        acc_frac: int,
        fracs: Mapping[str, int],
        scalars: Mapping[str, float],
        options: Mapping[str, str],
    ) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
        pooling = cls._pooling(options)
        shifts = {"z": acc_frac - ops.SIGMOID_STEP_LOG2, "c": acc_frac - ops.TANH_STEP_LOG2}
        tables: dict[str, NDArray[Any]] = {"z": ops.sigmoid_table()}
        if pooling != "ifo":
            tables["g"] = ops.candidate_gate_table(1.0, 0.0)
        if pooling == "f":
            return shifts, tables | {"c": ops.tanh_table(fracs["h"])}
        shifts["o"] = ops.GATE_BITS + fracs["c"] - fracs["h"]
        return shifts, tables | {"c": ops.tanh_table(fracs["c"])}

    @classmethod
    def state_bound(
        cls, scalars: Mapping[str, float], steps: int, options: Mapping[str, str]
    ) -> float | None:
        """f and fo: c is a convex combination of values in (-1, 1). ifo: it may grow."""
        return None if cls._pooling(options) == "ifo" else 1.0

    @classmethod
    def state_reach(
        cls,
        tensors: Mapping[str, NDArray[Any]],
        tables: Mapping[str, NDArray[Any]],
        shifts: Mapping[str, int],
        steps: int,
    ) -> int:
        """Of what is pooled, as for any gated cell; with fo, times the largest output gate."""
        reach = super().state_reach(tensors, tables, shifts, steps)
        if "o" not in shifts:
            return reach
        half = (1 << shifts["o"]) >> 1
        return (table_reach(tables["z"]) * min(reach, STATE16_MAX) + half) >> shifts["o"]

    def step(self, x: IntArray, state: State, sat: Saturations) -> State:
        pooling, wide = self._pooling(self.dims.options), self._wide(self.dims.options)
        v = np.concatenate([state["x"], x], axis=1) if wide else x
        a = self.acc_w(v, sat) + self.bias("b")
        a_z, a_f, *rest = np.split(a, 1 + len(pooling), axis=1)
        z = self.table["c"][table_index(a_z, self.shift["c"])]
        forget = table_index(a_f, self.shift["z"])
        f = self.table["z"][forget]
        after: State = {"x": x} if wide else {}
        if pooling == "f":
            return {"h": self.to_state(mix(self.table["g"][forget], z, f, state["h"]), sat)} | after
        o, *i = (self.table["z"][table_index(v, self.shift["z"])] for v in rest)
        keep = i[0] if pooling == "ifo" else self.table["g"][forget]
        c = saturate(mix(keep, z, f, state["c"]), 16, sat.state)
        return {"h": self.to_state(rshift(o * c, self.shift["o"]), sat), "c": c} | after

    @classmethod
    def float_step(cls, f: Floats, x: Array, state: FloatState) -> FloatState:
        pooling, wide = cls._pooling(f.options), cls._wide(f.options)
        v = np.concatenate([state["x"], x], axis=1) if wide else x
        a_z, a_f, *rest = np.split(f.w(v) + f.t["b"], 1 + len(pooling), axis=1)
        z, forget = np.tanh(a_z), sigmoid(a_f)
        after: FloatState = {"x": x} if wide else {}
        if pooling == "f":
            return {"h": forget * state["h"] + (1 - forget) * z} | after
        o, *i = (sigmoid(a) for a in rest)
        c = forget * state["c"] + (i[0] if pooling == "ifo" else 1 - forget) * z
        return {"h": o * c, "c": c} | after

    @classmethod
    def _pooling(cls, options: Mapping[str, str]) -> str:
        return cls.choices(options)["pooling"]

    @classmethod
    def _wide(cls, options: Mapping[str, str]) -> bool:
        """Whether the gates see the input before, too."""
        return cls.choices(options)["width"] == "k2"
