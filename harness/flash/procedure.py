"""The flash procedure: which step follows which, how long each may take, what it came to.

A step is done, or there is nothing to do on this board, or it failed. What follows is looked up in
TRANSITIONS; where that says LADDER, the next untried rung of the ladder does. Every rung is tried
once, every step has a limit and all of them together one, so the procedure ends. The first cause is
kept: what fails after it fails because of it, more often than not. docs/flashing.md has the figure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from harness.errors import LabError
from harness.link.base import Deadline


class State(StrEnum):
    """Where the procedure is."""

    FIND = "find"  # this board, wherever it is now
    TOUCH = "touch"  # ask for the bootloader
    BOOTLOADER = "bootloader"  # wait for this board's
    UPLOAD = "upload"
    APPLICATION = "application"  # wait for this board's
    HANDSHAKE = "handshake"  # is it the firmware that was uploaded?
    RESET = "reset"
    POWER_CYCLE = "power-cycle"
    QUARANTINE = "quarantine"
    LADDER = "ladder"  # the next rung; no step of its own
    READY = "ready"
    GIVEN_UP = "given up"


class Event(StrEnum):
    """How a step ended."""

    DONE = "done"
    NOTHING = "nothing to do"
    FAILED = "failed"


LADDER = (State.UPLOAD, State.RESET, State.POWER_CYCLE, State.QUARANTINE)
"""After a failure: a board whose upload failed is still in its bootloader, so once more without
the touch; then from the beginning after a reset, then after a power cycle."""

# A board that was uploaded to and answered wrongly has left its bootloader: no use in UPLOAD.
BEYOND_BOOTLOADER = (State.FIND, State.HANDSHAKE)

_S = State
# After each step: done, nothing to do, failed. A failed touch is no failure yet: the board may be
# in its bootloader already, and the uploader will tell.
TRANSITIONS: Mapping[State, tuple[State, State, State]] = {
    _S.FIND: (_S.TOUCH, _S.TOUCH, _S.LADDER),
    _S.TOUCH: (_S.BOOTLOADER, _S.UPLOAD, _S.UPLOAD),
    _S.BOOTLOADER: (_S.UPLOAD, _S.UPLOAD, _S.UPLOAD),
    _S.UPLOAD: (_S.APPLICATION, _S.APPLICATION, _S.LADDER),
    _S.APPLICATION: (_S.HANDSHAKE, _S.HANDSHAKE, _S.LADDER),
    _S.HANDSHAKE: (_S.READY, _S.READY, _S.LADDER),
    _S.RESET: (_S.FIND, _S.LADDER, _S.LADDER),
    _S.POWER_CYCLE: (_S.FIND, _S.LADDER, _S.LADDER),
    _S.QUARANTINE: (_S.GIVEN_UP, _S.GIVEN_UP, _S.GIVEN_UP),
}
HARMLESS = (State.TOUCH, State.BOOTLOADER)  # their failure is not the cause of anything

Action = Callable[[Deadline], str | None]
"""Do a step before its deadline. Returns words for the log, None when there is nothing to do on
this board. Raises LabError."""


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the log: seconds since the start when the step ended, how, and in what words."""

    seconds: float
    state: State
    event: Event
    words: str = ""

    def __str__(self) -> str:
        return f"{self.seconds:8.2f} s  {self.state:<12} {self.event:<14} {self.words}".rstrip()


@dataclass
class Procedure:
    """One board being flashed.

    actions     what each step does; one that is missing has nothing to do
    limits_s    how long a step may take
    whole_s     how long all may take; when it is over, quarantine follows
    quarantine  that step: it is told the first cause
    tell        hears every step as it ends
    """

    actions: Mapping[State, Action]
    limits_s: Mapping[State, float]
    whole_s: float
    quarantine: Callable[[LabError], str | None] = lambda cause: None
    tell: Callable[[Step], None] = lambda step: None
    steps: list[Step] = field(default_factory=list)
    cause: LabError | None = None

    def run(self) -> bool:
        """From FIND to READY (True) or GIVEN_UP (False); then `cause` is the first failure."""
        self._start = time.monotonic()
        self._whole = Deadline.after(self.whole_s)
        self._rungs = list(LADDER)
        state = State.FIND
        while state not in (State.READY, State.GIVEN_UP):
            state = self._next(state, self._do(state))
        return state == State.READY

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start

    def count(self, *states: State) -> int:
        """How often these steps were begun."""
        return sum(step.state in states and step.event != Event.NOTHING for step in self.steps)

    def summary(self) -> str:
        """What failed, and the rungs that were climbed, on one line."""
        rungs = [(state, Event.DONE) for state in LADDER[1:]]
        told = [s for s in self.steps if s.event == Event.FAILED or (s.state, s.event) in rungs]
        return ", ".join(f"{s.state} {s.event}" for s in told)

    def _do(self, state: State) -> Event:
        deadline = self._whole.sooner(self.limits_s.get(state, self.whole_s))
        try:
            words = self._act(state, deadline)
        except LabError as error:
            event, words = Event.FAILED, error.message
            if state not in HARMLESS:
                self.cause = self.cause or error
        else:
            event = Event.NOTHING if words is None else Event.DONE
        step = Step(self.seconds, state, event, words or "")
        self.steps.append(step)
        self.tell(step)
        return event

    def _act(self, state: State, deadline: Deadline) -> str | None:
        if state == State.QUARANTINE:
            assert self.cause is not None  # something failed, or we were not here
            return self.quarantine(self.cause)
        action = self.actions.get(state)
        return action(deadline) if action else None

    def _next(self, state: State, event: Event) -> State:
        following = TRANSITIONS[state][list(Event).index(event)]
        if following in (State.READY, State.GIVEN_UP):
            return following
        if self._whole.expired:
            return self._out_of_time()
        if following != State.LADDER:
            return following
        if state in BEYOND_BOOTLOADER and self._rungs[0] == State.UPLOAD:
            self._rungs.pop(0)
        return self._rungs.pop(0)

    def _out_of_time(self) -> State:
        late = LabError(f"the procedure was not over within {self.whole_s:.0f} s")
        self.cause = self.cause or late
        return State.QUARANTINE
