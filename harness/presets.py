"""Model names and presets: what `fastgrnn-q` means and how large a model is trained for how long.

Recipes: the FastGRNN paper (arXiv:1901.02358) for `paper` (appendix, Table 11, and the training
protocol), our own measurements for `quick` and `smoke`. No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from harness.errors import UsageError, near_miss
from harness.reference import CELLS

SUFFIXES = ("q", "sq", "lsq")
PRESETS = ("smoke", "quick", "paper")
NU_CAP_TIMES_STEPS = 1.28  # nu <= 1.28 / T, .01 at T = 128: |h| stays below zeta + 1.28


@dataclass(frozen=True)
class ModelSpec:
    """What a model name asks for.

    `low_rank` and `sparse` say that the technique is not left out; whether it does anything is the
    choice of the preset and of what overrides it (no rank given: full rank; density 1: dense).
    """

    name: str
    cell: str
    low_rank: bool
    sparse: bool
    quantised: bool
    options: Mapping[str, str] = field(default_factory=dict)


def model_names() -> tuple[str, ...]:
    """Every valid model name."""
    names = [*CELLS, *(f"{c}-{s}" for c in CELLS for s in SUFFIXES)]
    return tuple(sorted(names))


def parse_model_name(name: str) -> ModelSpec:
    """`fastgrnn`, `fastgrnn-q`, `-sq`, `-lsq`, `lstm`, `lstm-q`; with options `fastrnn+relu-q`.

    As in the paper, each suffix leaves more of the compression out: -q is not byte-quantised
    (float), -sq also not sparse, -lsq also full rank. So a name with a suffix is a float network,
    and one without has every compression that the preset asks for. `+value` chooses a variant.
    """
    stem, dash, suffix = name.partition("-")
    cell, *variants = stem.split("+")
    if cell not in CELLS or (dash and suffix not in SUFFIXES):
        raise near_miss("model", name, model_names())
    options = _options(cell, variants)
    return ModelSpec(name, cell, suffix != "lsq", suffix in ("", "q"), not dash, options)


def _options(cell: str, variants: list[str]) -> dict[str, str]:
    """The cell's options with the named values chosen; UsageError for an unknown value."""
    allowed = CELLS[cell].options
    chosen = {option: values[0] for option, values in allowed.items()}
    owner = {value: option for option, values in allowed.items() for value in values}
    for value in variants:
        if value not in owner:
            raise near_miss(f"variant of {cell}", value, owner)
        chosen[owner[value]] = value
    return chosen


def check_preset(name: str) -> None:
    """UsageError with the nearest names when there is no such preset."""
    if name not in PRESETS:
        raise near_miss("preset", name, PRESETS)


