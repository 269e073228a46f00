"""QRNN. Ref: Bradbury, Merity, Xiong, Socher, ICLR 2017, arXiv:1611.01576, section 2.

    z_t = tanh(W_z v_t + b_z),  f_t, o_t, i_t = sigmoid(W_. v_t + b_.),  v_t = [x_{t-1}; x_t]
    f:   h_t = f_t h_{t-1} + (1 - f_t) z_t
    fo:  c_t = f_t c_{t-1} + (1 - f_t) z_t,  h_t = o_t c_t
    ifo: c_t = f_t c_{t-1} + i_t z_t,        h_t = o_t c_t

Nothing in the gates depends on the state: one GEMM makes all of them for all steps, and what is
left of the recurrence is one multiply and add a unit. Only h_T is classified, so training needs the
output gate of the last step only. The paper's equations have no biases; here each row has one.
Integer twin: harness/reference/qrnn.py.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from harness import fused
from harness.models.cell import Cell, State, remembering
from harness.presets import Hyper
from harness.reference.qrnn import QRNN as Integer

FORGET_BIAS = 1.0  # start out remembering, as our LSTM does


class _Pool(torch.autograd.Function):
    """(f [T, N, H], u [T, N, H]) -> c_T [N, H] of c_t = f_t c_{t-1} + u_t, c_0 = 0.

    With d_t = dL/dc_t: dL/du_t = d_t, dL/df_t = d_t c_{t-1}, d_{t-1} = d_t f_t.
    """

    @staticmethod
    def forward(ctx: Any, f: Tensor, u: Tensor) -> Tensor:
        steps, n, hidden = f.shape
        c = f.new_zeros(steps + 1, n, hidden)
        c_steps = c.unbind(0)
        for t, (f_t, u_t) in enumerate(zip(f.unbind(0), u.unbind(0), strict=True)):
            torch.addcmul(u_t, f_t, c_steps[t], out=c_steps[t + 1])
        ctx.save_for_backward(f, c)
        return c[steps].clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        f, c = ctx.saved_tensors
        d = torch.empty_like(f)
        d[-1] = grads[0]
        d_steps, f_steps = d.unbind(0), f.unbind(0)
        for t in range(len(f) - 1, 0, -1):
            torch.mul(d_steps[t], f_steps[t], out=d_steps[t - 1])
        return d * c[:-1], d


class QRNN(Cell):
    """W [G H, K D], b [G H]: blocks z, f, o, i as pooling has them; columns x_{t-1}, then x_t."""

    name = "qrnn"

    def __init__(
        self,
        features: int,
        hidden: int,
        pooling: str = "fo",
        width: str = "k2",
        memory_steps: float = 1.0,
    ) -> None:
        super().__init__(features, hidden)
        self.pooling = pooling
        self.wide = width == "k2"
        blocks = 1 + len(pooling)
        self.add_matrix("W", blocks * hidden, features * (2 if self.wide else 1), None, 3**0.5)
        self.b = nn.Parameter(torch.zeros(blocks * hidden))
        with torch.no_grad():
            self.b[hidden : 2 * hidden] = remembering(hidden, memory_steps, FORGET_BIAS)

    @classmethod
    def build(cls, features: int, steps: int, h: Hyper) -> QRNN:
        options = Integer.choices(h.options)
        return cls(features, h.hidden, **options, memory_steps=h.memory_steps)

    def forward(self, x: Tensor) -> Tensor:
        w = self.matrix("W")
        if self.pooling == "fo" and fused.supports(x, self.hidden):
            return fused.qrnn(x, w, self.b, 2 if self.wide else 1)
        x = x.transpose(0, 1)
        if self.wide:
            x = torch.cat([torch.cat([torch.zeros_like(x[:1]), x[:-1]]), x], dim=2)
        size = self.hidden
        a = x @ w[: 2 * size].t() + self.b[: 2 * size]
        z, f = torch.tanh(a[..., :size]), torch.sigmoid(a[..., size:])
        if self.pooling == "ifo":
            u = torch.sigmoid(x @ w[3 * size :].t() + self.b[3 * size :]) * z
        else:
            u = z - f * z
        c: Tensor = _Pool.apply(f, u)  # type: ignore[no-untyped-call]
        if self.pooling == "f":
            return c
        o = torch.sigmoid(x[-1] @ w[2 * size : 3 * size].t() + self.b[2 * size : 3 * size])
        return o * c

    def start(self, n: int) -> State:
        zero = super().start(n)["h"]
        return {"h": zero, "c": zero, "x": zero.new_zeros(n, self.features)}

    def step(self, x: Tensor, state: State) -> State:
        v = torch.cat([state["x"], x], dim=1) if self.wide else x
        a_z, a_f, *rest = (v @ self.matrix("W").t() + self.b).chunk(1 + len(self.pooling), dim=1)
        f, gates = torch.sigmoid(a_f), [torch.sigmoid(a) for a in rest]
        i = gates[1] if self.pooling == "ifo" else 1.0 - f
        c = f * state["c"] + i * torch.tanh(a_z)
        return {"h": c if self.pooling == "f" else gates[0] * c, "c": c, "x": x}

    def export(self) -> dict[str, Tensor]:
        return dict(self.named_parameters())
