"""Data sets: splits, the two views of the windows, the import format, the original HAR archive."""

import os
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import datasets
from harness.datasets import har
from harness.datasets.base import stratified_split, subject_split
from harness.errors import DataError, UsageError
from harness.reference.preprocess import COMPANDER_FRAC, compander_index, compander_table

REAL_DATA_DIR = os.environ.get("HARNESS_DATA_DIR")


@pytest.fixture(autouse=True)
def _no_outside_data(monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_DATA_DIR", raising=False)


def windows(n=12, steps=6, features=3, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 2, (n, steps, features)).astype(np.float32)
    return x, (np.arange(n) % classes).astype(np.uint8)


def plain_arrays(**changes):
    x_train, y_train = windows(24)
    x_test, y_test = windows(9, seed=1)
    arrays = {"X_train": x_train, "y_train": y_train, "X_test": x_test, "y_test": y_test}
    arrays.update(changes)
    return {name: a for name, a in arrays.items() if a is not None}


def write_plain(folder, name="mine", **changes):
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / f"{name}.npz", **plain_arrays(**changes))
    return folder


# -- digits --------------------------------------------------------------------------------------


def test_digits_has_a_fixed_split_of_all_windows():
    d = datasets.load("digits")
    assert (d.steps, d.features, d.classes) == (8, 8, 10)
    assert [len(d.part(s)) for s in ("train", "validation", "test", "fit")] == [
        1222, 216, 359, 1438,
    ]  # fmt: skip
    everything = np.concatenate([d.train.x, d.validation.x, d.test.x]).reshape(1797, -1)
    from sklearn.datasets import load_digits

    assert sorted(map(tuple, everything)) == sorted(map(tuple, load_digits().data))
    counts = np.bincount(d.test.y)
    assert counts.min() >= 34 and counts.max() <= 37
    assert d.sha256 == datasets.load("digits").sha256


def test_digits_raw_counts_are_the_pixels():
    d = datasets.load("digits")
    raw = datasets.raw(d, "test")
    assert raw.dtype == np.int16
    np.testing.assert_array_equal(raw, d.test.x)


def test_features_are_standardised_on_the_training_split_only():
    d = datasets.load("digits")
    x = datasets.features(d, "train")
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.mean(axis=(0, 1)), 0, atol=1e-5)
    s = datasets.standardisation(d)
    np.testing.assert_allclose(x[..., 2:6].std(axis=(0, 1)), 1, atol=1e-4)
    assert np.percentile(np.abs(x), 99.9, axis=(0, 1)).max() < 8  # nearly constant columns too
    shifted = replace(d, test=replace(d.test, x=d.test.x + 100))
    np.testing.assert_array_equal(datasets.standardisation(shifted).mean, s.mean)


def test_an_unknown_split_is_a_usage_error():
    with pytest.raises(UsageError, match="unknown split 'valdation'") as caught:
        datasets.load("digits").part("valdation")
    assert "'validation'" in caught.value.hint


# -- splits --------------------------------------------------------------------------------------


def test_stratified_split_takes_a_share_of_every_class():
    y = np.repeat([0, 1, 2], [10, 20, 30])
    kept, held = stratified_split(y, 0.2, "x")
    assert np.bincount(y[held]).tolist() == [2, 4, 6]
    assert sorted([*kept, *held]) == list(range(60))


def test_subject_split_separates_people():
    people = np.repeat(np.arange(1, 22), 5)
    kept, held = subject_split(people, 4 / 21, "har")
    assert len(set(people[held])) == 4
    assert not set(people[held]) & set(people[kept])


# -- the import format ---------------------------------------------------------------------------


def test_import_with_everything(tmp_path):
    folder = write_plain(
        tmp_path / "data",
        subject_train=np.repeat([1, 2, 3, 4], 6),
        subject_test=np.full(9, 5),
        channels=np.array(["x", "y", "z"]),
        classes=np.array(["a", "b", "c"]),
        raw_step=np.array([0.5, 0.25, 0.125]),
        companded=np.array([True, False, False]),
        licence=np.array("mine"),
    )
    d = datasets.load("mine", folder)
    assert d.class_names == ("a", "b", "c") and d.channels == ("x", "y", "z")
    assert d.raw_step.tolist() == [0.5, 0.25, 0.125]
    assert d.companded.tolist() == [True, False, False]
    assert not set(d.train.subjects) & set(d.validation.subjects)
    assert d.licence == "mine"
    assert "mine" in datasets.available(folder)
    assert not datasets.load("mine", folder, compand=False).companded.any()


