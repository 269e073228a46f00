"""SpectralRNN in integers: U = P diag(s) Q', singular values in a band, multiplied out.

Ref: Zhang, Lei, Dhillon, ICML 2018, arXiv:1803.09327.
Twins: harness/models/spectralrnn.py (float), firmware_templates/cells/rnn_cell_plain.c.
"""

from __future__ import annotations

from harness.reference.plain import Plain


class SpectralRNN(Plain):
    """h' = f(Wx + Uh + b)."""

    name = "spectralrnn"
    options = {"activation": ("leaky", "tanh", "relu")}
