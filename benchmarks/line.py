"""A serial line between two ptys, in a process of its own: speed, round trip, loss.

Each byte takes ten bit times of the wire and half the round trip. Bytes get their times when they
are handed over and are delivered when those have come: a late wake-up delays a delivery, but takes
nothing of what the wire can carry.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import select
import termios
import time
import tty
from collections import deque
from dataclasses import dataclass
from typing import Self

BITS_PER_BYTE = 10  # 8N1
TICK_S = 0.001  # bytes due this close to one another come together: a frame of full-speed USB
READ_SIZE = 4096
RATES = {
    getattr(termios, f"B{baud}"): baud
    for baud in (115_200, 230_400, 460_800, 500_000, 921_600, 1_000_000, 2_000_000)
}


@dataclass(frozen=True)
class Shape:
    """What the line does to bytes.

    Fields
        baud          of the wire; 0: what each sender has set on its end
        round_trip_s  there and back, besides the wire's own time
        flip, drop    chance of each byte to have one bit changed, or to be lost
        fastest       rates above it garble every byte, as do ends that are set to different ones;
                      0: nothing does
    """

    baud: int = 115_200
    round_trip_s: float = 0.0
    flip: float = 0.0
    drop: float = 0.0
    fastest: int = 0
    seed: int = 1


@dataclass(slots=True)
class _Chunk:
    """Bytes under way: when the first is due, the time of each, the rate they were sent at."""

    first_s: float
    byte_s: float
    baud: int
    data: bytes


class _Direction:
    """Bytes from one end to the other."""

    def __init__(self, source: int, sink: int, shape: Shape, seed: int) -> None:
        self.source, self.sink = source, sink
        self._shape = shape
        self._random = random.Random(seed)
        self._free_s = 0.0  # when the wire has carried all that was handed over
        self._under_way: deque[_Chunk] = deque()

    def take(self, now_s: float) -> None:
        """Bytes that were written at the source."""
        data = os.read(self.source, READ_SIZE)
        baud = _rate(self.source)
        byte_s = BITS_PER_BYTE / (self._shape.baud or baud)
        start_s = max(now_s, self._free_s)
        self._free_s = start_s + len(data) * byte_s
        first_s = start_s + byte_s + self._shape.round_trip_s / 2
        self._under_way.append(_Chunk(first_s, byte_s, baud, data))

    @property
    def next_s(self) -> float | None:
        """When the next bytes are due at the sink; None: nothing is under way."""
        return self._under_way[0].first_s if self._under_way else None

    def deliver(self, now_s: float) -> None:
        """What is due at the sink."""
        while self._under_way and self._under_way[0].first_s <= now_s:
            chunk = self._under_way[0]
            count = int((now_s - chunk.first_s) / chunk.byte_s) + 1
            data, chunk.data = chunk.data[:count], chunk.data[count:]
            chunk.first_s += count * chunk.byte_s
            if not chunk.data:
                self._under_way.popleft()
            os.write(self.sink, self._spoil(self._as_heard(data, chunk.baud)))

    def _as_heard(self, data: bytes, baud: int) -> bytes:
        if not self._shape.fastest or baud == _rate(self.sink) <= self._shape.fastest:
            return data
        return bytes(byte ^ 0x5A for byte in data)

    def _spoil(self, data: bytes) -> bytes:
        if not (self._shape.flip or self._shape.drop):
            return data
        out = bytearray()
        for byte in data:
            chance = self._random.random()
            if chance >= self._shape.drop + self._shape.flip:
                out.append(byte)
            elif chance >= self._shape.drop:
                out.append(byte ^ 1 << self._random.randrange(8))
        return bytes(out)


def _rate(end: int) -> int:
    return RATES.get(termios.tcgetattr(end)[4], 115_200)


class ShapedLine:
    """The line; `near` and `far` are its ends, paths of ttys. Use it as a context."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._ends = [os.openpty() for _ in range(2)]
        for _, slave in self._ends:
            tty.setraw(slave)
        self.near, self.far = (os.ttyname(slave) for _, slave in self._ends)

    def __enter__(self) -> Self:
        self._process = multiprocessing.get_context("fork").Process(target=self._run, daemon=True)
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join(10)
        for end in self._ends:
            for fd in end:
                os.close(fd)

    def _run(self) -> None:
        near, far = (master for master, _ in self._ends)
        seed = self._shape.seed
        ways = [
            _Direction(near, far, self._shape, 2 * seed),
            _Direction(far, near, self._shape, 2 * seed + 1),
        ]
        with contextlib.suppress(OSError):  # an end was closed
            while True:
                due_s = [way.next_s for way in ways if way.next_s is not None]
                wait_s = max(min(due_s) - time.monotonic(), TICK_S) if due_s else None
                ready, _, _ = select.select([near, far], [], [], wait_s)
                now_s = time.monotonic()
                for way in ways:
                    if way.source in ready:
                        way.take(now_s)
                    way.deliver(now_s)
