"""Files from others, damaged in any way: only a HarnessError may come of reading them."""

from __future__ import annotations

import io
import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness import boards, results, run
from harness.datasets.npz import read_plain
from harness.errors import DataError, HarnessError, ModelFileError, UsageError
from harness.history.record import read_folder
from harness.nightly import plan
from harness.npzfile import read_npz
from harness.qmodel import QModel
from harness.report import record
from harness.results import Journal
from harness.virtual.faults import WORDS, parse_faults
from harness.yamlfile import parse_yaml
from tests.durability.scenarios import run_folder, window
from tests.fuzz.strategies import damaged, fuzzed, mutated, values
from tests.models import random_qmodel

ROOT = Path(__file__).parents[2]
BOARDS = yaml.safe_load((ROOT / "boards.yaml").read_text())
SOME_BOARDS = BOARDS | {"boards": {k: BOARDS["boards"][k] for k in ("uno", "mkr1000", "rpi3")}}
NIGHT = yaml.safe_load((ROOT / "examples" / "nightly.yaml").read_text())

# -- YAML -----------------------------------------------------------------------------------------

TAGS = ["!!python/name:os.system ", "!!binary ", "!!timestamp ", "!!int ", "!!set ", "!!pairs "]
MARKS = ["a", ": ", "- ", "\n", "  ", "[", "]", "{", "}", "&a ", "*a", "|\n", "? ", "<<: ", "---\n"]
yaml_words = st.sampled_from([*TAGS, *MARKS, "2001-99-99", "%YAML", '"', "'", "#", "9" * 5000])


@given(st.one_of(st.text(max_size=60), st.lists(yaml_words, max_size=30).map("".join)))
@fuzzed
def test_any_text_is_yaml_or_a_usage_error(text):
    try:
        parse_yaml(text, "here")
    except UsageError as error:
        assert error.message.startswith("here")


@given(damaged(SOME_BOARDS))
@fuzzed
def test_any_boards_file_is_boards_or_a_usage_error(tmp_path, document):
    path = tmp_path / "boards.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True))
    try:
        kinds = boards.load_kinds(path)
        for kind in kinds.values():
            assert kind.silicon()
            if kind.has_virtual_twin:
                assert kind.virtual()
    except UsageError as error:
        assert error.message


@given(damaged(NIGHT))
@fuzzed
def test_any_plan_is_a_plan_or_a_usage_error(tmp_path, document):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True))
    try:
        found = plan.read_plan(path)
    except UsageError as error:
        assert error.message
    else:
        assert plan.Plan.from_json(json.loads(json.dumps(found.to_json()))) == found


# -- faults ---------------------------------------------------------------------------------------

PIECES = ["=", ",", "3e-4", "-1", "9" * 20, "5+", "2500:800", "ms", " "]
fault_words = st.sampled_from([*WORDS, *PIECES])


@given(st.one_of(st.text(max_size=30), st.lists(fault_words, max_size=8).map("".join)))
@fuzzed
def test_any_fault_spec_is_canonical_or_a_usage_error(text):
    try:
        canonical = parse_faults(text)
    except UsageError:
        return
    assert parse_faults(canonical) == canonical


# -- models and data ------------------------------------------------------------------------------


@cache
def model_parts():
    """meta and arrays of a small model's file."""
    model = random_qmodel("fastgrnn", hidden=4, features=3, classes=2, rank_w=2)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "m.npz")
        arrays = read_npz(Path(folder) / "m.npz", 1 << 20, 1 << 20)
    return json.loads(arrays.pop("meta").tobytes()), arrays


def as_npz(meta, arrays):
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(buffer, allow_pickle=False, meta=text, **arrays)
    return buffer.getvalue()


arrays_of_any_kind = st.builds(
    lambda kind, shape: np.ones(shape, kind),
    st.sampled_from(["int8", "uint8", "int16", "int32", "float64", "U3", "bool", "complex64"]),
    st.lists(st.integers(0, 5), max_size=3).map(tuple),
)


