"""What the trials of a search are doing, read from its storage, wherever they run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

from harness.events import Event, Listener
from harness.study import claims
from harness.study.search import OVERRIDES, Job

LOOK_S = 2.0


class Watch:
    """Says when a trial ends, what the others do, and how many have ended in all."""

    def __init__(self, jobs: Sequence[Job], listen: Listener) -> None:
        self.jobs = jobs
        self.listen = listen
        self.total = sum(job.points.wanted for job in jobs)
        self.known = {job.name: set(job.points.ended()) for job in jobs}
        self.looked = 0.0

    @property
    def ended(self) -> int:
        """Trials that have ended, as of the last look."""
        return sum(len(points) for points in self.known.values())

    def look(self) -> None:
        """Look, unless the last look was a moment ago."""
        if time.monotonic() - self.looked < LOOK_S:
            return
        self.looked = time.monotonic()
        for job in self.jobs:
            for point, trial in job.points.held().items():
                self._tell(job, point, trial)
        self.listen(Event("study", "trials", self.ended, self.total))

    def finish(self) -> None:
        """The last look."""
        self.looked = 0.0
        self.look()
        words = f"{self.ended} of {self.total} ended"
        self.listen(Event("study", "trials", self.ended, self.total, words, finished=True))

    def _tell(self, job: Job, point: int, trial: FrozenTrial) -> None:
        if point in self.known[job.name]:
            return
        subject = f"{job.title}, {point + 1} of {job.points.wanted}"
        if trial.state.is_finished():
            self.known[job.name].add(point)
            self.listen(Event("trial", subject, 1, 1, outcome(trial), finished=True))
        else:
            _, doing = trial.user_attrs.get(claims.BEAT, (0, ""))
            self.listen(Event("trial", subject, 0, 0, doing))


def outcome(trial: FrozenTrial) -> str:
    """How a trial ended, in a few words."""
    if trial.state != TrialState.COMPLETE or trial.value is None:
        return str(trial.user_attrs[claims.WHY])
    hidden = trial.user_attrs[OVERRIDES]["hidden"]
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    return f"{100 * trial.value:.2f} % on validation, H = {hidden}, {seconds:.0f} s"
