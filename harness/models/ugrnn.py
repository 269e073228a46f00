"""UGRNN. Ref: Collins, Sohl-Dickstein, Sussillo, ICLR 2017, arXiv:1611.09913.

    z_t = sigmoid(W_z x_t + U_z h_{t-1} + b_z),  c_t = tanh(W_c x_t + U_c h_{t-1} + b_c)
    h_t = z_t h_{t-1} + (1 - z_t) c_t

Integer twin: harness/reference/ugrnn.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness import fused
from harness.models.cell import Cell, State, plain_forward, remembering
from harness.presets import Hyper


class UGRNN(Cell):
    """W [2H, D], U [2H, H], or their low-rank factors; b [2H]. Row blocks: gate, candidate."""

    name = "ugrnn"

    def __init__(
        self,
        features: int,
        hidden: int,
        rank_w: int | None = None,
        rank_u: int | None = None,
        memory_steps: float = 1.0,
    ) -> None:
        super().__init__(features, hidden)
        self.add_matrix("W", 2 * hidden, features, rank_w)
        self.add_matrix("U", 2 * hidden, hidden, rank_u)
        # start out remembering, as for the LSTM's forget gate; our choice
        kept = remembering(hidden, memory_steps, 1.0)
        self.b = nn.Parameter(torch.cat([kept, torch.zeros(hidden)]))

    @classmethod
    def build(cls, features: int, steps: int, h: Hyper) -> UGRNN:
        return cls(features, h.hidden, h.rank_w, h.rank_u, h.memory_steps)

    def forward(self, x: Tensor) -> Tensor:
        if not fused.supports(x, self.hidden):
            return plain_forward(self, x)
        return fused.ugrnn(x, self.matrix("W"), self.matrix("U"), self.b)

    def step(self, x: Tensor, state: State) -> State:
        a = x @ self.matrix("W").t() + state["h"] @ self.matrix("U").t() + self.b
        a_z, a_c = a.chunk(2, dim=1)
        z = torch.sigmoid(a_z)
        return {"h": z * state["h"] + (1.0 - z) * torch.tanh(a_c)}

    def export(self) -> dict[str, Tensor]:
        return {**self.matrices(), "b": self.b}
