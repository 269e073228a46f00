"""Which process does which point of a search, decided by Optuna's storage alone.

A search has the points 0 .. wanted-1. A process that wants one asks Optuna for a trial; the trial's
number is its ticket. It waits until every earlier ticket has chosen, takes the lowest point that
nobody holds, and writes it into its trial. So no point is done twice and never more than `wanted`
are begun, whatever machines share the storage. While it works a claim beats: it counts up an
attribute of its trial. A claim whose count stands still for `grace_s` on the watcher's own clock
belongs to a process that died; its trial fails without a reason, which frees the point for the
next claim, with the parameters that were drawn for it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial, TrialState

BEAT_S = 10.0
GRACE_S = 60.0
WAIT_S = 0.05  # between looks at earlier tickets
POINT, BEAT, WHY, WORKER = "point", "beat", "why", "worker"  # attributes of a trial


@dataclass(frozen=True)
class Claim:
    """A point that this process alone works on. `drawn`: its parameters, if it was begun before."""

    trial: Trial
    point: int
    drawn: dict[str, Any]


def holds(trial: FrozenTrial) -> bool:
    """Whether a trial holds its point: it is worked on, or ended for a reason of its own."""
    if POINT not in trial.user_attrs:
        return False
    return trial.state != TrialState.FAIL or WHY in trial.user_attrs


@dataclass
class Points:
    """The points of one Optuna study."""

    study: optuna.Study
    wanted: int
    beat_s: float = BEAT_S
    grace_s: float = GRACE_S
    doing: str = ""  # a few words that every beat carries, for who watches
    _seen: dict[int, tuple[Any, float]] = field(default_factory=dict)  # number -> (beat, when)

    def held(self) -> dict[int, FrozenTrial]:
        """Point -> the trial that holds it, of the points that are wanted."""
        trials = self.study.get_trials(deepcopy=False)
        holders = {t.user_attrs[POINT]: t for t in trials if holds(t)}
        return {point: trial for point, trial in holders.items() if point < self.wanted}

    def ended(self) -> dict[int, FrozenTrial]:
        """Point -> the trial that ended it: complete, pruned or failed for a reason."""
        return {p: t for p, t in self.held().items() if t.state.is_finished()}

    @contextmanager
    def claim(self) -> Iterator[Claim | None]:
        """Claim a free point for the time of the block, or None when there is none.

        Whoever claims must tell Optuna how its trial ended; when the block raises, the point is
        free again.
        """
        if len(self.held()) >= self.wanted:
            yield None
            return
        trial = self.study.ask()
        self.doing = ""
        with self._beating(trial):
            try:
                yield self._choose(trial)
            finally:
                self._release(trial.number)

    def release_lost(self) -> None:
        """Free the points of claims that have not beaten for `grace_s` since we first looked."""
        now = time.monotonic()
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            beat = trial.user_attrs.get(BEAT)
            before, since = self._seen.setdefault(trial.number, (beat, now))
            if beat != before:
                self._seen[trial.number] = (beat, now)
            elif now - since > self.grace_s:
                self._release(trial.number)

    def _choose(self, trial: Trial) -> Claim | None:
        while self._earlier_is_choosing(trial.number):
            self.release_lost()
            time.sleep(WAIT_S)
        free = set(range(self.wanted)) - set(self.held())
        if not free:
            return None
        point = min(free)
        drawn = self._drawn_before(point)
        trial.set_user_attr(WORKER, f"{socket.gethostname()} {os.getpid()}")
        trial.set_user_attr(POINT, point)
        return Claim(trial, point, drawn)

    def _earlier_is_choosing(self, number: int) -> bool:
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return any(t.number < number and POINT not in t.user_attrs for t in running)

    def _drawn_before(self, point: int) -> dict[str, Any]:
        trials = self.study.get_trials(deepcopy=False)
        begun = [t.params for t in trials if t.user_attrs.get(POINT) == point and t.params]
        return dict(begun[-1]) if begun else {}

    def _release(self, number: int) -> None:
        """Fail a trial without a reason, unless it has ended."""
        with suppress(ValueError, UpdateFinishedTrialError):  # another process was faster
            self.study.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    @contextmanager
    def _beating(self, trial: Trial) -> Iterator[None]:
        """Count up the trial's beat in a thread while the block runs."""
        stop = threading.Event()

        def beat() -> None:
            count = 0
            while not stop.wait(self.beat_s):
                count += 1
                try:
                    trial.set_user_attr(BEAT, [count, self.doing])
                except StorageInternalError:  # busy; the next beat will do
                    continue
                except UpdateFinishedTrialError:  # it has ended, or was taken for dead
                    return

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