NOT_NEGATIVE = (
    "weight_decay", "noise", "gain_noise", "offset_noise", "epochs_sparse", "epochs_frozen",
    "epochs_rounded", "soft_weight",
)  # fmt: skip


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of one model.

    Fields
        hidden           H
        rank_w, rank_u   of W and U; None = full rank
        density_w, _u    share of nonzero weights after sparsification; 1 = dense
        epochs           of the first stage (dense or low rank)
        epochs_sparse    of iterative hard thresholding, then epochs_frozen with the support fixed;
                         both at half the learning rate
        epochs_rounded   before Q, with weights rounded as Q will (quantisation-aware), the support
                         fixed, at half the learning rate
        lr               Adam's, falling to 0 along a half cosine in every stage
        weight_decay     decoupled; zeta and nu are exempt
        noise            standard deviation of Gaussian noise on the standardised input
        gain_noise       standard deviation of Gaussian gains, around 1, on a window's channels,
                         for all its steps alike: other people move more or less
        offset_noise     standard deviation of a Gaussian offset on each channel of a window, for
                         all its steps alike: sensors sit differently on other people
        channel_dropout  probability with which a whole channel of a window is zeroed, that is, set
                         to its mean (after the noise; the other channels are not scaled up)
        nu_cap_times_steps  FastGRNN: nu <= this / T; None = free
        memory_steps     gates that keep the state start with time constants of 1 to this many steps
                         (docs/cells/README.md); 1 = the cell's own start
        margin           how far singular values of a factored U may be from 1
        reflections      in each of its two bases; None = hidden
        soft_weight      weight of the penalty where a basis is held orthogonal by one
        state_bits       width of the integer hidden state
        sum_bits         16: every integer sum is proved to fit int16, for an AVR; with state_bits 8
        options          variants of the cell, from the model's name
    """

    hidden: int = 32
    rank_w: int | None = None
    rank_u: int | None = None
    density_w: float = 1.0
    density_u: float = 1.0
    epochs: int = 30
    epochs_sparse: int = 25
    epochs_frozen: int = 15
    epochs_rounded: int = 0
    lr: float = 1e-2
    batch: int = 100
    weight_decay: float = 0.03
    noise: float = 0.0
    gain_noise: float = 0.0
    offset_noise: float = 0.0
    channel_dropout: float = 0.0
    clip: float = 1.0
    nu_cap_times_steps: float | None = NU_CAP_TIMES_STEPS
    memory_steps: float = 1.0
    margin: float = 0.1
    reflections: int | None = None
    soft_weight: float = 0.01
    state_bits: int = 16
    sum_bits: int = 32
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("density_w", "density_u"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise UsageError(f"{name} is {getattr(self, name)}, must be above 0 and at most 1")
        for name in ("hidden", "batch", "lr", "clip"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}, must be above 0")
        for name in NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise UsageError(f"{name} is {getattr(self, name)}, must not be negative")
        if not 0.0 <= self.channel_dropout < 1.0:
            raise UsageError(
                f"channel_dropout is {self.channel_dropout}, must be at least 0 and below 1"
            )
        if self.epochs < 1:
            raise UsageError(f"epochs is {self.epochs}, must be at least 1")
        if self.memory_steps < 1.0:
            raise UsageError(f"memory_steps is {self.memory_steps}, must be at least 1")
        if not 0.0 <= self.margin < 1.0:
            raise UsageError(f"margin is {self.margin}, must be at least 0 and below 1")
        for name in ("rank_w", "rank_u", "reflections"):
            rank = getattr(self, name)
            if rank is not None and not 1 <= rank <= self.hidden:
                raise UsageError(f"{name} is {rank}, must be 1..hidden = {self.hidden}")
        if self.state_bits not in (8, 16):
            raise UsageError(f"state_bits is {self.state_bits}, must be 8 or 16")
        if self.sum_bits not in (16, 32):
            raise UsageError(f"sum_bits is {self.sum_bits}, must be 16 or 32")
        if self.sum_bits == 16 and self.state_bits != 8:
            raise UsageError(
                f"sum_bits is 16 with state_bits {self.state_bits}: a sum has no room for that",
                hint="add state_bits=8",
            )


# -- the table: preset -> data set ('*' = any other) -> cell ('*' = any other) -> fields ----------

_DIGITS_QUICK: dict[str, dict[str, Any]] = {
    "*": {"batch": 32, "epochs": 60, "epochs_sparse": 25, "epochs_frozen": 15, "noise": 0.2},
    "fastgrnn": {"hidden": 32, "density_u": 0.5},
    "gru": {"hidden": 16},
    "lstm": {"hidden": 16},
    "ornn": {"hidden": 32, "epochs_rounded": 15},
    "rnn": {"hidden": 32},
    "fastrnn": {"hidden": 32, "lr": 2e-2},
    "ugrnn": {"hidden": 20},
    "qrnn": {"hidden": 32, "lr": 2e-2},
    "eurnn": {"hidden": 32, "epochs_rounded": 15},
}
_DIGITS_SMOKE: dict[str, dict[str, Any]] = {
    **_DIGITS_QUICK,
    "*": {
        "batch": 32,
        "epochs": 14,
        "epochs_sparse": 5,
        "epochs_frozen": 3,
        "noise": 0.2,
    },
    "ornn": {"hidden": 32, "epochs_rounded": 4},
    "eurnn": {"hidden": 32, "epochs_rounded": 4},
}
_WINDOWS_QUICK: dict[str, dict[str, Any]] = {
    "*": {"epochs": 30, "epochs_sparse": 25, "epochs_frozen": 15},
    "fastgrnn": {"hidden": 32, "density_u": 0.3},
    "gru": {"hidden": 14},
    "lstm": {"hidden": 12},
    "ornn": {"hidden": 24, "epochs_rounded": 15},
    "rnn": {"hidden": 32, "lr": 3e-3},
    "fastrnn": {"hidden": 32},
    "ugrnn": {"hidden": 20},
    "qrnn": {"hidden": 24, "lr": 2e-2},
    "eurnn": {"hidden": 32, "epochs_rounded": 15},
}
_WINDOWS_SMOKE: dict[str, dict[str, Any]] = {
    "*": {"epochs": 4, "epochs_sparse": 2, "epochs_frozen": 1},
    "fastgrnn": {"hidden": 16, "density_u": 0.5},
    "gru": {"hidden": 8},
    "lstm": {"hidden": 8},
    "ornn": {"hidden": 16, "epochs_rounded": 2},
    "rnn": {"hidden": 16, "lr": 3e-3},
    "fastrnn": {"hidden": 16},
    "ugrnn": {"hidden": 12},
    "qrnn": {"hidden": 16, "lr": 2e-2},
    "eurnn": {"hidden": 32, "epochs_rounded": 2},
}
# People the training has not seen: gains and offsets keep a model from learning how one person
# moves and where the phone sat. Chosen on the training people, a fifth of them left out in turn.
_HAR_QUICK: dict[str, dict[str, Any]] = {
    **_WINDOWS_QUICK,
    "*": {
        "epochs": 60,
        "epochs_sparse": 25,
        "epochs_frozen": 15,
        "gain_noise": 0.2,
        "offset_noise": 0.2,
    },
}
# 19 activities of 8 people, the test people unseen: dropped channels keep a model from leaning on
# one of the 45 sensors, offsets and gains from learning how it sat and how its bearer moves. Chosen
# on the training people, each left out in turn.
_DSA19_QUICK: dict[str, dict[str, Any]] = {
    **_WINDOWS_QUICK,
    "*": {
        "epochs": 60,
        "epochs_sparse": 25,
        "epochs_frozen": 15,
        "channel_dropout": 0.3,
        "offset_noise": 0.6,
        "gain_noise": 0.2,
    },
    "fastgrnn": {"hidden": 32, "density_w": 0.4, "density_u": 0.4},
    "gru": {"hidden": 11},
    "lstm": {"hidden": 9},
    "eurnn": {"hidden": 32, "epochs_rounded": 15},
}
_DSA19_SMOKE: dict[str, dict[str, Any]] = {
    **_WINDOWS_SMOKE,
    "*": {"epochs": 3, "epochs_sparse": 2, "epochs_frozen": 1, "channel_dropout": 0.1},
    "fastgrnn": {"hidden": 16, "density_w": 0.5, "density_u": 0.5},
}
# One pixel a step. W [H, 1] has rank 1 as it is.
_PIXEL_DIGITS_QUICK: dict[str, dict[str, Any]] = {
    **_DIGITS_QUICK,
    "*": {"batch": 32, "epochs": 150, "lr": 2e-2, "noise": 0.3, "weight_decay": 0.03},
    "fastgrnn": {"hidden": 48},
    "gru": {"hidden": 32, "epochs": 120},
    "lstm": {"hidden": 32, "lr": 1e-2},
}
_PIXEL_DIGITS_SMOKE: dict[str, dict[str, Any]] = {
    **_DIGITS_SMOKE,
    "*": {"batch": 32, "epochs": 6, "lr": 2e-2, "noise": 0.3, "weight_decay": 0.03},
    "fastgrnn": {"hidden": 32},
    "lstm": {"hidden": 16, "lr": 1e-2},
    "eurnn": {"hidden": 32, "lr": 1e-2, "epochs_rounded": 2},
}
# 784 steps and 60,000 windows: with the training kernel an epoch of FastGRNN takes half a minute to
# a minute on a processor core, without it most of an hour. Gates must start out remembering.
_PIXEL_MNIST_QUICK: dict[str, dict[str, Any]] = {
    **_WINDOWS_QUICK,
    "*": {
        "epochs": 10,
        "epochs_sparse": 6,
        "epochs_frozen": 4,
        "weight_decay": 0.0,
        "memory_steps": 200,
    },
    "fastgrnn": {"hidden": 80, "density_u": 0.5},
    "gru": {"hidden": 32},
    "lstm": {"hidden": 32},
    "eurnn": {"hidden": 64, "lr": 1e-3, "epochs_rounded": 5},
}
_PIXEL_MNIST_SMOKE: dict[str, dict[str, Any]] = {
    **_WINDOWS_SMOKE,
    "*": {"batch": 500, "epochs": 1, "memory_steps": 200},
    "fastgrnn": {"hidden": 16},
}
# Table 11 gives FastGRNN only (for HAR-2 with a tanh gate and momentum; ours is the sigmoid gate of
# the integer cell, and Adam, which the protocol also lists). Nor has the paper a bound on nu or
# weight decay: without them the state grows over the epochs until the training falls apart. The
# baselines' sizes follow Table 3.
_PAPER: dict[str, dict[str, Any]] = {
    "*": {"epochs": 300, "weight_decay": 0.0, "epochs_sparse": 100, "epochs_frozen": 100},
    "fastgrnn": {
        "hidden": 80, "rank_w": 5, "rank_u": 40, "density_w": 0.2, "density_u": 0.3,
        "epochs": 100, "weight_decay": 0.03,
    },
    "gru": {"hidden": 74},
    "lstm": {"hidden": 64},
    "ornn": {"hidden": 80, "lr": 1e-3, "epochs_rounded": 15},
    "rnn": {"hidden": 80, "lr": 1e-3},
    "fastrnn": {"hidden": 80},
    "ugrnn": {"hidden": 64},
    "qrnn": {"hidden": 64},
    "eurnn": {"hidden": 128, "lr": 1e-3, "epochs_rounded": 15},
}  # fmt: skip


def _paper(**fastgrnn: Any) -> dict[str, dict[str, Any]]:
    """The paper's rows with FastGRNN as Table 11 has it for another data set."""
    return {**_PAPER, "fastgrnn": {**_PAPER["fastgrnn"], **fastgrnn}}


