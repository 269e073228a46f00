"""DSA-19, pixel data sets, Speech Commands and text, from archives that the tests write; and from
the user's own where HARNESS_DATA_DIR says so."""

import gzip
import hashlib
import io
import os
import tarfile
import wave
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from harness import datasets
from harness.datasets import dsa, logmel, mnist, registry, speech, text
from harness.datasets.base import stratified_count
from harness.errors import DataError, UsageError

PARTS = ("train", "validation", "test")
REAL_DATA_DIR = os.environ.get("HARNESS_DATA_DIR")


@pytest.fixture(autouse=True)
def _no_outside_data(monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_DATA_DIR", raising=False)
    monkeypatch.setattr(speech, "NOISE_HOP", 8_000)  # fewer windows, for speed


def real(*parts):
    """A file of the user's data folder, or None."""
    path = Path(REAL_DATA_DIR, *parts) if REAL_DATA_DIR else None
    return path if path and path.exists() else None


def chain(name, folder, **overrides):
    """Train the smallest thing on a data set, down to the integer model."""
    from harness.pipeline import train_model

    data = datasets.load(name, folder)
    few = replace(data, **{s: data.part(s).take(np.arange(10)) for s in PARTS})
    small = {"hidden": 4, "epochs": 1, "density_w": 1.0, "density_u": 1.0, **overrides}
    trained = train_model("fastgrnn", few, "smoke", overrides=small)
    assert trained.qmodel.steps == data.steps
    return data


# -- DSA-19 --------------------------------------------------------------------------------------


@cache
def dsa_segments():
    """One segment of every activity and person, in the original layout."""
    rng = np.random.default_rng(0)
    members = {}
    for activity in range(1, 20):
        for person in range(1, 9):
            x = rng.normal(0, 1, 45) + rng.normal(0, 0.1, (dsa.STEPS, 45))
            lines = (",".join(f"{v:.5g}" for v in row) for row in x.tolist())
            members[f"data/a{activity:02}/p{person}/s01.txt"] = "\n".join(lines) + "\n"
    return members


def write_dsa(path, change=None):
    members = dict(dsa_segments())
    members["__MACOSX/data/a01/p1/._s01.txt"] = "not this one"
    members["../../evil.txt"] = "evil"
    if change:
        change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return members


@pytest.fixture(scope="module")
def dsa_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dsa")
    write_dsa(folder / registry.SOURCES["dsa19"].filename)
    return folder


def test_dsa_is_split_by_people(dsa_folder):
    seen = []
    d = datasets.load("dsa19", dsa_folder, progress=lambda *a: seen.append(a))
    assert seen[-1] == (19 * 8, 19 * 8)
    assert (d.steps, d.features, d.classes) == (125, 45, 19)
    assert set(d.part("fit").subjects) == {1, 2, 3, 4} and set(d.test.subjects) == {5, 6, 7, 8}
    assert len(set(d.validation.subjects)) == 1
    assert not set(d.validation.subjects) & set(d.train.subjects)
    assert d.channels[:10:3] == ("T_xacc", "T_xgyro", "T_xmag", "RA_xacc")
    assert not dsa.is_published(d)
    again = datasets.load("dsa19", dsa_folder)  # from the cache
    assert again.sha256 == d.sha256


def test_dsa_values_are_those_of_the_text_to_half_a_count(dsa_folder):
    d = datasets.load("dsa19", dsa_folder)
    np.testing.assert_allclose(d.raw_step[:9], [0.004] * 3 + [0.002] * 3 + [0.001] * 3)
    with zipfile.ZipFile(dsa_folder / registry.SOURCES["dsa19"].filename) as archive:
        expected = np.loadtxt(
            io.StringIO(archive.read("data/a02/p5/s01.txt").decode()), delimiter=","
        )
    row = int(np.flatnonzero((d.test.y == 1) & (d.test.subjects == 5))[0])
    assert (np.abs(d.test.x[row] - expected) <= d.raw_step / 2 + 1e-6).all()
    counts = datasets.raw(d, "test")
    np.testing.assert_allclose(counts * d.raw_step, d.test.x, atol=1e-5)


def test_dsa_from_an_import_file_is_the_same_data_set(dsa_folder, tmp_path):
    arrays = dsa.read_archive(dsa_folder / registry.SOURCES["dsa19"].filename)
    arrays["step"] = arrays["step"].astype(np.float32)
    np.savez(tmp_path / "dsa19.npz", **arrays)
    d = datasets.load("dsa19", tmp_path)
    assert d.sha256 == datasets.load("dsa19", dsa_folder).sha256
    assert "dsa19" in datasets.available(tmp_path) and "dsa19" in datasets.available(dsa_folder)


def test_dsa_chain(dsa_folder):
    chain("dsa19", dsa_folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data/a07/p3/s01.txt", None, "no segment of activity 7, person 3"),
        ("data/a20/p1/s01.txt", "1", "unexpected activity 20, person 1"),
        ("data/a01/p1/s01.txt", "1,2,3\n", "s01.txt has 3 values, must be 125 x 45"),
        ("data/a01/p1/s01.txt", "1,x\n", "s01.txt: could not convert"),
        ("data/a01/p1/s01.txt", ("1," * 44 + "1\n") * 124 + "1,nan," + "1," * 42 + "1\n",
         "line 125, column 2 is nan"),
        ("data/a01/p1/s01.txt", ("1," * 44 + "999\n") * 125, "line 1, column 45 is 999"),
    ],
)  # fmt: skip
def test_dsa_errors_name_the_place(tmp_path, name, content, message):
    def change(members):
        if content is None:
            del members[name]
        else:
            members[name] = content

    write_dsa(tmp_path / registry.SOURCES["dsa19"].filename, change)
    with pytest.raises(DataError, match=message):
        datasets.load("dsa19", tmp_path)
    assert not list(tmp_path.rglob("evil.txt")) and not (tmp_path.parent / "evil.txt").exists()


