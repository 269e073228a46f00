"""How language models are built and trained: `presets` for text, with fields of its own. No torch.

The sizes of `paper` are those of the FastGRNN paper (arXiv:1901.02358): Table 11 for FastGRNN; for
the others the H that gives Table 2's size with 4 bytes a value, which counts the recurrent layer
alone (LSTM, H = 256: 8 H^2 + 4 H values are 2,052 KB). Epochs and learning rates are ours, and
nobody has trained `quick` or `paper` to the end yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from harness.errors import UsageError, near_miss
from harness.presets import Hyper, applied, check_preset, parse_model_name


def _cell_hyper() -> Hyper:
    """As the paper's PTB model, but dense. FastGRNN's nu stays capped, as for a window of
    `language.LONG_STEPS`: where its gate is near 1 a unit's state grows by nu a step, and in a text
    nothing stops it (docs/studies.md: what happened without)."""
    return Hyper(hidden=256, epochs=10, lr=5e-3, batch=20, weight_decay=0.0)


@dataclass(frozen=True)
class LanguageHyper:
    """How a language model is built and trained.

    Fields
        cell      of the recurrent cell and the optimiser: hidden, ranks, densities, options, epochs
                  of every stage, lr, clip, weight_decay; `batch` is the number of parallel streams
        sequence  steps that a gradient runs back
        tied      whether the softmax shares the embedding's matrix
        dropout   probability with which a value of e_t and h_t is zeroed in training
    """

    cell: Hyper = field(default_factory=_cell_hyper)
    sequence: int = 35
    tied: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.sequence < 1:
            raise UsageError(f"sequence is {self.sequence}, must be at least 1")
        if not 0.0 <= self.dropout < 1.0:
            raise UsageError(f"dropout is {self.dropout}, must be at least 0 and below 1")


# preset -> cell ('*' = any) -> fields of LanguageHyper and of its Hyper
TABLE: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "smoke": {
        "*": {"hidden": 32, "epochs": 1, "lr": 1e-2},
        "fastgrnn": {"density_w": 0.5, "density_u": 0.5, "epochs_sparse": 1, "epochs_frozen": 1},
    },
    "quick": {
        "*": {"hidden": 128, "epochs": 6},
        "fastgrnn": {"density_w": 0.3, "density_u": 0.3, "epochs_sparse": 3, "epochs_frozen": 2},
    },
    "paper": {
        "*": {"hidden": 256, "sequence": 300, "epochs": 40},
        "fastgrnn": {"rank_w": 64, "rank_u": 64, "density_w": 0.3, "density_u": 0.3,
                     "epochs_sparse": 20, "epochs_frozen": 20},
        "rnn": {"hidden": 128, "lr": 1e-3},
        "ugrnn": {"hidden": 128},
    },
}  # fmt: skip
# fields of Hyper that mean nothing here: sensors' noise, and the state's integers
NOT_FOR_TEXT = ("noise", "channel_dropout", "state_bits", "sum_bits")


def language_hyper(
    preset: str, model: str, overrides: Mapping[str, Any] | None = None
) -> LanguageHyper:
    """The hyper-parameters of a model (`fastgrnn-q`, `fastrnn+relu`, ...) under a preset.

    `overrides` replace fields of LanguageHyper or of its Hyper by name. Raises UsageError for an
    unknown preset, model or field, and for a value out of its range.
    """
    check_preset(preset)
    spec = parse_model_name(model)
    rows = TABLE[preset]
    values = {**rows["*"], **rows.get(spec.cell, {}), **(overrides or {})}
    own = {f.name for f in fields(LanguageHyper)} - {"cell"}
    of_cell = {f.name for f in fields(Hyper)} - {"options", *NOT_FOR_TEXT}
    for name in values:
        if name not in own | of_cell:
            raise near_miss("hyper-parameter of a language model", name, own | of_cell)
    cell = replace(_cell_hyper(), **{n: v for n, v in values.items() if n in of_cell})
    outer = {n: v for n, v in values.items() if n in own}
    return LanguageHyper(cell=applied(spec, cell), **outer)
