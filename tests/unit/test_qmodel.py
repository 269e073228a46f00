"""QModel files: what is saved is what is loaded; damaged and hostile files are refused."""

import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ModelFileError
from harness.qmodel import QModel
from harness.reference import CELLS
from tests.models import random_qmodel


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("ranks", [(None, None), (3, 5)])
def test_round_trip_keeps_the_hash(cell, ranks, tmp_path):
    model = random_qmodel(cell, rank_w=ranks[0], rank_u=ranks[1])
    model.save(tmp_path / "m.npz")
    loaded = QModel.load(tmp_path / "m.npz")
    assert loaded.sha256 == model.sha256
    for name, tensor in model.tensors.items():
        np.testing.assert_array_equal(loaded.tensors[name], tensor)


def test_hash_changes_with_any_number_but_not_with_provenance():
    model = random_qmodel("fastgrnn")
    weights = model.tensors["W"].copy()
    weights[0, 0] ^= 1
    changed = QModel(**(vars_of(model) | {"tensors": dict(model.tensors) | {"W": weights}}))
    noted = QModel(**(vars_of(model) | {"info": {"seed": 3}}))
    assert changed.sha256 != model.sha256
    assert noted.sha256 == model.sha256


def vars_of(model: QModel) -> dict:
    return {name: getattr(model, name) for name in QModel.__dataclass_fields__}


def test_tensors_are_read_only():
    model = random_qmodel("gru")
    with pytest.raises(ValueError, match="read-only"):
        model.tensors["W"][0, 0] = 1


@given(position=st.floats(0, 1), flip=st.integers(1, 255))
@settings(max_examples=150)
def test_a_damaged_byte_is_refused_or_harmless(tmp_path_factory, position, flip):
    folder = tmp_path_factory.mktemp("damaged")
    model = random_qmodel("fastgrnn", hidden=4, features=3, classes=2)
    model.save(folder / "m.npz")
    data = bytearray((folder / "m.npz").read_bytes())
    data[int(position * (len(data) - 1))] ^= flip
    (folder / "m.npz").write_bytes(bytes(data))
    try:
        loaded = QModel.load(folder / "m.npz")
    except ModelFileError:
        return
    assert loaded.sha256 == model.sha256  # only zip metadata was hit


@given(data=st.binary(max_size=300))
def test_noise_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("noise") / "m.npz"
    path.write_bytes(data)
    with pytest.raises(ModelFileError):
        QModel.load(path)


def rewrite(path, change):
    """Apply `change(meta, arrays)` to a model file without fixing its hash."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    meta = json.loads(arrays.pop("meta").tobytes())
    change(meta, arrays)
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    path.write_bytes(buffer.getvalue())


HOSTILE = {
    "unknown cell 'evil'": lambda m, a: m.update(cell="evil"),
    "must be an integer": lambda m, a: m["dims"].update(hidden="16"),
    "must be 1..512": lambda m, a: m["dims"].update(hidden=10**9),
    "steps is 0": lambda m, a: m.update(steps=0),
    "must be int8 \\(16, 9\\)": lambda m, a: a.update({"t.W": a["t.W"][:-1]}),
    "tensor U is missing": lambda m, a: a.pop("t.U"),
    "does not belong": lambda m, a: a.update({"t.extra": a["t.W"]}),
    "shift z is -1": lambda m, a: m["shifts"].update(z=-1),
    "shifts are": lambda m, a: m["shifts"].pop("z"),
    "an int32 holds": lambda m, a: m["shifts"].update(w_align=25),
    "class names": lambda m, a: m.update(class_names=["one"]),
    "version 99": lambda m, a: m.update(version=99),
    "no magic": lambda m, a: m.update(magic="else"),
    "does not match its sha256": lambda m, a: m.update(name="renamed"),
    "raw_step must be positive": lambda m, a: a["raw_step"].__setitem__(0, -1.0),
    "pre_offset reaches": lambda m, a: a["t.pre_offset"].__setitem__(0, 2**30),
    "state_bits is 12": lambda m, a: m.update(state_bits=12),
}


@pytest.mark.parametrize("message", HOSTILE)
def test_hostile_files_are_refused_with_what_is_wrong(message, tmp_path):
    path = tmp_path / "m.npz"
    random_qmodel("fastgrnn").save(path)
    rewrite(path, HOSTILE[message])
    with pytest.raises(ModelFileError, match=message):
        QModel.load(path)


def test_pickles_are_never_loaded(tmp_path):
    path = tmp_path / "m.npz"
    np.savez(path, meta=np.array([{"magic": "harness-qmodel"}], dtype=object))
    with pytest.raises(ModelFileError, match="not a model file"):
        QModel.load(path)


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path):
    path = tmp_path / "m.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("meta.npy", b"\0" * (40 << 20))
    with pytest.raises(ModelFileError, match="unpacks to"):
        QModel.load(path)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ModelFileError, match=r"nothing\.npz"):
        QModel.load(tmp_path / "nothing.npz")
