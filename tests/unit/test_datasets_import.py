"""`harness data import`: CSV in long form, .npz, and what is said of files that are wrong."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from harness import datasets
from harness.cli.data import data_command
from harness.datasets import table
from harness.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def _no_outside_data(monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_DATA_DIR", raising=False)


HEADER = ["window", "step", "ax", "ay", "kind", "person"]


def rows_of(n=20, steps=4, people=5):
    """Windows w0, w1, ...: label by turns, ax = window number, ay = step / 10."""
    for w in range(n):
        for t in range(steps):
            yield [f"w{w}", t, w + 0.5, t / 10, ["walk", "rest"][w % 2], w % people]


def write_csv(path, rows=None, header=HEADER):
    lines = [header, *(rows_of() if rows is None else rows)]
    path.write_text("\n".join(",".join(map(str, line)) for line in lines) + "\n")
    return path


def imported(path, **columns):
    return datasets.import_file(path, "knocks", **({"labels": "kind"} | columns))


def test_a_csv_becomes_a_data_set(tmp_path):
    d = imported(write_csv(tmp_path / "k.csv"), subjects="person")
    assert (d.steps, d.features, d.classes) == (4, 2, 2)
    assert d.channels == ("ax", "ay") and d.class_names == ("rest", "walk")
    assert len(set(d.test.subjects)) == 1  # a fifth of the people
    assert not set(d.test.subjects) & set(d.part("fit").subjects)
    for part in ("train", "validation", "test"):
        windows = d.part(part)
        number = windows.x[:, 0, 0] - 0.5
        np.testing.assert_array_equal(windows.y, number.astype(int) % 2 == 0)
        np.testing.assert_array_equal(windows.subjects, number.astype(int) % 5)
        np.testing.assert_allclose(windows.x[0, :, 1], [0, 0.1, 0.2, 0.3], rtol=1e-6)
    assert datasets.load("knocks").sha256 == d.sha256
    assert "knocks" in datasets.available()


def test_without_subjects_every_class_gives_a_fifth(tmp_path):
    rows = [row[:-1] for row in rows_of()]
    d = imported(write_csv(tmp_path / "k.csv", rows, HEADER[:-1]))
    assert np.bincount(d.test.y).tolist() == [2, 2] and d.test.subjects is None


def test_a_split_column_decides(tmp_path):
    rows = [[*row, "test" if int(row[0][1:]) >= 15 else "train"] for row in rows_of()]
    path = write_csv(tmp_path / "k.csv", rows, [*HEADER, "split"])
    d = imported(path, subjects="person")
    assert sorted(d.test.x[:, 0, 0]) == [15.5, 16.5, 17.5, 18.5, 19.5]


def test_rows_of_windows_may_alternate_and_columns_stand_anywhere(tmp_path):
    rows = sorted(rows_of(), key=lambda row: row[1])
    order = [4, 2, 0, 5, 3, 1]
    path = write_csv(
        tmp_path / "k.csv", [[r[i] for i in order] for r in rows], [HEADER[i] for i in order]
    )
    d = imported(path, subjects="person")
    assert d.sha256 == imported(write_csv(tmp_path / "l.csv"), subjects="person").sha256


def test_labels_that_are_numbers_are_ordered_as_numbers(tmp_path):
    rows = [[*row[:4], [10, 9, 2][int(row[0][1:]) % 3]] for row in rows_of(30)]
    d = imported(write_csv(tmp_path / "k.csv", rows, [*HEADER[:4], "label"]), labels=None)
    assert d.class_names == ("2", "9", "10")


def change(row, column, value):
    def changed():
        lines = [list(line) for line in rows_of()]
        lines[row - 2][HEADER.index(column)] = value
        return lines

    return changed


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (change(7, "ax", "nan"), r"row 7, column 'ax': 'nan' is not finite"),
        (change(7, "ay", "1e39"), r"row 7, column 'ay': '1e39' is not finite"),
        (change(8, "ay", "fast"), r"row 8, column 'ay': 'fast' is not a number"),
        (change(8, "ay", ""), r"row 8, column 'ay': '' is not a number"),
        (change(3, "step", 2), r"row 3, column 'step': step 2 .* where step 1 is expected"),
        (change(3, "step", "x"), r"row 3, column 'step': 'x' is not a whole number"),
        (change(3, "kind", "rest"), r"row 3, column 'kind': 'rest', but row 2 .* has 'walk'"),
        (change(3, "person", 4), r"row 3, column 'person': 4, but row 2 of this window has 0"),
        (change(3, "person", "Ann"), r"row 3, column 'person': 'Ann' is not a whole number"),
        (change(3, "kind", ""), r"row 3, column 'kind': is empty"),
        (change(3, "window", ""), r"row 3, column 'window': is empty"),
        (lambda: [*rows_of(), ["w20", 0, 1, 2, "walk", 1]], r"'w20' \(from row 82\) has 1 steps"),
        (lambda: [*rows_of(), ["w20", 0]], "row 82 has 2 cells, row 1 6"),
        (list, "no rows below the header"),
        (lambda: list(rows_of(1)), "both parts are needed"),
    ],
)
def test_errors_name_row_and_column(tmp_path, rows, message):
    path = write_csv(tmp_path / "k.csv", rows())
    with pytest.raises(DataError, match=message) as caught:
        imported(path, subjects="person")
    assert "k.csv" in caught.value.message
    assert datasets.available() == ["digits", "pixel-digits"]  # nothing was kept


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (["window", "t", *HEADER[2:]], "row 1: no column 'step'"),
        ([*HEADER[:4], "label", "person"], "row 1: no column 'kind'"),
        ([*HEADER[:4], "kind", "who"], "row 1: no column 'person'"),
        (["window", "step", "ax", "ax", "kind", "person"], "'ax' is empty or there twice"),
    ],
)
def test_header_errors(tmp_path, header, message):
    with pytest.raises(DataError, match=message):
        imported(write_csv(tmp_path / "k.csv", header=header), subjects="person")


def test_a_bad_split_value(tmp_path):
    rows = [[*row, "train" if row[0] != "w3" else "dev"] for row in rows_of()]
    with pytest.raises(DataError, match="row 14, column 'split': 'dev' is neither"):
        imported(write_csv(tmp_path / "k.csv", rows, [*HEADER, "split"]), subjects="person")


def test_bounds(tmp_path, monkeypatch):
    path = write_csv(tmp_path / "k.csv")
    with monkeypatch.context() as m, pytest.raises(DataError, match="more than 100 values"):
        m.setattr(table, "MAX_VALUES", 100)
        imported(path)
    with monkeypatch.context() as m, pytest.raises(DataError, match="at most 4 are read"):
        m.setattr(table, "MAX_COLUMNS", 4)
        imported(path)
    with monkeypatch.context() as m, pytest.raises(DataError, match="at most 100 are read"):
        m.setattr(table, "MAX_CSV_BYTES", 100)
        imported(path)
    rows = [[*row[:4], row[0], row[5]] for row in rows_of(300, 2)]
    with pytest.raises(DataError, match="300 different labels, at most 255"):
        imported(write_csv(path, rows))
    path.write_bytes(b"window,step\xff\n")
    with pytest.raises(DataError, match="not a readable CSV"):
        imported(path)


def test_an_npz_is_checked_and_copied(tmp_path):
    x = np.random.default_rng(0).normal(0, 1, (20, 4, 2))
    y = np.arange(20) % 2
    np.savez(tmp_path / "k.npz", X_train=x, y_train=y, X_test=x, y_test=y)
    d = datasets.import_file(tmp_path / "k.npz", "knocks")
    assert datasets.load("knocks").sha256 == d.sha256
    x[3, 2, 1] = np.nan
    np.savez(tmp_path / "bad.npz", X_train=x, y_train=y, X_test=x, y_test=y)
    with pytest.raises(DataError, match="window 3, step 2, channel 1"):
        datasets.import_file(tmp_path / "bad.npz", "other")
    with pytest.raises(UsageError, match="name columns of a CSV"):
        datasets.import_file(tmp_path / "k.npz", "other", labels="kind")
    with pytest.raises(UsageError, match="neither .npz nor .csv"):
        datasets.import_file(tmp_path / "k.txt", "other")
    for name in ("har6", "Knocks", "../x", "ptb"):
        with pytest.raises(UsageError, match="cannot name an imported data set"):
            datasets.import_file(tmp_path / "k.npz", name)


def test_the_commands_import_list_and_prepare(tmp_path):
    path = write_csv(tmp_path / "k.csv")
    call = CliRunner().invoke
    done = call(
        data_command,
        ["import", str(path), "--name", "knocks", "--labels", "kind", "--subjects", "person"],
    )
    assert done.exit_code == 0, done.output
    assert "knocks: 12 train, 4 validation, 4 test windows of 4 x 2, 2 classes (rest, walk)" in (
        done.output
    )
    listed = call(data_command, ["list"])
    assert "also here: knocks" in listed.output
    rows = json.loads(call(data_command, ["list", "--json"]).output)
    assert {row["name"] for row in rows} == set(datasets.SOURCES)
    prepared = call(data_command, ["prepare", "knocks"])
    assert prepared.exit_code == 0 and "knocks: 12 train" in prepared.output


def test_an_imported_set_trains_to_an_integer_model(tmp_path):
    from harness.pipeline import train_model

    d = imported(write_csv(tmp_path / "k.csv"), subjects="person")
    trained = train_model("fastgrnn", d, "smoke", overrides={"hidden": 4, "epochs": 2})
    assert trained.qmodel.class_names == ("rest", "walk")
