"""What every integer cell shares: its tensors, its two matrix products, its proof of no overflow.

A cell is one subclass in a file of its own. What differs between cells is data (names of tensors,
tables and shifts) and one method, `step`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.reference.floats import Array, Floats, FloatState
from harness.reference.ops import IntArray, Saturations, matvec, rshift, saturate

State = dict[str, IntArray]
TensorSpec = dict[str, tuple[str, tuple[int, ...]]]  # name -> (dtype, shape)


@dataclass(frozen=True)
class Dims:
    """What shapes a model: D features, H hidden units, C classes, ranks (None = full), options."""

    features: int
    hidden: int
    classes: int
    rank_w: int | None = None
    rank_u: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)  # of the cell, e.g. its non-linearity


class ReferenceCell(ABC):
    """One recurrent cell in integers. Subclasses are stateless apart from the model's tensors.

    Class data
        name      the cell's name, as in `QModel.cell`
        gates     row blocks in W and U, so both have gates * H rows
        biases    int8 bias tensors and the number of row blocks each has
        tables    256-entry tables and their dtype
        shifts    names of the cell's own shifts, beside those of the matrix products
        states    state arrays; the first is the hidden state that the classifier reads
        fracs     formats the quantiser must choose beside x, h and the weights
        options   variants of the cell: name -> allowed values, the first being the default
    """

    name: ClassVar[str]
    gates: ClassVar[int]
    biases: ClassVar[Mapping[str, int]]
    tables: ClassVar[Mapping[str, str]]
    shifts: ClassVar[tuple[str, ...]]
    states: ClassVar[tuple[str, ...]] = ("h",)
    fracs: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __init__(
        self,
        dims: Dims,
        state_bits: int,
        tensors: Mapping[str, NDArray[Any]],
        tables: Mapping[str, NDArray[Any]],
        shifts: Mapping[str, int],
    ) -> None:
        self.dims = dims
        self.state_bits = state_bits
        self.t = tensors
        self.table = {name: table.astype(np.int64) for name, table in tables.items()}
        self.shift = shifts

    @classmethod
    def tensor_spec(cls, dims: Dims) -> TensorSpec:
        """Names, dtypes and shapes of a model's tensors, classifier included."""
        rows = cls.gates * dims.hidden
        spec = _matrix_spec("W", rows, dims.features, dims.rank_w)
        spec |= _matrix_spec("U", rows, dims.hidden, dims.rank_u)
        spec |= {name: ("int8", (blocks * dims.hidden,)) for name, blocks in cls.biases.items()}
        spec["F"] = ("int8", (dims.classes, dims.hidden))
        spec["b_F"] = ("int32", (dims.classes,))
        return spec

    @classmethod
    def shift_names(cls, dims: Dims) -> tuple[str, ...]:
        """Every shift a model of this cell must give."""
        names = ["pre", "w_align", "u_align", "b_align"]
        names += ["w_mid"] if dims.rank_w is not None else []
        names += ["u_mid"] if dims.rank_u is not None else []
        return (*names, *cls.shifts)

    @classmethod
    def table_spec(cls, dims: Dims) -> Mapping[str, str]:
        """Names and dtypes of the 256-entry tables a model of this cell holds."""
        return cls.tables

    @classmethod
    @abstractmethod
    def plan(
        cls,
        acc_frac: int,
        fracs: Mapping[str, int],
        scalars: Mapping[str, float],
        options: Mapping[str, str],
    ) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
        """The cell's own shifts and tables, from the frac of the accumulators, the formats of
        x, h and `cls.fracs`, and the float model's scalars (FastGRNN: zeta, nu)."""

    @classmethod
    def state_bound(
        cls, scalars: Mapping[str, float], steps: int, options: Mapping[str, str]
    ) -> float | None:
        """A proved bound of |h| after `steps` steps, or None: the quantiser calibrates instead."""
        return None

    @classmethod
    @abstractmethod
    def float_step(cls, f: Floats, x: Array, state: FloatState) -> FloatState:
        """The same step in floats: x [N, D] standardised, state arrays [N, H] float32."""

    def start(self, n: int) -> State:
        """The state before the first step, for n windows."""
        return {name: np.zeros((n, self.dims.hidden), np.int64) for name in self.states}

    @abstractmethod
    def step(self, x: IntArray, state: State, sat: Saturations) -> State:
        """One time step: x [N, D] int8 range, state arrays [N, H] -> the next state."""

    def logits(self, state: State) -> IntArray:
        """Classifier on the hidden state: [N, C]."""
        return matvec(self.t["F"], state["h"]) + self.t["b_F"].astype(np.int64)

    # -- pieces for subclasses ---------------------------------------------------------------

    def acc_w(self, x: IntArray, sat: Saturations) -> IntArray:
        """W x at the accumulators' scale: [N, gates * H]."""
        return self._product("W", "w", x, sat)

    def acc_u(self, h: IntArray, sat: Saturations) -> IntArray:
        """U h at the accumulators' scale: [N, gates * H]."""
        return self._product("U", "u", h, sat)

    def bias(self, name: str) -> IntArray:
        """A bias at the accumulators' scale."""
        return self.t[name].astype(np.int64) << self.shift["b_align"]

    def to_state(self, v: IntArray, sat: Saturations) -> IntArray:
        """Clamp to the width of the hidden state, counting."""
        return saturate(v, self.state_bits, sat.state)

    def _product(self, matrix: str, shift: str, v: IntArray, sat: Saturations) -> IntArray:
        if matrix in self.t:
            return matvec(self.t[matrix], v) << self.shift[f"{shift}_align"]
        inner = rshift(matvec(self.t[f"{matrix}2T"], v), self.shift[f"{shift}_mid"])
        inner = saturate(inner, 16, sat.mid)
        return matvec(self.t[f"{matrix}1"], inner) << self.shift[f"{shift}_align"]


