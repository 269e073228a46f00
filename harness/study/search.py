"""The search of `study sizes`: per model and byte budget the same number of trials in one Optuna
study, each judged by the integer model's accuracy on the validation windows.

Any process may join: points are claimed through the storage (`claims`). Nothing here looks at the
test set.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from harness import pipeline
from harness.datasets import Dataset, load
from harness.errors import DoesNotFit, LabError, ResultError, UsageError
from harness.presets import ModelSpec, parse_model_name
from harness.study import claims
from harness.study.claims import Claim, Points
from harness.study.comparison import Choice
from harness.study.sampler import PointSampler
from harness.study.space import SPACE_VERSION, Subject, subject
from harness.tools import file_lock

SEARCH_SEED = 1000  # of the trials' trainings; the seeds that are reported are others
POLL_S = 1.0  # between looks at points that other processes work on
SQLITE_TIMEOUT_S = 120
OVERRIDES = "overrides"  # attribute of a trial: the hyper-parameters it stands for


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is searched, and where it is kept. Equal searches share their trials.

    storage        an Optuna storage URL, e.g. sqlite:///FILE
    budgets_bytes  of the linked model, one search each per model
    trials         of each search; those that do not fit or diverge count too
    overrides      hyper-parameters that replace the preset's in every trial
    beat_s, grace_s  how often a process at work says so, and for how long it may be silent
    """

    storage: str
    dataset: str
    models: tuple[str, ...]
    budgets_bytes: tuple[int, ...]
    trials: int
    preset: str = "quick"
    compand: bool = True
    data_dir: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    beat_s: float = claims.BEAT_S
    grace_s: float = claims.GRACE_S


class Job:
    """The search of one model at one budget."""

    def __init__(self, search: Search, model: str, budget_bytes: int, data: Dataset) -> None:
        self.search, self.model, self.budget_bytes, self.data = search, model, budget_bytes, data
        self.spec = _quantised(model)
        self.subject: Subject = subject(
            self.spec.cell,
            self.spec.options,
            data.features,
            data.classes,
            search.preset,
            data.name,
            search.overrides,
        )

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.model} {self.budget_bytes:,} B"

    @cached_property
    def name(self) -> str:
        """Of the Optuna study: readable, and unique for everything that decides a trial."""
        parts = {
            "space": SPACE_VERSION,
            "source": pipeline.SOURCE_VERSION,
            "seed": SEARCH_SEED,
            "dataset": self.data.sha256,
            "preset": asdict(self.subject.preset),
            "options": dict(self.spec.options),
            "overrides": dict(self.search.overrides),
        }
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:10]
        return f"{self.data.name}/{self.model}/{self.budget_bytes}/{digest}"

    @cached_property
    def sampler(self) -> PointSampler:
        return PointSampler()

    @cached_property
    def points(self) -> Points:
        """Its points in the storage."""
        study = optuna.create_study(
            storage=_storage(self.search.storage),
            study_name=self.name,
            direction="maximize",
            sampler=self.sampler,
            load_if_exists=True,
        )
        return Points(study, self.search.trials, self.search.beat_s, self.search.grace_s)

    def do(self, claim: Claim) -> None:
        """Draw the point, train it, and tell Optuna how it ended.

        When others took this process for dead meanwhile, what it found is dropped; Optuna's
        UpdateFinishedTrialError says so, or nothing does.
        """
        trial, study = claim.trial, self.points.study
        first = self.subject.first_points()
        fixed = asdict(first[claim.point]) if claim.point < len(first) else {}
        self.sampler.begin(claim.point, claim.drawn or fixed)
        try:
            settings = self.subject.draw(trial)
            drawn = self.subject.overrides(settings, self.budget_bytes)
            trial.set_user_attr(OVERRIDES, drawn)
            accuracy = self._validation_accuracy(drawn)
        except DoesNotFit as error:
            trial.set_user_attr(claims.WHY, error.message)
            study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)
        except ResultError as error:
            trial.set_user_attr(claims.WHY, error.message)
            study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
        else:
            study.tell(trial, accuracy, skip_if_finished=True)

    def _validation_accuracy(self, drawn: Mapping[str, Any]) -> float:
        def progress(stage: str, done: int, total: int, loss: float, accuracy: float) -> None:
            _stop_if_orphaned()
            self.points.doing = f"{stage} {done} of {total} epochs, loss {loss:.3f}"

        trained = pipeline.train_model(
            self.model,
            self.data,
            self.search.preset,
            SEARCH_SEED,
            progress=progress,
            hold_out=True,
            overrides={**self.search.overrides, **drawn},
        )
        assert trained.accuracy_validation is not None  # hold_out
        return trained.accuracy_validation

    def choice(self) -> Choice | None:
        """The best of its points so far; None when none was trained to its end."""
        ended = self.points.ended()
        complete = {p: t for p, t in ended.items() if t.state == TrialState.COMPLETE}
        if not complete:
            return None
        best = min(complete, key=lambda p: (-_value(complete[p]), p))
        return Choice(
            self.model,
            self.budget_bytes,
            complete[best].user_attrs[OVERRIDES],
            _value(complete[best]),
            len(ended),
            len(ended) - len(complete),
        )


def jobs(search: Search) -> list[Job]:
    """One for each model and budget; the data set is read. UsageError for names that are none."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for model in search.models:
        _quantised(model)
    data_dir = Path(search.data_dir) if search.data_dir else None
    data = load(search.dataset, data_dir, compand=search.compand)
    return [Job(search, m, b, data) for b in search.budgets_bytes for m in search.models]


def work(search: Search) -> None:
    """Do points until none is left, also none that another process works on.

    Raises Orphaned in a worker whose parent has gone; the point it was at is free again.
    """
    todo = jobs(search)
    while True:
        _stop_if_orphaned()
        for job in todo:
            job.points.release_lost()
        with _next_claim(todo) as (job, claim):
            if claim is not None:
                with suppress(UpdateFinishedTrialError):  # asleep for long, taken for dead
                    job.do(claim)
                continue
        if all(len(job.points.ended()) == search.trials for job in todo):
            return
        time.sleep(min(POLL_S, search.grace_s))


class Orphaned(Exception):
    """The process that started this worker is gone."""


def _stop_if_orphaned() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        raise Orphaned


@contextmanager
def _next_claim(todo: list[Job]) -> Iterator[tuple[Job, Claim | None]]:
    """Of the search with the fewest points begun: then most are drawn knowing the others."""
    job = min(todo, key=lambda job: len(job.points.held()))
    with job.points.claim() as claim:
        yield job, claim


def _quantised(model: str) -> ModelSpec:
    spec = parse_model_name(model)
    if not (spec.quantised and spec.sparse and spec.low_rank):
        raise UsageError(
            f"{model} leaves compression out, but the search chooses it",
            hint=f"name the cell only: {model.split('-')[0]}",
        )
    return spec


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None  # complete
    return trial.value


@cache
def _storage(url: str) -> optuna.storages.RDBStorage:
    """Open it. Raises LabError when it cannot be opened."""
    sqlite = {"connect_args": {"timeout": SQLITE_TIMEOUT_S}} if url.startswith("sqlite") else {}
    try:
        with file_lock(f"storage-{hashlib.sha256(url.encode()).hexdigest()[:40]}"):
            return optuna.storages.RDBStorage(url, engine_kwargs=sqlite)
    except Exception as error:  # of SQLAlchemy, of the driver, of the operating system
        raise LabError(
            f"storage {url}: {error}", hint="give an SQLAlchemy URL, e.g. sqlite:///sizes.db"
        ) from error
