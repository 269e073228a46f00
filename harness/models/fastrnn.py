"""FastRNN. Ref: Kusupati et al., NeurIPS 2018, arXiv:1901.02358, eq. (2).

    c_t = act(W x_t + U h_{t-1} + b),  h_t = alpha c_t + beta h_{t-1}

Scalar form: alpha and beta are sigmoids of trained scalars. Vector form (the paper's
"FastRNN-vector", tables 13 to 15): alpha is a sigmoid per unit, beta = zeta (1 - alpha) + nu with
zeta and nu sigmoids of trained scalars. Integer twin: harness/reference/fastrnn.py.

Where training starts: EdgeML's beta, and its alpha for long windows. For short ones that takes many
epochs to leave: the paper's table 7 ends at alpha T of 6 to 8 from T = 28 on and alpha of .36 to .6
for T of 7 to 11, so `build` starts at the larger of EdgeML's value and 6 / T, at most .5.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from harness import fused
from harness.models.cell import Cell, State, plain_forward
from harness.presets import Hyper

ALPHA, BETA_RAW = 0.0474, 3.0  # EdgeML's initial values, raw -3 and 3; beta .953
ALPHA_TIMES_STEPS, MOST_ALPHA = 6.0, 0.5
ZETA_RAW, NU_RAW = 4.0, -4.0  # zeta .982, nu .018; ours: beta .954 beside EdgeML's alpha, below 1

ACTIVATIONS = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu}


class FastRNN(Cell):
    """W [H, D], U [H, H], or their low-rank factors; b [H]; alpha and beta [] or [H]."""

    name = "fastrnn"

    def __init__(
        self,
        features: int,
        hidden: int,
        rank_w: int | None = None,
        rank_u: int | None = None,
        activation: str = "tanh",
        form: str = "scalar",
        alpha: float = ALPHA,
    ) -> None:
        super().__init__(features, hidden)
        self.activation, self.form = activation, form
        self.add_matrix("W", hidden, features, rank_w)
        self.add_matrix("U", hidden, hidden, rank_u)
        self.b = nn.Parameter(torch.ones(hidden))
        alpha_raw = math.log(alpha / (1.0 - alpha))
        if form == "vector":
            self.alpha_raw = nn.Parameter(torch.full((hidden,), alpha_raw))
            self.zeta_raw = nn.Parameter(torch.tensor(ZETA_RAW))
            self.nu_raw = nn.Parameter(torch.tensor(NU_RAW))
        else:
            self.alpha_raw = nn.Parameter(torch.tensor(alpha_raw))
            self.beta_raw = nn.Parameter(torch.tensor(BETA_RAW))

    @classmethod
    def build(cls, features: int, steps: int, h: Hyper) -> FastRNN:
        alpha = max(ALPHA, min(ALPHA_TIMES_STEPS / steps, MOST_ALPHA))
        return cls(features, h.hidden, h.rank_w, h.rank_u, **h.options, alpha=alpha)

    def _sigmoid(self, name: str) -> Tensor:
        return torch.sigmoid(self.get_parameter(f"{name}_raw"))

    @property
    def alpha(self) -> Tensor:
        """[] or [H]."""
        return self._sigmoid("alpha")

    @property
    def beta(self) -> Tensor:
        """[] or [H]; in the vector form up to zeta + nu, which may pass 1."""
        if self.form == "vector":
            return self._sigmoid("zeta") * (1.0 - self.alpha) + self._sigmoid("nu")
        return self._sigmoid("beta")

    def forward(self, x: Tensor) -> Tensor:
        if not fused.supports(x, self.hidden):
            return plain_forward(self, x)
        w, u = self.matrix("W"), self.matrix("U")
        return fused.fastrnn(x, w, u, self.b, self.alpha, self.beta, self.activation)

    def step(self, x: Tensor, state: State) -> State:
        h = state["h"]
        a = x @ self.matrix("W").t() + h @ self.matrix("U").t() + self.b
        return {"h": self.alpha * ACTIVATIONS[self.activation](a) + self.beta * h}

    def export(self) -> dict[str, Tensor]:
        """With alpha and beta, by which the integer cell may multiply; a vector's raw form too."""
        weights = {"alpha": self.alpha.reshape(-1), "beta": self.beta.reshape(-1)}
        tensors = {**self.matrices(), "b": self.b, **weights}
        if self.form == "vector":
            tensors["alpha_raw"] = self.get_parameter("alpha_raw")
        return tensors

    def scalars(self) -> dict[str, float]:
        names = ("zeta", "nu") if self.form == "vector" else ("alpha", "beta")
        values = {name: self._sigmoid(name) for name in names}
        values |= {f"{name}_raw": self.get_parameter(f"{name}_raw") for name in names}
        return {name: value.detach().item() for name, value in values.items()}

    def undecayed(self) -> list[nn.Parameter]:
        return [p for name, p in self.named_parameters() if name.endswith("_raw")]
