"""A study on virtual boards: resumes, does nothing twice, and its tables follow from its runs."""

import json
import threading

import pandas as pd
import pytest

from harness.errors import LabError
from harness.run import RunOptions
from harness.study import matrix, tables

pytestmark = pytest.mark.emulated


def cells(seeds=2, **changes):
    values = {
        "board": "mkr1000",
        "virtual": True,
        "models": ("fastgrnn", "fastgrnn-q"),
        "preset": "smoke",
        "windows": 6,
        "overrides": {"epochs": 2, "epochs_sparse": 1, "epochs_frozen": 1, "hidden": 8},
    }
    return [RunOptions(**(values | changes | {"seed": seed})) for seed in range(seeds)]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    return out, matrix.run_all(cells(), out, workers=2)


def test_every_cell_is_finished_and_measured(study):
    _, folders = study
    rows = tables.rows_of(folders)
    integer = rows[rows["model"] == "fastgrnn"]
    assert sorted(integer["seed"]) == [0, 1]
    assert (integer["status"] == "ok").all()
    assert (rows[rows["model"] == "fastgrnn-q"]["status"] == "host-only").all()


def test_a_second_call_does_nothing(study):
    out, folders = study
    before = {p: p.stat().st_mtime_ns for f in folders for p in f.iterdir()}
    assert matrix.run_all(cells(), out) == folders
    assert {p: p.stat().st_mtime_ns for f in folders for p in f.iterdir()} == before


def test_a_begun_cell_goes_on(study):
    out, folders = study
    path = folders[0] / "run.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"finished": None}))
    matrix.run_all(cells(), out)
    assert matrix.is_finished(folders[0])
    assert json.loads(path.read_text())["run_id"] == facts["run_id"]


def test_two_studies_at_once_do_no_run_twice(tmp_path):
    two = [
        threading.Thread(target=matrix.run_all, args=(cells(1), tmp_path), kwargs={"workers": 1})
        for _ in range(2)
    ]
    for thread in two:
        thread.start()
    for thread in two:
        thread.join(timeout=120)
    (folder,) = [p for p in tmp_path.iterdir() if p.is_dir() and not p.is_symlink()]
    assert matrix.is_finished(folder)
    assert len((folder / "journal" / "fastgrnn.jsonl").read_text().splitlines()) == 6


def test_a_failing_cell_is_named_and_the_others_are_done(tmp_path):
    wrong = cells(1, data_dir=None, dataset="nowhere")
    right = cells(1)
    with pytest.raises(LabError, match="1 of 2 runs failed: .*nowhere") as caught:
        matrix.run_all([*wrong, *right], tmp_path)
    assert "start the study again" in caught.value.hint
    assert matrix.is_finished(matrix.cell_folder(tmp_path, right[0]))


def test_folders_differ_by_what_is_asked_and_not_by_where(tmp_path):
    (plain,) = cells(1)
    for change in ({"compand": False}, {"overrides": {"hidden": 9}}, {"windows": None}):
        (other,) = cells(1, **change)
        assert matrix.cell_folder(tmp_path, other) != matrix.cell_folder(tmp_path, plain)
    (elsewhere,) = cells(1, data_dir="/somewhere")
    assert matrix.cell_folder(tmp_path, elsewhere) == matrix.cell_folder(tmp_path, plain)


def test_models_table_shows_every_seed(study):
    rows = tables.rows_of(study[1])
    table = tables.models_table(rows).set_index("model")
    expected = rows[rows["model"] == "fastgrnn"]["accuracy_host_test"].astype(float)
    assert table.loc["fastgrnn", "accuracy"] == pytest.approx(expected.mean())
    assert table.loc["fastgrnn", "accuracy_each_seed"] == " ".join(f"{v:.4f}" for v in expected)
    assert table.loc["fastgrnn", "seeds"] == 2
    assert table.loc["fastgrnn", "mismatches"] == 0
    assert table.loc["fastgrnn", "windows_on_board"] == 12
    assert pd.isna(table.loc["fastgrnn-q", "model_flash_bytes"])


def test_compression_table_counts_costs_and_bytes(study):
    table = tables.compression_table(tables.rows_of(study[1]), tables.stages_of(study[1]))
    own = table[table["model"] == "fastgrnn"].set_index("stage")
    assert list(own.index) == ["dense", "sparse", "quantised"]
    drop = 100 * (own.loc["dense", "accuracy"] - own.loc["sparse", "accuracy"])
    assert own.loc["sparse", "cost_points"] == pytest.approx(drop)
    assert own.loc["quantised", "bytes_cheapest_form"] < own.loc["dense", "bytes_cheapest_form"] / 3
    assert own.loc["quantised", "model_flash_bytes"] > 0
    assert pd.isna(own.loc["dense", "model_flash_bytes"])
    floats = table[table["model"] == "fastgrnn-q"]
    assert list(floats["stage"]) == ["dense", "sparse"]


def test_paper_table_stands_beside_the_printed_figures(study):
    rows = tables.rows_of(study[1])
    beside = tables.paper_table(rows, "har2").set_index("model")
    assert beside.loc["fastgrnn", "paper_accuracy"] == pytest.approx(0.9559)
    assert beside.loc["fastgrnn", "paper_bytes"] == 3 * 1024
    ours = beside.loc["fastgrnn", "accuracy"]
    assert beside.loc["fastgrnn", "points_above_paper"] == pytest.approx(100 * (ours - 0.9559))
    nothing = tables.paper_table(rows, "digits").set_index("model")
    assert pd.isna(nothing.loc["fastgrnn", "paper_accuracy"])
