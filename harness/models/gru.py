"""GRU, gates in PyTorch's order r, z, n. Ref: Cho et al. 2014, in the form of torch.nn.GRU.

Integer twin: harness/reference/gru.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness import fused
from harness.models.cell import Cell, State, remembering
from harness.presets import Hyper


class GRU(Cell):
    """h' = (1 - z) n + z h with n = tanh(W_n x + b_n + r (U_n h + b_hn)). W [3H, D], U [3H, H], or
    their low-rank factors.

    b [3H] sums both of PyTorch's biases for r and z and holds the input-side one for n; b_hn [H].
    Trained are b_ih and b_hh [3H], and all starts out as in torch.nn.GRU: uniform, +-1 / sqrt(H).
    """

    name = "gru"

    def __init__(
        self,
        features: int,
        hidden: int,
        rank_w: int | None = None,
        rank_u: int | None = None,
        memory_steps: float = 1.0,
    ) -> None:
        super().__init__(features, hidden)
        self.add_matrix("W", 3 * hidden, features, rank_w, (features / hidden) ** 0.5)
        self.add_matrix("U", 3 * hidden, hidden, rank_u)
        self.b_ih = nn.Parameter((2.0 * torch.rand(3 * hidden) - 1.0) / hidden**0.5)
        self.b_hh = nn.Parameter((2.0 * torch.rand(3 * hidden) - 1.0) / hidden**0.5)
        if memory_steps > 1:
            with torch.no_grad():
                self.b_ih[hidden : 2 * hidden] = remembering(hidden, memory_steps)
                self.b_hh[hidden : 2 * hidden] = 0.0

    @classmethod
    def build(cls, features: int, steps: int, h: Hyper) -> GRU:
        return cls(features, h.hidden, h.rank_w, h.rank_u, h.memory_steps)

    def _weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """W and U multiplied out, b, b_hn."""
        gates = 2 * self.hidden
        b = torch.cat([self.b_ih[:gates] + self.b_hh[:gates], self.b_ih[gates:]])
        return self.matrix("W"), self.matrix("U"), b, self.b_hh[gates:]

    def forward(self, x: Tensor) -> Tensor:
        w, u, b, b_hn = self._weights()
        if fused.supports(x, self.hidden):
            return fused.gru(x, w, u, b, b_hn)
        start = self.start(len(x))["h"].unsqueeze(0)
        # what nn.GRU calls: 1 layer with biases, no dropout, one direction, batch first
        _, h = torch.gru(
            x, start, [w, u, self.b_ih, self.b_hh], True, 1, 0.0, self.training, False, True
        )
        return h[0]

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
