"""Whose bytes lie in an image: the linker's map, one input section at a time.

The map says more than symbols do: the file that each section came from, and also constants and
start-up code that no symbol covers. Link-time optimisation would lose the files; our
builds switch it off (build.py).

Ref: GNU ld manual, `-Map`: "Memory map" lists output sections, and below each its input sections as
name, address, size and file, the name on a line of its own where it is long.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from harness.paths import shipped

# Part of the firmware by folder of its template.
TEMPLATE_PARTS = {
    "kernels": "kernel",
    "cells": "kernel",
    "core": "kernel",
    "wire": "link",
    "app": "app",
    "hal": "hal",
}
CODE_PARTS = ("kernel", "link", "app", "hal", "libc")
MODEL_DATA = "model_data"  # weights and tables, which elf.py counts, and the window that BENCH runs
MODEL_NAMES = ("rnn_model_", "rnn_table_")
BUILD_FOLDER = ".pio/build/"  # what lies elsewhere is the compiler's
FRAMEWORK = "FrameworkArduino"

_LINE = re.compile(
    r"^(?P<output>\.\S+)"
    r"|^ (?P<name>\.\S+|COMMON) +0x[0-9a-f]+ +0x(?P<size>[0-9a-f]+) (?P<file>.+)$",
    re.M,
)


class InputSection(NamedTuple):
    """A section of an object file, the section of the ELF it went into, and its size in bytes."""

    output: str
    name: str
    size: int
    file: str


def input_sections(text: str) -> Iterator[InputSection]:
    """The sections that the linker kept, in order of the map."""
    _, _, kept = text.partition("\nLinker script and memory map\n")
    joined = re.sub(r"^( ?\.\S+)\n +0x", r"\1 0x", kept, flags=re.M)
    output = ""
    for found in _LINE.finditer(joined):
        if found["output"]:
            output = found["output"]
        else:
            yield InputSection(output, found["name"], int(found["size"], 16), found["file"])


def bytes_by_part(path: Path, loaded: Collection[str]) -> dict[str, int]:
    """Bytes of each of CODE_PARTS in the image, from the map at `path`.

    loaded  names of the ELF's sections that the image carries

    Weights and tables are left out, as is what belongs to no part (gaps, stubs of the linker).
    """
    counts = dict.fromkeys(CODE_PARTS, 0)
    for section in input_sections(path.read_text(errors="replace")):
        part = part_of(section)
        if part and section.output in loaded:
            counts[part] += section.size
    return counts


def part_of(section: InputSection) -> str | None:
    """Which of CODE_PARTS it is; None for weights, tables and what we do not know."""
    if not section.file.startswith(BUILD_FOLDER):
        return "libc" if "/" in section.file else None  # else "linker stubs"
    if FRAMEWORK in section.file:
        return "hal"
    stem = PurePosixPath(section.file).name.partition(".")[0]
    symbol = section.name.rpartition(".")[2]
    if stem == MODEL_DATA:
        return None if symbol.startswith(MODEL_NAMES) else "app"
    return _template_parts().get(stem)


@cache
def _template_parts() -> dict[str, str]:
    """Part by name of the source file, without its ending."""
    root = shipped("firmware_templates")
    return {
        source.name.partition(".")[0]: part
        for folder, part in TEMPLATE_PARTS.items()
        for source in (root / folder).rglob("*")
    }