@given(st.data())
@fuzzed
def test_any_change_of_a_model_is_refused(tmp_path, data):
    meta, arrays = model_parts()
    changed = dict(arrays)
    if data.draw(st.booleans()):
        changed[data.draw(st.sampled_from(sorted(arrays)))] = data.draw(arrays_of_any_kind)
    path = tmp_path / "m.npz"
    path.write_bytes(as_npz(data.draw(damaged(meta)), changed))
    try:
        model = QModel.load(path)
    except ModelFileError as error:
        assert str(path) in error.message
    else:
        assert model.sha256 == meta["sha256"]  # only what is not hashed was changed


@given(st.data())
@fuzzed
def test_any_bytes_near_a_model_are_refused_or_that_model(tmp_path, data):
    meta, arrays = model_parts()
    path = tmp_path / "m.npz"
    path.write_bytes(data.draw(mutated(as_npz(meta, arrays))))
    try:
        model = QModel.load(path)
    except ModelFileError as error:
        assert str(path) in error.message
    else:
        assert model.sha256 == meta["sha256"]


PLAIN = {
    "X_train": np.zeros((6, 4, 2), np.float32),
    "y_train": np.array([0, 1, 0, 1, 0, 1]),
    "X_test": np.zeros((2, 4, 2), np.float32),
    "y_test": np.array([0, 1]),
    "classes": np.array(["a", "b"]),
    "step": np.ones(2),
}


@given(st.dictionaries(st.sampled_from([*PLAIN, "subject_train", "licence"]), arrays_of_any_kind))
@fuzzed
def test_any_import_file_is_a_data_set_or_a_data_error(tmp_path, changed):
    path = tmp_path / "mine.npz"
    np.savez(path, **(PLAIN | changed))
    try:
        read_plain(path)
    except DataError as error:
        assert str(path) in error.message


# -- results --------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A results folder that every reader takes."""
    made = run_folder(tmp_path, "run", 2)
    results.write_windows(made, results.windows_frame([window(i) for i in range(5)]))
    assert read_folder(made)
    record.load(made)
    return made


def read_all(folder):
    for read in (read_folder, record.load, results.read_windows, run.read_run):
        try:
            read(folder)
        except HarnessError as error:
            assert error.message


@given(st.data())
@fuzzed
def test_any_run_json_is_read_or_told(folder, data):
    path = folder / "run.json"
    whole = json.loads(path.read_text())
    changed = data.draw(st.one_of(damaged(whole), values))
    path.write_text(json.dumps(changed))
    read_all(folder)
    path.write_text(json.dumps(whole))


@given(st.data())
@fuzzed
def test_any_bytes_in_a_results_folder_are_read_or_told(folder, data):
    path = folder / data.draw(st.sampled_from(["run.json", "summary.csv", "windows.parquet"]))
    whole = path.read_bytes()
    path.write_bytes(data.draw(st.one_of(mutated(whole), st.binary(max_size=80))))
    read_all(folder)
    path.write_bytes(whole)


@given(st.dictionaries(st.text(max_size=8), values, max_size=3), st.booleans())
@fuzzed
def test_any_options_are_a_run_or_a_usage_error(options, known):
    whole = {"board": "uno", "models": ["gru"]} if known else {}
    try:
        run.RunOptions.from_json(whole | options)
    except UsageError as error:
        assert error.message


@given(st.data())
@fuzzed
def test_a_damaged_journal_gives_its_whole_records(tmp_path, data):
    journal = Journal(tmp_path / "j.jsonl")
    journal.path.unlink(missing_ok=True)
    rows = [window(i) for i in range(4)]
    for row in rows:
        journal.append(row)
    at = data.draw(st.integers(0, 3))
    lines = journal.path.read_bytes().splitlines(keepends=True)
    lines[at] = data.draw(st.one_of(st.binary(max_size=40), st.just(lines[at][:-9]))) + b"\n"
    journal.path.write_bytes(b"".join(lines))
    found = journal.read()
    for i, row in enumerate(rows):
        if i != at:
            assert row in found
    journal.repair()
    assert journal.read() == found
