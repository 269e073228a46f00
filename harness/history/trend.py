"""Every cell over time: its latest figures, how they moved, how far its boards are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.history.noise import CLOCK, spread
from harness.history.record import Cell, Entry

COUNTED = "cycles_median"
LATEST = (
    "status", "timing_source", "cycles_median", "cycles_lo", "cycles_hi", "latency_ms",
    "model_flash_bytes", "flash_bytes", "ram_static_bytes", "stack_peak_bytes", "accuracy_board",
)  # fmt: skip


@dataclass(frozen=True)
class Track:
    """The entries of one cell on one board, oldest first; at least one."""

    cell: Cell
    board_id: str
    entries: tuple[Entry, ...]

    @property
    def latest(self) -> Entry:
        """The newest entry."""
        return self.entries[-1]

    @property
    def previous(self) -> Entry | None:
        """The newest entry before the latest that says something of the model; of another night,
        where the latest is one of several repeats of a named one."""
        night = self.latest.named_night
        earlier = [e for e in self.entries[:-1] if not (night and e.named_night == night)]
        return next((e for e in reversed(earlier) if not e.is_lab_trouble), None)

    def label(self) -> str:
        """The cell's, and which board."""
        return self.latest.label()

    def last(self, count: int) -> Track:
        """The same track with its newest `count` entries."""
        return Track(self.cell, self.board_id, self.entries[-count:])


def tracks(entries: Sequence[Entry]) -> list[Track]:
    """One track for every cell and board, in the order of cells; entries oldest first."""
    found: dict[tuple[Cell, str], list[Entry]] = {}
    for entry in entries:
        found.setdefault((entry.cell, entry.board_id), []).append(entry)
    return [Track(cell, board, tuple(found[cell, board])) for cell, board in sorted(found)]


def table(found: Sequence[Track]) -> list[dict[str, Any]]:
    """A row for every track: the latest figures; what was not measured is None.

    change_percent         of the cycles (of the latency where a clock times) since the previous run
    spread_percent         (largest - smallest) / median of them over the runs
    board_spread_percent   the same over the latest of each board of this kind, same cell
    """
    boards: dict[Cell, list[Track]] = {}
    for track in found:
        boards.setdefault(track.cell, []).append(track)
    return [_row(track, boards[track.cell]) for track in found]


def _row(track: Track, boards: Sequence[Track]) -> dict[str, Any]:
    cell, latest = track.cell, track.latest
    over_runs = _times(track.entries)
    over_boards = _times([other.latest for other in boards])
    return {
        "board": cell.board,
        "board_kind": cell.board_kind,
        "board_id": track.board_id or None,
        "model": cell.model,
        "dataset": cell.dataset,
        "preset": cell.preset,
        "windows_asked": cell.windows,
        "setting": ", ".join(f"{k} {v}" for k, v in cell.unusual().items()) or None,
        "runs": len(track.entries),
        "started": latest.started,
        **{name: latest.values.get(name) for name in LATEST},
        "change_percent": _change_percent(track),
        "spread_percent": 100 * spread(over_runs) if len(over_runs) > 1 else None,
        "board_spread_percent": 100 * spread(over_boards) if len(over_boards) > 1 else None,
    }


def _times(entries: Sequence[Entry]) -> list[float]:
    """Cycles, or milliseconds where no cycles are counted."""
    column = "latency_ms" if any(e.text("timing_source") == CLOCK for e in entries) else COUNTED
    return [value for e in entries if (value := e.number(column))]


def _change_percent(track: Track) -> float | None:
    both = [] if track.previous is None else _times([track.previous, track.latest])
    return 100 * (both[1] - both[0]) / both[0] if len(both) == 2 else None