def test_dsa_refuses_bombs_and_other_data(tmp_path, dsa_folder, monkeypatch):
    x = np.zeros((4, 6, 3))
    y = np.arange(4) % 2
    np.savez(tmp_path / "dsa19.npz", X_train=x, y_train=y, X_test=x, y_test=y)
    with pytest.raises(DataError, match=r"dsa19 has \(125, 45\) in 19"):
        datasets.load("dsa19", tmp_path)
    archive = dsa_folder / registry.SOURCES["dsa19"].filename
    monkeypatch.setattr(dsa, "MAX_MEMBER_BYTES", 100)
    with pytest.raises(DataError, match="unpacks to more than 100 bytes"):
        dsa.read_archive(archive)
    monkeypatch.setattr(dsa, "MAX_ARCHIVE_BYTES", 100)
    with pytest.raises(DataError, match="at most 100 are read"):
        dsa.read_archive(archive)


def test_dsa_with_a_person_on_both_sides_is_refused(tmp_path, dsa_folder):
    arrays = dsa.read_archive(dsa_folder / registry.SOURCES["dsa19"].filename)
    arrays["subject_test"] = np.full_like(arrays["subject_test"], 2)
    np.savez(tmp_path / "dsa19.npz", **arrays)
    with pytest.raises(DataError, match=r"people \[2\] are in the training and the test part"):
        datasets.load("dsa19", tmp_path)


def test_dsa_of_the_user_is_the_published_set():
    if (path := real("dsa19", "dsa19.npz")) is None:
        return
    d = datasets.load("dsa19", path.parents[1])
    assert dsa.is_published(d)
    assert d.channels == dsa.CHANNELS and d.class_names == dsa.CLASSES
    assert (len(d.train), len(d.validation), len(d.test)) == (3420, 1140, 4560)
    np.testing.assert_array_equal(d.raw_step, dsa.STEP)


# -- pixel by pixel ------------------------------------------------------------------------------


