"""Claims on the points of a search: each by one process, none twice, none lost."""

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from harness.study.claims import POINT, WHY, Points

optuna.logging.set_verbosity(optuna.logging.ERROR)


def points(folder: Path, wanted: int, **changes) -> Points:
    """Its own connection to the storage in the folder, as every process has."""
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{folder}/study.db", engine_kwargs={"connect_args": {"timeout": 60}}
    )
    study = optuna.create_study(storage=storage, study_name="points", load_if_exists=True)
    return Points(study, wanted, **({"beat_s": 0.1, "grace_s": 60.0} | changes))


def do_all(own: Points) -> None:
    while True:
        with own.claim() as claim:
            if claim is None:
                return
            claim.trial.suggest_float("x", 0, 1)
            own.study.tell(claim.trial, float(claim.point))


def test_four_at_once_do_every_point_once(tmp_path):
    wanted = 9
    four = [points(tmp_path, wanted) for _ in range(4)]
    threads = [threading.Thread(target=do_all, args=(own,)) for own in four]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    worked = [t for t in four[0].study.get_trials() if t.params]
    assert sorted(t.user_attrs[POINT] for t in worked) == list(range(wanted))
    assert all(t.state == TrialState.COMPLETE for t in worked)
    assert sorted(four[0].ended()) == list(range(wanted))


def test_more_points_may_be_wanted_later(tmp_path):
    do_all(points(tmp_path, 2))
    more = points(tmp_path, 3)
    do_all(more)
    assert sorted(more.ended()) == [0, 1, 2]
    assert sorted(points(tmp_path, 2).ended()) == [0, 1]


def test_a_reason_ends_a_point_and_an_exception_frees_it(tmp_path):
    own = points(tmp_path, 1)
    with pytest.raises(RuntimeError, match="power"), own.claim():
        raise RuntimeError("power")
    assert own.held() == {}
    with own.claim() as claim:
        claim.trial.set_user_attr(WHY, "diverged")
        own.study.tell(claim.trial, state=TrialState.FAIL)
    with own.claim() as claim:
        assert claim is None
    assert [t.user_attrs[WHY] for t in own.ended().values()] == ["diverged"]


def hold(folder: Path) -> None:
    """In a process: claim a point, draw, and never come to an end."""
    with points(folder, 3).claim() as claim:
        claim.trial.suggest_float("x", 0, 1)
        time.sleep(600)


def test_the_point_of_a_killed_process_is_done_again_as_it_was_drawn(tmp_path):
    own = points(tmp_path, 3, grace_s=1.0)
    process = multiprocessing.get_context("spawn").Process(target=hold, args=(tmp_path,))
    process.start()
    try:
        until = time.monotonic() + 120
        while not any(t.params for t in own.held().values()) and time.monotonic() < until:
            time.sleep(0.05)
        (drawn,) = [dict(t.params) for t in own.held().values()]
        for _ in range(20):  # twice the grace: it beats, so it keeps its point
            own.release_lost()
            time.sleep(0.1)
        assert list(own.held()) == [0]
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    until = time.monotonic() + 120
    while own.held() and time.monotonic() < until:
        own.release_lost()
        time.sleep(0.05)
    with own.claim() as claim:
        assert (claim.point, claim.drawn) == (0, drawn)
        own.study.tell(claim.trial, 0.0)
    do_all(own)
    assert sorted(own.ended()) == [0, 1, 2]
