"""The models of benchmarks/kernels.py: shapes of the paper and small ones, with random weights.

Cycles do not depend on what a network has learned, only on its shape, its zeros and, by a few per
cent, on how often a table's index is clipped. So the weights are drawn from a fixed seed. Where the
quantiser decides what a kernel may do (`sum_bits`), it makes the model, from random floats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets import Standardisation
from harness.errors import ModelFileError
from harness.floatmodel import FloatModel
from harness.qmodel import QModel
from harness.quantize import quantise
from harness.reference import CELLS, Dims
from tests.models import random_qmodel

SEED = 20
SIGMA = 40.0  # of the weights, in units of the last place
# Root mean squares of the nonzero weights, and scalars, of har2's `paper` FastGRNN, seed 0.
SPREAD = {"W1": 0.67, "W2T": 0.78, "U1": 0.29, "U2T": 0.27, "b_z": 0.86, "b_h": 0.19, "F": 0.36}
SCALARS = {"zeta": 0.83, "nu": 0.0096}
CALIBRATION_WINDOWS = 64


@dataclass(frozen=True)
class Shape:
    """A row of the table.

    Fields
        name      how the table calls it
        density   share of weights that are not zero, on the input (w) and recurrent (u) side
        steps     of a window
        paper_ms  what the FastGRNN paper prints for a window on a board, by kind (its table 12)
        quick     whether the test of the committed table measures it
        state_bits  width of the hidden state
        inner_bits  8: low rank's inner values are proved to fit a byte, by coarser scales
        sum_bits  16: random floats, quantised so that every sum fits int16; state_bits must be 8
        boards    the kinds of board that have this row; () = all
    """

    name: str
    cell: str
    hidden: int
    features: int
    rank_w: int | None = None
    rank_u: int | None = None
    density_w: float = 1.0
    density_u: float = 1.0
    steps: int = 128
    options: dict[str, str] = field(default_factory=dict)
    paper_ms: dict[str, float] = field(default_factory=dict)
    quick: bool = False
    state_bits: int = 16
    inner_bits: int = 16
    sum_bits: int = 32
    boards: tuple[str, ...] = ()

    def model(self) -> QModel:
        """The network. Its scales are the quantiser's where the sums allow it."""
        if self.sum_bits == 16:
            return self._quantised()
        sparse = random_qmodel(
            self.cell,
            SEED,
            features=self.features,
            hidden=self.hidden,
            rank_w=self.rank_w,
            rank_u=self.rank_u,
            state_bits=self.state_bits,
            steps=self.steps,
            density=0.0,
            companded=False,
            options=self.options,
        )
        rng = np.random.default_rng(SEED)
        tensors = dict(sparse.tensors)
        for name, matrix in sparse.matrices.items():
            density = self.density_w if name.startswith("W") else self.density_u
            tensors[name] = _weights(rng, matrix.shape, density)
        start = dict(sparse.shifts)
        if self.inner_bits == 8:
            start |= _coarse(tensors, self.state_bits)
        for shifts in _lower(start):
            try:
                return replace(sparse, name=self.name, tensors=tensors, shifts=shifts)
            except ModelFileError:  # a sum might pass int32
                continue
        raise AssertionError(f"{self.name}: no scale is safe")

    def _quantised(self) -> QModel:
        """A low-rank FastGRNN of random floats, as the quantiser makes it."""
        rng = np.random.default_rng(SEED)
        options = {name: values[0] for name, values in CELLS[self.cell].options.items()}
        dims = Dims(self.features, self.hidden, 6, self.rank_w, self.rank_u, options)
        tensors = {}
        for name, (_, shape) in CELLS[self.cell].tensor_spec(dims).items():
            density = {"W": self.density_w, "U": self.density_u}.get(name[0], 1.0)
            values = _largest(rng.normal(0, 1, int(np.prod(shape))), density)
            values *= SPREAD.get(name, 0.1) / np.sqrt((values[values != 0] ** 2).mean())
            tensors[name] = values.reshape(shape).astype(np.float32)
        model = FloatModel(
            cell=self.cell,
            dims=dims,
            steps=self.steps,
            dataset="random",
            class_names=tuple(f"class {c}" for c in range(dims.classes)),
            tensors=tensors,
            scalars=SCALARS,
            standardisation=Standardisation(np.zeros(self.features), np.ones(self.features)),
            raw_step=np.full(self.features, 2.0**-12),
            companded=np.zeros(self.features, bool),
        )
        windows = rng.normal(0, 1, (CALIBRATION_WINDOWS, self.steps, self.features))
        return quantise(
            model,
            windows.astype(np.float32),
            name=self.name,
            state_bits=self.state_bits,
            sum_bits=self.sum_bits,
        )


