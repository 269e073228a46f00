"""The verdict: what regressed, what is lab trouble, what is new, and the exit code of each."""

import json

import pytest

from harness.history import store
from harness.history.verdict import since_previous
from harness.nightly.cells import Happenings, collect
from harness.nightly.order import pieces
from harness.nightly.page import as_html
from harness.nightly.plan import parse
from harness.nightly.words import as_markdown
from harness.nightly.worker import piece_folder
from harness.results import write_json
from tests.history.folders import row, write_run
from tests.nightly.nights import UNO, cell, history, hung, late, name_night, verdict

ID = UNO.board_id


def test_a_good_night_is_0(tmp_path):
    entries = history(tmp_path, [row(board_id=ID)], [row(board_id=ID)])
    found = verdict([cell()], entries)
    assert found.exit_code == 0
    assert found.headline == "nothing regressed"
    assert found.compared == 1


def test_a_first_night_is_new_and_good(tmp_path):
    found = verdict([cell()], history(tmp_path, [row(board_id=ID)]))
    assert found.exit_code == 0
    assert len(found.new) == 1
    assert found.headline == "nothing to compare with yet; 1 cell new"


def test_a_regression_is_1_and_says_by_how_much(tmp_path):
    slower = row(board_id=ID, cycles_median=163_200.0, cycles_max=165_240)
    entries = history(tmp_path, [row(board_id=ID)], [slower])
    found = verdict([cell()], entries)
    assert found.exit_code == 1
    (regression,) = found.regressions
    assert {d.metric for d in regression.differences} == {"cycles_median", "cycles_max"}
    assert "cycles_median 160,000 -> 163,200 (+2 %)" in as_markdown(found)
    assert found.headline.startswith("1 cell REGRESSED")


def test_repeats_of_one_night_are_not_compared_with_each_other(tmp_path):
    """Or the second repeat would hide what both have."""
    slower = row(board_id=ID, cycles_median=163_200.0)
    out = tmp_path / "out"
    for number, rows in enumerate([[row(board_id=ID)], [slower], [slower]]):
        folder = write_run(out, number, rows)
        if number:
            name_night(folder, "tonight")
        store.add_folder(out / "history.db", folder)
    found = verdict([cell()], store.read(out / "history.db"))
    assert [d.metric for r in found.regressions for d in r.differences] == ["cycles_median"]


def test_runs_by_hand_on_one_day_are_compared(tmp_path):
    out = tmp_path / "out"
    for number, cycles in ((0.1, 160_000.0), (0.2, 163_200.0)):
        folder = write_run(out, number, [row(board_id=ID, cycles_median=cycles)])
        store.add_folder(out / "history.db", folder)
    entries = store.read(out / "history.db")
    assert len({e.night for e in entries}) == 1
    assert [d.metric for d in since_previous(entries).regressions] == ["cycles_median"]


def test_what_other_nights_ran_is_none_of_this_night(tmp_path):
    slower = row("gru", board_id=ID, cycles_median=163_200.0)
    entries = history(tmp_path, [row("gru", board_id=ID)], [slower], [row(board_id=ID)])
    assert verdict([cell()], entries).regressions == ()


def test_lab_trouble_is_3_and_names_the_board_with_its_first_cause():
    cells = [cell(), hung(), hung("gru", message="something later")]
    found = verdict(cells)
    assert found.exit_code == 3
    assert [b.name for b in found.trouble] == ["uno-2"]
    assert found.trouble[0].cause == "no reply to STEP"
    assert found.trouble[0].lab_trouble == 2
    assert "LAB TROUBLE on 1 of 2 boards: uno-2" in found.headline


def test_a_wrong_result_outweighs_lab_trouble():
    found = verdict([cell(status="mismatch", message="3 windows with other logits"), hung()])
    assert found.exit_code == 1
    assert "1 cell FAILED" in found.headline
    assert "3 windows with other logits" in as_markdown(found)


def test_out_of_time_is_3_but_no_board_is_to_blame():
    found = verdict([cell(), late()])
    assert found.exit_code == 3
    assert found.trouble == []
    assert [c.message for c in found.skipped] == ["out of time"]


def test_a_board_left_alone_is_lab_trouble():
    found = verdict([late(why="the board is quarantined: it smoked")])
    assert [b.cause for b in found.trouble] == ["the board is quarantined: it smoked"]


def test_a_history_that_cannot_be_read_is_no_good_night():
    assert verdict([cell()], notes=["nothing compared: damaged"]).exit_code == 3


def test_flaky_cells_are_listed_with_their_attempts():
    found = verdict([cell(attempts=2, uploads=2, flaky=True, restarts=1)])
    assert found.exit_code == 0
    assert "2 attempts, 2 uploads" in as_markdown(found)
    (board,) = found.boards
    assert (board.flaky, board.attempts, board.uploads, board.restarts) == (1, 2, 2, 1)


@pytest.mark.parametrize("written", [as_html, as_markdown, lambda v: json.dumps(v.to_json())])
def test_every_form_names_the_board_and_the_cause(written):
    text = written(verdict([cell(), hung()]))
    assert "uno-2" in text
    assert "no reply to STEP" in text


def test_the_page_escapes_what_a_board_says():
    page = as_html(verdict([hung(message="<script>alert(1)</script>")]))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


PLAN = parse(
    {
        "boards": {n: {"kind": "uno", "virtual": True} for n in ("a", "b", "c", "d")},
        "models": ["fastgrnn", "gru"],
        "datasets": ["digits"],
        "repeats": 1,
    },
    "plan",
)


def test_every_cell_without_a_row_says_why(tmp_path):
    (piece,) = pieces(PLAN)
    done = piece_folder(tmp_path, PLAN.boards[0], piece)
    write_json(done / "rows" / "fastgrnn.json", row() | {"message": None})
    happened = Happenings(
        untrained={("digits", 0, "gru"): ("error", "no torch")},
        problems={("b", "digits", 0, 1): ("lab-error", "no board is attached")},
        left={"c": "given up"},
        lost={"d": "its worker ended with status -9"},
    )
    found = [(c.instance.name, c.model, c.status) for c in collect(PLAN, tmp_path, happened)]
    assert found == [
        ("a", "fastgrnn", "ok"), ("a", "gru", "error"),
        ("b", "fastgrnn", "lab-error"), ("b", "gru", "error"),
        ("c", "fastgrnn", "skipped"), ("c", "gru", "error"),
        ("d", "fastgrnn", "lab-error"), ("d", "gru", "error"),
    ]  # fmt: skip
    first, *_ = collect(PLAN, tmp_path, Happenings())
    assert first.message == ""
    assert {c.message for c in collect(PLAN, tmp_path, Happenings())} == {"", "out of time"}