def test_pixel_digits_are_the_digits_in_reading_order():
    d, rows = datasets.load("pixel-digits"), datasets.load("digits")
    assert (d.steps, d.features, d.classes) == (64, 1, 10)
    for split in PARTS:
        np.testing.assert_array_equal(d.part(split).x[..., 0], rows.part(split).x.reshape(-1, 64))
        np.testing.assert_array_equal(d.part(split).y, rows.part(split).y)
    assert d.raw_step.tolist() == [1.0]
    chain("pixel-digits", None)


def write_mnist(folder, form=mnist.MNIST_FORMS[0], n_train=60, n_test=20, change=None):
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for part, n in (("train", n_train), ("t10k", n_test)):
        labels = (np.arange(n) % 10).astype(np.uint8)
        images = rng.integers(0, 256, (n, 28, 28)).astype(np.uint8)
        head = np.array([0x803, n, 28, 28], ">u4").tobytes()
        files[form.format(part, "images", "idx3")] = head + images.tobytes()
        head = np.array([0x801, n], ">u4").tobytes()
        files[form.format(part, "labels", "idx1")] = head + labels.tobytes()
    if change:
        change(files)
    for name, data in files.items():
        packed = gzip.compress(data, 1) if name.endswith(".gz") else data
        (folder / name).write_bytes(packed)
    return files


@pytest.mark.parametrize("form", mnist.MNIST_FORMS)
@pytest.mark.parametrize("subfolder", ["mnist", "."])
def test_pixel_mnist_packed_or_not(tmp_path, form, subfolder):
    files = write_mnist(tmp_path / subfolder, form)
    d = datasets.load("pixel-mnist", tmp_path)
    assert (d.steps, d.features, d.classes) == (784, 1, 10)
    assert (len(d.train), len(d.validation), len(d.test)) == (50, 10, 20)
    assert np.bincount(d.validation.y).tolist() == [1] * 10
    images = np.frombuffer(files[form.format("t10k", "images", "idx3")], np.uint8, offset=16)
    np.testing.assert_array_equal(d.test.x.ravel(), images)
    np.testing.assert_array_equal(datasets.raw(d, "test").ravel(), images)
    x = datasets.features(d, "train")
    assert abs(x.mean()) < 1e-3 and abs(x.std() - 1) < 1e-3
    assert "pixel-mnist" in datasets.available(tmp_path)
    assert not mnist.is_published(tmp_path / subfolder)


def test_pixel_mnist_chain(tmp_path):
    write_mnist(tmp_path / "mnist")
    chain("pixel-mnist", tmp_path, epochs_sparse=0)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("train-labels-idx1-ubyte.gz", None, "no train-labels-idx1-ubyte.gz"),
        ("train-labels-idx1-ubyte.gz", b"\0\0\x08\x03", "not an idx file of labels"),
        ("train-images-idx3-ubyte.gz", b"", "not an idx file of images"),
        ("t10k-labels-idx1-ubyte.gz", np.array([0x801, 3], ">u4").tobytes() + b"\1\2\3",
         "20 t10k images, 3 labels"),
        ("t10k-labels-idx1-ubyte.gz", np.array([0x801, 20], ">u4").tobytes() + b"\x0b" * 20,
         "labels reach 11"),
        ("t10k-images-idx3-ubyte.gz", np.array([0x803, 20, 28, 28], ">u4").tobytes() + b"1",
         "1 values, the header says"),
        ("t10k-images-idx3-ubyte.gz", np.array([0x803, 1, 2, 2], ">u4").tobytes() + b"1234",
         "images are"),
    ],
)  # fmt: skip
def test_pixel_mnist_errors(tmp_path, name, data, message):
    def change(files):
        if data is None:
            del files[name]
        else:
            files[name] = data

    write_mnist(tmp_path / "mnist", change=change)
    with pytest.raises(DataError, match=message):
        datasets.load("pixel-mnist", tmp_path)


def test_pixel_mnist_refuses_bombs_and_broken_files(tmp_path, monkeypatch):
    write_mnist(tmp_path / "mnist")
    monkeypatch.setattr(mnist, "MAX_FILE_BYTES", 1000)
    with pytest.raises(DataError, match="unpacks to more than 1,000 bytes"):
        datasets.load("pixel-mnist", tmp_path)
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="cannot be read"):
        datasets.load("pixel-mnist", tmp_path)


