"""How long a night takes, by what its cells took before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from harness.history.record import Entry
from harness.instances import Instance
from harness.nightly.order import Piece, pieces
from harness.nightly.plan import Plan

LAST = 5  # times of a cell that count


@dataclass(frozen=True, slots=True)
class Estimate:
    """One cell to come. lab_seconds: its median over the last times; None = never measured."""

    board: str
    piece: Piece
    model: str
    lab_seconds: float | None


def estimates(plan: Plan, history: Sequence[Entry]) -> list[Estimate]:
    """Of every cell, in the order of work. history: oldest first."""
    known = [e for e in history if e.number("lab_seconds") is not None]
    return [
        Estimate(board.name, piece, model, _seconds(plan, board, piece, model, known))
        for board in plan.boards
        for piece in pieces(plan)
        for model in piece.models
    ]


def board_seconds(board: str, found: Sequence[Estimate]) -> float | None:
    """Sum over a board's cells; None when one of them is unknown."""
    times = [e.lab_seconds for e in found if e.board == board]
    return None if None in times else sum(t for t in times if t is not None)


def _seconds(
    plan: Plan, board: Instance, piece: Piece, model: str, history: Sequence[Entry]
) -> float | None:
    """On this board if it has run there, else on any board of the kind."""
    like = [e for e in history if _is_like(e, plan, board, piece, model)]
    own = [e for e in like if e.board_id == board.board_id]
    times = [e.number("lab_seconds") or 0.0 for e in (own or like)[-LAST:]]
    return median(times) if times else None


def _is_like(entry: Entry, plan: Plan, board: Instance, piece: Piece, model: str) -> bool:
    cell = entry.cell
    windows = "all" if plan.windows is None else str(plan.windows)
    asked = (board.kind, board.board.board_kind, piece.dataset, model, plan.preset, windows)
    return asked == (
        cell.board, cell.board_kind, cell.dataset, cell.model, cell.preset, cell.windows
    )  # fmt: skip
