"""oRNN: an orthogonal recurrent matrix by Householder reflections, and a leaky ReLU.

Ref: Mhammedi, Hellicar, Rahman, Bailey, ICML 2017, arXiv:1612.00188, eq. (3) to (6).
The product of H reflections I - 2 v v' / v'v is built in its compact form I - V S^-1 V', with
S = striu(V'V) + diag(V'V) / 2 (Joffrain et al., ACM TOMS 32(2), 2006). As in the paper, vector k
has zeros before entry k. Integer twin: harness/reference/ornn.py.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from harness.models.cell import Cell, State, fresh
from harness.reference.ornn import LEAK

SLOPE = LEAK / 256  # 0.1015625, the authors' 0.1 in the integer cell's steps


def reflections(v: Tensor) -> Tensor:
    """Product of (I - 2 v v' / v'v) over the columns of v [H, K], first to last -> [H, H]."""
    wide = v.double()
    gram = wide.t() @ wide
    s = torch.triu(gram, diagonal=1) + torch.diag(gram.diagonal() / 2)
    inner = torch.linalg.solve_triangular(s, wide.t(), upper=True)
    product: Tensor = torch.eye(len(v), dtype=torch.float64) - wide @ inner
    return product.to(v.dtype)


class _Sequence(torch.autograd.Function):
    """(a_x [T, N, H] = W x + b, U [H, H]) -> h_T [N, H], the gradient written out."""

    @staticmethod
    def forward(ctx: Any, a_x: Tensor, u: Tensor) -> Tensor:
        steps, n, hidden = a_x.shape
        h = a_x.new_zeros(steps + 1, n, hidden)
        a, leaked = a_x.new_empty(n, hidden), a_x.new_empty(n, hidden)
        u_t = u.t().contiguous()
        h_steps = h.unbind(0)
        for t, a_x_t in enumerate(a_x.unbind(0)):
            torch.addmm(a_x_t, h_steps[t], u_t, out=a)
            torch.mul(a, SLOPE, out=leaked)
            torch.maximum(a, leaked, out=h_steps[t + 1])
        ctx.save_for_backward(h, u)
        return h[steps].clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        h, u = ctx.saved_tensors
        steps = len(h) - 1
        e = torch.where(h[1:] > 0, 1.0, SLOPE).to(h.dtype)  # slopes, then dL/da in place
        e_steps = e.unbind(0)
        d = grads[0]
        for t in range(steps - 1, -1, -1):
            e_steps[t].mul_(d)
            if t:
                d = e_steps[t] @ u
        hidden = h.shape[2]
        return e, e.reshape(-1, hidden).t() @ h[:-1].reshape(-1, hidden)


class ORNN(Cell):
    """h' = leaky_relu(W x + U h + b), U orthogonal. W [H, D], U [H, H], b [H].

    The state neither shrinks nor is bounded, so over a long window the rounding of U to bytes adds
    up: 92.1 % to 87.2 % on HAR-2 when done after training. With `round_u`, U is already the rounded
    matrix in training; the gradient passes as if it were not (straight-through).
    """

    name = "ornn"

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__(features, hidden)
        self.round_u = False
        self.W = nn.Parameter(fresh(hidden, features, 3**0.5))
        self.V = nn.Parameter(torch.randn(hidden, hidden))
        self.b = nn.Parameter(torch.zeros(hidden))
        self.register_buffer("mask", torch.tril(torch.ones(hidden, hidden)), persistent=False)

    @property
    def orthogonal(self) -> Tensor:
        """The product of the reflections [H, H]."""
        mask = self.get_buffer("mask").to(self.V.dtype)
        return reflections(self.V * mask)

    @property
    def U(self) -> Tensor:
        """The recurrent matrix [H, H]: orthogonal, or its rounding to bytes."""
        u = self.orthogonal
        if not self.round_u:
            return u
        largest = float(u.detach().abs().max())
        unit = 2.0 ** math.floor(math.log2(127 / largest))
        rounded = torch.floor(u.detach() * unit + 0.5) / unit
        return u + (rounded - u.detach())

    def forward(self, x: Tensor) -> Tensor:
        a_x = x.transpose(0, 1) @ self.W.t() + self.b
        result: Tensor = _Sequence.apply(a_x, self.U)  # type: ignore[no-untyped-call]
        return result

    def step(self, x: Tensor, state: State) -> State:
        a = x @ self.W.t() + state["h"] @ self.U.t() + self.b
        return {"h": torch.nn.functional.leaky_relu(a, SLOPE)}

    def matrices(self) -> dict[str, nn.Parameter]:
        return {"W": self.W}

    def round_weights(self) -> None:
        self.round_u = True

    def undecayed(self) -> list[nn.Parameter]:
        return [self.V]

    def export(self) -> dict[str, Tensor]:
        return {"W": self.W, "U": self.U, "b": self.b, "V": self.V}

    def load_export(self, tensors: dict[str, Tensor], scalars: dict[str, float]) -> None:
        with torch.no_grad():
            self.W.copy_(tensors["W"])
            self.V.copy_(tensors["V"])
            self.b.copy_(tensors["b"])