def test_mnist_of_the_user_is_the_published_set():
    if (path := real("mnist")) is None:
        return
    assert mnist.is_published(path)
    d = datasets.load("pixel-mnist", path.parent)
    assert (len(d.train), len(d.validation), len(d.test)) == (50_000, 10_000, 10_000)


def test_stratified_count_holds_out_exactly_so_many():
    y = np.repeat([0, 1, 2], [11, 20, 30])
    for count in (1, 10, 17, 60):
        kept, held = stratified_count(y, count, "x")
        assert len(held) == count and sorted([*kept, *held]) == list(range(61))
        exact = np.array([11, 20, 30]) * count / 61
        assert (np.abs(np.bincount(y[held], minlength=3) - exact) < 1).all()


# -- log-mel features ----------------------------------------------------------------------------


def tone(hz, samples=16_000, amplitude=8_000, rate=16_000):
    return np.rint(amplitude * np.sin(2 * np.pi * hz * np.arange(samples) / rate)).astype(np.int16)


@pytest.mark.parametrize("which", [2, 8, 15, 24, 30])
def test_a_tone_falls_into_its_filter(which):
    mels = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 34)
    centre_hz = 700 * (10 ** (mels[which + 1] / 2595) - 1)
    f = logmel.logmel(tone(centre_hz)[None])
    assert f.shape == (1, 99, 32) and f.dtype == np.float32
    inner = f[0, 1:-1].mean(0)
    assert abs(int(inner.argmax()) - which) <= (1 if which < 5 else 0)
    far = np.abs(np.arange(32) - which) > 4
    assert inner.max() - inner[far].max() > 4  # nats


def test_the_features_of_a_tone_have_the_level_the_definition_gives():
    """Against the definition written out with a plain DFT, for one frame and filter."""
    x = tone(1_000).astype(float)
    f = logmel.logmel(tone(1_000)[None])[0]
    y = np.append(x[0], x[1:] - 0.97 * x[:-1])
    frame = y[10 * 160 : 10 * 160 + 400] * (0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399))
    k = np.arange(257)[:, None]
    power = np.abs((frame * np.exp(-2j * np.pi * k * np.arange(400) / 512)).sum(1)) ** 2 / 512
    for which in (5, 10, 20):
        energy = float(power @ logmel.filterbank()[which])
        np.testing.assert_allclose(f[10, which], np.log(energy + 1e-10), rtol=1e-5)


def test_filters_are_triangles_side_by_side():
    bank = logmel.filterbank()
    assert bank.shape == (32, 257) and bank.min() == 0 and bank.max() == 1
    assert (bank.max(1) == 1).all() and (np.diff(bank.argmax(1)) > 0).all()
    inside = bank.sum(0)[bank[0].argmax() : bank[-1].argmax() + 1]
    np.testing.assert_allclose(inside, 1)  # neighbours share every bin between their centres


def test_silence_and_short_waves():
    f = logmel.logmel(np.zeros((1, 16_000), np.int16))
    np.testing.assert_allclose(f, np.log(1e-10 + np.finfo(float).eps), rtol=1e-6)
    padded = logmel.pad_front(tone(500, 4_000))
    assert len(padded) == 16_000 and not padded[:12_000].any()
    np.testing.assert_array_equal(padded[12_000:], tone(500, 4_000))
    assert len(logmel.pad_front(tone(500, 20_000))) == 16_000


def test_features_and_split_of_the_users_sample():
    if (path := real("sc3", "sc3_logmel.npz")) is None:
        return
    with np.load(path) as z:
        expected = z["X_test"][z["audio_test_row"]].astype(np.float32)
        found = logmel.logmel(z["audio"])
        assert np.abs(found - expected).max() < 0.008  # the sample is float16
        assert {speech.part_of(name) for name in z["file_test"]} == {"test"}
        assert {speech.part_of(name) for name in z["file_train"]} == {"train"}


# -- Speech Commands -----------------------------------------------------------------------------


