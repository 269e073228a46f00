"""Word-level language models on our cells, judged by perplexity.

    e_t = E[w_t];  h_t = cell(e_t, h_{t-1});  logits_t = S h_t + b;  w_{t+1} ~ softmax(logits_t)

The embedding E [V, H] is as wide as the state, as in the FastGRNN paper's appendix
(arXiv:1901.02358: PTB, H = 256, sequences of 300); S [V, H] is E itself (tied; O. Press, L. Wolf,
arXiv:1608.05859) or its own matrix. Training is truncated backpropagation through time: the text
is cut into parallel streams, and the state runs on from one sequence to the next while the gradient
does not (T. Mikolov et al., Interspeech 2010). Floats only: there is no integer language model.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.datasets import TextDataset
from harness.errors import DataError, ResultError, UsageError, near_miss
from harness.models import CELLS, Cell
from harness.models.cell import State
from harness.presets import Hyper
from harness.train import one_thread

Tokens = NDArray[np.int32]
Progress = Callable[[int, int, float, float], None]
"""(epochs done, epochs in all, training perplexity, validation perplexity) after every epoch."""


def _ignore(done: int, total: int, train: float, validation: float) -> None:
    pass


def _cell_hyper() -> Hyper:
    """Hyper-parameters of the paper's PTB model (Table 11), but dense; our own optimiser settings.
    nu is free: a state that runs on through a text has no last step to bound it by."""
    return Hyper(
        hidden=256, rank_w=64, rank_u=64, epochs=10, lr=2e-3, batch=20, weight_decay=0.0,
        nu_cap_times_steps=None,
    )  # fmt: skip


@dataclass(frozen=True)
class LanguageHyper:
    """How a language model is built and trained.

    Fields
        cell      of the recurrent cell and the optimiser: hidden, ranks, options, epochs, lr, clip,
                  weight_decay; `batch` is the number of parallel streams
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


class LanguageModel(nn.Module):
    """Embedding, cell and softmax over V words."""

    def __init__(self, cell: Cell, vocabulary: int, *, tied: bool) -> None:
        super().__init__()
        self.cell = cell
        width = math.sqrt(3.0 / cell.hidden)  # rows of about unit length, .1 at H = 256
        self.embedding = nn.Embedding(vocabulary, cell.hidden)
        nn.init.uniform_(self.embedding.weight, -width, width)
        self.softmax = nn.Linear(cell.hidden, vocabulary)
        nn.init.uniform_(self.softmax.weight, -width, width)
        nn.init.zeros_(self.softmax.bias)
        if tied:
            self.softmax.weight = self.embedding.weight

    def forward(
        self, words: Tensor, state: State | None, mask: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, State]:
        """words [N, T] -> (logits [N, T, V], the state after the last step)."""
        embedded = self.embedding(words)
        hidden, state = self.cell.states(mask(embedded) if mask else embedded, state)
        logits: Tensor = self.softmax(mask(hidden) if mask else hidden)
        return logits, state


@dataclass(frozen=True)
class LanguageResult:
    """Perplexities: `train` over the last epoch while it was trained (so with dropout), the others
    of the final model. parameters: trained values, the embedding included."""

    model: LanguageModel
    train: float
    validation: float
    test: float
    parameters: int
    seconds: float


