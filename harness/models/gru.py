"""GRU, gates in PyTorch's order r, z, n. Ref: Cho et al. 2014, in the form of torch.nn.GRU.

Integer twin: harness/reference/gru.py.

The gradient over the sequence is written out, as in harness/models/plain.py. With
d_t = dL/dh_t, m = U_n h + b_hn and h_t = n + z (h_{t-1} - n):

    dL/da_n = d (1 - z)(1 - n^2),  dL/dm = r dL/da_n,  dL/da_r = m r (1 - r) dL/da_n
    dL/da_z = d (h_{t-1} - n) z (1 - z),  d_{t-1} = d z + [dL/da_r, dL/da_z, dL/dm] U
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from harness.models.cell import Cell, State
from harness.presets import Hyper


class _Sequence(torch.autograd.Function):
    """(a_x [T, N, 3H] = W x + b, U [3H, H], b_hn [H]) -> h_T [N, H]."""

    @staticmethod
    def forward(ctx: Any, a_x: Tensor, u: Tensor, b_hn: Tensor) -> Tensor:
        steps, n, rows = a_x.shape
        hidden = rows // 3
        h = a_x.new_zeros(steps + 1, n, hidden)
        gates = a_x.new_empty(steps, n, 2 * hidden)  # r and z
        m, c = a_x.new_empty(steps, n, hidden), a_x.new_empty(steps, n, hidden)
        u_rz, u_n = u[: 2 * hidden].t().contiguous(), u[2 * hidden :].t().contiguous()
        difference = a_x.new_empty(n, hidden)
        h_steps = h.unbind(0)
        for t, a_t in enumerate(a_x.unbind(0)):
            h_old, gate, m_t, c_t = h_steps[t], gates[t], m[t], c[t]
            torch.addmm(a_t[:, : 2 * hidden], h_old, u_rz, out=gate)
            gate.sigmoid_()
            torch.addmm(b_hn, h_old, u_n, out=m_t)
            torch.addcmul(a_t[:, 2 * hidden :], gate[:, :hidden], m_t, out=c_t)
            c_t.tanh_()
            torch.sub(h_old, c_t, out=difference)
            torch.addcmul(c_t, gate[:, hidden:], difference, out=h_steps[t + 1])
        ctx.save_for_backward(h, gates, m, c, u)
        return h[steps].clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        h, gates, m, c, u = ctx.saved_tensors
        steps, n, hidden = c.shape
        r, z = gates[..., :hidden], gates[..., hidden:].contiguous()
        slope_n = (1.0 - z) * (1.0 - c * c)
        slope = gates.new_empty(steps, n, 3, hidden)
        slope[:, :, 0] = slope_n * m * r * (1.0 - r)
        slope[:, :, 1] = (h[:-1] - c) * z * (1.0 - z)
        slope[:, :, 2] = slope_n * r
        d = h.new_empty(steps, n, hidden)
        d[-1] = grads[0]
        e = torch.empty_like(slope)
        carried = h.new_empty(n, hidden)
        d_steps, e_steps, slope_steps, z_steps = (v.unbind(0) for v in (d, e, slope, z))
        for t in range(steps - 1, -1, -1):
            torch.mul(slope_steps[t], d_steps[t].unsqueeze(1), out=e_steps[t])
            if t:
                torch.mul(d_steps[t], z_steps[t], out=carried)
                torch.addmm(carried, e_steps[t].view(n, 3 * hidden), u, out=d_steps[t - 1])
        flat = e.view(steps * n, 3 * hidden)
        d_u = flat.t() @ h[:-1].reshape(steps * n, hidden)
        d_b_hn = flat[:, 2 * hidden :].sum(0)
        torch.mul(d, slope_n, out=e[:, :, 2])  # now of a_n instead of m
        return e.view(steps, n, 3 * hidden), d_u, d_b_hn


class GRU(Cell):
    """h' = (1 - z) n + z h with n = tanh(W_n x + b_n + r (U_n h + b_hn)). W [3H, D], U [3H, H], or
    their low-rank factors.

    b [3H] sums both of PyTorch's biases for r and z and holds the input-side one for n; b_hn [H].
    Trained are b_ih and b_hh [3H], and all starts out as in torch.nn.GRU: uniform, +-1 / sqrt(H).
    """

    name = "gru"
    low_rank = True

    def __init__(
        self,
        features: int,
        hidden: int,
        rank_w: int | None = None,
        rank_u: int | None = None,
    ) -> None:
        super().__init__(features, hidden)
        self.add_matrix("W", 3 * hidden, features, rank_w, (features / hidden) ** 0.5)
        self.add_matrix("U", 3 * hidden, hidden, rank_u)
        self.b_ih = nn.Parameter((2.0 * torch.rand(3 * hidden) - 1.0) / hidden**0.5)
        self.b_hh = nn.Parameter((2.0 * torch.rand(3 * hidden) - 1.0) / hidden**0.5)

    @classmethod
    def build(cls, features: int, steps: int, h: Hyper) -> GRU:
        return cls(features, h.hidden, h.rank_w, h.rank_u)

    def _weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """W and U multiplied out, b, b_hn."""
        gates = 2 * self.hidden
        b = torch.cat([self.b_ih[:gates] + self.b_hh[:gates], self.b_ih[gates:]])
        return self.matrix("W"), self.matrix("U"), b, self.b_hh[gates:]

    def forward(self, x: Tensor) -> Tensor:
        w, u, b, b_hn = self._weights()
        a_x = x.transpose(0, 1) @ w.t() + b
        result: Tensor = _Sequence.apply(a_x, u, b_hn)  # type: ignore[no-untyped-call]
        return result

    def step(self, x: Tensor, state: State) -> State:
        (w, u, b, b_hn), h = self._weights(), state["h"]
        w_r, w_z, w_n = (x @ w.t() + b).chunk(3, dim=1)
        u_r, u_z, u_n = (h @ u.t()).chunk(3, dim=1)
        r, z = torch.sigmoid(w_r + u_r), torch.sigmoid(w_z + u_z)
        n = torch.tanh(w_n + r * (u_n + b_hn))
        return {"h": (1.0 - z) * n + z * h}

    def export(self) -> dict[str, Tensor]:
        _, _, b, b_hn = self._weights()
        return {**self.matrices(), "b": b, "b_hn": b_hn}

    def load_export(self, tensors: dict[str, Tensor], scalars: dict[str, float]) -> None:
        super().load_export(tensors, scalars)
        with torch.no_grad():
            self.b_ih.copy_(tensors["b"])
            self.b_hh.zero_()
            self.b_hh[2 * self.hidden :] = tensors["b_hn"]