def wav_bytes(samples, rate=16_000, channels=1, width=2):
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(np.asarray(samples, "<i2").tobytes())
    return buffer.getvalue()


def speakers():
    """Two speakers of the training part, one each of validation and test."""
    wanted = {"train": 2, "validation": 1, "test": 1}
    found = []
    for i in range(1000):
        name = hashlib.md5(str(i).encode()).hexdigest()[:8]
        part = speech.part_of(f"{name}_nohash_0.wav")
        if wanted[part]:
            wanted[part] -= 1
            found.append(name)
    return found


def speech_members():
    """A tiny Speech Commands: a wave of every word by four speakers, two noise recordings."""
    return dict(_speech_members())


@cache
def _speech_members():
    rng = np.random.default_rng(0)
    members = {"validation_list.txt": b"", "README.md": b"read"}
    for i, word in enumerate(speech.WORDS):
        for speaker in speakers():
            samples = tone(200 * (i + 1), 9_000) // 2 + rng.integers(-50, 50, 9_000)
            members[f"{word}/{speaker}_nohash_0.wav"] = wav_bytes(samples)
    for i in range(2):
        samples = rng.integers(-500, 500, 16_000 * 12)
        members[f"_background_noise_/noise_{i}.wav"] = wav_bytes(samples)
    return members


def write_tar(path, members, links=()):
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(f"./{name}" if not name.startswith("/") else name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return path


@pytest.fixture(scope="module")
def speech_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speech")
    write_tar(folder / "speech_commands_v0.01.tar.gz", speech_members())
    return folder


def test_google30_from_the_archive(speech_folder):
    seen = []
    d = datasets.load("google30", speech_folder, progress=lambda *a: seen.append(a))
    size = (speech_folder / "speech_commands_v0.01.tar.gz").stat().st_size
    assert seen and all(total == size and done <= size for done, total in seen)
    assert (d.steps, d.features, d.classes) == (99, 32, 30)
    assert d.class_names == speech.WORDS
    assert [len(d.part(s)) for s in PARTS] == [60, 30, 30]
    assert np.bincount(d.train.y).tolist() == [2] * 30
    # a wave's features, found again at its label
    here = d.test.x[d.test.y == speech.WORDS.index("cat")]
    (speaker,) = (s for s in speakers() if speech.part_of(s) == "test")
    data = speech_members()[f"cat/{speaker}_nohash_0.wav"]
    expected = logmel.logmel(logmel.pad_front(speech.read_wave(Path("x"), "x", data))[None])
    np.testing.assert_allclose(here, expected, atol=speech.STEP / 2 + 1e-5)
    assert not speech.is_published(d)
    assert datasets.available(speech_folder) == ["digits", "google12", "google30", "pixel-digits"]


def test_google12_has_background_and_unknown(tmp_path):
    write_tar(tmp_path / "speech_commands_v0.01.tar.gz", speech_members())
    d = datasets.load("google12", tmp_path)
    assert d.class_names == (*speech.COMMANDS, "background", "unknown")
    assert np.bincount(d.train.y).tolist() == [2] * 10 + [2, 2]  # ceil(20 / 10) of each
    assert np.bincount(d.test.y, minlength=12).tolist() == [1] * 10 + [1, 1]
    parts = [d.part(s).x.reshape(-1, 99 * 32) for s in PARTS]
    rows = {x.tobytes() for part in parts for x in part}
    assert len(rows) == sum(len(part) for part in parts)  # no window is in two parts
    again = datasets.load("google12", tmp_path)
    assert again.sha256 == d.sha256


def test_the_unpacked_folder_is_the_same_data_set(tmp_path, speech_folder):
    for name, data in speech_members().items():
        path = tmp_path / "speech_commands_v0.01" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    seen = []
    d = datasets.load("google12", tmp_path, progress=lambda *a: seen.append(a))
    assert seen[-1] == (122, 122)
    assert d.sha256 == datasets.load("google12", speech_folder).sha256


def test_a_killed_extraction_goes_on(speech_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(speech, "CHUNK", 50)
    whole = datasets.load("google30", speech_folder)
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "other"))
    computed = []
    honest = speech.logmel

    def counted(waves, stop_after=None):
        computed.append(len(waves))
        if stop_after and sum(computed) > stop_after:
            raise KeyboardInterrupt
        return honest(waves)

    monkeypatch.setattr(speech, "logmel", lambda waves: counted(waves, 60))
    with pytest.raises(KeyboardInterrupt):
        datasets.load("google30", speech_folder)
    computed.clear()
    monkeypatch.setattr(speech, "logmel", counted)
    assert datasets.load("google30", speech_folder).sha256 == whole.sha256
    noise_windows = sum(computed) - 70
    assert 0 < noise_windows == sum(1 for _ in speech._noise_windows(noises()))
    computed.clear()
    datasets.load("google12", speech_folder)
    assert not computed  # the other name has the same features


