"""The seam between measuring code and whatever carries the bytes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, handed down so that nested waits cannot add up."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The moment `seconds` from now."""
        return cls(time.monotonic() + seconds)

    @property
    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at_s - time.monotonic())

    @property
    def expired(self) -> bool:
        """True when the moment has passed."""
        return time.monotonic() >= self.at_s

    def sooner(self, seconds: float) -> Deadline:
        """This deadline or `seconds` from now, whichever comes first."""
        return Deadline(min(self.at_s, time.monotonic() + seconds))


class Link(Protocol):
    """A byte pipe to one running firmware: silicon, virtual board or a process on the host."""

    def write(self, data: bytes, deadline: Deadline) -> None:
        """Send all bytes. Raises LinkTimeout past the deadline, LinkError when the port is gone."""

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, or b"" at the deadline. Raises LinkError when the port is gone."""

    def close(self) -> None:
        """Release the port; harmless when done twice."""


@runtime_checkable
class RatedLink(Link, Protocol):
    """A Link whose line has a baud rate that can be changed."""

    def set_baud(self, baud: int) -> None:
        """Go on at this rate; 0: at the one it was opened with. Raises LinkError."""
