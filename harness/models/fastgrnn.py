"""FastGRNN. Ref: Kusupati et al., NeurIPS 2018, arXiv:1901.02358, eq. (6) and (7).

    a_t = W x_t + U h_{t-1}
    z_t = gate(a_t + b_z),  c_t = tanh(a_t + b_h),  gate = sigmoid or tanh
    h_t = (zeta (1 - z_t) + nu) c_t + z_t h_{t-1}

zeta and nu are sigmoids of trained scalars. Training runs the whole sequence in the compiled kernel
of harness/fused, which has the gradient written out; without it, one step after another. Integer
twin: harness/reference/fastgrnn.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from harness import fused
from harness.models.cell import Cell, State, plain_forward, remembering
from harness.presets import Hyper
from harness.reference.fastgrnn import FastGRNN as Integer

ZETA_RAW, NU_RAW = 1.0, -4.0  # EdgeML's initial values: zeta .731, nu .018


class FastGRNN(Cell):
    """W [H, D], U [H, H], or their low-rank factors W1 [H, r] W2T [r, D] and U1 [H, r] U2T [r, H].

    `nu_cap` bounds nu after every optimiser step, and with it |h_T| <= zeta + T nu: the state's
    fixed-point format needs no calibration. `gate` is sigmoid or, as for three data sets in the
    paper's table 11, tanh: then z may be negative and nothing useful bounds the state.
    """

    name = "fastgrnn"

    def __init__(
        self,
        features: int,
        hidden: int,
        rank_w: int | None = None,
        rank_u: int | None = None,
        nu_cap: float | None = None,
        gate: str = "sigmoid",
        memory_steps: float = 1.0,
    ) -> None:
        super().__init__(features, hidden)
        self.gate = gate
        self.nu_cap = nu_cap
        self.add_matrix("W", hidden, features, rank_w)
        self.add_matrix("U", hidden, hidden, rank_u)
        self.b_z = nn.Parameter(remembering(hidden, memory_steps, 1.0))
        self.b_h = nn.Parameter(torch.ones(hidden))
        self.zeta_raw = nn.Parameter(torch.tensor(ZETA_RAW))
        self.nu_raw = nn.Parameter(torch.tensor(NU_RAW))
        self.project()

    @classmethod
    def build(cls, features: int, steps: int, h: Hyper) -> FastGRNN:
        cap = None if h.nu_cap_times_steps is None else h.nu_cap_times_steps / steps
        cap = cap if cap and cap < 1.0 else None
        gate = Integer.choices(h.options)["gate"]
        return cls(features, h.hidden, h.rank_w, h.rank_u, cap, gate, h.memory_steps)

    @property
    def zeta(self) -> Tensor:
        return torch.sigmoid(self.zeta_raw)

    @property
    def nu(self) -> Tensor:
        return torch.sigmoid(self.nu_raw)

    def forward(self, x: Tensor) -> Tensor:
        if not fused.supports(x, self.hidden):
            return plain_forward(self, x)
        w, u = self.matrix("W"), self.matrix("U")
        return fused.fastgrnn(x, w, u, self.b_z, self.b_h, self.zeta, self.nu, self.gate)

    def step(self, x: Tensor, state: State) -> State:
        h = state["h"]
        a = x @ self.matrix("W").t() + h @ self.matrix("U").t()
        a_z = a + self.b_z
        z = torch.tanh(a_z) if self.gate == "tanh" else torch.sigmoid(a_z)
        c = torch.tanh(a + self.b_h)
        return {"h": (self.zeta * (1.0 - z) + self.nu) * c + z * h}

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

    def undecayed(self) -> list[nn.Parameter]:
        return [self.zeta_raw, self.nu_raw]

    def project(self) -> None:
        if self.nu_cap is not None:
            with torch.no_grad():
                self.nu_raw.clamp_(max=math.log(self.nu_cap / (1.0 - self.nu_cap)))
