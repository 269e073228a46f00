"""Speech Commands v0.01 as log-mel windows: T = 99 steps of 10 ms, D = 32; 12 or 30 classes.

Source: P. Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition",
arXiv:1804.03209; the split is the rule printed in the archive's README. Features: logmel.py.

The FastGRNN paper (arXiv:1901.02358, Table 1) names "10 words, noise and background" for Google-12,
99 x 32 features, 22,246 / 3,081 windows, and no more. What it does not say is ours: 'background' is
cut from the noise recordings, 'unknown' drawn from the other 20 words, each a tenth of the count of
the ten words. (18,538 + 2 x 1,854 = 22,246 and 2,567 + 2 x 257 = 3,081: its counts fit this rule,
which is TensorFlow's speech_commands example; that the paper drew the same clips cannot be known.)
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import tarfile
import wave
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.datasets.base import Dataset, Progress, Windows, ignore_progress, stable_order
from harness.datasets.kept import prepared, save_arrays
from harness.datasets.logmel import FILTERS, FRAMES, RATE_HZ, SAMPLES, logmel, pad_front
from harness.datasets.npz import file_sha256
from harness.datasets.registry import SPEECH_LICENCE
from harness.errors import DataError
from harness.files import write_atomic

WORDS = (
    "bed", "bird", "cat", "dog", "down", "eight", "five", "four", "go", "happy", "house", "left",
    "marvin", "nine", "no", "off", "on", "one", "right", "seven", "sheila", "six", "stop", "three",
    "tree", "two", "up", "wow", "yes", "zero",
)  # fmt: skip
COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
BACKGROUND, UNKNOWN = "background", "unknown"
NOISE_FOLDER = "_background_noise_"
EXTRA_SHARE = 0.1  # of the ten words' windows: so many background and so many unknown windows
VALIDATION_PERCENT = TEST_PERCENT = 10.0
PUBLISHED = {"google12": (22_246, 3_081), "google30": (51_088, 6_835)}  # the paper's train, test

STEP = 2.0**-10  # of the log-mel counts: int16 reaches +-32
NOISE_HOP = 1_600  # samples between the starts of background windows, 0.1 s
NOISE_PARTS = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}  # of a recording

CHUNK = 2_000  # waves whose features are kept in one file; a killed extraction resumes there
VERSION = 1  # raise it when the features change
MAX_MEMBERS = 200_000
MAX_MEMBER_BYTES = 64 << 20
MAX_WAVE_BYTES = 1 << 20
MAX_TOTAL_BYTES = 16 << 30
MEMBER = re.compile(rf"(?:.*/)?([a-z]+|{NOISE_FOLDER})/([^/.][^/]*\.wav)")
ARCHIVE_HINT = "it must be speech_commands_v0.01.tar.gz or the folder it unpacks to"


def speech_dataset(name: str, path: Path, progress: Progress = ignore_progress) -> Dataset:
    """`google12` or `google30` from the archive (.tar.gz) or the unpacked folder.

    The features are computed once (minutes) and kept in the cache. `progress` counts bytes of the
    archive, or waves of the folder.
    """
    sha256 = _identity(path)
    folder = prepared(f"speech-v{VERSION}-{sha256[:32]}")
    chunks = _extract(path, folder, progress)
    names = [_names(chunk) for chunk in chunks]
    classes = (*COMMANDS, BACKGROUND, UNKNOWN) if name == "google12" else WORDS
    _check_words(path, {n.split("/")[0] for chunk in names[:-1] for n in chunk})
    everything = [n for chunk in names for n in chunk]
    places = {n: (c, i) for c, chunk in enumerate(names) for i, n in enumerate(chunk)}
    parts: dict[str, Windows] = {}
    for part in NOISE_PARTS:
        chosen = _choose(name, part, sorted(everything))
        rows = sorted(chosen)
        if not rows:
            raise DataError(f"{path}: no {part} window", hint=ARCHIVE_HINT)
        x = _gather(chunks, [places[n] for n in rows])
        y = np.array([classes.index(chosen[n]) for n in rows], np.int64)
        parts[part] = Windows(x, y)
    return Dataset(
        name=name,
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
        class_names=classes,
        channels=tuple(f"mel_{i}" for i in range(FILTERS)),
        raw_step=np.full(FILTERS, STEP),
        companded=np.zeros(FILTERS, np.bool_),
        licence=SPEECH_LICENCE,
        source=path.name,
        source_sha256=sha256,
    )


def is_published(dataset: Dataset) -> bool:
    """Whether training and test part have the paper's number of windows."""
    return (len(dataset.train), len(dataset.test)) == PUBLISHED[dataset.name]


def part_of(filename: str) -> str:
    """`train`, `validation` or `test`, by the published rule: SHA-1 of the speaker's part of the
    name, so that all recordings of a speaker fall into one part."""
    speaker = re.sub(r"_nohash_.*$", "", filename.rsplit("/", 1)[-1])
    largest = 2**27 - 1
    value = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % (largest + 1)
    percent = value * (100.0 / largest)
    if percent < VALIDATION_PERCENT:
        return "validation"
    return "test" if percent < VALIDATION_PERCENT + TEST_PERCENT else "train"


