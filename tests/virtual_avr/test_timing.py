"""Every instruction sequence takes the data sheet's cycles, by the board's own Timer1."""

from __future__ import annotations

import pytest

from harness.virtual.process import VirtualBoard

from .conftest import Client
from .sequences import INTERRUPT_CYCLES, REPEATS, SEQUENCES

pytestmark = pytest.mark.emulated


def ticks(client: Client, row: int) -> int:
    client.send("t", row)
    return int.from_bytes(client.read(2), "little")


def test_every_sequence_takes_the_cycles_of_the_data_sheet(client: Client) -> None:
    empty = ticks(client, 0)
    measured = {
        s.name: (ticks(client, row) - empty) / REPEATS for row, s in enumerate(SEQUENCES, start=1)
    }
    expected = {s.name: float(s.cycles) for s in SEQUENCES}
    assert len(expected) >= 61
    assert measured == expected


def test_interrupt_round_trip(client: Client) -> None:
    without, with_interrupt = len(SEQUENCES) + 1, len(SEQUENCES) + 2
    assert ticks(client, with_interrupt) - ticks(client, without) == INTERRUPT_CYCLES


def test_marks_agree_with_timer1_in_every_row(client: Client, board: VirtualBoard) -> None:
    differences = set()
    for row in range(len(SEQUENCES) + 3):
        before = board.status().marks_count
        by_timer = ticks(client, row)
        status = board.status()
        assert status.marks_count == before + 1
        differences.add(status.marks_last_cycles - by_timer)
    assert len(differences) == 1, differences