TABLE: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "smoke": {
        "digits": _DIGITS_SMOKE,
        "pixel-digits": _PIXEL_DIGITS_SMOKE,
        "dsa19": _DSA19_SMOKE,
        "pixel-mnist": _PIXEL_MNIST_SMOKE,
        "*": _WINDOWS_SMOKE,
    },
    "quick": {
        "digits": _DIGITS_QUICK,
        "pixel-digits": _PIXEL_DIGITS_QUICK,
        "har2": _HAR_QUICK,
        "har6": _HAR_QUICK,
        "dsa19": _DSA19_QUICK,
        "pixel-mnist": _PIXEL_MNIST_QUICK,
        "*": _WINDOWS_QUICK,
    },
    "paper": {
        "dsa19": _paper(hidden=64, rank_w=16, rank_u=20, density_w=0.15, density_u=0.05),
        "google12": _paper(hidden=100, rank_w=16, rank_u=25, density_w=0.3, density_u=0.3),
        "google30": _paper(hidden=100, rank_w=16, rank_u=35, density_w=0.2, density_u=0.2),
        "pixel-mnist": _paper(hidden=128, rank_w=1, rank_u=30, density_w=1.0, density_u=0.3),
        "*": _PAPER,
    },
}


# Cells that take another's row where they have none, and what they change in it.
ROW_OF: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "spectralrnn": ("ornn", {}),
    "factoredrnn": ("ornn", {}),
    "eurnn": ("ornn", {}),
    "qrnn": ("lstm", {}),
}


