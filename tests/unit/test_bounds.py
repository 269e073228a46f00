"""Files from others: more, deeper or other than expected is refused before it costs anything."""

from __future__ import annotations

import io
import resource
import zipfile

import numpy as np
import pytest

from harness import results
from harness.errors import UsageError
from harness.files import read_bounded
from harness.npzfile import NpzError, read_npz
from harness.yamlfile import MAX_BYTES, MAX_DEPTH, parse_yaml, read_yaml

MOST = 1 << 20


def npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def npy(shape, dtype="<f8", data=b"", order=False):
    """The bytes of an .npy whose header says what it likes."""
    buffer = io.BytesIO()
    header = {"descr": dtype, "fortran_order": order, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + data


def zipped(path, *members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def test_what_numpy_writes_is_what_is_read(tmp_path):
    arrays = {
        "a": np.arange(12, dtype=np.int16).reshape(3, 4),
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "text": np.array(["one", "two"]),
        "scalar": np.array(5),
        "none": np.zeros((0, 3), np.int8),
        "big": np.arange(4, dtype=">i4"),
        "yes": np.array([True, False]),
    }
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "m.npz", **arrays)
        found = read_npz(tmp_path / "m.npz", MOST, MOST)
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype
            assert found[name].shape == array.shape


def test_a_zip_bomb_is_refused_by_what_it_says_it_holds(tmp_path):
    path = zipped(tmp_path / "m.npz", ("a.npy", npy((1 << 23,), "|i1", bytes(1 << 23))))
    assert path.stat().st_size < 20_000
    with pytest.raises(NpzError, match=r"unpacks to 1 arrays of 8,388,\d+ bytes"):
        read_npz(path, MOST, MOST)


def test_a_header_of_a_huge_array_takes_no_memory(tmp_path):
    path = zipped(tmp_path / "m.npz", ("a.npy", npy((1 << 40,), data=bytes(8))))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(NpzError, match=r"\(1099511627776,\) of float64 in a file of"):
        read_npz(path, MOST, MOST)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 15


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.npy", npy((2,), "|O", bytes(16)))], "holds object"),
        ([("a.npy", npy((2,), "|V8", bytes(16)))], "only numbers and texts"),
        ([("a.npy", npy((2,), "<U0"))], "only numbers and texts"),
        ([("a.npy", npy((1 << 40,), "<U0"))], "only numbers and texts"),
        ([("a.npy", npy((3,), data=bytes(16)))], r"\(3,\) of float64"),
        ([("a.npy", npy((1,), data=bytes(16)))], r"\(1,\) of float64"),
        ([("a.npy", npy((-1,), data=bytes(8)))], r"\(-1,\) of float64"),
        ([("a.npy", b"\x93NUMPY\x07\x00" + bytes(20))], "version"),
        ([("a.npy", b"no array")], "not a readable .npz"),
        ([("a.npy", npy((0,))), ("a", npy((0,)))], "is there twice"),
        ([(f"{i}.npy", b"") for i in range(1001)], "1,001 arrays"),
    ],
)
def test_members_that_are_no_plain_arrays_are_refused(members, message, tmp_path):
    with pytest.raises(NpzError, match=message):
        read_npz(zipped(tmp_path / "m.npz", *members), MOST, MOST)


def test_rare_ways_of_packing_are_refused(tmp_path):
    path = zipped(tmp_path / "m.npz", ("a.npy", npy((0,))), method=zipfile.ZIP_LZMA)
    with pytest.raises(NpzError, match="packed by method 14"):
        read_npz(path, MOST, MOST)


def test_a_missing_and_a_large_file_are_told_apart(tmp_path):
    with pytest.raises(NpzError, match="cannot read: No such file"):
        read_npz(tmp_path / "none.npz", MOST, MOST)
    with pytest.raises(NpzError, match="at most 10 are read"):
        read_npz(npz(tmp_path / "m.npz", a=np.zeros(3)), 10, MOST)


# -- YAML -----------------------------------------------------------------------------------------

LAUGHS = "\n".join(f"{b}: &{b} [{', '.join(f'*{a}' for _ in range(9))}]" for a, b in ("ab", "bc"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a [x]\n" + LAUGHS, "line 2: cannot read as YAML: aliases are not read"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"nested deeper than {MAX_DEPTH}"),
        ("- " * 5000, "nested deeper"),
        ("uno: 1\nmkr: 2\nuno: 3\n", "a key is given twice"),
        ("a: !!python/object/apply:os.system [true]", "could not determine a constructor"),
        ("a: " + "9" * 5000, "4300 digits"),
        ("a: [", "line 1: cannot read as YAML"),
        ("#" * (MAX_BYTES + 1), "at most 1,048,576 are read"),
    ],
)
def test_yaml_that_is_a_trap_is_refused_with_its_line(text, message):
    with pytest.raises(UsageError, match=message):
        parse_yaml(text, "plan.yaml")


def test_plain_yaml_is_read(tmp_path):
    (tmp_path / "a.yaml").write_text("a: {b: [1, 2.5, null, yes]}\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": {"b": [1, 2.5, None, True]}}
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse_yaml(deep, "x") is not None


def test_a_yaml_file_that_cannot_be_read_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="none.yaml: cannot read: No such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match="Is a directory"):
        read_yaml(tmp_path)


# -- results --------------------------------------------------------------------------------------


def test_no_more_of_a_file_is_read_than_allowed(tmp_path):
    (tmp_path / "a").write_bytes(bytes(11))
    assert read_bounded(tmp_path / "a", 11) == bytes(11)
    with pytest.raises(UsageError, match="11 bytes, at most 10 are read"):
        read_bounded(tmp_path / "a", 10)


def test_a_results_folder_has_bounds(tmp_path, monkeypatch):
    rows = [results.WindowRow("m", i, 0, 0, 0, [1], [1], 1, [0] * 3, [0] * 3, 0) for i in range(50)]
    results.write_windows(tmp_path, results.windows_frame(rows))
    results.write_summary(tmp_path, results.summary_frame([{"model": "m"}]))
    results.write_json(tmp_path / "run.json", {"a": 1})
    monkeypatch.setattr(results, "MAX_WINDOW_VALUES", 49)
    with pytest.raises(UsageError, match=r"windows.parquet: cannot read: [\d,]+ values"):
        results.read_windows(tmp_path)
    monkeypatch.setattr(results, "MAX_SUMMARY_BYTES", 10)
    with pytest.raises(UsageError, match="summary.csv: .* at most 10"):
        results.read_summary(tmp_path)
    monkeypatch.setattr(results, "MAX_JSON_BYTES", 3)
    with pytest.raises(UsageError, match="run.json: .* at most 3"):
        results.read_json(tmp_path / "run.json")


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, '{"a": NaN'])
def test_what_is_no_json_object_is_told(text, tmp_path):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UsageError, match="run.json"):
        results.read_json(tmp_path / "run.json")
