"""Text corpora as word numbers, for language models. Not windows: `load` has those.

Penn Treebank as T. Mikolov et al. prepared it (Interspeech 2010): 10,000 words, rare ones <unk>,
one sentence a line; every line end counts as the word <eos>.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.datasets.registry import SOURCES, Source
from harness.errors import DataError, near_miss

EOS = "<eos>"
TEXT_PARTS = ("train", "valid", "test")
MAX_TEXT_BYTES = 256 << 20
MAX_WORDS = 1_000_000
PTB_TOKENS = (929_589, 73_760, 82_430)
PTB_WORDS = 10_000


@dataclass(frozen=True)
class TextDataset:
    """Three token streams, int32 word numbers 0..V-1, and the words by number.

    Words are numbered by falling count in the training part, equal counts in alphabetical order. A
    word that only the other parts have is an error, unless the training part knows <unk>.
    """

    name: str
    train: NDArray[np.int32]
    validation: NDArray[np.int32]
    test: NDArray[np.int32]
    words: tuple[str, ...]
    licence: str = ""
    source_sha256: str = ""

    @property
    def vocabulary(self) -> int:
        """V, number of words."""
        return len(self.words)

    @cached_property
    def sha256(self) -> str:
        """Hash of the content."""
        digest = hashlib.sha256("\n".join(self.words).encode())
        for tokens in (self.train, self.validation, self.test):
            digest.update(f"\n{len(tokens)}\n".encode() + tokens.astype("<i4").tobytes())
        return digest.hexdigest()

    def decode(self, tokens: NDArray[np.int32]) -> str:
        """The words of these numbers, with spaces."""
        return " ".join(self.words[token] for token in tokens)


def is_published(data: TextDataset) -> bool:
    """Whether vocabulary and token counts are Penn Treebank's."""
    counts = (len(data.train), len(data.validation), len(data.test))
    return data.vocabulary == PTB_WORDS and counts == PTB_TOKENS


def load_text(name: str, folders: list[Path]) -> TextDataset:
    """A text corpus by name (`ptb`) from the first of these folders that has it."""
    texts = {n: source for n, source in SOURCES.items() if source.text}
    if name not in texts:
        raise near_miss("text corpus", name, texts)
    source = texts[name]
    for folder in folders:
        for place in source.places:
            if (folder / place).is_file():
                return _read(name, source, (folder / place).parent)
    raise DataError(
        f"text corpus {name!r} is not here: no {source.places[0]} or {source.places[1]} in "
        f"{' or '.join(str(f) for f in folders)}",
        hint=source.note,
    )


def _read(name: str, source: Source, folder: Path) -> TextDataset:
    digest = hashlib.sha256()
    streams: dict[str, list[str]] = {}
    for part in TEXT_PARTS:
        path = _file(folder, name, part)
        data = _bytes(path)
        digest.update(data)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8 text: {error}") from error
        streams[part] = text.replace("\n", f" {EOS} ").split()
        if not streams[part]:
            raise DataError(f"{path}: no words in it")
    words, number = _vocabulary(folder, streams["train"])
    train, validation, test = (
        _numbers(_file(folder, name, part), streams[part], number) for part in TEXT_PARTS
    )
    return TextDataset(name, train, validation, test, words, source.licence, digest.hexdigest())


def _file(folder: Path, name: str, part: str) -> Path:
    for filename in (f"{name}.{part}.txt.gz", f"{name}.{part}.txt"):
        if (folder / filename).is_file():
            return folder / filename
    raise DataError(f"{folder}: no {name}.{part}.txt, packed or not", hint=SOURCES[name].note)


def _bytes(path: Path) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                data = packed.read(MAX_TEXT_BYTES + 1)
        else:
            with path.open("rb") as plain:
                data = plain.read(MAX_TEXT_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(data) > MAX_TEXT_BYTES:
        raise DataError(f"{path}: more than {MAX_TEXT_BYTES:,} bytes of text")
    return data


def _vocabulary(folder: Path, stream: list[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    counts: dict[str, int] = {}
    for word in stream:
        counts[word] = counts.get(word, 0) + 1
    if len(counts) > MAX_WORDS:
        raise DataError(f"{folder}: {len(counts):,} different words, at most {MAX_WORDS:,}")
    words = tuple(sorted(counts, key=lambda word: (-counts[word], word)))
    return words, {word: i for i, word in enumerate(words)}


def _numbers(path: Path, stream: list[str], number: dict[str, int]) -> NDArray[np.int32]:
    unknown = number.get("<unk>")
    tokens = np.empty(len(stream), np.int32)
    for i, word in enumerate(stream):
        found = number.get(word, unknown)
        if found is None:
            raise DataError(
                f"{path}: word {i}, {word!r}, is not in the training part, which has no <unk>"
            )
        tokens[i] = found
    return tokens
