"""The training loop: Adam, half-cosine to zero, clipped gradients, one thread, the same bits.

Nothing is drawn from a running generator: the order of windows, the noise and the dropped channels
of an epoch follow from (seed, stage, epoch). So a training that was killed goes on from its last
checkpoint and ends with the very bits of one that was not.
"""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.errors import ResultError, UsageError, near_miss
from harness.files import write_atomic
from harness.models import CELLS, Network
from harness.presets import Hyper

DEVICES = ("cpu", "cuda")

Progress = Callable[[str, int, int, float, float], None]
"""(stage, epochs done, epochs in all, training loss, training accuracy) after every epoch."""


def ignore(stage: str, done: int, total: int, loss: float, accuracy: float) -> None:
    """The progress callback that does nothing."""


class Constraint(Protocol):
    """What must hold of the weights after every optimiser step (see `compress.Sparsifier`)."""

    def after_step(self, step: int, steps: int) -> None: ...

    def state(self) -> dict[str, Tensor]: ...

    def load_state(self, state: dict[str, Tensor]) -> None: ...


@dataclass(frozen=True)
class Stage:
    """One stage of training: its name, its number (for the seeds), and how long and how fast."""

    name: str
    index: int
    epochs: int
    lr: float


@dataclass(frozen=True)
class Outcome:
    """Of a stage: training loss and accuracy in its last epoch, seconds over all its attempts."""

    loss: float
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class Training:
    """What all stages of one training share.

    Fields
        network     trained in place
        x, y        standardised windows [N, T, D] and their labels [N]
        hyper, seed
        progress    called after every epoch
        checkpoint  a file, written after every epoch; an existing one is gone on from. A stage of
                    several parts has one file each, with its own suffix
        device      `cpu` or `cuda`; the network comes back to the CPU after every stage
    """

    network: Network
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    hyper: Hyper
    seed: int
    progress: Progress = ignore
    checkpoint: Path | None = None
    device: str = "cpu"


def build(cell: str, features: int, classes: int, steps: int, h: Hyper, seed: int) -> Network:
    """A fresh network, initialised from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(CELLS[cell].build(features, steps, h), classes)


@contextmanager
def one_thread() -> Iterator[None]:
    """Small matrices are faster on one thread, and their sums always in the same order.

    Numbers below 1e-38 count as 0: gradients that die out over a long window would take ten times
    as long to multiply.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(False)


def find_device(name: str) -> torch.device:
    """`cpu` or `cuda`. Raises UsageError when torch finds no GPU."""
    if name not in DEVICES:
        raise near_miss("device", name, DEVICES)
    if name == "cuda" and not torch.cuda.is_available():
        why = "finds no NVIDIA GPU" if torch.version.cuda else "is built without CUDA"
        raise UsageError(
            f"device cuda: torch {torch.__version__} {why}",
            hint="--device cpu; or check `nvidia-smi`, and install a torch for its CUDA version",
        )
    return torch.device(name)


@contextmanager
def computing(module: torch.nn.Module, name: str) -> Iterator[torch.device]:
    """The module on a device, float32 without shortcuts and repeatable; then back on the CPU.

    A GPU repeats its own bits where torch has a deterministic form of an operation and warns where
    it has none. They are not the CPU's: sums have another order.
    """
    device = find_device(name)
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.allow_tf32
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read at its first product
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.allow_tf32 = False
    module.to(device)
    try:
        with one_thread():
            yield device
    finally:
        module.to("cpu")
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def fit(training: Training, stage: Stage, constraint: Constraint | None = None) -> Outcome:
    """Do one stage, or what is left of it. Raises ResultError when the loss is not finite,
    UsageError when the device is not there."""
    with computing(training.network, training.device) as device:
        return _fit(training, stage, constraint, device)