def _choose(name: str, part: str, everything: list[str]) -> dict[str, str]:
    """Window name -> class, of one part. Names of words are 'word/file.wav', of background windows
    '_background_noise_/part/file.wav:start'."""
    words = [n for n in everything if not n.startswith(NOISE_FOLDER) and part_of(n) == part]
    if name == "google30":
        return {n: n.split("/")[0] for n in words}
    chosen = {n: word for n in words if (word := n.split("/")[0]) in COMMANDS}
    extra = math.ceil(EXTRA_SHARE * len(chosen))
    others = [n for n in words if n not in chosen]
    noise = [n for n in everything if n.startswith(f"{NOISE_FOLDER}/{part}/")]
    for label, candidates in ((UNKNOWN, others), (BACKGROUND, noise)):
        order = stable_order(f"google12 {part} {label}", len(candidates))[:extra]
        chosen.update({candidates[i]: label for i in order})
    return chosen


def _check_words(path: Path, found: set[str]) -> None:
    missing, unexpected = set(WORDS) - found, found - set(WORDS)
    if missing:
        raise DataError(f"{path}: no waves of {', '.join(sorted(missing))}", hint=ARCHIVE_HINT)
    if unexpected:
        raise DataError(
            f"{path}: has words that v0.01 has not: {', '.join(sorted(unexpected))}",
            hint=f"is this v0.02? {ARCHIVE_HINT}",
        )


# -- features, computed once ---------------------------------------------------------------------


