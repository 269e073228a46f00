"""How the boards of a lab have fared, and which of them nobody may use until it has proved itself.

One small JSON file for every board, under what the board is known by: counters, and the quarantine.
It is written by whoever holds the board's lock. Emulators that a run starts for itself have none: a
new one is a new board.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from harness.errors import LabError
from harness.files import write_atomic
from harness.paths import state_dir


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Since when (UTC), because of what, found by which command, and the log that shows it."""

    since: str
    why: str
    by: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True)
class Counters:
    """Counted since the board was first seen.

    sessions  times that firmware was wanted on it
    failures  of those, how often it did not run in the end
    uploads   of firmware
    retries   uploads, resets and power cycles beyond the one upload that should do
    """

    sessions: int = 0
    failures: int = 0
    uploads: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """What is on record of one board."""

    board_id: str
    counters: Counters = field(default_factory=Counters)
    quarantine: Quarantine | None = None


def health_of(board_id: str) -> Health:
    """The record of a board; of an unknown one, an empty record. Raises LabError."""
    path = _path(board_id)
    try:
        return _parse(json.loads(path.read_text()))
    except FileNotFoundError:
        return Health(board_id)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabError(
            f"{path}: cannot read the record of board {board_id}: {error}",
            hint="remove that file if the board is known to be well",
        ) from error


def records() -> list[Health]:
    """Of all boards that were ever seen, by board_id."""
    ids = (unquote(path.stem) for path in state_dir("boards").glob("*.json"))
    return [health_of(board_id) for board_id in sorted(ids)]


def quarantined(board_id: str) -> Quarantine | None:
    """Why nobody may use this board; None when it may be used. '' is no board."""
    return health_of(board_id).quarantine if board_id else None


def quarantine(board_id: str, why: str, *, by: str = "", log: str = "") -> Quarantine:
    """Keep everybody from the board. The first cause stays when it is in quarantine already."""
    health = health_of(board_id)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = health.quarantine or Quarantine(now, why, by, log)
    _write(replace(health, quarantine=record))
    return record


def release(board_id: str) -> None:
    """The board has proved itself."""
    _write(replace(health_of(board_id), quarantine=None))


def note(board_id: str, **more: int) -> None:
    """Add to the counters; nothing for a board without an id. `note("serial-1", sessions=1)`."""
    if not board_id:
        return
    health = health_of(board_id)
    sums = {name: getattr(health.counters, name) + count for name, count in more.items()}
    _write(replace(health, counters=replace(health.counters, **sums)))


def _parse(values: dict[str, Any]) -> Health:
    """Members that are not known here, of a later version, are passed over."""
    known = {f.name for f in fields(Counters)}
    counters = {k: int(v) for k, v in values.get("counters", {}).items() if k in known}
    told = values.get("quarantine")
    names = {f.name for f in fields(Quarantine)}
    record = Quarantine(**{k: str(v) for k, v in told.items() if k in names}) if told else None
    return Health(str(values["board_id"]), Counters(**counters), record)


def _write(health: Health) -> None:
    write_atomic(_path(health.board_id), json.dumps(asdict(health), indent=1) + "\n")


def _path(board_id: str) -> Path:
    return state_dir("boards") / f"{quote(board_id, safe=':')[:200]}.json"