def build(cell: str, vocabulary: int, h: LanguageHyper, seed: int) -> LanguageModel:
    """A fresh model, initialised from `seed`."""
    if cell not in CELLS:
        raise near_miss("cell", cell, CELLS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inner = CELLS[cell].build(h.cell.hidden, h.sequence, h.cell)
        return LanguageModel(inner, vocabulary, tied=h.tied)


def train_language(
    cell: str,
    data: TextDataset,
    h: LanguageHyper | None = None,
    seed: int = 0,
    progress: Progress = _ignore,
) -> LanguageResult:
    """Train a language model; nothing is chosen on the test part. Equal arguments, equal bits."""
    h = h or LanguageHyper()
    model = build(cell, data.vocabulary, h, seed)
    optimiser = _optimiser(model, h.cell)
    start_s = time.perf_counter()
    perplexity_train = math.nan
    with one_thread():
        for epoch in range(h.cell.epochs):
            perplexity_train = _epoch(model, optimiser, data.train, h, seed, epoch)
            judged = perplexity(model, data.validation, h)
            progress(epoch + 1, h.cell.epochs, perplexity_train, judged)
        validation = perplexity(model, data.validation, h)
        test = perplexity(model, data.test, h)
    return LanguageResult(
        model=model,
        train=perplexity_train,
        validation=validation,
        test=test,
        parameters=sum(p.numel() for p in model.parameters()),
        seconds=time.perf_counter() - start_s,
    )


def perplexity(model: LanguageModel, tokens: Tokens, h: LanguageHyper) -> float:
    """exp of the mean -log probability of the next word, the state running on through each of the
    parallel streams (each begins with a zero state; up to streams - 1 last words are left out)."""
    state: State | None = None
    total, count = 0.0, 0
    with torch.no_grad():
        for words, following in _sequences(tokens, h):
            logits, state = model(words, state)
            total += float(_loss(logits, following, "sum"))
            count += following.numel()
    return _exp(total / count)


def _optimiser(model: LanguageModel, h: Hyper) -> torch.optim.Optimizer:
    spared = model.cell.undecayed()
    ids = {id(p) for p in spared}
    decayed = [p for p in model.parameters() if id(p) not in ids]
    groups: list[dict[str, Any]] = [
        {"params": decayed},
        {"params": spared, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=h.lr, weight_decay=h.weight_decay)


def _epoch(
    model: LanguageModel,
    optimiser: torch.optim.Optimizer,
    tokens: Tokens,
    h: LanguageHyper,
    seed: int,
    epoch: int,
) -> float:
    """Once through the text; the perplexity on the way."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)

    def mask(values: Tensor) -> Tensor:
        kept = torch.rand(values.shape, generator=generator) >= h.dropout
        return values * kept / (1.0 - h.dropout)

    batches = list(_sequences(tokens, h))
    state: State | None = None
    total, count = 0.0, 0
    for i, (words, following) in enumerate(batches):
        done = (epoch + i / len(batches)) / h.cell.epochs
        for group in optimiser.param_groups:
            group["lr"] = h.cell.lr * 0.5 * (1.0 + math.cos(math.pi * done))
        optimiser.zero_grad(set_to_none=True)
        logits, state = model(words, state, mask if h.dropout else None)
        loss = _loss(logits, following, "mean")
        penalty = model.cell.penalty()
        (loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), h.cell.clip)
        optimiser.step()
        model.cell.project()
        state = {name: value.detach() for name, value in state.items()}
        total += float(loss.detach()) * following.numel()
        count += following.numel()
    if not math.isfinite(total):
        raise ResultError(
            f"training diverged in epoch {epoch + 1}: the loss is not finite",
            hint="lower the learning rate or the gradient clip",
        )
    return _exp(total / count)


def _sequences(tokens: Tokens, h: LanguageHyper) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs (words [N, T], following words [N, T]) of N parallel streams, in the text's order; the
    last pair may be shorter."""
    streams = h.cell.batch
    length = (len(tokens) - 1) // streams
    if length < 1:
        raise DataError(f"{len(tokens)} words are too few for {streams} parallel streams")
    ids = torch.from_numpy(tokens.astype(np.int64))
    words = ids[: streams * length].view(streams, length)
    following = ids[1 : streams * length + 1].view(streams, length)
    for start in range(0, length, h.sequence):
        yield words[:, start : start + h.sequence], following[:, start : start + h.sequence]


def _loss(logits: Tensor, following: Tensor, reduction: str) -> Tensor:
    return nn.functional.cross_entropy(
        logits.flatten(0, 1), following.flatten(), reduction=reduction
    )


def _exp(nats: float) -> float:
    return math.exp(min(nats, 700.0))
