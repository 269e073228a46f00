"""oRNN: an orthogonal recurrent matrix by Householder reflections, and a leaky ReLU.

Ref: Mhammedi, Hellicar, Rahman, Bailey, ICML 2017, arXiv:1612.00188, eq. (3) to (6).
As in the paper, vector k has zeros before entry k. Integer twin: harness/reference/ornn.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.models.orthogonal import reflections
from harness.models.plain import Plain


class ORNN(Plain):
    """h' = leaky_relu(W x + U h + b), U orthogonal. W [H, D], U [H, H], b [H].

    Rounding U after training costs 92.1 % to 87.2 % on HAR-2; see `Plain`.
    """

    name = "ornn"

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__(features, hidden, "leaky")
        self.V = nn.Parameter(torch.randn(hidden, hidden))

    @property
    def orthogonal(self) -> Tensor:
        """The product of the reflections [H, H]."""
        return reflections(torch.tril(self.V))

    def recurrent(self) -> Tensor:
        return self.orthogonal
