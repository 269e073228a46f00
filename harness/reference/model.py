"""Evaluate a QModel in integers: what every board must reproduce, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.reference.cell import State
from harness.reference.ops import Saturations
from harness.reference.preprocess import input_stage

if TYPE_CHECKING:
    from harness.qmodel import QModel


@dataclass(frozen=True)
class Run:
    """Predictions of N windows.

    logits [N, C] int64 (int32 range), labels [N], saturations per window, and, if asked for, the
    hidden state after every step: hidden [N, T, H].
    """

    logits: NDArray[np.int64]
    labels: NDArray[np.int64]
    saturations: Saturations
    hidden: NDArray[np.int64] | None = None


def run(model: QModel, raw: NDArray[np.int16], *, trace: bool = False) -> Run:
    """Classify raw windows [N, T, D] int16; all windows advance together, step by step."""
    cell = model.cell_class(model.dims, model.state_bits, model.tensors, model.tables, model.shifts)
    n, steps, _ = raw.shape
    sat = Saturations.zeros(n)
    state: State = cell.start(n)
    hidden: list[NDArray[np.int64]] = []
    compander = model.tables.get("compander", np.zeros(0, np.int16))
    for t in range(steps):
        x = input_stage(
            raw[:, t],
            compander,
            model.tensors["pre_companded"],
            model.tensors["pre_multiplier"],
            model.tensors["pre_offset"],
            model.shifts["pre"],
            sat.input,
        )
        state = cell.step(x, state, sat)
        if trace:
            hidden.append(state["h"])
    logits = cell.logits(state)
    return Run(
        logits=logits,
        labels=np.argmax(logits, axis=1),
        saturations=sat,
        hidden=np.stack(hidden, axis=1) if trace else None,
    )


def to_raw(windows: NDArray[np.float32], raw_step: NDArray[np.float64]) -> NDArray[np.int16]:
    """Physical values [N, T, D] -> raw counts, as a sensor with these steps would give them."""
    counts = np.floor(windows.astype(np.float64) / raw_step + 0.5)
    return np.clip(counts, -32768, 32767).astype(np.int16)


BENCH_STEPS = 8


def bench_window(model: QModel) -> NDArray[np.int16]:
    """A short synthetic window [S, D] that firmware carries for its BENCH command.

    Reproducible from the model alone (integers only), and within about two standard deviations of
    what the input stage expects, so that the tables are used where they bend.
    """
    multiplier = model.tensors["pre_multiplier"].astype(np.int64)
    safe = np.where(multiplier == 0, 1, multiplier)
    centre = -model.tensors["pre_offset"].astype(np.int64) // safe
    two_sigma = (32 << model.shifts["pre"]) // np.abs(safe)
    companded = model.tensors["pre_companded"].astype(bool)
    centre = np.where(companded, 0, centre)
    reach = np.where(companded, 256, np.maximum(two_sigma, 1))
    shape = (min(model.steps, BENCH_STEPS), model.dims.features)
    noise = np.random.default_rng(0).integers(-128, 129, shape)
    counts = np.clip(centre + noise * reach // 128, -32768, 32767)
    return np.asarray(counts, np.int16)
