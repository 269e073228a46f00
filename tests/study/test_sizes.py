"""`harness study sizes` on real trainings and virtual boards: chosen on validation, measured at
equal bytes, begun again after a kill, and shared by processes without doing a trial twice."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from harness.errors import LabError, ResultError, UsageError
from harness.study import search, sizes
from harness.study.claims import POINT, WHY, WORKER
from harness.study.search import Search

pytestmark = pytest.mark.emulated

SHORT = {"epochs": 1, "epochs_sparse": 1, "epochs_frozen": 1}
BENCH = sizes.Bench("mkr1000", 2, 3)


def wanted(folder, **changes) -> Search:
    values = {
        "storage": sizes.sqlite_in(folder, "digits"),
        "dataset": "digits",
        "models": ("fastgrnn", "gru"),
        "budgets_bytes": (500,),
        "trials": 4,
        "preset": "smoke",
        "overrides": SHORT,
        "beat_s": 0.2,
        "grace_s": 2.0,
    }
    return Search(**(values | changes))


def fresh() -> dict[str, float]:
    """Overrides that no cache knows, so that trainings really run."""
    return SHORT | {"noise": 0.2 + random.random() / 100}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    out = tmp_path_factory.mktemp("sizes")
    return out, sizes.study_sizes(wanted(out), BENCH, out)


def trials(asked):
    """All trials of a search that were worked on, by point."""
    (job,) = search.jobs(asked)
    found = [t for t in job.points.study.get_trials() if POINT in t.user_attrs]
    return sorted(found, key=lambda t: (t.user_attrs[POINT], t.number))


def test_both_models_are_measured_within_the_budget(study):
    _, found = study
    assert [m.choice.model for m in found] == ["fastgrnn", "gru"]
    for m in found:
        assert 400 < m.model_flash_bytes <= 500
        assert list(m.rows["seed"]) == [0, 1]
        assert (m.rows["status"] == "ok").all()
        assert m.rows["mismatches"].sum() == 0
        assert m.accuracies == pytest.approx(list(m.outcomes.mean(axis=1)))


def test_what_was_chosen_is_the_best_on_validation(study):
    out, found = study
    for m in found:
        done = trials(wanted(out, models=(m.choice.model,)))
        assert len(done) == 4
        best = max(t.value for t in done)
        assert m.choice.accuracy_validation == best
        assert m.choice.overrides == next(
            t.user_attrs["overrides"] for t in done if t.value == best
        )


def test_every_model_begins_with_a_dense_point_and_has_the_same_space(study):
    out, _ = study
    names = []
    for model in ("fastgrnn", "gru"):
        done = trials(wanted(out, models=(model,)))
        assert (done[0].params["density_w"], done[0].params["density_u"]) == (1.0, 1.0)
        names.append([t.distributions for t in done])
    assert names[0] == names[1]


def test_a_second_call_does_nothing(study):
    out, found = study
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    again = sizes.study_sizes(wanted(out), BENCH, out)
    after = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    assert {p for p in after if after[p] != before.get(p)} == set()
    assert [m.choice for m in again] == [m.choice for m in found]


def command(asked, out, *more):
    """The command line of a search."""
    words = {
        "--dataset": asked.dataset,
        "--preset": asked.preset,
        "--models": ",".join(asked.models),
        "--budgets": ",".join(map(str, asked.budgets_bytes)),
        "--trials": str(asked.trials),
        "--out": str(out),
    }
    sets = [f"--set={name}={value}" for name, value in asked.overrides.items()]
    flat = [word for pair in words.items() for word in pair]
    return [sys.executable, "-m", "harness.cli", "study", "sizes", *flat, *sets, *more]


def test_the_command_writes_tables_plot_and_sentences(study, tmp_path):
    out, found = study
    more = (
        "--seeds", "2", "--windows", "3", "--latencies-ms", "1000", "--plot",
        str(tmp_path / "plot.png"), "--csv", str(tmp_path / "bytes.csv"),
        "--latency-csv", str(tmp_path / "latency.csv"),
    )  # fmt: skip
    done = subprocess.run(
        command(wanted(out), out, *more), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "8 of 8 ended" in done.stderr
    assert "equal bytes, digits" in done.stdout and "equal latency, digits" in done.stdout
    assert "500 B: " in done.stdout
    table = pd.read_csv(tmp_path / "bytes.csv")
    assert list(table["accuracy"]) == pytest.approx([np.mean(m.accuracies) for m in found], 1e-5)
    assert list(pd.read_csv(tmp_path / "latency.csv")["latency_budget_ms"]) == [1000, 1000]
    assert (tmp_path / "plot.png").is_file() and (tmp_path / "plot.svg").is_file()


def start(asked):
    process = multiprocessing.get_context("spawn").Process(target=search.work, args=(asked,))
    process.start()
    return process


def stop_one_at_work(asked, processes):
    """Stop a process in the middle of a trial; the trial."""
    until = time.monotonic() + 120
    while time.monotonic() < until and any(process.is_alive() for process in processes):
        for trial in trials(asked):
            if trial.state == TrialState.RUNNING and trial.params:
                pid = int(trial.user_attrs[WORKER].split()[1])
                os.kill(pid, signal.SIGSTOP)
                same = next(t for t in trials(asked) if t.number == trial.number)
                if same.state == TrialState.RUNNING:
                    return same
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)
    raise AssertionError("no trial was caught running")


def test_two_processes_share_a_search_and_a_killed_one_loses_no_trial(tmp_path):
    asked = wanted(tmp_path, models=("fastgrnn",), trials=4, overrides=fresh() | {"epochs": 12})
    two = [start(asked), start(asked)]
    stopped = stop_one_at_work(asked, two)
    os.kill(int(stopped.user_attrs[WORKER].split()[1]), signal.SIGKILL)
    for process in two:
        process.join(timeout=300)
    assert sorted(process.exitcode for process in two) == [-signal.SIGKILL, 0]
    done = trials(asked)
    complete = [t for t in done if t.state == TrialState.COMPLETE]
    assert [t.user_attrs[POINT] for t in complete] == [0, 1, 2, 3]
    (lost,) = [t for t in done if t.state != TrialState.COMPLETE]
    assert (lost.number, lost.state, WHY in lost.user_attrs) == (
        stopped.number,
        TrialState.FAIL,
        False,
    )
    # it may have been killed while it drew
    assert lost.params.items() <= complete[lost.user_attrs[POINT]].params.items()


def has_ended(pid):
    """Whether a process is gone, or dead and not yet waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_killed_study_leaves_no_process_and_goes_on(tmp_path):
    asked = wanted(tmp_path, models=("gru",), trials=2, overrides=fresh() | {"epochs": 12})
    whole = subprocess.Popen(command(asked, tmp_path, "--workers", "1"), start_new_session=True)
    until = time.monotonic() + 120
    while not any(t.params for t in trials(asked)) and time.monotonic() < until:
        time.sleep(0.1)
    whole.kill()
    whole.wait()
    begun = trials(asked)[-1]
    pid = begun.user_attrs[WORKER].split()[1]
    while not has_ended(pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert has_ended(pid), "the worker outlived its study"
    search.work(asked)
    complete = [t for t in trials(asked) if t.state == TrialState.COMPLETE]
    assert [t.user_attrs[POINT] for t in complete] == [0, 1]
    assert complete[begun.user_attrs[POINT]].params == begun.params


def test_who_was_taken_for_dead_changes_nothing_when_it_wakes(tmp_path):
    asked = wanted(tmp_path, models=("gru",), trials=1, beat_s=60.0, grace_s=0.0)
    (asleep,), (awake,) = search.jobs(asked), search.jobs(asked)
    with asleep.points.claim() as lost:
        for _ in range(2):  # no beat between two looks
            awake.points.release_lost()
            time.sleep(0.01)
        with awake.points.claim() as again:
            awake.do(again)
        (before,) = awake.points.ended().values()
        with suppress(UpdateFinishedTrialError):
            asleep.do(lost)
    (after,) = awake.points.ended().values()
    assert (after.number, after.value) == (before.number, before.value)
    assert [t.state for t in trials(asked)] == [TrialState.FAIL, TrialState.COMPLETE]


def test_trials_that_do_not_fit_or_diverge_are_kept_with_their_reason(tmp_path):
    tight = wanted(tmp_path, models=("lstm",), budgets_bytes=(20,), trials=2)
    search.work(tight)
    assert [t.state for t in trials(tight)] == [TrialState.PRUNED] * 2
    assert "more than 20" in trials(tight)[0].user_attrs[WHY]
    with pytest.raises(ResultError, match="none of the 2 trials"):
        sizes.study_sizes(tight, BENCH, tmp_path)
    wild = wanted(tmp_path, models=("rnn",), trials=1, overrides=SHORT | {"noise": 1e39})
    search.work(wild)
    (diverged,) = trials(wild)
    assert diverged.state == TrialState.FAIL
    assert "training diverged" in diverged.user_attrs[WHY]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"models": ("gru-q",)}, UsageError, "leaves compression out"),
        ({"models": ("gruu",)}, UsageError, "gru"),
        ({"overrides": {"density_u": 0.5}}, UsageError, "the search draws it"),
        ({"storage": "nosuch://here"}, LabError, "storage nosuch://here"),
        ({"seeds": 17}, UsageError, "17 seeds, the paired test takes at most 16"),
    ],
)
def test_what_cannot_be_searched_is_said_at_once(tmp_path, changes, error, words):
    seeds = changes.pop("seeds", 2)
    with pytest.raises(error, match=words):
        bench = sizes.Bench("mkr1000", seeds, 3)
        sizes.study_sizes(wanted(tmp_path, **changes), bench, tmp_path)