def _matrix_spec(name: str, rows: int, cols: int, rank: int | None) -> TensorSpec:
    if rank is None:
        return {name: ("int8", (rows, cols))}
    return {f"{name}1": ("int8", (rows, rank)), f"{name}2T": ("int8", (rank, cols))}


def accumulator_bounds(
    cell: type[ReferenceCell],
    dims: Dims,
    state_bits: int,
    tensors: Mapping[str, NDArray[Any]],
    shifts: Mapping[str, int],
) -> dict[str, int]:
    """Largest possible |accumulator| of each sum, over all inputs and all orders of summation.

    Keys: `pre` (the pre-activations, aligned and with the largest bias), `w_mid`, `u_mid` (first
    stages of low rank), `classifier`. The firmware's int32 is safe iff each is below 2^31.
    """
    state_max = 1 << (state_bits - 1)
    bounds: dict[str, int] = {}

    def product(matrix: str, shift: str, v_max: int) -> NDArray[Any]:
        if matrix in tensors:
            return _row_abs(tensors[matrix]) * v_max * (1 << shifts[f"{shift}_align"])
        bounds[f"{shift}_mid"] = int(_row_abs(tensors[f"{matrix}2T"]).max()) * v_max + (
            1 << max(shifts[f"{shift}_mid"] - 1, 0)
        )
        return _row_abs(tensors[f"{matrix}1"]) * (1 << 15) * (1 << shifts[f"{shift}_align"])

    pre = product("W", "w", 1 << 7) + product("U", "u", state_max)
    bounds["pre"] = int(pre.max()) + (1 << 7 << shifts["b_align"])
    classifier = _row_abs(tensors["F"]) * state_max + np.abs(tensors["b_F"].astype(object))
    bounds["classifier"] = int(classifier.max())
    return bounds


def _row_abs(matrix: NDArray[Any]) -> NDArray[Any]:
    """Sum of absolute values per row, as Python integers (no wrap)."""
    sums: NDArray[Any] = np.abs(matrix.astype(np.int64)).sum(axis=1).astype(object)
    return sums
