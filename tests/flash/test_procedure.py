"""The state machine by itself: every transition, every rung, deadlines, the first cause."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from harness.errors import LabError
from harness.flash.procedure import LADDER, TRANSITIONS, Event, Procedure, State, Step
from harness.link.base import Deadline

S = State
ROUND = (S.FIND, S.TOUCH, S.BOOTLOADER, S.UPLOAD, S.APPLICATION, S.HANDSHAKE)
RECOVERIES = (S.RESET, S.POWER_CYCLE)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "flashing.md"


class Bench:
    """A board of which we say how often each step fails, and which it knows not at all."""

    def __init__(self, *, failures: dict[State, int] | None = None, lacks: Iterable[State] = ()):
        self.failures = dict(failures or {})
        self.lacks = set(lacks)
        self.told: list[Step] = []
        self.quarantined: list[str] = []
        self.procedure = Procedure(
            {state: self._action(state) for state in (*ROUND, *RECOVERIES)},
            {},
            whole_s=60,
            quarantine=self._quarantine,
            tell=self.told.append,
        )

    def _quarantine(self, cause: LabError) -> str:
        self.quarantined.append(cause.message)
        return "kept"

    def _action(self, state: State):  # type: ignore[no-untyped-def]
        def act(deadline: Deadline) -> str | None:
            if state in self.lacks:
                return None
            if self.failures.get(state, 0) > 0:
                self.failures[state] -= 1
                raise LabError(f"{state} failure, {self.failures[state]} to come")
            return "well"

        return act

    def path(self) -> list[State]:
        self.ready = self.procedure.run()
        return [step.state for step in self.procedure.steps]


def test_a_board_without_trouble_goes_straight_through() -> None:
    bench = Bench()
    assert bench.path() == list(ROUND)
    assert bench.ready and bench.procedure.cause is None and not bench.quarantined


def test_a_step_that_a_board_lacks_is_passed_over() -> None:
    bench = Bench(lacks={S.TOUCH, S.APPLICATION})
    assert bench.path() == [S.FIND, S.TOUCH, S.UPLOAD, S.APPLICATION, S.HANDSHAKE]
    assert bench.ready


@pytest.mark.parametrize("step", [S.TOUCH, S.BOOTLOADER])
def test_a_failed_touch_is_no_failure_the_uploader_will_tell(step: State) -> None:
    bench = Bench(failures={step: 1})
    bench.path()
    assert bench.ready and bench.procedure.cause is None
    assert bench.procedure.count(S.UPLOAD) == 1


@pytest.mark.parametrize("step", [S.UPLOAD, S.APPLICATION])
def test_a_board_still_in_its_bootloader_is_tried_again_without_the_touch(step: State) -> None:
    bench = Bench(failures={step: 1})
    path = bench.path()
    assert bench.ready
    assert path.count(S.UPLOAD) == 2 and path.count(S.TOUCH) == 1
    assert path[path.index(step) + 1] == S.UPLOAD


@pytest.mark.parametrize("step", [S.FIND, S.HANDSHAKE])
def test_a_board_beyond_its_bootloader_is_reset_at_once(step: State) -> None:
    bench = Bench(failures={step: 1})
    path = bench.path()
    assert bench.ready
    assert path[path.index(step) + 1 :] == [S.RESET, *ROUND]


def test_the_ladder_is_climbed_rung_by_rung_and_ends_in_quarantine() -> None:
    bench = Bench(failures={S.UPLOAD: 99})
    attempt = [S.FIND, S.TOUCH, S.BOOTLOADER, S.UPLOAD]
    expected = [*attempt, S.UPLOAD, S.RESET, *attempt, S.POWER_CYCLE, *attempt, S.QUARANTINE]
    assert bench.path() == expected
    assert not bench.ready
    assert bench.quarantined == ["upload failure, 98 to come"]  # the first cause, not the last


def test_each_rung_can_be_the_one_that_helps() -> None:
    helped = {}
    for failures in range(4):
        bench = Bench(failures={S.UPLOAD: failures})
        bench.path()
        assert bench.ready
        helped[failures] = [r for r in LADDER if bench.procedure.count(r) and r != S.UPLOAD]
    assert helped == {0: [], 1: [], 2: [S.RESET], 3: [S.RESET, S.POWER_CYCLE]}


@pytest.mark.parametrize("rung", RECOVERIES)
def test_a_rung_that_is_lacking_or_fails_leads_to_the_next(rung: State) -> None:
    for bench in (
        Bench(failures={S.UPLOAD: 99}, lacks={rung}),
        Bench(failures={S.UPLOAD: 99, rung: 1}),
    ):
        path = bench.path()
        assert path[path.index(rung) + 1] == LADDER[LADDER.index(rung) + 1]
        assert bench.procedure.cause is not None
        assert bench.procedure.cause.message.startswith("upload failure")


def test_the_first_cause_is_kept_whatever_fails_later() -> None:
    bench = Bench(failures={S.HANDSHAKE: 1, S.UPLOAD: 0, S.FIND: 0})
    bench.failures[S.RESET] = bench.failures[S.POWER_CYCLE] = 1
    bench.path()
    assert not bench.ready
    assert bench.procedure.cause is not None
    assert bench.procedure.cause.message == "handshake failure, 0 to come"
    summary = "handshake failed, reset failed, power-cycle failed, quarantine done"
    assert bench.procedure.summary() == summary


def test_every_step_is_told_as_it_ends_with_its_time() -> None:
    bench = Bench(failures={S.UPLOAD: 2})
    bench.path()
    assert bench.told == bench.procedure.steps
    times = [step.seconds for step in bench.told]
    assert times == sorted(times) and times[0] >= 0
    assert {step.event for step in bench.told} == {Event.DONE, Event.FAILED}
    assert all(step.words for step in bench.told)


def test_when_the_time_is_over_nothing_more_is_tried() -> None:
    bench = Bench()
    bench.procedure.whole_s = 0.05

    def slow(deadline: Deadline) -> str:
        time.sleep(deadline.remaining_s)
        return "late"

    bench.procedure.actions = {**bench.procedure.actions, S.TOUCH: slow}
    assert bench.path() == [S.FIND, S.TOUCH, S.QUARANTINE]
    assert not bench.ready
    assert bench.quarantined == ["the procedure was not over within 0 s"]


def test_a_step_gets_no_more_time_than_its_limit_or_what_is_left() -> None:
    given: list[float] = []

    def look(deadline: Deadline) -> str:
        given.append(deadline.remaining_s)
        return "seen"

    procedure = Procedure({S.FIND: look, S.UPLOAD: look}, {S.FIND: 3, S.UPLOAD: 50}, whole_s=20)
    assert procedure.run()
    assert given[0] <= 3 and given[1] <= 20


def test_a_bug_is_not_mistaken_for_a_sick_board() -> None:
    def broken(deadline: Deadline) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Procedure({S.UPLOAD: broken}, {}, whole_s=1).run()


def test_every_state_leads_on_and_every_way_ends() -> None:
    """No state without a row; and whatever happens at each step, the end is not far."""
    ends = {S.READY, S.GIVEN_UP, S.LADDER}
    assert set(TRANSITIONS) == set(State) - ends
    assert {to for row in TRANSITIONS.values() for to in row} <= set(State)
    for failing in ROUND:
        bench = Bench(failures={failing: 99})
        assert len(bench.path()) < 40


def test_the_page_shows_the_table_as_it_is() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \| (.+?) \|", PAGE.read_text(), re.M)
    shown = {state: [to.strip("`") for to in following] for state, *following in rows}
    assert shown == {str(s): [str(to) for to in row] for s, row in TRANSITIONS.items()}