def noises():
    members = speech_members()
    return {
        name.split("/")[1]: speech.read_wave(Path("x"), name, data)
        for name, data in members.items()
        if name.startswith("_background")
    }


def test_a_damaged_file_of_features_is_made_again(speech_folder, tmp_path):
    d = datasets.load("google30", speech_folder)
    chunk = next((tmp_path / "cache").rglob("chunk-0000.npz"))
    chunk.write_bytes(b"nonsense")
    with pytest.raises(DataError, match="damaged file of features, now removed"):
        datasets.load("google30", speech_folder)
    assert datasets.load("google30", speech_folder).sha256 == d.sha256


def test_noise_windows_of_different_parts_share_no_sample():
    spans = {}
    for name, samples in speech._noise_windows(noises()):
        part, rest = name.split("/", 2)[1:]
        filename, start = rest.split(":")
        assert len(samples) == 16_000
        spans.setdefault(filename, []).append((part, int(start), int(start) + 16_000))
    for found in spans.values():
        assert {part for part, _, _ in found} == {"train", "validation", "test"}
        for part, a, b in found:
            assert all(b <= c or d <= a for other, c, d in found if other != part)


def test_the_published_hash_rule():
    assert speech.part_of("bed/00176480_nohash_0.wav") == "train"
    assert speech.part_of("bed/0c40e715_nohash_0.wav") == "test"
    assert speech.part_of("cat/0c40e715_nohash_3.wav") == "test"  # a speaker stays in one part
    shares = [speech.part_of(f"{i:08x}_nohash_0.wav") for i in range(4000)]
    assert abs(shares.count("test") - 400) < 80 and abs(shares.count("validation") - 400) < 80


def test_an_evil_archive_writes_nothing_outside_the_cache(tmp_path):
    members = speech_members()
    evil = wav_bytes(np.ones(10))
    for name in ("../../yes/evil.wav", "/tmp/yes/evil_absolute.wav", "../evil.txt"):
        members[name] = evil
    write_tar(tmp_path / "speech_commands_v0.01.tar.gz", members, [("yes/link.wav", "/etc/passwd")])
    datasets.load("google30", tmp_path)
    everywhere = {p.name for p in tmp_path.parent.rglob("*evil*") if p.suffix != ""}
    assert not everywhere and not Path("/tmp/yes/evil_absolute.wav").exists()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("yes/x_nohash_0.wav", b"RIFF", "yes/x_nohash_0.wav: not a wave file"),
        ("yes/x_nohash_0.wav", wav_bytes([1, 2], rate=8_000), "1 channels of 16 bit at 8000 Hz"),
        ("yes/x_nohash_0.wav", wav_bytes([1, 2], channels=2), "2 channels of 16 bit"),
        ("follow/x_nohash_0.wav", wav_bytes([1, 2]), "words that v0.01 has not: follow"),
        ("yes/x_nohash_0.wav", b"0" * 5_000_000, "at most 4,000,000 are read"),
        ("zero", None, "no waves of zero"),
    ],
)
def test_speech_errors(tmp_path, monkeypatch, name, data, message):
    monkeypatch.setattr(speech, "MAX_MEMBER_BYTES", 4_000_000)
    members = speech_members()
    if data is None:
        members = {n: d for n, d in members.items() if not n.startswith(f"{name}/")}
    else:
        members[name] = data
    write_tar(tmp_path / "speech_commands_v0.01.tar.gz", members)
    with pytest.raises(DataError, match=message):
        datasets.load("google30", tmp_path)


