"""Models at equal bytes and at equal latency: search, train the best again, measure on boards.

The search (`search`) chooses on validation windows. What it chose is trained again with other seeds
on training and validation windows together, and only then meets the test set (`comparison`).
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from harness import pipeline
from harness.boards import find_kind
from harness.datasets import Dataset, load, raw
from harness.errors import HarnessError, ResultError, UsageError
from harness.events import Event, Listener, ignore
from harness.files import write_atomic
from harness.reference.model import run as run_reference
from harness.run import RunOptions
from harness.study import matrix, pool, search
from harness.study.comparison import Choice, Measured, Outcomes
from harness.study.search import Search
from harness.study.stats import MAX_EXACT
from harness.study.tables import rows_of
from harness.study.watch import Watch


@dataclass(frozen=True)
class Bench:
    """How what was chosen is measured: training seeds 0 .. seeds-1, and `windows` test windows
    (None = all) streamed to a virtual board for each. Raises UsageError for more seeds than the
    paired test takes."""

    board: str
    seeds: int
    windows: int | None

    def __post_init__(self) -> None:
        if self.seeds > MAX_EXACT:
            raise UsageError(
                f"{self.seeds} seeds, the paired test takes at most {MAX_EXACT}",
                hint=f"--seeds {MAX_EXACT}",
            )
        find_kind(self.board)


def sqlite_in(folder: Path, dataset: str) -> str:
    """URL of the storage that a study keeps when no other is given."""
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder.resolve()}/sizes-{dataset}.db"


def study_sizes(
    wanted: Search, bench: Bench, out: Path, *, count: int = 2, listen: Listener = ignore
) -> list[Measured]:
    """Search in `count` processes, measure what was chosen; by budget, then by model.

    A model without a single trained trial in a budget has no point there. Raises ResultError when
    none has one, LabError when a process or a run failed.
    """
    choices = _search(wanted, out, count, listen)
    cells = [cell for choice in choices for cell in _cells(wanted, choice, bench)]
    folders = matrix.run_all(cells, out, workers=count, listen=_each(listen))
    outcomes = _outcomes(cells, folders, count, listen)
    measured = []
    for i, choice in enumerate(choices):
        own = slice(i * bench.seeds, (i + 1) * bench.seeds)
        measured.append(Measured(choice, rows_of(folders[own]), np.stack(outcomes[own])))
    return measured


def _search(wanted: Search, out: Path, count: int, listen: Listener) -> list[Choice]:
    todo = search.jobs(wanted)
    watch = Watch(todo, listen)  # which makes the Optuna studies, before any worker wants them
    if watch.ended < watch.total:
        pool.work_off(
            _work,
            {out / f"worker-{i + 1}": wanted for i in range(count)},
            study="workers",
            total=count,
            workers=count,
            listen=listen,
            watch=lambda folder, ended: watch.look(),
        )
    watch.finish()
    choices = [choice for job in todo if (choice := job.choice())]
    if not choices:
        raise ResultError(
            f"none of the {watch.total} trials was trained to its end",
            hint="raise --budgets; each trial's reason is its attribute `why` in the storage",
        )
    return choices


def _work(wanted: Search, folder: Path) -> str:
    """The search in a worker process; what went wrong, or ''."""
    try:
        search.work(wanted)
    except HarnessError as error:
        return error.message
    except search.Orphaned:
        os._exit(1)  # the pool's worker would wait for its parent for ever
    return ""


def _each(listen: Listener) -> Listener:
    """Also a line for every run that ends: it may be hours until all have."""

    def heard(event: Event) -> None:
        listen(event)
        if event.detail and not event.finished:
            words = f"ended, {event.done} of {event.total}"
            listen(Event("run", event.detail, 1, 1, words, finished=True))

    return heard


def _cells(wanted: Search, choice: Choice, bench: Bench) -> list[RunOptions]:
    """The runs of one chosen point, one for each seed."""
    first = RunOptions(
        board=bench.board,
        virtual=True,
        dataset=wanted.dataset,
        models=(choice.model,),
        preset=wanted.preset,
        windows=bench.windows,
        compand=wanted.compand,
        data_dir=wanted.data_dir,
        overrides={**wanted.overrides, **choice.overrides},
    )
    return [replace(first, seed=seed) for seed in range(bench.seeds)]


# -- which test windows a model gets right ---------------------------------------------------------


def _outcomes(
    cells: Sequence[RunOptions], folders: Sequence[Path], count: int, listen: Listener
) -> list[Outcomes]:
    pairs = zip(cells, folders, strict=True)
    todo = {folder: options for options, folder in pairs if not _outcomes_file(folder).is_file()}
    pool.work_off(
        _keep_outcomes,
        todo,
        study="test windows",
        total=len(cells),
        workers=count,
        listen=listen,
    )
    return [np.load(_outcomes_file(folder)) for folder in folders]


def _outcomes_file(folder: Path) -> Path:
    return folder / "outcomes.npy"


def _keep_outcomes(options: RunOptions, folder: Path) -> str:
    """Keep bool [test windows] in the folder of a finished run: where its model's integers, which
    are the board's, give the right label."""
    (name,) = options.models
    data = _dataset(options.dataset, options.data_dir, options.compand)
    trained = pipeline.train_model(
        name, data, options.preset, options.seed, overrides=options.overrides
    )
    assert trained.qmodel is not None  # the search takes byte-quantised names only
    labels = run_reference(trained.qmodel, raw(data, "test")).labels
    buffer = io.BytesIO()
    np.save(buffer, labels == data.test.y)
    write_atomic(_outcomes_file(folder), buffer.getvalue())
    return ""


@cache
def _dataset(name: str, data_dir: str | None, compand: bool) -> Dataset:
    return load(name, Path(data_dir) if data_dir else None, compand=compand)
