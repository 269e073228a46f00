"""FastRNN in integers. Ref: Kusupati et al., NeurIPS 2018, arXiv:1901.02358, eq. (2).

The vector form (a weight per unit, beta = zeta (1 - alpha) + nu) is the same paper's
"FastRNN-vector", tables 13 to 15.
Twins: harness/models/fastrnn.py (float), firmware_templates/cells/rnn_cell_fastrnn.c.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.reference import ops
from harness.reference.cell import Dims, ReferenceCell, State, TensorSpec, table_reach
from harness.reference.floats import Array, Floats, FloatState, sigmoid
from harness.reference.ops import IntArray, Saturations, rshift, saturate, table_index

COEFFICIENT_FRAC = 15  # of beta where it is below 1: 256 per 1.0 would turn .965 into .961 or .965
COEFFICIENT_MAX = 32767


def folds(options: Mapping[str, str]) -> bool:
    """Whether the table holds alpha act(a): one alpha for all units, and a table at all."""
    return options["form"] == "scalar" and options["activation"] != "relu"


class FastRNN(ReferenceCell):
    """c = act(Wx + Uh + b), h' = alpha c + beta h.

    beta is int16 at frac `mix`. The scalar form with a table folds alpha into it, so that alpha c
    is rounded once, at the state's scale; the others multiply by an int16 alpha.
    """

    name = "fastrnn"
    low_rank = True
    gates = 1
    biases = {"b": 1}
    tables = {"c": "int16"}
    shifts = ("c", "mix")
    fracs = ("c",)  # of ReLU's c, which has no bound
    options = {"activation": ("tanh", "sigmoid", "relu"), "form": ("scalar", "vector")}

    @classmethod
    def tensor_spec(cls, dims: Dims) -> TensorSpec:
        size = dims.hidden if dims.options["form"] == "vector" else 1
        names = ("beta",) if folds(dims.options) else ("alpha", "beta")
        return super().tensor_spec(dims) | {name: ("int16", (size,)) for name in names}

    @classmethod
    def table_spec(cls, dims: Dims) -> Mapping[str, str]:
        return {} if dims.options["activation"] == "relu" else cls.tables

    @classmethod
    def plan(
        cls,
        acc_frac: int,
        fracs: Mapping[str, int],
        scalars: Mapping[str, float],
        options: Mapping[str, str],
    ) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
        activation = options["activation"]
        if activation == "relu":
            return {"c": acc_frac - fracs["c"]}, {}
        step = ops.TANH_STEP_LOG2 if activation == "tanh" else ops.SIGMOID_STEP_LOG2
        gain = scalars["alpha"] if folds(options) else 1.0
        table = ops.value_table(activation, fracs["h"], gain)
        return {"c": acc_frac - step}, {"c": table}

    @classmethod
    def coefficients(
        cls,
        fracs: Mapping[str, int],
        tensors: Mapping[str, NDArray[Any]],
        options: Mapping[str, str],
    ) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
        """beta at frac `mix`, the largest that fits; alpha at mix + h - c: the products align."""
        lift = fracs["h"] - fracs["c"] if options["activation"] == "relu" else 0
        names = ("beta",) if folds(options) else ("alpha", "beta")
        lifts = {"alpha": lift, "beta": 0}
        mix = min(COEFFICIENT_FRAC, *(_room(tensors[n]) - lifts[n] for n in names))
        mix = max(0, mix)
        return {"mix": mix}, {n: _rounded(tensors[n], mix + lifts[n]) for n in names}

    @classmethod
    def state_bound(
        cls, scalars: Mapping[str, float], steps: int, options: Mapping[str, str]
    ) -> float | None:
        """Scalar: |h_T| <= alpha (1 - beta^T) / (1 - beta), as |c| <= 1. Vector: 1 / zeta where
        zeta + nu <= 1, because then 1 - beta >= zeta alpha. Nothing bounds ReLU."""
        if options["activation"] == "relu":
            return None
        if options["form"] == "vector":
            zeta, nu = scalars["zeta"], scalars["nu"]
            return 1.0 / zeta if zeta > 0.0 and zeta + nu <= 1.0 else None
        beta = scalars["beta"]
        return scalars["alpha"] * math.fsum(beta**k for k in range(steps))

    @classmethod
    def state_reach(
        cls,
        tensors: Mapping[str, NDArray[Any]],
        tables: Mapping[str, NDArray[Any]],
        shifts: Mapping[str, int],
        steps: int,
    ) -> int:
        """The update grows with |c| and |h|: its worst case, repeated, per unit."""
        beta, mix = np.abs(tensors["beta"].astype(object)), shifts["mix"]
        c, half = table_reach(tables["c"]), 1 << mix >> 1
        fed = np.abs(tensors["alpha"].astype(object)) * c if "alpha" in tensors else c << mix
        reach = 0 * beta
        for _ in range(steps):
            following = np.maximum(reach, (fed + beta * reach + half) >> mix)
            if (following == reach).all():
                break
            reach = following
        return int(reach.max())

    @classmethod
    def update_bounds(
        cls,
        state_bits: int,
        tensors: Mapping[str, NDArray[Any]],
        tables: Mapping[str, NDArray[Any]],
        options: Mapping[str, str],
    ) -> dict[str, int]:
        """|alpha c + beta h|, the factors int16 but for an 8-bit state."""
        worst = np.abs(tensors["beta"].astype(np.int64)) << (state_bits - 1)
        if "alpha" in tensors:
            worst = worst + (np.abs(tensors["alpha"].astype(np.int64)) << 15)
        return {"update": int(worst.max())}

    def step(self, x: IntArray, state: State, sat: Saturations) -> State:
        a = self.acc_w(x, sat) + self.acc_u(state["h"], sat) + self.bias("b")
        if self.dims.options["activation"] == "relu":
            c = saturate(np.maximum(rshift(a, self.shift["c"]), 0), 16, sat.mid)
        else:
            c = self.table["c"][table_index(a, self.shift["c"])]
        kept, mix = self.t["beta"].astype(np.int64) * state["h"], self.shift["mix"]
        if folds(self.dims.options):
            return {"h": self.to_state(c + rshift(kept, mix), sat)}
        return {"h": self.to_state(rshift(self.t["alpha"].astype(np.int64) * c + kept, mix), sat)}

    @classmethod
    def float_step(cls, f: Floats, x: Array, state: FloatState) -> FloatState:
        a = f.w(x) + f.u(state["h"]) + f.t["b"]
        activation = f.options["activation"]
        if activation == "relu":
            c = np.maximum(a, np.float32(0))
            f.peak("c", c)
        else:
            c = np.tanh(a) if activation == "tanh" else sigmoid(a)
        alpha = f.t["alpha"] if "alpha" in f.t else f.scalars["alpha"]
        return {"h": alpha * c + f.t["beta"] * state["h"]}


def _room(values: NDArray[Any]) -> int:
    """Most bits after the point with which all values fit an int16."""
    largest = float(np.abs(values).max())
    return 31 if largest == 0 else math.floor(math.log2(COEFFICIENT_MAX / largest))


def _rounded(values: NDArray[Any], frac: int) -> NDArray[np.int16]:
    scaled = np.floor(values.astype(np.float64) * 2.0**frac + 0.5)
    return np.clip(scaled, -COEFFICIENT_MAX, COEFFICIENT_MAX).astype(np.int16)