def test_import_finds_the_folder_form_and_the_environment(tmp_path, monkeypatch):
    write_plain(tmp_path / "data" / "mine")
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path / "data"))
    d = datasets.load("mine")
    assert d.class_names == ("class 0", "class 1", "class 2")
    counts = np.abs(datasets.raw(d, "train")).max(axis=(0, 1))
    assert (counts > 4000).all() and (counts < 17000).all()  # a factor of two of room


def test_integers_with_step_are_physical_values(tmp_path):
    x = np.arange(24 * 6 * 3, dtype=np.int16).reshape(24, 6, 3)
    folder = write_plain(tmp_path, X_train=x, X_test=x[:9], step=np.array([0.5, 1.0, 2.0]))
    d = datasets.load("mine", folder)
    np.testing.assert_allclose(d.test.x, x[:9] * [0.5, 1.0, 2.0])
    np.testing.assert_array_equal(datasets.raw(d, "test"), x[:9])


def test_import_file_keeps_a_copy_that_load_finds(tmp_path):
    source = write_plain(tmp_path / "elsewhere") / "mine.npz"
    d = datasets.import_file(source, "walks")
    source.unlink()
    assert datasets.load("walks").sha256 == d.sha256
    for name in ("../x", "har2"):
        with pytest.raises(UsageError, match="cannot name"):
            datasets.import_file(source, name)


def nan_at(n, t, c):
    x, _ = windows(24)
    x[n, t, c] = np.nan
    return x


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, r"array y_test is missing \(found: X_test, X_train, y_train\)"),
        ({"X_train": nan_at(3, 2, 1)}, "X_train has 1 values.*window 3, step 2, channel 1"),
        ({"X_train": np.zeros((24, 6))}, r"X_train has shape \(24, 6\), must be \[N, T, D\]"),
        ({"X_train": np.zeros((24, 6, 3), complex)}, "X_train is complex128"),
        ({"X_test": np.zeros((9, 5, 3))}, r"X_test has windows \(5, 3\).*X_train has \(6, 3\)"),
        ({"y_train": np.zeros(5, int)}, r"y_train is int64 \(5,\), must be integers \(24,\)"),
        ({"y_train": np.zeros(24)}, "y_train is float64"),
        ({"y_test": np.full(9, -1)}, r"y_test has labels -1\.\.-1"),
        ({"y_test": np.full(9, 7)}, r"y_test\[0\] is 7, but there are 3 classes"),
        ({"channels": np.array(["a"])}, "channels has 1 names, windows have 3"),
        ({"classes": np.array([1, 2, 3])}, "classes is int64"),
        ({"raw_step": np.array([1.0, 0.0, 1.0])}, "raw_step must be finite and above 0"),
        ({"step": np.array([1.0])}, r"step is float64 \(1,\), must be numbers \(3,\)"),
        ({"subject_train": np.zeros(3, int)}, r"subject_train is int64 \(3,\)"),
    ],
)
def test_import_errors_name_file_array_and_shape(tmp_path, changes, message):
    folder = write_plain(tmp_path, **changes)
    with pytest.raises(DataError, match=message) as caught:
        datasets.load("mine", folder)
    assert "mine.npz" in caught.value.message
    assert caught.value.hint


