"""Frames over a Link: sending, receiving, counting, and how long to wait for a reply."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from harness.link.base import Deadline, Link
from harness.link.frame import Decoder, Frame, encode

FIRST_TRY_S = 2.0  # until the board's pace is known
MIN_TRY_S = 0.3
MAX_TRY_S = 20.0
TRIES = 6


@dataclass
class LinkCounters:
    """What the line did since it was opened."""

    bytes_sent: int = 0
    bytes_received: int = 0
    exchanges: int = 0
    repeats: int = 0  # requests sent again
    restarts: int = 0  # times the board was reset, or lost its place, in mid-work


class Pace:
    """How quick the board is: a reply is late after five times the slowest so far."""

    def __init__(self) -> None:
        self.slowest_reply_s = 0.0

    def note(self, reply_s: float) -> None:
        """A reply to a STEP came after so long."""
        self.slowest_reply_s = max(self.slowest_reply_s, reply_s)

    @property
    def try_s(self) -> float:
        """How long to wait for a reply before its request is sent again."""
        if not self.slowest_reply_s:
            return FIRST_TRY_S
        return min(max(5 * self.slowest_reply_s, MIN_TRY_S), MAX_TRY_S)


class Channel:
    """Frames to and from one board."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.counters = LinkCounters()
        self.pace = Pace()
        self.tries = TRIES  # until a request without a reply is given up
        self._decoder = Decoder()
        self._waiting: deque[Frame] = deque()

    @property
    def bad_frames(self) -> int:
        """Damaged frames received so far."""
        return self._decoder.bad_frames

    def clear(self) -> None:
        """Forget what was received and not asked for."""
        self._decoder.clear()
        self._waiting.clear()

    def send(self, frame: Frame, deadline: Deadline) -> None:
        """Put a frame on the line."""
        self.send_wire(encode(frame), deadline)

    def send_wire(self, data: bytes, deadline: Deadline) -> None:
        """Put encoded frames on the line."""
        self.link.write(data, deadline)
        self.counters.bytes_sent += len(data)

    def receive(self, deadline: Deadline) -> Frame | None:
        """The next good frame; None at the deadline."""
        while not self._waiting:
            data = self.link.read(deadline)
            self.counters.bytes_received += len(data)
            self._waiting += self._decoder.feed(data)
            if not data and deadline.expired:
                return None
        return self._waiting.popleft()
