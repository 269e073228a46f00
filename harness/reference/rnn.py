"""The plain RNN in integers. Ref: Elman, Cognitive Science 14(2), 1990, in torch.nn.RNN's form.

Twins: harness/models/rnn.py (float), firmware_templates/cells/rnn_cell_plain.c.
"""

from __future__ import annotations

from harness.reference.plain import Plain


class RNN(Plain):
    """h' = act(Wx + Uh + b), act = tanh (a table) or ReLU (a shift and a clamp)."""

    name = "rnn"
    low_rank = True
    options = {"activation": ("tanh", "relu")}
