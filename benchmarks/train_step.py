"""Time of one training step, forward and backward, of the fused FastGRNN against torch's forms.

Example: python benchmarks/train_step.py
Prints one JSON object: for each hidden size, the time of the other form over ours; above 1 ours is
faster. Milliseconds go to stderr. B = 100, T = 128, D = 9, one thread.

    vs_loop            the same FastGRNN, `cell.step` in plain torch operations for every time step
                       and autograd through them: what training does without the kernel
    vs_lstm, vs_gru    torch.nn.LSTM, torch.nn.GRU of the same hidden size
    low_rank_vs_loop   W and U as products of factors; the loop multiplies by one after the other

The forms take turns in one process. A turn is one pass that is not timed, as it finds the caches
full of the form before, and a few that are. Time is the processor's, so that other programs count
little; a ratio is the median over the rounds of the ratio of two turns.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

import torch
from common import arguments
from torch import Tensor, nn

from harness import fused
from harness.models import FastGRNN
from harness.models.cell import plain_forward

BATCH, STEPS, FEATURES = 100, 128, 9
RANKS = {16: (2, 8), 32: (4, 16), 80: (5, 40)}  # of W and U, by hidden size
ROUNDS, PASSES = 11, 3

Form = tuple[nn.Module, Callable[[Tensor], Tensor]]
"""The module whose gradients are wanted, and its forward pass [N, T, D] -> [N, H]."""


def factored_loop(cell: FastGRNN, x: Tensor) -> Tensor:
    """A low-rank FastGRNN step after step in plain operations, never multiplying its factors."""
    factor = {name: f.t() for name, f in cell.matrices().items()}
    zeta, nu = cell.zeta, cell.nu
    h = torch.zeros(len(x), cell.hidden)
    for x_t in x.unbind(1):
        a = x_t @ factor["W2T"] @ factor["W1"] + h @ factor["U2T"] @ factor["U1"]
        z = torch.sigmoid(a + cell.b_z)
        c = torch.tanh(a + cell.b_h)
        h = (zeta * (1.0 - z) + nu) * c + z * h
    return h


def forms(hidden: int) -> dict[str, Form]:
    """What takes turns."""
    dense, low_rank = FastGRNN(FEATURES, hidden), FastGRNN(FEATURES, hidden, *RANKS[hidden])
    lstm = nn.LSTM(FEATURES, hidden, batch_first=True)
    gru = nn.GRU(FEATURES, hidden, batch_first=True)
    return {
        "fused": (dense, dense),
        "loop": (dense, lambda x: plain_forward(dense, x)),
        "lstm": (lstm, lambda x: lstm(x)[1][0][0]),
        "gru": (gru, lambda x: gru(x)[1][0]),
        "low-rank fused": (low_rank, low_rank),
        "low-rank loop": (low_rank, lambda x: factored_loop(low_rank, x)),
    }


def turn(form: Form, x: Tensor, d: Tensor) -> float:
    """Seconds of one pass forward and backward, d being the gradient by the last state."""
    module, forward = form
    for i in range(1 + PASSES):
        if i == 1:
            start = time.process_time()
        module.zero_grad(set_to_none=True)
        forward(x).backward(d)
    return (time.process_time() - start) / PASSES


def measure(hidden: int) -> dict[str, float]:
    """The ratios at one hidden size."""
    x, d = torch.randn(BATCH, STEPS, FEATURES), torch.randn(BATCH, hidden)
    competing = forms(hidden)
    rounds = [{n: turn(form, x, d) for n, form in competing.items()} for _ in range(ROUNDS)]
    middle = {name: statistics.median(r[name] for r in rounds) * 1e3 for name in competing}
    words = ", ".join(f"{name} {ms:.2f}" for name, ms in middle.items())
    print(f"H = {hidden}, ms: {words}", file=sys.stderr, flush=True)

    def ratio(other: str, ours: str = "fused") -> float:
        return round(statistics.median(r[other] / r[ours] for r in rounds), 2)

    return {
        "vs_loop": ratio("loop"),
        "vs_lstm": ratio("lstm"),
        "vs_gru": ratio("gru"),
        "low_rank_vs_loop": ratio("low-rank loop", "low-rank fused"),
    }


def main() -> None:
    """Print the ratios as JSON."""
    arguments(__doc__ or "")
    if not fused.available():
        raise SystemExit(f"there is no training kernel to measure: {fused.why_not()}")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    by_size = {hidden: measure(hidden) for hidden in RANKS}
    ratios = {name: {str(h): row[name] for h, row in by_size.items()} for name in by_size[16]}
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
