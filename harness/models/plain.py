"""The plain recurrent cell h' = f(Wx + Uh + b), for cells that build U from other parameters.

Training runs the whole sequence in one autograd node with the gradient written out: the slope of f
follows from its value, so h is all that is kept. Integer twin: harness/reference/plain.py.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from harness.models.cell import Cell, State, fresh
from harness.reference.plain import LEAK

SLOPE = LEAK / 256  # 0.1015625, the papers' 0.1 in the integer cell's steps


def activate(name: str, a: Tensor, out: Tensor | None = None) -> Tensor:
    """f(a): tanh, relu, leaky (slope 26/256)."""
    if name == "tanh":
        return torch.tanh(a, out=out)
    return torch.maximum(a, a * (SLOPE if name == "leaky" else 0.0), out=out)


def slopes(name: str, h: Tensor) -> Tensor:
    """f'(a) from h = f(a)."""
    if name == "tanh":
        return 1.0 - h * h
    return torch.where(h > 0, 1.0, SLOPE if name == "leaky" else 0.0).to(h.dtype)


class _Sequence(torch.autograd.Function):
    """(f, a_x [T, N, H] = W x + b, U [H, H]) -> h_T [N, H]."""

    @staticmethod
    def forward(ctx: Any, name: str, a_x: Tensor, u: Tensor) -> Tensor:
        steps, n, hidden = a_x.shape
        h = a_x.new_zeros(steps + 1, n, hidden)
        a = a_x.new_empty(n, hidden)
        u_t = u.t().contiguous()
        h_steps = h.unbind(0)
        for t, a_x_t in enumerate(a_x.unbind(0)):
            torch.addmm(a_x_t, h_steps[t], u_t, out=a)
            activate(name, a, out=h_steps[t + 1])
        ctx.name = name
        ctx.save_for_backward(h, u)
        return h[steps].clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        h, u = ctx.saved_tensors
        steps = len(h) - 1
        e = slopes(ctx.name, h[1:])  # then dL/da in place
        e_steps = e.unbind(0)
        d = grads[0]
        for t in range(steps - 1, -1, -1):
            e_steps[t].mul_(d)
            if t:
                d = e_steps[t] @ u
        hidden = h.shape[2]
        return None, e, e.reshape(-1, hidden).t() @ h[:-1].reshape(-1, hidden)


class Plain(Cell):
    """W [H, D], b [H], and U [H, H] by the subclass's `recurrent`.

    Such a state barely shrinks, so over a long window the rounding of U to bytes adds up. With
    `round_u`, U is already the rounded matrix in training; the gradient passes as if it were not
    (straight-through).
    """

    def __init__(self, features: int, hidden: int, activation: str) -> None:
        super().__init__(features, hidden)
        self.activation = activation
        self.round_u = False
        self.W = nn.Parameter(fresh(hidden, features, 3**0.5))
        self.b = nn.Parameter(torch.zeros(hidden))

    @abstractmethod
    def recurrent(self) -> Tensor:
        """The recurrent matrix [H, H] before any rounding."""

    @property
    def U(self) -> Tensor:
        """The recurrent matrix [H, H], or its rounding to bytes."""
        u = self.recurrent()
        if not self.round_u:
            return u
        largest = float(u.detach().abs().max())
        unit = 2.0 ** math.floor(math.log2(127 / largest))
        rounded = torch.floor(u.detach() * unit + 0.5) / unit
        return u + (rounded - u.detach())

    def forward(self, x: Tensor) -> Tensor:
        a_x = x.transpose(0, 1) @ self.W.t() + self.b
        result: Tensor = _Sequence.apply(  # type: ignore[no-untyped-call]
            self.activation, a_x, self.U
        )
        return result

    def step(self, x: Tensor, state: State) -> State:
        a = x @ self.W.t() + state["h"] @ self.U.t() + self.b
        return {"h": activate(self.activation, a)}

    def round_weights(self) -> None:
        self.round_u = True

    def undecayed(self) -> list[nn.Parameter]:
        """What U is built from."""
        return [p for name, p in self.named_parameters() if name not in ("W", "b")]

    def export(self) -> dict[str, Tensor]:
        """W, U, b, and what U was built from."""
        return {**dict(self.named_parameters()), "U": self.U}
