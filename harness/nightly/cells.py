"""What became of every cell of a night, also of those that were not reached.

A cell is one model on one board over one data set, with one seed, in one repeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import run
from harness.instances import Instance
from harness.nightly.order import Piece, pieces
from harness.nightly.plan import Plan
from harness.nightly.worker import piece_folder
from harness.results import STATUS_ERROR, STATUS_LAB, STATUS_MISMATCH

STATUS_SKIPPED = "skipped"
OUT_OF_TIME = "out of time"
FAILED = (STATUS_MISMATCH, STATUS_ERROR)
COUNTERS = ("attempts", "uploads", "restarts", "link_retries")


@dataclass(frozen=True, slots=True)
class Cell:
    """status  as in summary.csv, or `skipped`; message says why
    values  its row of summary.csv; empty where it has none
    """

    instance: Instance
    piece: Piece
    model: str
    folder: Path
    status: str
    message: str
    values: Mapping[str, Any]

    @property
    def label(self) -> str:
        """Without the board."""
        piece = self.piece
        return f"{self.model}, {piece.dataset}, seed {piece.seed}, repeat {piece.repeat}"

    @property
    def is_lab_trouble(self) -> bool:
        return self.status == STATUS_LAB

    @property
    def is_failed(self) -> bool:
        """True for a result that came out wrong, or that a bug or a bad source kept away."""
        return self.status in FAILED

    @property
    def is_skipped(self) -> bool:
        return self.status == STATUS_SKIPPED

    @property
    def is_the_boards_fault(self) -> bool:
        """True when it was skipped because of its board, not because time was up."""
        return self.is_skipped and self.message != OUT_OF_TIME

    @property
    def is_flaky(self) -> bool:
        """True when it was measured, but not at the first attempt."""
        return bool(self.values.get("flaky")) and not self.is_lab_trouble

    def number(self, name: str) -> float:
        """A figure of its row; 0 where there is none."""
        return float(self.values.get(name) or 0)

    def to_json(self) -> dict[str, Any]:
        """Flat: where, what, how it ended, and its row."""
        piece = self.piece
        return {
            **self.values,
            "instance": self.instance.name,
            "board": self.instance.kind,
            "board_id": self.instance.board_id,
            "dataset": piece.dataset,
            "seed": piece.seed,
            "repeat": piece.repeat,
            "model": self.model,
            "status": self.status,
            "message": self.message,
            "folder": f"{self.instance.name}/{self.folder.name}",
        }


@dataclass
class Happenings:
    """What the workers told of that lies in no folder.

    untrained  (data set, seed, model) -> (status, message)
    problems   (board, data set, seed, repeat) -> (status, message): a piece that ended there
    left       board -> why it was left alone: given up, or quarantined
    lost       board -> how its worker ended, when not by itself
    """

    untrained: dict[tuple[str, int, str], tuple[str, str]] = field(default_factory=dict)
    problems: dict[tuple[str, str, int, int], tuple[str, str]] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    def of(self, board: str, piece: Piece, model: str) -> tuple[str, str]:
        """Status and message of a cell that has no row."""
        untrained = self.untrained.get((piece.dataset, piece.seed, model))
        if untrained:
            return untrained[0], f"not trained: {untrained[1]}"
        problem = self.problems.get((board, piece.dataset, piece.seed, piece.repeat))
        if problem:
            return problem
        if board in self.left:
            return STATUS_SKIPPED, self.left[board]
        if board in self.lost:
            return STATUS_LAB, self.lost[board]
        return STATUS_SKIPPED, OUT_OF_TIME


def collect(plan: Plan, night: Path, happened: Happenings) -> list[Cell]:
    """Every cell of the plan, in the order of its boards and of their work."""
    return [
        _cell(instance, piece, model, night, happened)
        for instance in plan.boards
        for piece in pieces(plan)
        for model in piece.models
    ]


def _cell(instance: Instance, piece: Piece, model: str, night: Path, happened: Happenings) -> Cell:
    folder = piece_folder(night, instance, piece)
    row = run.read_row(folder, model)
    status, message = happened.of(instance.name, piece, model)
    if row:
        status, message = row["status"], row.get("message") or ""
    message = message.replace(f"{night}/", "")  # where the reader is
    return Cell(instance, piece, model, folder, status, message, row)
