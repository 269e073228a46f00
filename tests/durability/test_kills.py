"""Random kills of a run, each resumed: five here, a hundred by `make soak`."""

from __future__ import annotations

import os
import subprocess
import sys

import pandas as pd
import pytest

from benchmarks import kills

pytestmark = [pytest.mark.slow, pytest.mark.emulated]
KILLS = int(os.environ.get("HARNESS_KILLS", "5"))


def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path):
    trials = list(kills.run_trials(kills.run_job(), KILLS, seed=KILLS, home=tmp_path))
    assert [t.wrong for t in trials if t.wrong] == []
    assert sum(len(t.killed_at_s) for t in trials) >= KILLS


def test_the_judge_sees_what_is_left_behind(tmp_path):
    """The tables, the processes, the locks, the ports: each can fail the test above."""
    for name in ("locks", "tmp", "out"):
        (tmp_path / name).mkdir()
    mark = "0badcafe"
    assert list(kills.left_behind(tmp_path, mark)) == []
    (tmp_path / "locks" / "b.lock").touch()
    (tmp_path / "tmp" / "vboard-run-1").mkdir()
    (tmp_path / "out" / ".summary.csv.1.tmp").touch()
    (tmp_path / "out" / "ttyACM-mkr1000").symlink_to("/dev/pts/99")
    holder = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, 2); sys.stdin.read()"
    command = [sys.executable, "-c", holder, str(tmp_path / "locks" / "b.lock")]
    found: list[str] = []
    marked = os.environ | {kills.MARK: mark}
    with subprocess.Popen(command, env=marked, stdin=subprocess.PIPE) as process:
        while "still locked: b.lock" not in found and process.poll() is None:
            found = list(kills.left_behind(tmp_path, mark))
        process.kill()
    words = "\n".join(found)
    for left in (
        "still locked: b.lock",
        "still runs: ",
        "vboard-run-1",
        ".summary.csv.1.tmp",
        "ttyACM-mkr1000",
    ):
        assert left in words


def test_tables_that_differ_are_told_by_name():
    frame = pd.DataFrame({"model": ["gru"], "mismatches": [0]})
    other = frame.assign(mismatches=1)
    assert kills.difference({"a": frame}, {"a": frame}) == ""
    assert "mismatches" in kills.difference({"a": other}, {"a": frame})
    assert "instead of" in kills.difference({}, {"a": frame})
