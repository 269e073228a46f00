"""Word-level language models on our cells, judged by perplexity.

    e_t = E[w_t];  h_t = cell(e_t, h_{t-1});  logits_t = S h_t + b;  w_{t+1} ~ softmax(logits_t)

The embedding E [V, H] is as wide as the state, as in the FastGRNN paper's appendix
(arXiv:1901.02358: PTB, H = 256, sequences of 300); S [V, H] is E itself (tied; O. Press, L. Wolf,
arXiv:1608.05859) or its own matrix. Training is truncated backpropagation through time: the text
is cut into parallel streams, and the state runs on from one sequence to the next while the gradient
does not (T. Mikolov et al., Interspeech 2010).

Compression is of the recurrent cell alone, as in the paper's sizes: low rank, sparse, and matrices
rounded to bytes. All arithmetic stays in floats, embedding and softmax too: there is no integer
language model, and no board runs one.

Nothing is drawn from a running generator, so a training that was killed goes on from its last epoch
and ends with the very bits of one that was not.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.compress import Sparsifier
from harness.datasets import TextDataset
from harness.errors import DataError, ResultError, near_miss
from harness.files import write_atomic
from harness.language_presets import LanguageHyper
from harness.models import CELLS, Cell
from harness.models.cell import State
from harness.presets import Hyper
from harness.quantize import paper_values
from harness.reference import CELLS as INTEGER_CELLS
from harness.reference import Dims
from harness.train import Stage, computing

Tokens = NDArray[np.int32]
LONG_STEPS = 1000  # what a cell is told of its window: the state runs on far beyond a sequence
SLICE_WORDS = 128  # 5 MB of probabilities for 10,000 words


@dataclass(frozen=True)
class Epoch:
    """An epoch that is done: stage; perplexity of the training text on the way (with dropout, the
    weights changing) and of the validation text after it; seconds it took."""

    stage: str
    train: float
    validation: float
    seconds: float


Progress = Callable[[Sequence[Epoch], int], None]
"""(the epochs done so far, epochs in all) after every epoch."""


def _ignore(epochs: Sequence[Epoch], total: int) -> None:
    pass


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

    @property
    def device(self) -> torch.device:
        return self.embedding.weight.device

    def forward(
        self, words: Tensor, state: State | None, mask: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, State]:
        """words [N, T] -> (hidden states [N, T, H], what `softmax` takes; the state after the last
        step)."""
        embedded = self.embedding(words)
        hidden, state = self.cell.states(mask(embedded) if mask else embedded, state)
        return mask(hidden) if mask else hidden, state

    def nats(self, hidden: Tensor, following: Tensor, *, backward: bool = False) -> float:
        """Sum of -log probability of the following words [N, T], from hidden states [N, T, H].

        With `backward` the gradient of their mean goes into `hidden` and the softmax. A slice at a
        time: V numbers a word are too many to keep, and as slow to fetch as to compute.
        """
        total = 0.0
        rows, words = hidden.flatten(0, 1), following.flatten()
        for some, right in zip(
            torch.split(rows, SLICE_WORDS), torch.split(words, SLICE_WORDS), strict=True
        ):
            loss = nn.functional.cross_entropy(self.softmax(some), right, reduction="sum")
            if backward:
                (loss / following.numel()).backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        return total


@dataclass(frozen=True)
class LanguageResult:
    """A trained model and its perplexities.

    Fields
        train, validation, test  of the final model, its matrices rounded to bytes if asked for
        test_float   before the rounding
        parameters   trained values, the embedding included
        cell_bytes   of the recurrent cell by the paper's account (`quantize.paper_values`): a unit
                     is a byte when rounded, else four
        seconds      of training and of judging the epochs, over all attempts
    """

    model: LanguageModel
    train: float
    validation: float
    test: float
    test_float: float
    parameters: int
    cell_bytes: int
    epochs: tuple[Epoch, ...]
    seconds: float


def build(cell: str, vocabulary: int, h: LanguageHyper, seed: int) -> LanguageModel:
    """A fresh model, initialised from `seed`."""
    if cell not in CELLS:
        raise near_miss("cell", cell, CELLS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inner = CELLS[cell].build(h.cell.hidden, LONG_STEPS, h.cell)
        return LanguageModel(inner, vocabulary, tied=h.tied)


def train_language(
    cell: str,
    data: TextDataset,
    h: LanguageHyper | None = None,
    seed: int = 0,
    *,
    quantised: bool = False,
    progress: Progress = _ignore,
    checkpoint: Path | None = None,
    device: str = "cpu",
) -> LanguageResult:
    """Train a language model; nothing is chosen on the test part. Equal arguments, equal bits.

    `quantised`: judge it with the cell's matrices rounded to bytes. With `checkpoint`, the file is
    written after every epoch and an existing one is gone on from. `device` is where it is computed,
    `cpu` or `cuda`. Raises DataError for a text shorter than the streams, ResultError when the loss
    is not finite, UsageError when the device is not there.
    """
    h = h or LanguageHyper()
    training = _Training(build(cell, data.vocabulary, h, seed), h, seed)
    with computing(training.model, device):
        training.resume(checkpoint)
        while not training.finished:
            training.epoch(data)
            if checkpoint is not None:
                training.save(checkpoint)
            progress(training.epochs, training.total)
        return _judged(training, data, quantised)


def _judged(training: _Training, data: TextDataset, quantised: bool) -> LanguageResult:
    model, h = training.model, training.h
    test_float = perplexity(model, data.test, h)
    if quantised:
        model.cell.round_weights()
    return LanguageResult(
        model=model,
        train=perplexity(model, data.train, h),
        validation=perplexity(model, data.validation, h),
        test=perplexity(model, data.test, h) if quantised else test_float,
        test_float=test_float,
        parameters=sum(p.numel() for p in model.parameters()),
        cell_bytes=(1 if quantised else 4) * _cell_values(model.cell, h.cell),
        epochs=tuple(training.epochs),
        seconds=sum(epoch.seconds for epoch in training.epochs),
    )


def _cell_values(cell: Cell, h: Hyper) -> int:
    """Values and indices that the integer cell of this name would store, classifier left out."""
    integer = INTEGER_CELLS[cell.name]
    options = integer.choices(h.options)
    dims = Dims(cell.features, cell.hidden, 1, h.rank_w, h.rank_u, options)
    stored = integer.tensor_spec(dims)
    exported = {name: t.detach().cpu().numpy() for name, t in cell.export().items()}
    return paper_values({n: a for n, a in exported.items() if n in stored})


def perplexity(model: LanguageModel, tokens: Tokens, h: LanguageHyper) -> float:
    """exp of the mean -log probability of the next word, the state running on through each of the
    parallel streams (each begins with a zero state; up to streams - 1 last words are left out)."""
    state: State | None = None
    total, count = 0.0, 0
    with torch.no_grad():
        for words, following in _sequences(tokens, h, model.device):
            hidden, state = model(words, state)
            total += model.nats(hidden, following)
            count += following.numel()
    return _exp(total / count)


# -- training ------------------------------------------------------------------------------------


def stages(h: Hyper) -> tuple[Stage, ...]:
    """What a cell goes through, as for windows (`compress`): full or low rank, then thresholding
    and a frozen support, then rounded matrices; all but the first at half the learning rate."""
    sparse = h.density_w < 1.0 or h.density_u < 1.0
    wanted = (
        Stage("first", 0, h.epochs, h.lr),
        Stage("sparse", 1, h.epochs_sparse * sparse, h.lr / 2),
        Stage("frozen", 2, h.epochs_frozen * sparse, h.lr / 2),
        Stage("rounded", 3, h.epochs_rounded, h.lr / 2),
    )
    return tuple(stage for stage in wanted if stage.epochs)


class _Training:
    """A model on its way through the stages, an epoch at a time. What a checkpoint holds."""

    def __init__(self, model: LanguageModel, h: LanguageHyper, seed: int) -> None:
        self.model, self.h, self.seed = model, h, seed
        self.epochs: list[Epoch] = []
        # the stage of every epoch, and the number of the epoch in it
        self._plan = [(stage, i) for stage in stages(h.cell) for i in range(stage.epochs)]
        self._begin(self._plan[0][0])

    @property
    def total(self) -> int:
        return len(self._plan)

    @property
    def finished(self) -> bool:
        return len(self.epochs) == self.total

    def _begin(self, stage: Stage) -> None:
        self.optimiser = _optimiser(self.model, self.h.cell)
        self.support: Sparsifier | None = None
        if stage.name != "first":
            frozen = stage.name != "sparse"
            self.support = Sparsifier.of(self.model.cell, self.h.cell, frozen=frozen)
        if stage.name == "rounded":
            self.model.cell.round_weights()

    def epoch(self, data: TextDataset) -> None:
        """Do the next one. Raises ResultError when the loss is not finite."""
        start_s = time.perf_counter()
        stage, i = self._plan[len(self.epochs)]
        if i == 0:
            self._begin(stage)
        train = self._through(data.train, stage, i)
        validation = perplexity(self.model, data.validation, self.h)
        self.epochs.append(Epoch(stage.name, train, validation, time.perf_counter() - start_s))

    def _through(self, tokens: Tokens, stage: Stage, epoch: int) -> float:
        """Once through the text; the perplexity on the way."""
        batches = list(_sequences(tokens, self.h, self.model.device))
        mask = self._mask() if self.h.dropout else None
        state: State | None = None
        total, count = 0.0, 0
        for i, (words, following) in enumerate(batches):
            step, steps = epoch * len(batches) + i, stage.epochs * len(batches)
            lr = stage.lr * 0.5 * (1.0 + math.cos(math.pi * step / steps))
            nats, state = self._step(words, following, state, mask, lr)
            if self.support is not None:
                self.support.after_step(step + 1, steps)
            total += nats
            count += following.numel()
        if not math.isfinite(total):
            raise ResultError(
                f"training diverged in epoch {epoch + 1} of stage {stage.name}: the loss is not "
                "finite",
                hint="lower the learning rate or the gradient clip, e.g. --set lr=1e-3",
            )
        return _exp(total / count)

    def _step(
        self,
        words: Tensor,
        following: Tensor,
        state: State | None,
        mask: Callable[[Tensor], Tensor] | None,
        lr: float,
    ) -> tuple[float, State]:
        """One optimiser step; the sum of -log probability before it and the state to go on from."""
        model = self.model
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.optimiser.zero_grad(set_to_none=True)
        hidden, state = model(words, state, mask)
        seen = hidden.detach().requires_grad_()
        nats = model.nats(seen, following, backward=True)
        penalty = model.cell.penalty()
        roots = [hidden] if penalty is None else [hidden, penalty]
        torch.autograd.backward(roots, [seen.grad, *[None for _ in roots[1:]]])
        torch.nn.utils.clip_grad_norm_(model.parameters(), self.h.cell.clip)
        self.optimiser.step()
        model.cell.project()
        return nats, {name: value.detach() for name, value in state.items()}

    def _mask(self) -> Callable[[Tensor], Tensor]:
        """The dropout of the next epoch."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + len(self.epochs))

        def mask(values: Tensor) -> Tensor:
            kept = torch.rand(values.shape, generator=generator) >= self.h.dropout
            return values * kept.to(values.device) / (1.0 - self.h.dropout)

        return mask

    def save(self, path: Path) -> None:
        state = {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "support": {} if self.support is None else self.support.state(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomic(path, buffer.getbuffer())

    def resume(self, path: Path | None) -> None:
        """Go on from a checkpoint; an unreadable one counts as none."""
        if path is None or not path.is_file():
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            epochs = [Epoch(**epoch) for epoch in state["epochs"]]
        except Exception:  # torch, zip and pickle raise a dozen kinds for damaged bytes
            path.unlink(missing_ok=True)
            return
        self._begin(self._plan[len(epochs) - 1][0])
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.support is not None:
            self.support.load_state(state["support"])
        self.epochs = epochs


def _optimiser(model: LanguageModel, h: Hyper) -> torch.optim.Optimizer:
    spared = model.cell.undecayed()
    ids = {id(p) for p in spared}
    decayed = [p for p in model.parameters() if id(p) not in ids]
    groups: list[dict[str, Any]] = [
        {"params": decayed},
        {"params": spared, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=h.lr, weight_decay=h.weight_decay)


def _sequences(
    tokens: Tokens, h: LanguageHyper, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs (words [N, T], following words [N, T]) of N parallel streams, in the text's order; the
    last pair may be shorter."""
    streams = h.cell.batch
    length = (len(tokens) - 1) // streams
    if length < 1:
        raise DataError(
            f"{len(tokens)} words are too few for {streams} parallel streams",
            hint="fewer streams, e.g. --set batch=10",
        )
    ids = torch.from_numpy(tokens.astype(np.int64)).to(device)
    words = ids[: streams * length].view(streams, length)
    following = ids[1 : streams * length + 1].view(streams, length)
    for start in range(0, length, h.sequence):
        yield words[:, start : start + h.sequence], following[:, start : start + h.sequence]


def _exp(nats: float) -> float:
    return math.exp(min(nats, 700.0))
