"""FactoredRNN: U = P diag(s) Q' with P, Q orthogonal, softly or by construction, s in a band.

Ref: Vorontsov, Trabelsi, Kadoury, Pal, ICML 2017, arXiv:1702.00071, "On orthogonality and learning
recurrent networks with long term dependencies", section 2: the factorisation, and its margin m in

    s = 2 m (sigmoid(s_raw) - 1/2) + 1,  so 1 - m < s < 1 + m

How P and Q stay orthogonal (`orthogonality`):

    cayley  by construction: P = (I - A)(I + A)^-1, A skew-symmetric. The paper moves P along the
            Stiefel manifold by Cayley steps (geodesic gradient descent), with an optimiser and a
            learning rate of its own; this parametrisation (Helfrich et al., arXiv:1707.09520) keeps
            the constraint as exactly under Adam, but is not that algorithm.
    soft    P and Q are free and start orthogonal; lambda (||P'P - I||^2 + ||Q'Q - I||^2) joins the
            loss. The singular values of U are s only as far as the penalty succeeds.
    equal   Q = P, by `cayley`: U is symmetric with eigenvalues s, hence positive definite. This is
            our reading of the name; the paper has no such variant that we know of.

Integer twin: harness/reference/factoredrnn.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.models.orthogonal import banded, cayley, deviation
from harness.models.plain import Plain
from harness.presets import Hyper
from harness.reference.factoredrnn import FactoredRNN as Integer

MARGIN = 0.1
SOFT_WEIGHT = 0.01


class FactoredRNN(Plain):
    """W [H, D], b [H], s_raw [H]; by orthogonality A_p, A_q (cayley), P, Q (soft) or A_p (equal).

    Of an A [H, H] only the strict lower triangle counts.
    margin: m, 0 <= m < 1; soft_weight: lambda.
    """

    name = "factoredrnn"

    def __init__(
        self,
        features: int,
        hidden: int,
        orthogonality: str = Integer.options["orthogonality"][0],
        activation: str = Integer.options["activation"][0],
        margin: float = MARGIN,
        soft_weight: float = SOFT_WEIGHT,
    ) -> None:
        super().__init__(features, hidden, activation)
        self.orthogonality, self.margin, self.soft_weight = orthogonality, margin, soft_weight
        self.s_raw = nn.Parameter(torch.zeros(hidden))
        if orthogonality == "soft":
            self.P = nn.Parameter(torch.linalg.qr(torch.randn(hidden, hidden))[0])
            self.Q = nn.Parameter(torch.linalg.qr(torch.randn(hidden, hidden))[0])
            return
        for name in ("A_p",) if orthogonality == "equal" else ("A_p", "A_q"):
            # eigenvalues of A in +-2i, so those of P all around the circle but near -1
            a = torch.randn(hidden, hidden) / hidden**0.5
            self.register_parameter(name, nn.Parameter(a))

    @classmethod
    def build(cls, features: int, steps: int, h: Hyper) -> FactoredRNN:
        options = Integer.choices(h.options)
        return cls(
            features,
            h.hidden,
            options["orthogonality"],
            options["activation"],
            h.margin,
            h.soft_weight,
        )

    def bases(self) -> tuple[Tensor, Tensor]:
        """P and Q [H, H]."""
        if self.orthogonality == "soft":
            return self.P, self.Q
        p = cayley(self.get_parameter("A_p"))
        return p, p if self.orthogonality == "equal" else cayley(self.get_parameter("A_q"))

    def singular(self) -> Tensor:
        """s [H]."""
        return banded(self.s_raw, self.margin)

    def recurrent(self) -> Tensor:
        p, q = self.bases()
        return (p * self.singular()) @ q.t()

    def penalty(self) -> Tensor | None:
        if self.orthogonality != "soft":
            return None
        return self.soft_weight * (deviation(self.P) + deviation(self.Q))
