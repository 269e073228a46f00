"""What training needs of a cell, and the low-rank form all its matrices can take."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from harness.presets import Hyper

State = dict[str, Tensor]
MATRICES = ("W", "W1", "W2T", "U", "U1", "U2T")


class Cell(nn.Module, ABC):
    """One recurrent layer in floats.

    `forward` is the fast form that training uses, `step` the plain form that says what it means;
    tests hold them equal. `export` names tensors as the integer cell of the same name does.
    """

    name: ClassVar[str]

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.features = features
        self.hidden = hidden
        self.rounded = False

    @classmethod
    def build(cls, features: int, steps: int, h: Hyper) -> Self:
        """A fresh cell with a preset's hyper-parameters, for windows of `steps` steps."""
        return cls(features, h.hidden)

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Windows x [N, T, D] -> the last hidden state [N, H]."""

    @abstractmethod
    def step(self, x: Tensor, state: State) -> State:
        """One time step in plain operations: x [N, D], the state before -> the state after."""

    def add_matrix(
        self, name: str, rows: int, cols: int, rank: int | None, gain: float = 1.0
    ) -> None:
        """A fresh parameter `name` [rows, cols], or its factors `name`1 [rows, r] and `name`2T
        [r, cols], whose product's entries have the variance of the full matrix's."""
        if rank is None:
            self.register_parameter(name, nn.Parameter(fresh(rows, cols, gain)))
            return
        self.register_parameter(f"{name}1", nn.Parameter(fresh(rows, rank, 3**0.5)))
        self.register_parameter(f"{name}2T", nn.Parameter(fresh(rank, cols, gain)))

    def matrix(self, name: str) -> Tensor:
        """The matrix [rows, cols] that `add_matrix` made, its factors multiplied out; each rounded
        to bytes after `round_weights`."""
        if hasattr(self, name):
            return self._weight(name)
        return self._weight(f"{name}1") @ self._weight(f"{name}2T")

    def _weight(self, name: str) -> Tensor:
        weight = self.get_parameter(name)
        return as_bytes(weight) if self.rounded else weight

    def states(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """The hidden state after every step, and the whole state after the last.

        x [N, T, D] -> h [N, T, H]; `state` is the one before the first step, by default `start`. A
        plain loop; a cell may bring a faster form. Gradients flow through both results.
        """
        state = self.start(len(x)) if state is None else state
        hidden: list[Tensor] = []
        for x_t in x.unbind(1):
            state = self.step(x_t, state)
            hidden.append(state["h"])
        return torch.stack(hidden, 1), state

    def start(self, n: int) -> State:
        """The state before the first step, for n windows."""
        like = next(self.parameters())
        return {"h": like.new_zeros(n, self.hidden)}

    @abstractmethod
    def export(self) -> dict[str, Tensor]:
        """Weights and biases under the names of the integer cell's tensors."""

    def scalars(self) -> dict[str, float]:
        """Scalars of the cell (FastGRNN: zeta, nu)."""
        return {}

    def matrices(self) -> dict[str, nn.Parameter]:
        """Parameters that may be made sparse, under their exported names."""
        return {name: p for name, p in self.named_parameters() if name in MATRICES}

    def undecayed(self) -> list[nn.Parameter]:
        """Parameters that weight decay must leave alone."""
        return []

    def project(self) -> None:
        """Bring parameters back into their allowed range; called after every optimiser step."""

    def penalty(self) -> Tensor | None:
        """A term [] that training adds to the loss, or None."""
        return None

    def round_weights(self) -> None:
        """From now on train with weight matrices rounded as the integer form will have them
        (quantisation-aware training, before the `rounded` stage)."""
        self.rounded = True

    def load_export(self, tensors: dict[str, Tensor], scalars: dict[str, float]) -> None:
        """Set parameters so that `export` returns these tensors again: here those of their name."""
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name in tensors:
                    parameter.copy_(tensors[name])
                elif name in scalars:
                    parameter.fill_(scalars[name])


def plain_forward(cell: Cell, x: Tensor) -> Tensor:
    """What `cell.forward` must equal: one `step` after another. x [N, T, D] -> h_T [N, H]."""
    state = cell.start(len(x))
    for t in range(x.shape[1]):
        state = cell.step(x[:, t], state)
    return state["h"]


def as_bytes(weight: Tensor) -> Tensor:
    """`weight` rounded to bytes at the quantiser's scale, the largest power of two that fits; the
    gradient passes as if it were not (straight-through; Bengio et al., arXiv:1308.3432)."""
    values = weight.detach()
    largest = float(values.abs().max())
    if largest == 0.0:
        return weight
    unit = 2.0 ** math.floor(math.log2(127 / largest))
    return weight + (torch.floor(values * unit + 0.5) / unit - values)


def remembering(hidden: int, steps: float, usual: float = 0.0) -> Tensor:
    """Biases [H] of a gate that keeps the state: time constants spread evenly in their logarithm
    over 1 .. `steps` (Tallec and Ollivier, ICLR 2018, arXiv:1804.11188, have them uniform); where
    `steps` is 1, all are `usual`."""
    if steps == 1:
        return torch.full((hidden,), usual)
    constants: Tensor = torch.exp(torch.rand(hidden) * math.log(steps))
    return torch.log(constants)


def fresh(rows: int, cols: int, gain: float = 1.0) -> Tensor:
    """A fresh matrix: uniform in +-gain / sqrt(cols), so with variance gain^2 / (3 cols)."""
    values: Tensor = (2.0 * torch.rand(rows, cols) - 1.0) * gain / cols**0.5
    return values
