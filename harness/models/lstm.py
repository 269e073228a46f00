"""LSTM, gates in PyTorch's order i, f, g, o.

Ref: Hochreiter and Schmidhuber 1997, in the form of torch.nn.LSTM.

Integer twin: harness/reference/lstm.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness import fused
from harness.models.cell import Cell, State, remembering
from harness.presets import Hyper


class LSTM(Cell):
    """c' = f c + i g, h' = o tanh(c'). W [4H, D], U [4H, H], or their low-rank factors; b [4H].

    b is the sum of b_ih and b_hh [4H], as PyTorch has them; all starts out as in torch.nn.LSTM
    (uniform, +-1 / sqrt(H)), but for the forget gate.
    """

    name = "lstm"

    def __init__(
        self,
        features: int,
        hidden: int,
        rank_w: int | None = None,
        rank_u: int | None = None,
        memory_steps: float = 1.0,
    ) -> None:
        super().__init__(features, hidden)
        self.add_matrix("W", 4 * hidden, features, rank_w, (features / hidden) ** 0.5)
        self.add_matrix("U", 4 * hidden, hidden, rank_u)
        self.b_ih = nn.Parameter((2.0 * torch.rand(4 * hidden) - 1.0) / hidden**0.5)
        self.b_hh = nn.Parameter((2.0 * torch.rand(4 * hidden) - 1.0) / hidden**0.5)
        with torch.no_grad():
            if memory_steps > 1:
                kept = remembering(hidden, memory_steps)
                self.b_ih[: 2 * hidden] = torch.cat([-kept, kept])  # i = 1 - f
                self.b_hh[: 2 * hidden] = 0.0
            else:  # start out remembering; Jozefowicz et al., ICML 2015
                self.b_ih[hidden : 2 * hidden] += 1.0

    @classmethod
    def build(cls, features: int, steps: int, h: Hyper) -> LSTM:
        return cls(features, h.hidden, h.rank_w, h.rank_u, h.memory_steps)

    def forward(self, x: Tensor) -> Tensor:
        w, u = self.matrix("W"), self.matrix("U")
        if fused.supports(x, self.hidden):
            return fused.lstm(x, w, u, self.b_ih + self.b_hh)
        weights = [w, u, self.b_ih, self.b_hh]
        start = [value.unsqueeze(0) for value in self.start(len(x)).values()]
        # what nn.LSTM calls: 1 layer with biases, no dropout, one direction, batch first
        _, h, _ = torch.lstm(x, start, weights, True, 1, 0.0, self.training, False, True)
        return h[0]

    def start(self, n: int) -> State:
        zero = super().start(n)["h"]
        return {"h": zero, "c": zero}

    def step(self, x: Tensor, state: State) -> State:
        a = x @ self.matrix("W").t() + state["h"] @ self.matrix("U").t() + self.b_ih + self.b_hh
        a_i, a_f, a_g, a_o = a.chunk(4, dim=1)
        c = torch.sigmoid(a_f) * state["c"] + torch.sigmoid(a_i) * torch.tanh(a_g)
        return {"h": torch.sigmoid(a_o) * torch.tanh(c), "c": c}

    def export(self) -> dict[str, Tensor]:
        return {**self.matrices(), "b": self.b_ih + self.b_hh}

    def load_export(self, tensors: dict[str, Tensor], scalars: dict[str, float]) -> None:
        super().load_export(tensors, scalars)
        with torch.no_grad():
            self.b_ih.copy_(tensors["b"])
            self.b_hh.zero_()