def _largest(values: NDArray[np.float64], density: float) -> NDArray[np.float64]:
    """The share `density` of largest magnitudes, as hard thresholding leaves them; others are 0."""
    order = np.argsort(np.abs(values))
    values[order[: values.size - round(values.size * density)]] = 0
    return values


def _weights(rng: np.random.Generator, shape: tuple[int, ...], density: float) -> NDArray[np.int8]:
    """Normal weights; exactly the share `density` of them is not zero."""
    size = int(np.prod(shape))
    values = np.clip(np.rint(rng.normal(0, SIGMA, size)), -127, 127)
    values[values == 0] = 1
    values[rng.permutation(size)[round(size * density) :]] = 0
    return values.astype(np.int8).reshape(shape)


def _coarse(tensors: dict[str, NDArray[Any]], state_bits: int) -> dict[str, int]:
    """Shifts after low rank's first products with which no inner value passes a byte."""
    shifts = {}
    for side, bits in (("W", 8), ("U", state_bits)):
        largest = np.abs(tensors[f"{side}2T"].astype(np.int64)).sum(axis=1).max() << (bits - 1)
        shifts[f"{side.lower()}_mid"] = int(largest).bit_length() - 7
    return shifts


def _lower(shifts: dict[str, int]) -> Iterator[dict[str, int]]:
    """The same shifts with W ever coarser."""
    for align in range(shifts["w_align"], -1, -1):
        yield shifts | {"w_align": align}


SHAPES = (
    Shape("har2-paper", "fastgrnn", 80, 9, 5, 40, 0.2, 0.3,
          options={"gate": "tanh", "width": "narrow"}, paper_ms={"mkr1000": 162}),
    Shape("har2-paper-s8", "fastgrnn", 80, 9, 5, 40, 0.2, 0.3, state_bits=8,
          options={"gate": "tanh", "width": "narrow"}, boards=("uno",)),
    Shape("har2-paper-s8-t8", "fastgrnn", 80, 9, 5, 40, 0.2, 0.3, state_bits=8, inner_bits=8,
          options={"gate": "tanh", "width": "narrow"}, boards=("uno",)),
    Shape("har2-paper-narrow", "fastgrnn", 80, 9, 5, 40, 0.2, 0.3, state_bits=8, sum_bits=16,
          boards=("uno",)),
    Shape("google12-paper", "fastgrnn", 100, 32, 16, 25, 0.3, 0.3, steps=99,
          paper_ms={"mkr1000": 537}),
    Shape("wakeword2-paper", "fastgrnn", 32, 32, 10, 15, 0.2, 0.3, steps=162,
          options={"gate": "tanh", "width": "narrow"}),
    Shape("fastgrnn-16-lr", "fastgrnn", 16, 9, 2, 8, quick=True),
    Shape("fastgrnn-16-lr-s8", "fastgrnn", 16, 9, 2, 8, state_bits=8, boards=("uno",)),
    Shape("fastgrnn-16-lr-s8-t8", "fastgrnn", 16, 9, 2, 8, state_bits=8, inner_bits=8,
          boards=("uno",), quick=True),
    Shape("fastgrnn-16-lr-narrow", "fastgrnn", 16, 9, 2, 8, state_bits=8, sum_bits=16,
          boards=("uno",), quick=True),
    Shape("fastgrnn-16-s8", "fastgrnn", 16, 9, state_bits=8, boards=("uno",)),
    Shape("fastgrnn-16-lr-d3", "fastgrnn", 16, 3, 2, 8),
    Shape("fastgrnn-16", "fastgrnn", 16, 9, quick=True),
    Shape("lstm-16", "lstm", 16, 9, quick=True),
    Shape("gru-16", "gru", 16, 9, quick=True),
    Shape("ugrnn-16", "ugrnn", 16, 9),
    Shape("rnn-16", "rnn", 16, 9),
    Shape("lstm-32", "lstm", 32, 9),
    Shape("gru-32", "gru", 32, 9),
    Shape("ugrnn-32", "ugrnn", 32, 9),
    Shape("rnn-32", "rnn", 32, 9),
)  # fmt: skip
