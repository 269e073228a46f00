"""A run on one board of the lab, by the name that the lab's own file gives it."""

import json

import pytest

from harness import run
from tests.emulated.conftest import Run

pytestmark = pytest.mark.emulated
LAB = """\
schema: 1
instances:
  twin-1: {kind: uno, virtual: true, fault: delay=1, notes: found as ./boards.yaml}
"""
ASKED = ("--board", "twin-1", "--preset", "smoke", "--models", "rnn", "--windows", "3")


def test_a_run_names_the_board_and_is_resumed_by_that_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HARNESS_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.delenv("HARNESS_BOARDS", raising=False)
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "boards.yaml").write_text(LAB)
    done = Run(folder, *ASKED)
    assert done.finish() == 0, done.stderr
    row = done.summary().loc["rnn"]
    assert (row["board"], row["board_kind"]) == ("uno", "virtual")
    assert row["board_id"] == "virtual-twin-1"
    assert row["faults"] == "delay=1"
    options = run.RunOptions.from_json(
        json.loads((done.results / "run.json").read_text())["options"]
    )
    monkeypatch.chdir(folder)
    assert options.resolve().board_id == "virtual-twin-1"