def test_speech_bounds_and_broken_archives(tmp_path, monkeypatch):
    archive = write_tar(tmp_path / "speech_commands_v0.01.tar.gz", speech_members())
    whole = archive.read_bytes()
    monkeypatch.setattr(speech, "MAX_MEMBERS", 50)
    with pytest.raises(DataError, match="more than 50 members"):
        datasets.load("google30", tmp_path)
    archive.write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(speech, "MAX_MEMBERS", 5000)
    with pytest.raises(DataError, match="not a readable .tar.gz"):
        datasets.load("google30", tmp_path)
    archive.write_bytes(b"nonsense")
    with pytest.raises(DataError, match="not a readable .tar.gz"):
        datasets.load("google30", tmp_path)
    write_tar(archive, {"README.md": b"nothing"})
    with pytest.raises(DataError, match="no waves in it"):
        datasets.load("google30", tmp_path)


def test_speech_chain(speech_folder):
    chain("google12", speech_folder)


# -- text ----------------------------------------------------------------------------------------


def write_ptb(folder, packed=True, **changes):
    parts = {
        "train": " the cat sat \n the dog <unk> \n",
        "valid": " the dog sat \n",
        "test": " the bird sat \n",
    } | changes
    folder.mkdir(parents=True, exist_ok=True)
    for part, content in parts.items():
        data = content.encode() if isinstance(content, str) else content
        if packed:
            (folder / f"ptb.{part}.txt.gz").write_bytes(gzip.compress(data))
        else:
            (folder / f"ptb.{part}.txt").write_bytes(data)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("subfolder", ["ptb", "."])
def test_ptb_as_word_numbers(tmp_path, packed, subfolder):
    write_ptb(tmp_path / subfolder, packed)
    d = datasets.load_text("ptb", tmp_path)
    assert d.words == ("<eos>", "the", "<unk>", "cat", "dog", "sat")  # by count, then by letter
    assert d.decode(d.train) == "the cat sat <eos> the dog <unk> <eos>"
    assert d.decode(d.test) == "the <unk> sat <eos>"
    assert d.train.dtype == np.int32 and d.vocabulary == 6
    assert d.sha256 == datasets.load_text("ptb", tmp_path).sha256
    assert "ptb" in datasets.available(tmp_path)
    assert not text.is_published(d)


def test_ptb_errors(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="'ptb' is not here") as caught:
        datasets.load_text("ptb", tmp_path)
    assert "forbids passing it on" in caught.value.hint
    with pytest.raises(DataError, match="forbids passing it on"):
        datasets.fetch("ptb", tmp_path)
    with pytest.raises(UsageError, match="unknown text corpus 'pbt'"):
        datasets.load_text("pbt", tmp_path)
    with pytest.raises(UsageError, match="ptb is a text corpus"):
        datasets.load("ptb", tmp_path)
    write_ptb(tmp_path / "ptb", train="a b\n", valid="a c\n")
    with pytest.raises(DataError, match="word 1, 'c', is not in the training part"):
        datasets.load_text("ptb", tmp_path)
    write_ptb(tmp_path / "ptb", train=b"\xff\xfe")
    with pytest.raises(DataError, match="not UTF-8"):
        datasets.load_text("ptb", tmp_path)
    monkeypatch.setattr(text, "MAX_TEXT_BYTES", 10)
    with pytest.raises(DataError, match="more than 10 bytes"):
        write_ptb(tmp_path / "ptb")
        datasets.load_text("ptb", tmp_path)


def test_ptb_of_the_user_is_the_published_text():
    if (path := real("ptb")) is None:
        return
    d = datasets.load_text("ptb", path.parent)
    assert text.is_published(d)
    assert {"<unk>", "<eos>", "N"} <= set(d.words[:10])
