"""What a trial of `study sizes` draws, from the same space for every model, and what follows.

The hidden size is not drawn: it is the largest that fits the byte budget with what is drawn, so all
trials of a budget are compared at equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.presets import Hyper, hyper
from harness.reference import CELLS, Dims
from harness.study.budget import largest_hidden, model_bytes, sparse_u

if TYPE_CHECKING:
    from optuna.trial import Trial

SPACE_VERSION = 1  # raise it when the space or the first points change
DENSITY_W = (0.2, 1.0)
DENSITY_U = (0.1, 1.0)
LR = (2e-3, 3e-2)  # on a logarithmic scale
WEIGHT_DECAY = (0.0, 0.1)
ROUNDED_EPOCHS = 10  # of quantisation-aware training, where a cell's preset has none
LOW_RANK = ("none", "U", "W and U")
RANK_SHARE = (0.15, 0.5)  # of the largest rank: min(D, H) for W, H for U
SEARCHED = ("hidden", "density_w", "density_u", "rank_w", "rank_u", "lr", "weight_decay",
            "epochs_rounded")  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What a trial draws. `rank_share` matters only where `low_rank` is not "none"; `rounded` is
    quantisation-aware training before Q."""

    density_w: float
    density_u: float
    lr: float
    weight_decay: float
    rounded: bool
    low_rank: str = "none"
    rank_share: float = RANK_SHARE[1]


@dataclass(frozen=True)
class Subject:
    """A model of the comparison on a data set: what the space needs to know of it."""

    cell: str
    features: int
    classes: int
    options: Mapping[str, str]
    preset: Hyper

    def dims(self, settings: Settings, hidden: int) -> Dims:
        """Shapes at a hidden size."""
        share, low = settings.rank_share, settings.low_rank
        widest = min(self.features, hidden)
        return Dims(
            self.features,
            hidden,
            self.classes,
            max(1, round(share * widest)) if low == "W and U" else None,
            max(1, round(share * hidden)) if low != "none" else None,
            self.options,
        )

    def bytes_at(self, settings: Settings, hidden: int) -> int:
        """Bound of the linked model's bytes."""
        dims = self.dims(settings, hidden)
        return model_bytes(CELLS[self.cell], dims, settings.density_w, settings.density_u)

    def overrides(self, settings: Settings, budget_bytes: int) -> dict[str, Any]:
        """Hyper-parameters of the largest network that fits. Raises DoesNotFit when none does."""
        hidden = largest_hidden(
            CELLS[self.cell], budget_bytes, lambda h: self.bytes_at(settings, h)
        )
        dims = self.dims(settings, hidden)
        return {
            "hidden": hidden,
            "rank_w": dims.rank_w,
            "rank_u": dims.rank_u,
            "density_w": settings.density_w,
            "density_u": settings.density_u,
            "lr": settings.lr,
            "weight_decay": settings.weight_decay,
            "epochs_rounded": (self.preset.epochs_rounded or ROUNDED_EPOCHS) * settings.rounded,
        }

    def first_points(self) -> list[Settings]:
        """Three points every search begins with: dense, the preset's densities, a sparse one.

        Where the preset is dense, another sparse one stands in for it, so that every model has
        three.
        """
        dense = Settings(
            1.0,
            1.0,
            _within(LR, self.preset.lr),
            _within(WEIGHT_DECAY, self.preset.weight_decay),
            self.preset.epochs_rounded > 0,
        )
        own = replace(
            dense,
            density_w=_within(DENSITY_W, self.preset.density_w),
            density_u=_within(DENSITY_U, self.preset.density_u),
        )
        sparse = replace(dense, density_w=0.5, density_u=0.2)
        halfway = replace(dense, density_u=0.3)
        return list(dict.fromkeys([dense, own, halfway, sparse]))[:3]

    def draw(self, trial: Trial) -> Settings:
        """Ask Optuna for a point. What a cell has not is not asked for."""
        cell = CELLS[self.cell]
        density_w = trial.suggest_float("density_w", *DENSITY_W)
        density_u = trial.suggest_float("density_u", *DENSITY_U) if sparse_u(cell) else 1.0
        settings = Settings(
            density_w,
            density_u,
            trial.suggest_float("lr", *LR, log=True),
            trial.suggest_float("weight_decay", *WEIGHT_DECAY),
            trial.suggest_categorical("rounded", (False, True)),
        )
        if not cell.low_rank:
            return settings
        low_rank = trial.suggest_categorical("low_rank", LOW_RANK)
        share = trial.suggest_float("rank_share", *RANK_SHARE)
        return replace(settings, low_rank=low_rank, rank_share=share)


def subject(
    cell: str,
    options: Mapping[str, str],
    features: int,
    classes: int,
    preset: str,
    dataset: str,
    overrides: Mapping[str, Any],
) -> Subject:
    """A cell under a preset. Raises UsageError when `overrides` set what the search draws."""
    taken = sorted(set(overrides) & set(SEARCHED))
    if taken:
        raise UsageError(
            f"--set {taken[0]} is given, but the search draws it",
            hint=f"drop it; drawn are {', '.join(SEARCHED)}",
        )
    return Subject(cell, features, classes, options, hyper(preset, dataset, cell, overrides))


def _within(limits: tuple[float, float], value: float) -> float:
    return min(max(value, limits[0]), limits[1])
