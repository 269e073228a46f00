"""Workers and what becomes of a night when one of them dies."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
from contextlib import contextmanager
from dataclasses import asdict

import pytest

from harness.errors import UsageError
from harness.nightly import night
from harness.nightly.child import Child
from harness.nightly.order import pieces
from harness.nightly.plan import parse
from tests.nightly.nights import processes

pytestmark = pytest.mark.emulated
PLAN = parse(
    {
        "boards": {
            "mkr1000-1": {"kind": "mkr1000", "virtual": True},
            "mkr1000-2": {"kind": "mkr1000", "virtual": True},
        },
        "models": ["fastgrnn"],
        "datasets": ["digits"],
        "preset": "smoke",
        "windows": 300,
        "repeats": 1,
    },
    "plan",
)


def worker_of(folder):
    """The pid of the worker of a board."""
    (pid,) = [pid for pid, words in processes(folder).items() if "harness.nightly.worker" in words]
    return pid


@contextmanager
def interrupts_ignored():
    """As a shell does for what it starts with `&`."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_worker_ends_with_its_owner(tmp_path):
    job = {
        "board": "mkr1000-1",
        "folder": str(tmp_path),
        "plan": PLAN.to_json(),
        "pieces": [asdict(piece) for piece in pieces(PLAN)],
    }
    with interrupts_ignored():
        child = Child("mkr1000-1", job, tmp_path / "mkr1000-1" / "worker.log")
    stages = []
    while "stream" not in stages:
        assert select.select([child], [], [], 120)[0]
        messages = child.read()
        assert messages is not None, (tmp_path / "mkr1000-1" / "worker.log").read_text()
        stages += [m["event"]["stage"] for m in messages if "event" in m]
    assert len(processes(tmp_path)) >= 2  # itself and its emulator
    child.ask_to_stop()
    assert child.ended(60) == 0
    child.close()
    assert processes(tmp_path) == {}
    (journal,) = tmp_path.glob("mkr1000-1/*/journal/fastgrnn.jsonl")
    assert 0 < journal.read_bytes().count(b"\n") < 300


def test_a_board_that_is_not_there_is_given_up_with_its_cause(tmp_path):
    given = PLAN.to_json() | {
        "boards": [{"name": "uno-9", "kind": "uno", "serial_number": "no-such-number"}],
        "repeats": 3,
    }
    verdict = night.start(type(PLAN).from_json(given), tmp_path).verdict
    assert verdict.exit_code == 3
    (board,) = verdict.trouble
    assert "no-such-number" in board.cause
    assert [cell.status for cell in verdict.cells] == ["lab-error", "lab-error", "skipped"]
    assert "given up after 2 cells" in verdict.cells[-1].message


def test_a_worker_that_dies_is_lab_trouble_of_its_board_alone(tmp_path):
    killed = []

    def kill_the_first(event):
        if event.subject == "mkr1000-1" and "stream" in event.detail and not killed:
            (folder,) = tmp_path.glob("*-night-*")
            killed.append(worker_of(folder / "mkr1000-1"))
            os.kill(killed[0], signal.SIGKILL)

    verdict = night.start(PLAN, tmp_path, kill_the_first).verdict
    assert killed
    assert verdict.exit_code == 3
    assert [board.name for board in verdict.trouble] == ["mkr1000-1"]
    assert "its worker ended with status -9" in verdict.trouble[0].cause
    assert [cell.status for cell in verdict.cells] == ["lab-error", "ok"]
    (folder,) = tmp_path.glob("*-night-*")

    again = night.resume(folder).verdict
    assert again.exit_code == 0
    assert [cell.status for cell in again.cells] == ["ok", "ok"]
    assert processes(folder) == {}


@pytest.mark.parametrize("text", [None, "", "{}", '{"plan": 3}', '{"plan": {"boards": [{}]}}'])
def test_a_folder_without_a_night_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "night.json").write_text(text)
    with pytest.raises(UsageError):
        night.resume(tmp_path)


def test_one_process_a_night(tmp_path):
    (tmp_path / "night.json").write_text(json.dumps({"plan": PLAN.to_json()}))
    with (tmp_path / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="still running"):
            night.resume(tmp_path)