def _fit(
    training: Training, stage: Stage, constraint: Constraint | None, device: torch.device
) -> Outcome:
    network, h, checkpoint = training.network, training.hyper, training.checkpoint
    optimiser = _optimiser(network, stage.lr, h.weight_decay)
    epoch, outcome = _resume(checkpoint, network, optimiser, constraint)
    x_all, y_all = (torch.from_numpy(a).to(device) for a in (training.x, training.y))
    windows = len(y_all)
    per_epoch = -(-windows // h.batch)
    while epoch < stage.epochs:
        start_s = time.perf_counter()
        order, generator = _draw(training.seed, stage.index, epoch, windows)
        loss_sum, right = 0.0, 0
        for b in range(per_epoch):
            picked = order[b * h.batch : (b + 1) * h.batch].to(device)
            x_batch, y_batch = x_all[picked], y_all[picked]
            x_batch = _disturb(x_batch, h, generator)
            step, steps = epoch * per_epoch + b, stage.epochs * per_epoch
            lr = stage.lr * 0.5 * (1.0 + math.cos(math.pi * step / steps))
            loss, hits = _step(network, optimiser, x_batch, y_batch, lr, h.clip)
            if constraint is not None:
                constraint.after_step(step + 1, steps)
            loss_sum += float(loss) * len(y_batch)
            right += int(hits)
        epoch += 1
        seconds = outcome.seconds + time.perf_counter() - start_s
        outcome = Outcome(loss_sum / windows, right / windows, seconds)
        if not math.isfinite(outcome.loss):
            raise ResultError(
                f"training diverged in epoch {epoch} of stage {stage.name}: the loss is not finite",
                hint="lower the learning rate or the gradient clip",
            )
        if checkpoint is not None:
            _save(checkpoint, epoch, outcome, network, optimiser, constraint)
        training.progress(stage.name, epoch, stage.epochs, outcome.loss, outcome.accuracy)
    return outcome


def _step(
    network: Network,
    optimiser: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    lr: float,
    clip: float,
) -> tuple[Tensor, Tensor]:
    """One optimiser step; the loss [] before it, and how many windows were right []."""
    for group in optimiser.param_groups:
        group["lr"] = lr
    optimiser.zero_grad(set_to_none=True)
    logits = network(x)
    loss = torch.nn.functional.cross_entropy(logits, y)
    penalty = network.cell.penalty()
    if penalty is not None:
        loss = loss + penalty
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimiser.step()
    network.cell.project()
    return loss.detach(), (logits.detach().argmax(1) == y).sum()


def _draw(seed: int, stage: int, epoch: int, n: int) -> tuple[Tensor, torch.Generator]:
    """The order of the windows in an epoch, and the generator of its noise and dropout."""
    rng = np.random.default_rng([seed, stage, epoch])
    order = torch.from_numpy(rng.permutation(n))
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
    return order, generator


def _disturb(x: Tensor, h: Hyper, generator: torch.Generator) -> Tensor:
    """Standardised windows [N, T, D] with Gaussian gains, offsets and noise, then without the
    channels dropped."""
    each_channel = (len(x), 1, x.shape[2])
    if h.gain_noise:
        x = x * (1.0 + h.gain_noise * torch.randn(each_channel, generator=generator))
    if h.offset_noise:
        x = x + h.offset_noise * torch.randn(each_channel, generator=generator)
    if h.noise:
        x = x + h.noise * torch.randn(x.shape, generator=generator).to(x.device)
    if h.channel_dropout:
        drawn = torch.rand(each_channel, generator=generator).to(x.device)
        x = x * (drawn >= h.channel_dropout)
    return x


def _optimiser(network: Network, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    spared = {id(p) for p in network.cell.undecayed()}
    decayed = [p for p in network.parameters() if id(p) not in spared]
    groups: list[dict[str, Any]] = [{"params": decayed, "weight_decay": weight_decay}]
    if spared:
        rest = [p for p in network.parameters() if id(p) in spared]
        groups.append({"params": rest, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, lr=lr, foreach=True)


def _save(
    path: Path,
    epoch: int,
    outcome: Outcome,
    network: Network,
    optimiser: torch.optim.Optimizer,
    constraint: Constraint | None,
) -> None:
    state = {
        "epoch": epoch,
        "outcome": [outcome.loss, outcome.accuracy, outcome.seconds],
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "constraint": constraint.state() if constraint is not None else {},
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomic(path, buffer.getbuffer())


def _resume(
    path: Path | None,
    network: Network,
    optimiser: torch.optim.Optimizer,
    constraint: Constraint | None,
) -> tuple[int, Outcome]:
    """Epochs already done, and their outcome; an unreadable checkpoint counts as none."""
    fresh = (0, Outcome(math.nan, math.nan, 0.0))
    if path is None or not path.is_file():
        return fresh
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        loss, accuracy, seconds = state["outcome"]
    except Exception:  # torch, zip and pickle raise a dozen kinds for damaged bytes
        path.unlink(missing_ok=True)
        return fresh
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    if constraint is not None:
        constraint.load_state(state["constraint"])
    return int(state["epoch"]), Outcome(loss, accuracy, seconds)
