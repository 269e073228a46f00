"""Every instruction sequence takes the data sheet's cycles, by the board's own Timer1."""

from __future__ import annotations

import pytest

from harness.virtual.process import VirtualBoard

from .conftest import Client, Mcu
from .sequences import INTERRUPT, REPEATS

pytestmark = pytest.mark.emulated


def ticks(client: Client, row: int) -> int:
    client.send("t", row)
    return int.from_bytes(client.read(2), "little")


def test_every_sequence_takes_the_cycles_of_the_data_sheet(client: Client, mcu: Mcu) -> None:
    empty = ticks(client, 0)
    rows = enumerate(mcu.sequences, start=1)
    measured = {s.name: (ticks(client, row) - empty) / REPEATS for row, s in rows}
    expected = {s.name: float(s.cycles_with(mcu.pc_bytes)) for s in mcu.sequences}
    assert len(expected) >= 61
    assert measured == expected


def test_interrupt_round_trip(client: Client, mcu: Mcu) -> None:
    without, with_interrupt = len(mcu.sequences) + 1, len(mcu.sequences) + 2
    taken = ticks(client, with_interrupt) - ticks(client, without)
    assert taken == INTERRUPT.cycles_with(mcu.pc_bytes)


def test_marks_agree_with_timer1_in_every_row(
    client: Client, board: VirtualBoard, mcu: Mcu
) -> None:
    """But for an interrupt, which the timer counts: the marks leave it out, to the cycle."""
    differences = []
    for row in range(len(mcu.sequences) + 3):
        before = board.status().marks_count
        by_timer = ticks(client, row)
        status = board.status()
        assert status.marks_count == before + 1
        differences.append(status.marks_last_cycles - by_timer)
    *without, interrupted = differences
    assert len(set(without)) == 1, differences
    assert without[0] - interrupted == INTERRUPT.cycles_with(mcu.pc_bytes)
