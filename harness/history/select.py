"""Which entries are meant: a results folder, or words about the history.

    selector = FOLDER | term , term , ...          all terms must hold
    term     = NAME:VALUE                          the names are in `TERMS`

`night:latest` and `run:previous` count from the newest of the entries that the other terms leave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError, near_miss
from harness.history.record import Entry, read_folder

# name -> the value of an entry. A value is met when it is equal; `PREFIX` and `PART` say less.
TERMS: dict[str, Callable[[Entry], str]] = {
    "run": lambda e: e.run_id,
    "night": lambda e: e.night,
    "commit": lambda e: e.git_sha,
    "compiler": lambda e: e.text("compiler"),
    "model-hash": lambda e: e.text("model_sha256"),
    "firmware": lambda e: e.text("firmware_id"),
    "board": lambda e: e.cell.board,
    "board-id": lambda e: e.board_id,
    "kind": lambda e: e.cell.board_kind,
    "model": lambda e: e.cell.model,
    "dataset": lambda e: e.cell.dataset,
    "preset": lambda e: e.cell.preset,
    "seed": lambda e: str(e.cell.seed),
    "optimise": lambda e: e.cell.optimise,
    "device": lambda e: e.cell.device,
}
PREFIX = frozenset({"commit", "model-hash", "firmware"})
PART = frozenset({"compiler"})
IN_TIME = frozenset({"run", "night", "commit"})  # take `latest` and `previous`
# Terms whose field is part of the cell: two selectors that name one are compared across it.
FIELDS = {
    "board": "board", "kind": "board_kind", "model": "model", "dataset": "dataset",
    "preset": "preset", "seed": "seed", "optimise": "optimise", "device": "device",
}  # fmt: skip
EXAMPLE = "e.g. night:latest, commit:3f239dd, board:uno,model:gru or results/latest"


@dataclass(frozen=True)
class Selector:
    """`folder`, or the terms in order; `text` is what the user wrote."""

    text: str
    folder: Path | None = None
    terms: tuple[tuple[str, str], ...] = ()

    @property
    def fields(self) -> frozenset[str]:
        """Fields of a cell that the terms name, and `board_id`."""
        named = {FIELDS[name] for name, _ in self.terms if name in FIELDS}
        return frozenset(named | ({"board_id"} if "board-id" in dict(self.terms) else set()))

    def find(self, history: Sequence[Entry]) -> list[Entry]:
        """The entries meant, oldest first; UsageError when there are none.

        history  oldest first; not used when a folder is meant
        """
        found = read_folder(self.folder) if self.folder else list(history)
        for name, value in sorted(self.terms, key=lambda term: _is_relative(*term)):
            before = found
            found = [
                e for e in found if _meets(name, TERMS[name](e), _absolute(name, value, found))
            ]
            if not found:
                known = {TERMS[name](e) for e in before} - {""}
                raise _nothing(name, value, known)
        if not found:
            raise UsageError(f"{self.text}: holds no rows", hint=EXAMPLE)
        return found


def parse(text: str) -> Selector:
    """A selector from the command line; UsageError with the nearest names when it is none."""
    if _is_folder(text):
        return Selector(text, folder=Path(text))
    terms = []
    for part in text.split(","):
        name, colon, value = part.strip().partition(":")
        if not colon:
            raise UsageError(f"{text!r} is no results folder and no selector", hint=EXAMPLE)
        if name not in TERMS:
            raise near_miss("selector", name, TERMS)
        if not value.strip():
            raise UsageError(f"{part.strip()!r} has no value", hint=EXAMPLE)
        terms.append((name, value.strip()))
    return Selector(text, terms=tuple(terms))


def _is_folder(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):  # longer than a name may be, or with a null in it
        return False


def _is_relative(name: str, value: str) -> bool:
    return name in IN_TIME and value in ("latest", "previous")


def _absolute(name: str, value: str, entries: Sequence[Entry]) -> str:
    """`latest` and `previous` as the value they stand for; '' when there is no such one."""
    if not _is_relative(name, value):
        return value
    newest_first = [TERMS[name](e) for e in reversed(entries) if TERMS[name](e)]
    values = list(dict.fromkeys(newest_first))
    place = ("latest", "previous").index(value)
    return values[place] if place < len(values) else ""


def _meets(name: str, has: str, wanted: str) -> bool:
    if not wanted:
        return False
    if name in PREFIX:
        return has.startswith(wanted)
    return wanted.lower() in has.lower() if name in PART else has == wanted


def _nothing(name: str, value: str, known: set[str]) -> UsageError:
    error = near_miss(name, value, known)
    listing = ", ".join(sorted(known, reverse=True)[:8]) or "none"
    return UsageError(
        f"{name}:{value} matches nothing",
        hint=f"known here: {listing}"
        + (f"; {error.hint.split(' (')[0]}" if error.hint.startswith("did") else ""),
    )
