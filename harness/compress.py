"""Compression in training: low rank, then sparsity by iterative hard thresholding.

Ref: Kusupati et al., arXiv:1901.02358, section 3.2: train the (low-rank) factors; keep only the
largest magnitudes every few batches, the support staying as it is in between; train on with the
support frozen. Ours: a projection every 15 steps, the density falling along a cubic over the first
60 % of the stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from harness.models import Cell
from harness.presets import Hyper
from harness.train import Outcome, Stage, Training, fit

EVERY_STEPS = 15
RAMP_SHARE = 0.6


def ramp(step: int, steps: int, target: float) -> float:
    """Density after `step` of `steps`: 1 at the start, `target` from 60 % on, a cubic between."""
    done = min(1.0, step / max(1.0, RAMP_SHARE * steps))
    return target + (1.0 - target) * (1.0 - done) ** 3


def largest(values: Tensor, count: int) -> Tensor:
    """Mask of the `count` largest magnitudes; ties go to the earlier entry."""
    order = torch.argsort(values.detach().abs().flatten(), descending=True, stable=True)
    mask = torch.zeros_like(order, dtype=torch.bool)
    mask[order[:count]] = True
    return mask.view(values.shape)


class Sparsifier:
    """Iterative hard thresholding on some matrices; with `frozen`, their support stays."""

    def __init__(
        self, densities: Mapping[str, tuple[nn.Parameter, float]], *, frozen: bool
    ) -> None:
        self.targets = dict(densities)
        self.frozen = frozen
        self.masks = {
            name: (p.detach() != 0 if frozen else torch.ones_like(p, dtype=torch.bool))
            for name, (p, _) in self.targets.items()
        }

    @classmethod
    def of(cls, cell: Cell, h: Hyper, *, frozen: bool) -> Sparsifier:
        """For the matrices whose density under `h` is below 1."""
        chosen = {}
        for name, parameter in cell.matrices().items():
            density = h.density_w if name.startswith("W") else h.density_u
            if density < 1.0:
                chosen[name] = (parameter, density)
        return cls(chosen, frozen=frozen)

    def after_step(self, step: int, steps: int) -> None:
        """Between projections, weights outside the support go back to zero; the last step before a
        projection is free, so that a weight can come in."""
        due = not self.frozen and (step % EVERY_STEPS == 0 or step == steps)
        with torch.no_grad():
            for name, (parameter, target) in self.targets.items():
                if due:
                    density = target if step == steps else ramp(step, steps, target)
                    count = max(1, round(density * parameter.numel()))
                    self.masks[name] = largest(parameter, count)
                self.masks[name] = self.masks[name].to(parameter.device)
                parameter.mul_(self.masks[name])

    def state(self) -> dict[str, Tensor]:
        return dict(self.masks)

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.masks = {name: state[name] for name in self.targets}


def train_first(training: Training) -> Outcome:
    """Stage L: dense, or the low-rank factors."""
    h = training.hyper
    name = "dense" if h.rank_w is None and h.rank_u is None else "low-rank"
    return fit(training, Stage(name, 0, h.epochs, h.lr))


def train_sparse(training: Training) -> Outcome:
    """Stage S: thresholding, then frozen support, at half the learning rate."""
    h = training.hyper
    thresholded = _constrained(training, Stage("sparse", 1, h.epochs_sparse, h.lr / 2))
    frozen = _constrained(training, Stage("frozen", 2, h.epochs_frozen, h.lr / 2))
    last = frozen if h.epochs_frozen else thresholded
    return replace(last, seconds=thresholded.seconds + frozen.seconds)


def train_rounded(training: Training) -> Outcome:
    """The stage before Q: train on with rounded weights, the support fixed."""
    h = training.hyper
    training.network.cell.round_weights()
    return _constrained(training, Stage("rounded", 3, h.epochs_rounded, h.lr / 2))


def _constrained(training: Training, stage: Stage) -> Outcome:
    """A stage with a support: found anew in the stage `sparse`, else kept."""
    watch = Sparsifier.of(training.network.cell, training.hyper, frozen=stage.name != "sparse")
    file = training.checkpoint and training.checkpoint.with_suffix(f".{stage.name}")
    return fit(replace(training, checkpoint=file), stage, watch)
