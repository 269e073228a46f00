"""The serial line: ten bits per character, nothing lost that silicon would keep."""

from __future__ import annotations

import random

import pytest

from harness.virtual.process import VirtualBoard

from .conftest import Client

pytestmark = pytest.mark.emulated

CYCLES_PER_BIT = 136  # 16 MHz / 8 / (16 + 1) = 117 647 baud, the Uno's nearest to 115 200


def test_a_sent_character_takes_ten_bits(client: Client, board: VirtualBoard) -> None:
    client.send("u")
    assert client.read(1000) == bytes(i & 255 for i in range(1000))
    client.await_idle()
    bits = board.status().marks_last_cycles / 1000 / CYCLES_PER_BIT
    assert abs(bits - 10) < 0.001, bits


def test_a_received_character_takes_ten_bits(client: Client, board: VirtualBoard) -> None:
    client.send("r" + "x" * 200)
    assert client.read(1) == b"."
    client.await_idle()
    bits = board.status().marks_last_cycles / 199 / CYCLES_PER_BIT
    assert abs(bits - 10) < 0.001, bits


def test_echo_of_20_000_random_bytes_in_chunks(client: Client, board: VirtualBoard) -> None:
    before = board.status()
    data = random.Random(1).randbytes(20_000)
    client.send("e", len(data).to_bytes(2, "little"))
    echoed = b""
    for start in range(0, len(data), 50):
        client.send(data[start : start + 50])
        echoed += client.read(len(data[start : start + 50]))
    after = board.status()
    assert echoed == data
    assert after.rx_overruns == before.rx_overruns
    assert after.rx_bytes - before.rx_bytes == len(data) + 3
    assert after.tx_bytes - before.tx_bytes == len(data)


def test_echo_of_one_long_burst(client: Client, board: VirtualBoard) -> None:
    before = board.status().rx_overruns
    data = random.Random(2).randbytes(4000)
    client.send("e", len(data).to_bytes(2, "little"), data)
    assert client.read(len(data)) == data
    assert board.status().rx_overruns == before


def test_echo_by_interrupts_that_collide_with_a_timer(client: Client, board: VirtualBoard) -> None:
    before = board.status().rx_overruns
    data = random.Random(4).randbytes(5000)
    client.send("k", len(data).to_bytes(2, "little"), data)
    assert client.read(len(data)) == data
    client.await_idle()
    assert board.status().rx_overruns == before


def test_a_reader_that_does_not_read_keeps_three_and_loses_the_rest(
    client: Client, board: VirtualBoard
) -> None:
    before = board.status().rx_overruns
    client.send("o", 20, "0123456789")
    assert client.read(1) == b"\x03"
    assert client.read(3) == b"012"
    assert board.status().rx_overruns == before + 7


def test_a_reader_in_time_loses_nothing(client: Client, board: VirtualBoard) -> None:
    before = board.status().rx_overruns
    client.send("o", 20, "012")
    assert client.read(4) == b"\x03012"
    assert board.status().rx_overruns == before
