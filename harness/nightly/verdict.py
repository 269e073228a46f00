"""What a night says in the morning: what regressed, what is lab trouble, what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.errors import LabError
from harness.history.compare import Difference
from harness.history.verdict import Verdict as SincePrevious
from harness.nightly.cells import COUNTERS, Cell


@dataclass(frozen=True, slots=True)
class BoardHealth:
    """How one board did; counts are over its cells.

    cause        of its first lab trouble, or why it was left alone; '' when there was none
    measured     cells with a result, right or wrong
    lab_seconds  wall time of its sessions: flashing, streaming, giving up
    """

    name: str
    kind: str
    board_id: str
    cause: str
    cells: int
    measured: int
    lab_trouble: int
    skipped: int
    flaky: int
    attempts: int
    uploads: int
    restarts: int
    link_retries: int
    lab_seconds: float

    @property
    def is_in_trouble(self) -> bool:
        return bool(self.cause)


@dataclass(frozen=True)
class Regression:
    """One cell's figures that got worse by more than noise."""

    label: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class NightVerdict:
    """Everything that the morning's pages show.

    improved  cells with figures that got better or moved, said like regressions
    new       labels of cells that were measured for the first time
    notes     what else went wrong: the history, the site
    """

    night: str
    commit: str
    seconds: float
    cells: tuple[Cell, ...]
    boards: tuple[BoardHealth, ...]
    regressions: tuple[Regression, ...]
    improved: tuple[Regression, ...]
    new: tuple[str, ...]
    compared: int
    doubts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> list[Cell]:
        """Results that came out wrong."""
        return [cell for cell in self.cells if cell.is_failed]

    @property
    def skipped(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.is_skipped]

    @property
    def flaky(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.is_flaky]

    @property
    def trouble(self) -> list[BoardHealth]:
        """Boards in lab trouble."""
        return [board for board in self.boards if board.is_in_trouble]

    @property
    def exit_code(self) -> int:
        """0 all measured and good, 1 a result failed or regressed, 3 only the lab failed."""
        if self.failed or self.regressions:
            return 1
        lab = self.trouble or self.skipped or self.notes
        return LabError.exit_code if lab else 0

    @property
    def headline(self) -> str:
        """One line: what to do about it is known from its first words."""
        words = []
        if self.failed:
            words.append(f"{_count(self.failed, 'cell')} FAILED")
        if self.regressions:
            words.append(f"{_count(self.regressions, 'cell')} REGRESSED")
        if not words:
            words.append("nothing regressed" if self.compared else "nothing to compare with yet")
        if self.trouble:
            names = ", ".join(board.name for board in self.trouble)
            words.append(
                f"LAB TROUBLE on {len(self.trouble)} of {len(self.boards)} boards: {names}"
            )
        if self.skipped:
            words.append(f"{_count(self.skipped, 'cell')} skipped")
        if self.new:
            words.append(f"{_count(self.new, 'cell')} new")
        return "; ".join(words)

    def to_json(self) -> dict[str, Any]:
        """One document; the cells carry their whole rows."""
        return {
            "night": self.night,
            "exit_code": self.exit_code,
            "headline": self.headline,
            "commit": self.commit,
            "seconds": round(self.seconds, 1),
            "regressions": [asdict(r) for r in self.regressions],
            "failed": [cell.to_json() for cell in self.failed],
            "lab_trouble": [asdict(board) for board in self.trouble],
            "new": list(self.new),
            "improved": [asdict(r) for r in self.improved],
            "skipped": [cell.to_json() for cell in self.skipped],
            "flaky": [cell.to_json() for cell in self.flaky],
            "in_doubt": [{"cell": cell, "why": why} for cell, why in self.doubts],
            "notes": list(self.notes),
            "boards": [asdict(board) for board in self.boards],
            "cells": [cell.to_json() for cell in self.cells],
        }


def _count(items: Sequence[Any], word: str) -> str:
    return f"{len(items)} {word}{'s' if len(items) != 1 else ''}"


def judge(
    night: str,
    cells: Sequence[Cell],
    since: SincePrevious,
    *,
    commit: str,
    seconds: float,
    notes: Sequence[str] = (),
) -> NightVerdict:
    """The verdict on a night's cells and on what the history says of them."""
    boards = dict.fromkeys(cell.instance.name for cell in cells)
    compared = {(d.cell, d.board_id) for d in since.comparison.differences}
    return NightVerdict(
        night=night,
        commit=commit,
        seconds=seconds,
        cells=tuple(cells),
        boards=tuple(_health([c for c in cells if c.instance.name == b]) for b in boards),
        regressions=_by_cell(since.regressions),
        improved=_by_cell(since.moved),
        new=tuple(track.label() for track in since.new),
        compared=len(compared),
        doubts=since.comparison.skipped,
        notes=tuple(notes),
    )


def _health(cells: Sequence[Cell]) -> BoardHealth:
    """Of one board, from its cells in the order of work."""
    instance = cells[0].instance
    trouble = [cell for cell in cells if cell.is_lab_trouble]
    skipped = [cell for cell in cells if cell.is_skipped]
    left = [cell for cell in skipped if cell.is_the_boards_fault]
    first = (trouble or left)[:1]
    totals = Counter({name: int(sum(c.number(name) for c in cells)) for name in COUNTERS})
    return BoardHealth(
        name=instance.name,
        kind=instance.kind,
        board_id=instance.board_id,
        cause=(first[0].message or "no message") if first else "",
        cells=len(cells),
        measured=len(cells) - len(trouble) - len(skipped),
        lab_trouble=len(trouble),
        skipped=len(skipped),
        flaky=sum(cell.is_flaky for cell in cells),
        lab_seconds=round(sum(cell.number("lab_seconds") for cell in cells), 1),
        **{name: totals[name] for name in COUNTERS},
    )


def _by_cell(differences: Sequence[Difference]) -> tuple[Regression, ...]:
    found: dict[str, list[Difference]] = {}
    for difference in differences:
        found.setdefault(difference.label, []).append(difference)
    return tuple(Regression(label, tuple(group)) for label, group in found.items())
