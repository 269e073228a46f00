"""Orthogonal matrices from free parameters, and singular values in a band.

`reflections`: the product of H reflections I - 2 v v' / v'v is built in its compact form
I - V S^-1 V', with S = striu(V'V) + diag(V'V) / 2 (Joffrain et al., ACM TOMS 32(2), 2006).
`cayley`: (I - A)(I + A)^-1 of a skew-symmetric A, which reaches every rotation without the
eigenvalue -1 (Helfrich, Willmott, Ye, ICML 2018, arXiv:1707.09520, section 3).
Both are computed in float64: U is multiplied with itself T times.
"""

from __future__ import annotations

import torch
from torch import Tensor


def reflections(v: Tensor) -> Tensor:
    """Product of (I - 2 v v' / v'v) over the columns of v [H, K], first to last -> [H, H]."""
    wide = v.double()
    gram = wide.t() @ wide
    s = torch.triu(gram, diagonal=1) + torch.diag(gram.diagonal() / 2)
    inner = torch.linalg.solve_triangular(s, wide.t(), upper=True)
    product: Tensor = torch.eye(len(v), dtype=wide.dtype, device=v.device) - wide @ inner
    return product.to(v.dtype)


def cayley(a: Tensor) -> Tensor:
    """(I - A)(I + A)^-1 of A = L - L', L the strict lower triangle of a [H, H] -> [H, H].

    I + A is invertible for every a: the eigenvalues of A are imaginary.
    """
    lower = torch.tril(a.double(), diagonal=-1)
    skew = lower - lower.t()
    eye = torch.eye(len(a), dtype=skew.dtype, device=a.device)
    rotation: Tensor = torch.linalg.solve(eye + skew, eye - skew)  # the two factors commute
    return rotation.to(a.dtype)


def banded(raw: Tensor, margin: float) -> Tensor:
    """Singular values in (1 - margin, 1 + margin), 1 where raw is 0."""
    return 2.0 * margin * (torch.sigmoid(raw) - 0.5) + 1.0


def deviation(p: Tensor) -> Tensor:
    """||P'P - I||^2, the sum of squares: 0 for an orthogonal P [H, H]."""
    return (p.t() @ p - torch.eye(len(p), dtype=p.dtype, device=p.device)).square().sum()
