"""Records of boards: counters, quarantine, what a damaged or hostile file does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import health
from harness.errors import LabError

BOARD = "serial-85736323838351F0E1E1"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_STATE_DIR", str(tmp_path))
    return tmp_path / "boards"


def test_an_unknown_board_is_well() -> None:
    assert health.quarantined(BOARD) is None
    assert health.health_of(BOARD).counters == health.Counters()


def test_counters_add_up_and_survive_quarantine_and_release(state: Path) -> None:
    health.note(BOARD, sessions=1, uploads=2)
    health.note(BOARD, sessions=1, failures=1)
    health.quarantine(BOARD, "no answer", by="me", log="/x/flash.log")
    health.release(BOARD)
    health.note(BOARD, retries=3)
    counters = health.health_of(BOARD).counters
    assert counters == health.Counters(sessions=2, failures=1, uploads=2, retries=3)
    assert [h.board_id for h in health.records()] == [BOARD]
    assert len(list(state.iterdir())) == 1  # no temporary file is left


def test_the_first_cause_of_a_quarantine_stays(state: Path) -> None:
    first = health.quarantine(BOARD, "no answer", by="me", log="/x/flash.log")
    assert health.quarantine(BOARD, "something else") == first
    assert health.quarantined(BOARD) == first
    (path,) = state.iterdir()
    told = json.loads(path.read_text())["quarantine"]
    assert told["why"] == "no answer" and told["by"] == "me" and told["since"].startswith("20")
    health.release(BOARD)
    assert health.quarantined(BOARD) is None


def test_a_board_without_an_id_has_no_record(state: Path) -> None:
    health.note("", sessions=1)
    assert health.quarantined("") is None
    assert not state.exists()


def test_ids_that_differ_have_records_that_differ() -> None:
    health.quarantine("port-/dev/ttyUSB0", "a")
    assert health.quarantined("port-/dev/ttyUSB1") is None
    assert health.quarantined("port-/dev/ttyUSB0") is not None


def test_an_id_cannot_leave_the_folder(state: Path) -> None:
    health.note("../../escape", sessions=1)
    (path,) = state.iterdir()
    assert path.parent == state


@pytest.mark.parametrize("content", ["", "{", "[]", '{"counters": {"sessions": "x"}}'])
def test_a_damaged_record_is_an_error_that_names_the_file(state: Path, content: str) -> None:
    """Not "well": a board that may be in quarantine is not used because its file is damaged."""
    health.note(BOARD, sessions=1)
    (path,) = state.iterdir()
    path.write_text(content)
    with pytest.raises(LabError, match=str(path)):
        health.quarantined(BOARD)


def test_a_record_of_a_later_version_is_read(state: Path) -> None:
    health.quarantine(BOARD, "no answer")
    (path,) = state.iterdir()
    values = json.loads(path.read_text())
    values["counters"]["naps"] = 3
    values["quarantine"]["colour"] = "red"
    path.write_text(json.dumps(values))
    record = health.quarantined(BOARD)
    assert record is not None and record.why == "no answer"
