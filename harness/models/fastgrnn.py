"""FastGRNN. Ref: Kusupati et al., NeurIPS 2018, arXiv:1901.02358, eq. (6) and (7).

    a_t = W x_t + U h_{t-1}
    z_t = sigmoid(a_t + b_z),  c_t = tanh(a_t + b_h)
    h_t = (zeta (1 - z_t) + nu) c_t + z_t h_{t-1}

zeta and nu are sigmoids of trained scalars. Training runs the whole sequence in one autograd node
with the gradient written out (`_Sequence`): an eager torch loop spends nearly all its time in
calls. Integer twin: harness/reference/fastgrnn.py.

The gradient. With d_t = dL/dh_t, and as dh_t/dz_t = h_{t-1} - zeta c_t:

    e_t = d_t [(h_{t-1} - zeta c_t) z_t (1 - z_t) + (zeta (1 - z_t) + nu) (1 - c_t^2)] = dL/da_t
    d_{t-1} = d_t z_t + e_t U

so everything but d and e is one array operation over all steps, and the sums over t are one GEMM.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from harness.models.cell import Cell, State, fresh
from harness.presets import Hyper

ZETA_RAW, NU_RAW = 1.0, -4.0  # EdgeML's initial values: zeta .731, nu .018


class _Sequence(torch.autograd.Function):
    """(a_x [T, N, H] = W x, U [H, H], b_z [H], b_h [H], zeta [], nu []) -> h_T [N, H]."""

    @staticmethod
    def forward(
        ctx: Any, a_x: Tensor, u: Tensor, b_z: Tensor, b_h: Tensor, zeta: Tensor, nu: Tensor
    ) -> Tensor:
        steps, n, hidden = a_x.shape
        zeta_, nu_ = float(zeta), float(nu)
        gates = a_x.new_empty(steps, 2, n, hidden)  # z and c: one tanh for both
        h = a_x.new_zeros(steps + 1, n, hidden)
        # sigmoid(v) = tanh(v / 2) / 2 + 1 / 2
        factor = torch.stack([torch.full_like(b_z, 0.5), torch.ones_like(b_h)]).unsqueeze(1)
        bias = torch.stack([0.5 * b_z, b_h]).unsqueeze(1)
        a = a_x.new_empty(n, hidden)
        mixed = a_x.new_empty(n, hidden)
        u_t = u.t().contiguous()
        for a_x_t, gate, h_old, h_new in zip(
            a_x.unbind(0), gates.unbind(0), h[:-1].unbind(0), h[1:].unbind(0), strict=True
        ):
            torch.addmm(a_x_t, h_old, u_t, out=a)
            torch.addcmul(bias, a, factor, out=gate)
            gate.tanh_()
            z, c = gate.unbind(0)
            z.mul_(0.5).add_(0.5)
            torch.sub(h_old, c, alpha=zeta_, out=mixed)
            torch.mul(c, zeta_ + nu_, out=h_new)
            h_new.addcmul_(mixed, z)  # z (h - zeta c) + (zeta + nu) c
        ctx.save_for_backward(gates, h, u, zeta, nu)
        return h[steps].clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gates, h, u, zeta, nu = ctx.saved_tensors
        z, c = gates.unbind(1)
        steps, n, hidden = z.shape
        zeta_, nu_ = float(zeta), float(nu)
        not_z = 1.0 - z
        slope_z = (h[:-1] - zeta_ * c).mul_(z).mul_(not_z)
        slope = (1.0 - c * c).mul_(zeta_ * not_z + nu_)
        slope.add_(slope_z)
        d = z.new_empty(steps, n, hidden)
        e = z.new_empty(steps, n, hidden)
        d[-1] = grads[0]
        d_steps, e_steps = d.unbind(0), e.unbind(0)
        z_steps, slope_steps = z.unbind(0), slope.unbind(0)
        carried = z.new_empty(n, hidden)
        for t in range(steps - 1, -1, -1):
            torch.mul(d_steps[t], slope_steps[t], out=e_steps[t])
            if t:
                torch.mul(d_steps[t], z_steps[t], out=carried)
                torch.addmm(carried, e_steps[t], u, out=d_steps[t - 1])
        d_u = e.reshape(-1, hidden).t() @ h[:-1].reshape(-1, hidden)
        d_b_z = (d * slope_z).sum((0, 1))
        d_b_h = e.sum((0, 1)) - d_b_z
        dc = d.mul_(c)
        d_nu = dc.sum()
        d_zeta = (dc.mul_(not_z)).sum()
        return e, d_u, d_b_z, d_b_h, d_zeta, d_nu


class FastGRNN(Cell):
    """W [H, D], U [H, H], or their low-rank factors W1 [H, r] W2T [r, D] and U1 [H, r] U2T [r, H].

    `nu_cap` bounds nu after every optimiser step, and with it |h_T| <= zeta + T nu: the state's
    fixed-point format needs no calibration.
    """

    name = "fastgrnn"
    low_rank = True

    def __init__(
        self,
        features: int,
        hidden: int,
        rank_w: int | None = None,
        rank_u: int | None = None,
        nu_cap: float | None = None,
    ) -> None:
        super().__init__(features, hidden)
        self.nu_cap = nu_cap
        self._add("W", hidden, features, rank_w)
        self._add("U", hidden, hidden, rank_u)
        self.b_z = nn.Parameter(torch.ones(hidden))
        self.b_h = nn.Parameter(torch.ones(hidden))
        self.zeta_raw = nn.Parameter(torch.tensor(ZETA_RAW))
        self.nu_raw = nn.Parameter(torch.tensor(NU_RAW))
        self.project()

    @classmethod
    def build(cls, features: int, steps: int, h: Hyper) -> FastGRNN:
        cap = None if h.nu_cap_times_steps is None else h.nu_cap_times_steps / steps
        return cls(features, h.hidden, h.rank_w, h.rank_u, cap if cap and cap < 1.0 else None)

    def _add(self, name: str, rows: int, cols: int, rank: int | None) -> None:
        if rank is None:
            self.register_parameter(name, nn.Parameter(fresh(rows, cols)))
            return
        # the product's entries have the variance of a full-rank matrix's
        self.register_parameter(f"{name}1", nn.Parameter(fresh(rows, rank, 3**0.5)))
        self.register_parameter(f"{name}2T", nn.Parameter(fresh(rank, cols)))

    def _matrix(self, name: str) -> Tensor:
        if hasattr(self, name):
            full: Tensor = getattr(self, name)
            return full
        product: Tensor = getattr(self, f"{name}1") @ getattr(self, f"{name}2T")
        return product

    @property
    def zeta(self) -> Tensor:
        return torch.sigmoid(self.zeta_raw)

    @property
    def nu(self) -> Tensor:
        return torch.sigmoid(self.nu_raw)

    def forward(self, x: Tensor) -> Tensor:
        a_x = x.transpose(0, 1) @ self._matrix("W").t()
        result: Tensor = _Sequence.apply(  # type: ignore[no-untyped-call]
            a_x, self._matrix("U"), self.b_z, self.b_h, self.zeta, self.nu
        )
        return result

    def step(self, x: Tensor, state: State) -> State:
        h = state["h"]
        a = x @ self._matrix("W").t() + h @ self._matrix("U").t()
        z = torch.sigmoid(a + self.b_z)
        c = torch.tanh(a + self.b_h)
        return {"h": (self.zeta * (1.0 - z) + self.nu) * c + z * h}

    def matrices(self) -> dict[str, nn.Parameter]:
        names = ("W", "W1", "W2T", "U", "U1", "U2T")
        return {name: p for name, p in self.named_parameters() if name in names}

    def export(self) -> dict[str, Tensor]:
        return {**self.matrices(), "b_z": self.b_z, "b_h": self.b_h}

    def scalars(self) -> dict[str, float]:
        values = {
            "zeta": self.zeta,
            "nu": self.nu,
            "zeta_raw": self.zeta_raw,
            "nu_raw": self.nu_raw,
        }
        return {name: value.detach().item() for name, value in values.items()}

    def load_export(self, tensors: dict[str, Tensor], scalars: dict[str, float]) -> None:
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name in tensors:
                    parameter.copy_(tensors[name])
            self.zeta_raw.fill_(scalars["zeta_raw"])
            self.nu_raw.fill_(scalars["nu_raw"])

    def undecayed(self) -> list[nn.Parameter]:
        return [self.zeta_raw, self.nu_raw]

    def project(self) -> None:
        if self.nu_cap is not None:
            with torch.no_grad():
                self.nu_raw.clamp_(max=math.log(self.nu_cap / (1.0 - self.nu_cap)))