def _identity(path: Path) -> str:
    """The archive's sha256; of a folder, a hash of its waves' names, sizes and times."""
    if path.is_file():
        return file_sha256(path)
    digest = hashlib.sha256()
    for wave_path in _folder_waves(path):
        stat = wave_path.stat()
        name = f"{wave_path.parent.name}/{wave_path.name}"
        digest.update(f"{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _folder_waves(path: Path) -> list[Path]:
    found = (p for p in path.glob("*/*.wav") if MEMBER.fullmatch(f"{p.parent.name}/{p.name}"))
    return sorted(found, key=lambda p: (p.parent.name, p.name))


@dataclass
class _Chunk:
    """Waves on their way into one file of features; when that file is there, only counted."""

    path: Path
    count: int = 0
    names: list[str] = field(default_factory=list)
    waves: list[NDArray[np.int16]] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return self.path.is_file()

    def close(self) -> None:
        if not self.done and self.names:
            _save_features(self.path, self.names, self.waves)


def _extract(path: Path, folder: Path, progress: Progress) -> list[Path]:
    """The files of features, the background windows last; computes those that are missing."""
    marker = folder / "complete.json"
    noise_path = folder / "noise.npz"
    chunks = [folder / f"chunk-{i:04}.npz" for i in range(_complete(marker))]
    if chunks and all(chunk.is_file() for chunk in [*chunks, noise_path]):
        return [*chunks, noise_path]
    chunks = []
    noise: dict[str, NDArray[np.int16]] = {}
    chunk = _Chunk(folder / "chunk-0000.npz")
    for word, filename, read in _entries(path, progress):
        name = f"{word}/{filename}"
        if word == NOISE_FOLDER:
            noise[filename] = read_wave(path, name, read(MAX_MEMBER_BYTES))
            continue
        if chunk.count == CHUNK:
            chunk.close()
            chunks.append(chunk.path)
            chunk = _Chunk(folder / f"chunk-{len(chunks):04}.npz")
        chunk.count += 1
        if not chunk.done:
            chunk.names.append(name)
            chunk.waves.append(pad_front(read_wave(path, name, read(MAX_WAVE_BYTES))))
    if chunk.count == 0:
        raise DataError(f"{path}: no waves in it", hint=ARCHIVE_HINT)
    chunk.close()
    chunks.append(chunk.path)
    windows = dict(_noise_windows(noise))
    _save_features(noise_path, list(windows), list(windows.values()))
    write_atomic(marker, json.dumps({"chunks": len(chunks)}))
    return [*chunks, noise_path]


def _complete(marker: Path) -> int:
    """Number of feature files of a finished extraction; 0 when there is none."""
    try:
        return int(json.loads(marker.read_text())["chunks"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _save_features(path: Path, names: list[str], waves: list[NDArray[np.int16]]) -> None:
    """Log-mel counts [n, 99, 32] int16 of waves [16000], in steps of `STEP`."""
    features = np.empty((len(waves), FRAMES, FILTERS), np.int16)
    for start in range(0, len(waves), 100):
        batch = np.stack(waves[start : start + 100])
        features[start : start + 100] = np.rint(logmel(batch) / STEP)
    save_arrays(path, {"names": np.array(names, dtype=np.str_), "features": features})


def _noise_windows(
    noise: Mapping[str, NDArray[np.int16]],
) -> Iterator[tuple[str, NDArray[np.int16]]]:
    """One-second windows of the noise recordings, as recorded, every 0.1 s. The first 80 % of a
    recording are for training, 10 % for validation, 10 % for test; no window crosses a border."""
    for filename, samples in sorted(noise.items()):
        for part, (begin, end) in NOISE_PARTS.items():
            last = int(end * len(samples)) - SAMPLES
            for start in range(int(begin * len(samples)), last + 1, NOISE_HOP):
                name = f"{NOISE_FOLDER}/{part}/{filename}:{start}"
                yield name, samples[start : start + SAMPLES]


def _load(path: Path, array: str) -> NDArray[np.generic]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            values: NDArray[np.generic] = archive[array]
            return values
    except Exception as error:  # zip and numpy raise a dozen kinds for damaged bytes
        path.unlink(missing_ok=True)  # the next call computes it again
        raise DataError(
            f"{path}: a damaged file of features, now removed: {error}",
            hint="run the same command again",
        ) from error


def _names(path: Path) -> list[str]:
    return [str(name) for name in _load(path, "names")]


def _gather(chunks: list[Path], places: list[tuple[int, int]]) -> NDArray[np.float32]:
    """Features [N, 99, 32] of windows given as (chunk, row)."""
    x = np.empty((len(places), FRAMES, FILTERS), np.float32)
    chunk_of = np.array([chunk for chunk, _ in places])
    row_of = np.array([row for _, row in places])
    for number, path in enumerate(chunks):
        here = np.flatnonzero(chunk_of == number)
        if len(here):
            x[here] = _load(path, "features")[row_of[here]]
    x *= np.float32(STEP)
    return x


# -- archive or folder ---------------------------------------------------------------------------

Read = Callable[[int], bytes]  # at most so many bytes


def _entries(path: Path, progress: Progress) -> Iterator[tuple[str, str, Read]]:
    """(word, file name, how to read it) of every wave. Nothing is ever written to disk, and of a
    member's path only the last two parts count."""
    if path.is_dir():
        yield from _folder_entries(path, progress)
        return
    with _archive_errors(path):
        total = path.stat().st_size
        with path.open("rb") as packed, tarfile.open(fileobj=packed, mode="r|gz") as archive:
            yield from _tar_entries(path, archive, lambda: progress(packed.tell(), total))


@contextmanager
def _archive_errors(path: Path) -> Iterator[None]:
    """What tarfile and gzip say of damaged bytes, as a DataError."""
    try:
        yield
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"{path}: not a readable .tar.gz archive: {error}", hint=ARCHIVE_HINT
        ) from error


def _folder_entries(path: Path, progress: Progress) -> Iterator[tuple[str, str, Read]]:
    waves = _folder_waves(path)
    for done, wave_path in enumerate(waves):

        def read(limit: int, wave_path: Path = wave_path) -> bytes:
            _check_size(path, f"{wave_path.parent.name}/{wave_path.name}", wave_path.stat().st_size)
            return wave_path.read_bytes()[:limit]

        yield wave_path.parent.name, wave_path.name, read
        progress(done + 1, len(waves))


def _tar_entries(
    path: Path, archive: tarfile.TarFile, tick: Callable[[], None]
) -> Iterator[tuple[str, str, Read]]:
    """Members in the archive's order; links and special files are passed over."""
    total = 0
    for count, member in enumerate(archive):
        total += member.size
        _check_size(path, member.name, member.size)
        if count >= MAX_MEMBERS or total > MAX_TOTAL_BYTES:
            raise DataError(f"{path}: more than {MAX_MEMBERS:,} members or {MAX_TOTAL_BYTES:,} B")
        match = MEMBER.fullmatch(member.name)
        if match is None or not member.isreg():
            continue

        def read(limit: int, member: tarfile.TarInfo = member) -> bytes:
            with _archive_errors(path):
                stream = archive.extractfile(member)
                assert stream is not None  # a regular file
                return stream.read(limit)

        yield match[1], match[2], read
        tick()


def _check_size(path: Path, name: str, size: int) -> None:
    if size > MAX_MEMBER_BYTES:
        raise DataError(
            f"{path}: member {name} has {size:,} bytes, at most {MAX_MEMBER_BYTES:,} are read",
            hint=ARCHIVE_HINT,
        )


def read_wave(path: Path, name: str, data: bytes) -> NDArray[np.int16]:
    """Samples of a wave file: one channel, 16 bit, 16 kHz."""
    try:
        with wave.open(io.BytesIO(data)) as reader:
            found = (reader.getnchannels(), 8 * reader.getsampwidth(), reader.getframerate())
            frames = reader.readframes(reader.getnframes())
    except (wave.Error, EOFError) as error:
        raise DataError(f"{path}: {name}: not a wave file: {error}", hint=ARCHIVE_HINT) from error
    if found != (1, 16, RATE_HZ):
        raise DataError(
            f"{path}: {name} has {found[0]} channels of {found[1]} bit at {found[2]} Hz, must be "
            f"1 channel of 16 bit at {RATE_HZ} Hz",
            hint=ARCHIVE_HINT,
        )
    return np.frombuffer(frames[: len(frames) // 2 * 2], "<i2").astype(np.int16)
