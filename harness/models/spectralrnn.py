"""SpectralRNN: U = P diag(s) Q' with P, Q products of Householder reflections, s in a band.

Ref: Zhang, Lei, Dhillon, ICML 2018, arXiv:1803.09327, "Stabilizing Gradients for Deep Neural
Networks via Efficient SVD Parameterization", section 3 (the parametrisation) and its margin r:

    s = 2 r (sigmoid(s_raw) - 1/2) + 1,  so 1 - r < s < 1 + r

The authors' released code takes r = 0.01 and, unless told otherwise, H/4 reflections and ReLU; we
default to all H, to a leaky ReLU as in oRNN, which this cell generalises, and to the margin of
`Hyper.margin`. As in oRNN, vector k has zeros before entry k.
Integer twin: harness/reference/spectralrnn.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.models.orthogonal import banded, reflections
from harness.models.plain import Plain
from harness.presets import Hyper
from harness.reference.spectralrnn import SpectralRNN as Integer

MARGIN = 0.1


class SpectralRNN(Plain):
    """W [H, D], b [H]; V_p, V_q [H, K] the reflections of P and Q, s_raw [H].

    count   K, reflections in each of P and Q, 1..H; None = H, which reaches every matrix of
            positive determinant whose singular values lie in the band
    margin  r, 0 <= r < 1
    """

    name = "spectralrnn"

    def __init__(
        self,
        features: int,
        hidden: int,
        activation: str = Integer.options["activation"][0],
        margin: float = MARGIN,
        count: int | None = None,
    ) -> None:
        super().__init__(features, hidden, activation)
        self.margin = margin
        columns = hidden if count is None else count
        self.V_p = nn.Parameter(torch.randn(hidden, columns))
        self.V_q = nn.Parameter(torch.randn(hidden, columns))
        self.s_raw = nn.Parameter(torch.zeros(hidden))

    @classmethod
    def build(cls, features: int, steps: int, h: Hyper) -> SpectralRNN:
        activation = Integer.choices(h.options)["activation"]
        return cls(features, h.hidden, activation, h.margin, h.reflections)

    def bases(self) -> tuple[Tensor, Tensor]:
        """P and Q [H, H], orthogonal."""
        return reflections(torch.tril(self.V_p)), reflections(torch.tril(self.V_q))

    def singular(self) -> Tensor:
        """s [H]."""
        return banded(self.s_raw, self.margin)

    def recurrent(self) -> Tensor:
        p, q = self.bases()
        return (p * self.singular()) @ q.t()
