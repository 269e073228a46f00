"""The plain recurrent cell h' = f(Wx + Uh + b), for cells that build U from other parameters.

Integer twin: harness/reference/plain.py.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from harness import fused
from harness.models.cell import Cell, State, as_bytes
from harness.reference.plain import LEAK

SLOPE = LEAK / 256  # 0.1015625, the papers' 0.1 in the integer cell's steps


def activate(name: str, a: Tensor) -> Tensor:
    """f(a): tanh, relu, leaky (slope 26/256)."""
    if name == "tanh":
        return torch.tanh(a)
    return torch.nn.functional.leaky_relu(a, SLOPE if name == "leaky" else 0.0)


class Plain(Cell):
    """W [H, D], b [H], and U [H, H] by the subclass's `recurrent`.

    Such a state barely shrinks, so over a long window the rounding of U to bytes adds up; the
    `rounded` stage trains on with U as rounded.
    """

    def __init__(self, features: int, hidden: int, activation: str) -> None:
        super().__init__(features, hidden)
        self.activation = activation
        self.add_matrix("W", hidden, features, None, 3**0.5)
        self.b = nn.Parameter(torch.zeros(hidden))

    @abstractmethod
    def recurrent(self) -> Tensor:
        """The recurrent matrix [H, H] before any rounding."""

    @property
    def U(self) -> Tensor:
        """The recurrent matrix [H, H], or its rounding to bytes."""
        return as_bytes(self.recurrent()) if self.rounded else self.recurrent()

    def forward(self, x: Tensor) -> Tensor:
        if fused.supports(x, self.hidden):
            return fused.rnn(x, self.matrix("W"), self.U, self.b, self.activation)
        return self.states(x)[1]["h"]

    def states(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """With U multiplied out once."""
        h = (self.start(len(x)) if state is None else state)["h"]
        a_x, u_t = x @ self.matrix("W").t() + self.b, self.U.t()
        hidden: list[Tensor] = []
        for a_x_t in a_x.unbind(1):
            h = activate(self.activation, a_x_t + h @ u_t)
            hidden.append(h)
        return torch.stack(hidden, 1), {"h": h}

    def step(self, x: Tensor, state: State) -> State:
        a = x @ self.matrix("W").t() + state["h"] @ self.U.t() + self.b
        return {"h": activate(self.activation, a)}

    def undecayed(self) -> list[nn.Parameter]:
        """What U is built from."""
        return [p for name, p in self.named_parameters() if name not in ("W", "b")]

    def export(self) -> dict[str, Tensor]:
        """W, U, b, and what U was built from."""
        return {**dict(self.named_parameters()), "U": self.U}
