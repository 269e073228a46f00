"""Faults on request: the little language of `--fault SPEC` (docs/faults.md).

A virtual board does what it says (`src/common/trouble.c`); here it is checked, so that a typing
error is found before anything is trained or started.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.errors import UsageError, near_miss

MAX_MS = 3_600_000
MAX_COUNT = 2**63 - 1

_WHOLE = re.compile(r"[0-9]{1,19}\Z")


def _rate(text: str) -> str:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError("a probability for each byte, from 0 to 1")
    return repr(share)


def _count(text: str) -> str:
    if not _WHOLE.match(text) or not 0 < int(text) <= MAX_COUNT:
        raise ValueError("a whole number of at least 1")
    return str(int(text))


def _seed(text: str) -> str:
    if not _WHOLE.match(text) or int(text) > MAX_COUNT:
        raise ValueError("a whole number of at least 0")
    return str(int(text))


def _milliseconds(text: str) -> str:
    digits = text.removesuffix("ms")
    if not _WHOLE.match(digits) or int(digits) > MAX_MS:
        raise ValueError(f"milliseconds, from 0 to {MAX_MS}")
    return str(int(digits))


def _moment(text: str) -> str:
    again = text.endswith("+")
    try:
        return _count(text.removesuffix("+")) + "+" * again
    except ValueError:
        raise ValueError("a number of received bytes: N, or N+ for after every reset") from None


def _absence(text: str) -> str:
    at, colon, duration = text.partition(":")
    if not colon:
        raise ValueError("N:MS, after how many bytes and for how many milliseconds")
    return f"{_moment(at)}:{_milliseconds(duration)}"


def _starts(text: str) -> str:
    return _count(text) if text else ""


def _uploads(text: str) -> str:
    try:
        return text if text == "odd" else _count(text)
    except ValueError:
        raise ValueError("how many uploads fail first, or 'odd' for every other one") from None


def _file(text: str) -> str:
    path = Path(text)
    if not path.is_file():
        raise ValueError("the flash.bin of a board of this kind; there is no such file")
    return str(path.resolve())


WORDS: Mapping[str, Callable[[str], str]] = {
    "seed": _seed,
    "flip": _rate,
    "drop": _rate,
    "dup": _rate,
    "boot-flip": _rate,
    "boot-drop": _rate,
    "boot-dup": _rate,
    "delay": _milliseconds,
    "slow-boot": _milliseconds,
    "hang": _moment,
    "deaf": _moment,
    "reset": _moment,
    "brown-out": _moment,
    "vanish": _absence,
    "stuck": _starts,
    "bad-uploads": _uploads,
    "firmware": _file,
}


def parse_faults(spec: str) -> str:
    """`spec` as the emulators take it: every word known, every value in its range.

    Raises UsageError that says which item is wrong, and what it must be.
    """
    seen: dict[str, str] = {}
    for item in spec.split(","):
        name, equals, value = (part.strip() for part in item.strip().partition("="))
        word = WORDS.get(name)
        if word is None:
            raise near_miss("fault", name, WORDS)
        if name in seen:
            raise UsageError(f"--fault: {name} is given twice", hint="each word once")
        try:
            seen[name] = word(value)
        except ValueError as must_be:
            raise UsageError(f"--fault: {name}={value!r} must be {must_be}") from None
        if equals and not value:
            raise UsageError(f"--fault: {name}= has no value")
    canonical = ",".join(f"{name}={value}" if value else name for name, value in seen.items())
    if len(canonical) > 1000 or "," in seen.get("firmware", ""):
        raise UsageError("--fault: the file's path is too long or has a comma in it")
    return canonical
