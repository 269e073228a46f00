"""Results files: whole or absent, NA never 0, journals that survive a kill."""

import pandas as pd
import pytest

from harness import results
from harness.errors import UsageError
from harness.files import write_atomic
from harness.results import Journal, WindowRow


def row(window=3, model="fastgrnn"):
    return WindowRow(model, window, 1, 1, 1, [5, -6], [5, -6], 1234, [0, 0, 0], [0, 0, 0], 0)


def test_summary_keeps_types_and_emptiness(tmp_path):
    frame = results.summary_frame([{"run_id": "r", "hidden": 16, "mismatches": 0}])
    results.write_summary(tmp_path, frame)
    again = results.read_summary(tmp_path)
    pd.testing.assert_frame_equal(frame, again)
    assert again["cycles_median"].isna().all()
    assert again["mismatches"][0] == 0
    assert list(again.columns) == list(results.SUMMARY_COLUMNS)


def test_unknown_columns_are_refused():
    with pytest.raises(ValueError, match="latency_minutes"):
        results.summary_frame([{"latency_minutes": 1}])


def test_a_missing_summary_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"no summary\.csv"):
        results.read_summary(tmp_path)


def test_windows_round_trip(tmp_path):
    results.write_windows(tmp_path, results.windows_frame([row(1), row(2)]))
    frame = results.read_windows(tmp_path)
    assert frame["window"].tolist() == [1, 2]
    assert frame["logits_board"][0].tolist() == [5, -6]


def test_missing_windows_are_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"no windows\.parquet"):
        results.read_windows(tmp_path)


def test_damaged_windows_are_a_usage_error(tmp_path):
    results.write_windows(tmp_path, results.windows_frame([row(1), row(2)]))
    path = tmp_path / "windows.parquet"
    data = path.read_bytes()
    for cut in (0, 4, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(UsageError, match=r"windows\.parquet: cannot read"):
            results.read_windows(tmp_path)


@pytest.mark.parametrize("error", [KeyError("x"), NotImplementedError("x"), OSError("x")])
def test_whatever_the_reader_of_damaged_windows_raises_is_a_usage_error(
    tmp_path, monkeypatch, error
):
    def fail(path):
        raise error

    results.write_windows(tmp_path, results.windows_frame([row(1)]))
    monkeypatch.setattr(pd, "read_parquet", fail)
    with pytest.raises(UsageError, match=r"windows\.parquet: cannot read"):
        results.read_windows(tmp_path)


def test_journal_drops_a_line_cut_by_a_kill(tmp_path):
    path = tmp_path / "journal" / "fastgrnn.jsonl"
    journal = Journal(path)
    journal.repair()
    journal.append(row(1))
    journal.append(row(2))
    data = path.read_bytes()
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        whole = Journal(path).read()
        assert [r.window for r in whole] == [1, 2][: data[:cut].count(b"\n")]
        Journal(path).repair()
        Journal(path).append(row(9))
        assert Journal(path).read()[-1].window == 9


def test_write_atomic_leaves_no_partial_file(tmp_path):
    write_atomic(tmp_path / "a", "old")
    with pytest.raises(TypeError):
        write_atomic(tmp_path / "a", 3)
    assert (tmp_path / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_latest_points_to_the_newest(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        results.point_latest(tmp_path / name)
    assert (tmp_path / "latest").resolve() == (tmp_path / "two").resolve()


def test_run_ids_sort_by_time_and_say_what():
    first = results.new_run_id("uno", "digits")
    assert first.split("-")[1:3] == ["uno", "digits"]
