"""Compression in training: low rank, then sparsity by iterative hard thresholding.

Ref: Kusupati et al., arXiv:1901.02358, section 3.2: train the (low-rank) factors; keep only the
largest magnitudes every few batches, the support staying as it is in between; train on with the
support frozen. Ours: a projection every 15 steps, the density falling along a cubic over the first
60 % of the stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.models import Network
from harness.presets import Hyper
from harness.train import Outcome, Progress, Stage, fit, ignore

EVERY_STEPS = 15
RAMP_SHARE = 0.6


def ramp(step: int, steps: int, target: float) -> float:
    """Density after `step` of `steps`: 1 at the start, `target` from 60 % on, a cubic between."""
    done = min(1.0, step / max(1.0, RAMP_SHARE * steps))
    return target + (1.0 - target) * (1.0 - done) ** 3


def largest(values: Tensor, count: int) -> Tensor:
    """Mask of the `count` largest magnitudes; ties go to the earlier entry."""
    order = torch.argsort(values.detach().abs().flatten(), descending=True, stable=True)
    mask = torch.zeros(values.numel(), dtype=torch.bool)
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
    def of(cls, network: Network, h: Hyper, *, frozen: bool) -> Sparsifier:
        """For the cell's matrices whose density under `h` is below 1."""
        chosen = {}
        for name, parameter in network.cell.matrices().items():
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
                parameter.mul_(self.masks[name])

    def state(self) -> dict[str, Tensor]:
        return dict(self.masks)

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.masks = {name: state[name] for name in self.targets}


def train_first(
    network: Network,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    h: Hyper,
    seed: int,
    *,
    progress: Progress = ignore,
    checkpoint: Path | None = None,
) -> Outcome:
    """Stage L: dense, or the low-rank factors. Trains in place."""
    name = "dense" if h.rank_w is None and h.rank_u is None else "low-rank"
    stage = Stage(name, 0, h.epochs, h.lr)
    return fit(network, x, y, stage, h, seed, progress=progress, checkpoint=checkpoint)


def train_sparse(
    network: Network,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    h: Hyper,
    seed: int,
    *,
    progress: Progress = ignore,
    checkpoint: Path | None = None,
) -> Outcome:
    """Stage S: thresholding, then frozen support. Trains in place, at half the learning rate."""
    outcomes = []
    for name, index, epochs in (("sparse", 1, h.epochs_sparse), ("frozen", 2, h.epochs_frozen)):
        constraint = Sparsifier.of(network, h, frozen=name == "frozen")
        file = checkpoint.with_suffix(f".{name}") if checkpoint is not None else None
        outcomes.append(
            fit(
                network,
                x,
                y,
                Stage(name, index, epochs, h.lr / 2),
                h,
                seed,
                progress=progress,
                constraint=constraint,
                checkpoint=file,
            )
        )
    last = outcomes[-1] if h.epochs_frozen else outcomes[0]
    return Outcome(last.loss, last.accuracy, sum(o.seconds for o in outcomes))


def train_rounded(
    network: Network,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    h: Hyper,
    seed: int,
    *,
    progress: Progress = ignore,
    checkpoint: Path | None = None,
) -> Outcome:
    """The stage before Q of cells that need it: train on with rounded weights. In place."""
    network.cell.round_weights()
    stage = Stage("rounded", 3, h.epochs_rounded, h.lr / 2)
    return fit(network, x, y, stage, h, seed, progress=progress, checkpoint=checkpoint)