def test_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "mine.npz", X_train=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="holds object, only numbers and texts are read"):
        datasets.load("mine", tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense", b"\x93NUMPY"])
def test_damaged_files_are_refused(tmp_path, content):
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(DataError, match="not a readable .npz"):
        datasets.load("mine", tmp_path)


def test_a_file_too_large_is_refused_before_reading(tmp_path, monkeypatch):
    from harness.datasets import npz

    monkeypatch.setattr(npz, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(DataError, match="unpacks to"):
        datasets.load("mine", write_plain(tmp_path))


@pytest.mark.parametrize("name", ["../mine", "a/b", "", "UPPER", "x" * 80])
def test_names_cannot_leave_the_folder(tmp_path, name):
    with pytest.raises(UsageError, match="not a data set name"):
        datasets.load(name, tmp_path)


def test_a_missing_set_says_what_to_download_and_where_to_put_it(tmp_path):
    with pytest.raises(DataError, match="data set 'har2' is not here") as caught:
        datasets.load("har2", tmp_path)
    assert "archive.ics.uci.edu" in caught.value.hint
    assert str(tmp_path / "UCI HAR Dataset.zip") in caught.value.hint
    with pytest.raises(UsageError, match="unknown data set 'digit'") as caught:
        datasets.load("digit", tmp_path)
    assert "'digits'" in caught.value.hint


# -- HAR -----------------------------------------------------------------------------------------


def write_archive(path, n_train=42, n_test=12, *, seed=0, nested=False, change=None):
    """A tiny archive in UCI HAR's layout: 21 training and 3 test subjects."""
    rng = np.random.default_rng(seed)
    members = {}
    for part, n in (("train", n_train), ("test", n_test)):
        base = f"UCI HAR Dataset/{part}"
        people = np.arange(n) % (21 if part == "train" else 3) + 1
        labels = np.arange(n) % 6 + 1
        members[f"{base}/y_{part}.txt"] = "\n".join(map(str, labels))
        members[f"{base}/subject_{part}.txt"] = "\n".join(map(str, people))
        for channel in har.CHANNELS:
            signal = rng.normal(0, 0.1, (n, har.STEPS)) + labels[:, None] * 0.1
            text = "\n".join(" ".join(f"{v: .7e}" for v in row) for row in signal)
            members[f"{base}/Inertial Signals/{channel}_{part}.txt"] = text
    members["__MACOSX/UCI HAR Dataset/train/y_train.txt"] = "not this one"
    if change:
        change(members)
    target = path.with_name("inner.zip") if nested else path
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    if nested:
        with zipfile.ZipFile(path, "w") as outer:
            outer.write(target, "UCI HAR Dataset.zip")
        target.unlink()
    return path


@pytest.fixture
def har_folder(tmp_path):
    """`$HARNESS_DATA_DIR` if the user has the data, else a tiny synthetic archive."""
    if REAL_DATA_DIR:
        return Path(REAL_DATA_DIR)
    write_archive(tmp_path / "UCI HAR Dataset.zip")
    return tmp_path


def test_har2_chain(har_folder):
    d = datasets.load("har2", har_folder)
    assert (d.steps, d.features, d.classes) == (128, 9, 2)
    assert len(set(d.part("fit").subjects)) == 21
    assert len(set(d.validation.subjects)) == 4
    if REAL_DATA_DIR:
        assert har.is_published(d)
        assert (len(d.part("fit")), len(d.test)) == (7352, 2947)
    from harness.pipeline import train_model

    trained = train_model(
        "fastgrnn", d, "smoke",
        overrides={"hidden": 6, "epochs": 1, "epochs_sparse": 1, "epochs_frozen": 0},
    )  # fmt: skip
    assert trained.qmodel.tensors["pre_companded"].tolist() == [1] * 6 + [0] * 3
    assert abs(trained.accuracy_host - trained.accuracy_float) < (0.02 if REAL_DATA_DIR else 0.2)


@pytest.mark.parametrize("nested", [False, True])
def test_the_archive_is_read_whole_and_kept(tmp_path, nested):
    write_archive(tmp_path / "UCI HAR Dataset.zip", nested=nested)
    d = datasets.load("har6", tmp_path)
    assert (d.steps, d.features, d.classes) == (128, 9, 6)
    assert (len(d.part("fit")), len(d.test)) == (42, 12)
    assert len(set(d.validation.subjects)) == 4
    assert not set(d.train.subjects) & set(d.validation.subjects)
    assert not har.is_published(d)
    again = datasets.load("har6", tmp_path)  # from the cache this time
    assert again.sha256 == d.sha256 and again.source_sha256 == d.source_sha256
    assert datasets.available(tmp_path) == ["digits", "har2", "har6", "pixel-digits"]


def test_har2_is_the_papers_grouping(tmp_path):
    write_archive(tmp_path / "UCI HAR Dataset.zip")
    six, two = datasets.load("har6", tmp_path), datasets.load("har2", tmp_path)
    ones = {"SITTING", "LAYING", "WALKING_UPSTAIRS"}
    expected = [six.class_names[label] in ones for label in six.test.y]
    np.testing.assert_array_equal(two.test.y, np.array(expected, int))
    assert two.sha256 != six.sha256


def test_companding_in_floats_and_in_integers_agree(tmp_path):
    write_archive(tmp_path / "UCI HAR Dataset.zip")
    d = datasets.load("har2", tmp_path)
    assert d.companded.tolist() == [True] * 6 + [False] * 3
    np.testing.assert_allclose(d.raw_step, [0.005 / 16] * 3 + [0.0125 / 16] * 3 + [2**-12] * 3)
    s = datasets.standardisation(d)
    bent = datasets.features(d, "test", s) * s.std + s.mean
    r = datasets.raw(d, "test").astype(np.int64)
    table = compander_table().astype(np.int64)
    integer = np.sign(r) * table[compander_index(np.abs(r))] / 2**COMPANDER_FRAC
    assert np.abs(integer - bent)[..., :6].max() < 0.07  # one bucket near zero: asinh(1/16) = .0625
    linear = datasets.load("har2", tmp_path, compand=False)
    assert not linear.companded.any()
    np.testing.assert_allclose(
        datasets.raw(linear, "test") * linear.raw_step, linear.test.x, atol=2.0**-11
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train/y_train.txt", "1 2 9", r"y_train.txt has labels 1\.\.9"),
        ("train/subject_train.txt", "1 2", "subject_train.txt has 2 values, must be 42"),
        ("test/Inertial Signals/body_acc_y_test.txt", "1 2 3", "must be 12 windows x 128 steps"),
        ("test/Inertial Signals/body_acc_y_test.txt", "1 nan", "value 1 is not finite"),
        ("test/y_test.txt", "one two", "y_test.txt: could not convert"),
        ("test/y_test.txt", None, "no member named y_test.txt"),
    ],
)
def test_archive_errors_name_the_member(tmp_path, name, text, message):
    def change(members):
        key = f"UCI HAR Dataset/{name}"
        if text is None:
            del members[key]
        else:
            members[key] = text

    write_archive(tmp_path / "UCI HAR Dataset.zip", change=change)
    with pytest.raises(DataError, match=message) as caught:
        datasets.load("har6", tmp_path)
    assert "UCI HAR Dataset.zip" in caught.value.message


def test_an_archive_is_never_extracted(tmp_path):
    def change(members):
        members["../../evil.txt"] = "evil"

    write_archive(tmp_path / "UCI HAR Dataset.zip", change=change)
    datasets.load("har6", tmp_path)
    assert not list(tmp_path.rglob("evil.txt")) and not (tmp_path.parent / "evil.txt").exists()


def test_a_zip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(har, "MAX_MEMBER_BYTES", 1000)
    write_archive(tmp_path / "UCI HAR Dataset.zip")
    with pytest.raises(DataError, match="unpacks to more than 1,000 bytes"):
        datasets.load("har6", tmp_path)


def test_a_damaged_archive_is_refused(tmp_path):
    (tmp_path / "UCI HAR Dataset.zip").write_bytes(b"PK nonsense")
    with pytest.raises(DataError, match="not a readable zip"):
        datasets.load("har6", tmp_path)


def test_har_under_a_wrong_name_is_refused(tmp_path):
    write_plain(tmp_path, name="har6")
    with pytest.raises(DataError, match=re.escape("windows are (6, 3) (T, D)")):
        datasets.load("har6", tmp_path)


def test_the_registry_states_licences():
    for source in datasets.SOURCES.values():
        assert source.licence and source.title and source.page
        assert source.sha256 or source.note or all(file.md5 for file in source.files)
