"""FactoredRNN in integers: U = P diag(s) Q', singular values in a band, multiplied out.

Ref: Vorontsov, Trabelsi, Kadoury, Pal, ICML 2017, arXiv:1702.00071.
Twins: harness/models/factoredrnn.py (float), firmware_templates/cells/rnn_cell_plain.c.
"""

from __future__ import annotations

from harness.reference.plain import Plain


class FactoredRNN(Plain):
    """h' = f(Wx + Uh + b). How P and Q are kept orthogonal matters in training only."""

    name = "factoredrnn"
    options = {"orthogonality": ("cayley", "soft", "equal"), "activation": ("leaky", "tanh")}
    training = ("orthogonality",)