def hyper(
    preset: str, dataset: str, cell: str, overrides: Mapping[str, Any] | None = None
) -> Hyper:
    """The hyper-parameters of a cell under a preset; `overrides` replace fields by name."""
    check_preset(preset)
    if cell not in CELLS:
        raise near_miss("cell", cell, CELLS)
    by_dataset = TABLE[preset]
    rows = by_dataset.get(dataset, by_dataset["*"])
    like, changes = ROW_OF.get(cell, (cell, {}))
    own = rows[cell] if cell in rows else {**rows.get(like, {}), **changes}
    values: dict[str, Any] = {**rows.get("*", {}), **own}
    known = {f.name for f in fields(Hyper)}
    for name in overrides or {}:
        if name not in known:
            raise near_miss("hyper-parameter", name, known)
    return Hyper(**{**values, **(overrides or {})})


def applied(spec: ModelSpec, h: Hyper) -> Hyper:
    """`h` with what the model's name leaves out taken out, and the variants it chooses.

    Raises UsageError for a rank where the cell has no low-rank form, and for sums of 16 bits where
    it has no formats for them.
    """
    h = replace(h, options=dict(spec.options))
    if not spec.low_rank:
        h = replace(h, rank_w=None, rank_u=None)
    asked = h.rank_w is not None or h.rank_u is not None
    if asked and not CELLS[spec.cell].low_rank:
        raise UsageError(
            f"{spec.cell} has no low-rank form; rank_w is {h.rank_w}, rank_u {h.rank_u}",
            hint=f"low rank: {', '.join(name for name, cell in CELLS.items() if cell.low_rank)}",
        )
    if h.sum_bits == 16 and spec.cell != "fastgrnn":
        raise UsageError(
            f"sum_bits is 16 for {spec.cell}; formats for sums of 16 bits exist for fastgrnn only"
        )
    if not spec.sparse:
        h = replace(h, density_w=1.0, density_u=1.0)
    if not spec.quantised:
        h = replace(h, epochs_rounded=0)
    if h.density_w == h.density_u == 1.0:
        h = replace(h, epochs_sparse=0, epochs_frozen=0)
    return h
