"""LSTM, gates in PyTorch's order i, f, g, o.

Ref: Hochreiter and Schmidhuber 1997, in the form of torch.nn.LSTM.

Integer twin: harness/reference/lstm.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.models.cell import Cell, State


class LSTM(Cell):
    """c' = f c + i g, h' = o tanh(c'). W [4H, D], U [4H, H], b [4H] (the sum of PyTorch's two)."""

    name = "lstm"

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__(features, hidden)
        self.rnn = nn.LSTM(features, hidden, batch_first=True)
        with torch.no_grad():  # start out remembering; Jozefowicz et al., ICML 2015
            self._part("bias_ih")[hidden : 2 * hidden] += 1.0

    def _part(self, name: str) -> nn.Parameter:
        return self.rnn.get_parameter(f"{name}_l0")

    def forward(self, x: Tensor) -> Tensor:
        _, (h, _) = self.rnn(x)
        last: Tensor = h[0]
        return last

    def start(self, n: int) -> State:
        zero = super().start(n)["h"]
        return {"h": zero, "c": zero}

    def step(self, x: Tensor, state: State) -> State:
        e = self.export()
        a = x @ e["W"].t() + state["h"] @ e["U"].t() + e["b"]
        a_i, a_f, a_g, a_o = a.chunk(4, dim=1)
        c = torch.sigmoid(a_f) * state["c"] + torch.sigmoid(a_i) * torch.tanh(a_g)
        return {"h": torch.sigmoid(a_o) * torch.tanh(c), "c": c}

    def matrices(self) -> dict[str, nn.Parameter]:
        return {"W": self._part("weight_ih"), "U": self._part("weight_hh")}

    def export(self) -> dict[str, Tensor]:
        return {**self.matrices(), "b": self._part("bias_ih") + self._part("bias_hh")}

    def load_export(self, tensors: dict[str, Tensor], scalars: dict[str, float]) -> None:
        with torch.no_grad():
            self._part("weight_ih").copy_(tensors["W"])
            self._part("weight_hh").copy_(tensors["U"])
            self._part("bias_ih").copy_(tensors["b"])
            self._part("bias_hh").zero_()
