"""oRNN in integers: an orthogonal recurrent matrix, leaky ReLU.

Ref: Mhammedi et al., ICML 2017, arXiv:1612.00188. The product of the Householder reflections is
multiplied out: one dense int8 matrix.
Twins: harness/models/ornn.py (float), firmware_templates/cells/rnn_cell_plain.c.
"""

from __future__ import annotations

from harness.reference.plain import Plain


class ORNN(Plain):
    """h' = leaky_relu(Wx + Uh + b), slope 26/256 below zero, the authors' 0.1."""

    name = "ornn"
    fixed = {"activation": "leaky"}
