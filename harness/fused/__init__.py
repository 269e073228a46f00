"""Training a sequence in one call of a compiled kernel, for cells that are many small products.

Importing this, `available`, `why_not` and `identifier` need no torch; the cells do. Without a C++
compiler there is no kernel and models fall back to their plain form. See docs/training-kernel.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.fused.build import available, identifier, why_not

if TYPE_CHECKING:
    from harness.fused.cells import fastgrnn, fastrnn, gru, lstm, qrnn, rnn, supports, ugrnn

__all__ = [
    "available",
    "fastgrnn",
    "fastrnn",
    "gru",
    "identifier",
    "lstm",
    "qrnn",
    "rnn",
    "supports",
    "ugrnn",
    "why_not",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from harness.fused import cells

    globals()[name] = value = getattr(cells, name)  # the next time without a detour
    return value
