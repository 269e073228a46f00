"""The plain RNN. Ref: Elman, Cognitive Science 14(2), 1990, in the form of torch.nn.RNN.

    h_t = act(W x_t + U h_{t-1} + b),  act = tanh or ReLU

Integer twin: harness/reference/rnn.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness import fused
from harness.models.cell import Cell, State
from harness.presets import Hyper


class RNN(Cell):
    """W [H, D], U [H, H], or their low-rank factors; b [H]."""

    name = "rnn"

    def __init__(
        self,
        features: int,
        hidden: int,
        rank_w: int | None = None,
        rank_u: int | None = None,
        activation: str = "tanh",
    ) -> None:
        super().__init__(features, hidden)
        self.activation = activation
        self.add_matrix("W", hidden, features, rank_w)
        self.add_matrix("U", hidden, hidden, rank_u)
        self.b = nn.Parameter(torch.zeros(hidden))

    @classmethod
    def build(cls, features: int, steps: int, h: Hyper) -> RNN:
        return cls(features, h.hidden, h.rank_w, h.rank_u, **h.options)

    def forward(self, x: Tensor) -> Tensor:
        w, u = self.matrix("W"), self.matrix("U")
        if fused.supports(x, self.hidden):
            return fused.rnn(x, w, u, self.b, self.activation)
        whole = torch.rnn_relu if self.activation == "relu" else torch.rnn_tanh
        start = self.start(len(x))["h"].unsqueeze(0)
        weights = [w, u, self.b, torch.zeros_like(self.b)]
        _, h = whole(x, start, weights, True, 1, 0.0, self.training, False, True)
        return h[0]

    def step(self, x: Tensor, state: State) -> State:
        a = x @ self.matrix("W").t() + state["h"] @ self.matrix("U").t() + self.b
        return {"h": torch.relu(a) if self.activation == "relu" else torch.tanh(a)}

    def export(self) -> dict[str, Tensor]:
        return {**self.matrices(), "b": self.b}
