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
from harness.reference.ops import (
    GATE_BITS,
    WIDE_GATE_FRAC,
    IntArray,
    Saturations,
    matvec,
    rshift,
    saturate,
)

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
        recurrent whether there is a matrix U
        low_rank  whether training offers W and U as products of two factors
        multiple  H must be a multiple of this (complex units: 2)
        biases    int8 bias tensors and the number of row blocks each has
        tables    256-entry tables and their dtype
        shifts    names of the cell's own shifts, beside those of the matrix products
        states    state arrays; the first is the hidden state that the classifier reads
        fracs     formats the quantiser must choose beside x, h and the weights, each from the peak
                  of its name where `float_step` records one
        options   variants of the cell: name -> allowed values, the first being the default
        training  names of the options that the integer form does not depend on
        formats   names of the options that the float form does not depend on
        fixed     options of a shared form that this cell has settled: name -> value
        source    the form whose C file, rnn_cell_<source>.c, serves this cell; "" = its own
    """

    name: ClassVar[str]
    gates: ClassVar[int]
    biases: ClassVar[Mapping[str, int]]
    tables: ClassVar[Mapping[str, str]]
    shifts: ClassVar[tuple[str, ...]]
    states: ClassVar[tuple[str, ...]] = ("h",)
    fracs: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    training: ClassVar[tuple[str, ...]] = ()
    formats: ClassVar[tuple[str, ...]] = ()
    fixed: ClassVar[Mapping[str, str]] = {}
    source: ClassVar[str] = ""
    recurrent: ClassVar[bool] = True
    low_rank: ClassVar[bool] = False
    multiple: ClassVar[int] = 1

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
    def rows(cls, dims: Dims) -> int:
        """Rows of W and U."""
        return cls.gates * dims.hidden

    @classmethod
    def inputs(cls, dims: Dims) -> int:
        """Columns of W: the features, or more where the cell looks at more than one sample."""
        return dims.features

    @classmethod
    def bias_sizes(cls, dims: Dims) -> Mapping[str, int]:
        """Values in each int8 bias."""
        return {name: blocks * dims.hidden for name, blocks in cls.biases.items()}

    @classmethod
    def state_sizes(cls, dims: Dims) -> Mapping[str, int]:
        """Values per window in each state array."""
        return {name: dims.hidden for name in cls.states}

    @classmethod
    def choices(cls, options: Mapping[str, str]) -> dict[str, str]:
        """The value of every option: the default, the one given, or the one that is fixed."""
        defaults = {name: values[0] for name, values in cls.options.items()}
        return {**defaults, **options, **cls.fixed}

    @classmethod
    def integer_options(cls, options: Mapping[str, str], steps: int) -> dict[str, str]:
        """The options of the integer form of a float cell for windows of `steps` steps."""
        return dict(options)

    @classmethod
    def tensor_spec(cls, dims: Dims) -> TensorSpec:
        """Names, dtypes and shapes of a model's tensors, classifier included."""
        rows = cls.rows(dims)
        spec = _matrix_spec("W", rows, cls.inputs(dims), dims.rank_w)
        if cls.recurrent:
            spec |= _matrix_spec("U", rows, dims.hidden, dims.rank_u)
        spec |= {name: ("int8", (size,)) for name, size in cls.bias_sizes(dims).items()}
        spec["F"] = ("int8", (dims.classes, dims.hidden))
        spec["b_F"] = ("int32", (dims.classes,))
        return spec

    @classmethod
    def shift_names(cls, dims: Dims) -> tuple[str, ...]:
        """Every shift a model of this cell must give."""
        names = ["pre", "w_align", "b_align"]
        names += ["u_align"] if cls.recurrent else []
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
    def coefficients(
        cls,
        fracs: Mapping[str, int],
        tensors: Mapping[str, NDArray[Any]],
        options: Mapping[str, str],
    ) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
        """The cell's own int16 tensors (those `tensor_spec` adds) from the float ones, and the
        shifts that belong to their scale, which come first."""
        return {}, {}

    @classmethod
    def state_bound(
        cls, scalars: Mapping[str, float], steps: int, options: Mapping[str, str]
    ) -> float | None:
        """A proved bound of |h| after `steps` steps, or None: the quantiser calibrates instead."""
        return None

    @classmethod
    def state_reach(
        cls,
        tensors: Mapping[str, NDArray[Any]],
        tables: Mapping[str, NDArray[Any]],
        shifts: Mapping[str, int],
        steps: int,
    ) -> int:
        """Proved largest |h| in counts after `steps` steps, for cells with a `state_bound`.

        Here for a gated cell: the update (g c + z h + 128) >> 8, or with wide gates by 13 bits,
        grows with |c| and |h|, so its worst case over the gate's 256 entries, repeated, bounds
        every trajectory. Of the tensors only those of `coefficients` are there.
        """
        bits = GATE_BITS if tables["z"].dtype == np.uint8 else WIDE_GATE_FRAC
        half = 1 << (bits - 1)
        g, z = tables["g"].astype(np.int64), tables["z"].astype(np.int64)
        c = table_reach(tables["c"])
        reach = 0
        for _ in range(steps):
            following = max(reach, int(((g * c + z * reach + half) >> bits).max()))
            if following == reach:
                break
            reach = following
        return reach

    @classmethod
    def update_bounds(
        cls,
        state_bits: int,
        tensors: Mapping[str, NDArray[Any]],
        tables: Mapping[str, NDArray[Any]],
        options: Mapping[str, str],
    ) -> dict[str, int]:
        """Largest |sum| of the cell's own update, where its factors' types do not bound it."""
        return {}

    @classmethod
    @abstractmethod
    def float_step(cls, f: Floats, x: Array, state: FloatState) -> FloatState:
        """The same step in floats: x [N, D] standardised, state arrays [N, H] float32."""

    def start(self, n: int) -> State:
        """The state before the first step, for n windows."""
        sizes = self.state_sizes(self.dims)
        return {name: np.zeros((n, size), np.int64) for name, size in sizes.items()}

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


def table_reach(table: NDArray[Any]) -> int:
    """Largest magnitude among a table's entries."""
    return int(np.abs(table.astype(np.int64)).max())


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

    pre = product("W", "w", 1 << 7)
    if cell.recurrent:
        pre = pre + product("U", "u", state_max)
    bounds["pre"] = int(pre.max()) + (1 << 7 << shifts["b_align"])
    classifier = _row_abs(tensors["F"]) * state_max + np.abs(tensors["b_F"].astype(object))
    bounds["classifier"] = int(classifier.max())
    return bounds


def _row_abs(matrix: NDArray[Any]) -> NDArray[Any]:
    """Sum of absolute values per row, as Python integers (no wrap)."""
    sums: NDArray[Any] = np.abs(matrix.astype(np.int64)).sum(axis=1).astype(object)
    return sums
