"""What each step of the procedure does on one board."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness import tools
from harness.boards import Board
from harness.discovery import UsbPort
from harness.errors import FlashError, LabError
from harness.flash.procedure import Action, State
from harness.flash.sight import Mode, Sight, sight_of
from harness.flash.signals import touch
from harness.flash.uploaders import advice, find_uploader, last_words, tool_version
from harness.link.base import Deadline
from harness.virtual.control import Control, control_at

SETTLE_S = 0.5  # where nothing tells that the bootloader has the port


@dataclass(frozen=True)
class Means:
    """What can be done with a board besides writing to its flash; None = it cannot.

    handshake    ask the board at this port what it runs; raises LabError unless it is the right
                 firmware. Given the deadline too.
    reset        reset the board at this port
    power_cycle  switch it off and on
    quarantine   keep others from it, because of this first cause

    Each returns words for the log; None: there was nothing to do.
    """

    handshake: Callable[[str, Deadline], str | None] | None = None
    reset: Callable[[str, Deadline], str | None] | None = None
    power_cycle: Callable[[Deadline], str | None] | None = None
    quarantine: Callable[[LabError], str | None] = lambda cause: None


@dataclass
class Steps:
    """The steps on one board. `port` is where it was seen last; uploaders' words go to `log`."""

    image: Path
    board: Board
    port: str
    place: UsbPort | None = None
    log: Path | None = None
    uploads: int = 0
    sight: Sight = field(init=False)

    def __post_init__(self) -> None:
        self.sight = sight_of(self.board, self.port, self.place)
        self._direct = self.board.flash.tool == "direct"
        if not self._direct:
            self._uploader, self._executable = find_uploader(self.board)

    @property
    def version(self) -> str:
        """Of the uploader."""
        return "" if self._direct else tool_version(self._executable)

    def actions(self, means: Means) -> dict[State, Action]:
        """What the procedure is to do, except for quarantine, which needs the cause."""
        handshake, reset, power_cycle = means.handshake, means.reset, means.power_cycle
        actions: dict[State, Action] = {
            State.FIND: self._find,
            State.TOUCH: self._touch,
            State.BOOTLOADER: self._await_bootloader,
            State.UPLOAD: self._load_direct if self._direct else self._upload,
            State.APPLICATION: self._await_application,
        }
        if handshake:
            actions[State.HANDSHAKE] = lambda deadline: handshake(self.port, deadline)
        if reset:
            actions[State.RESET] = lambda deadline: reset(self.port, deadline)
        if power_cycle:
            actions[State.POWER_CYCLE] = power_cycle
        return actions

    def _find(self, deadline: Deadline) -> str:
        self.port = self.sight.wait(deadline).port
        return self.port

    def _touch(self, deadline: Deadline) -> str | None:
        flash = self.board.flash
        if flash.boot_pin and self.board.is_virtual:
            control_of(self.board, self.port).enter_bootloader()
            return "boot pin held over a reset"
        if not flash.touch_baud or self._direct:
            return None
        seen = self.sight.look()
        if seen and seen.mode == Mode.BOOTLOADER:
            return "its bootloader has the port already"
        touch(self.port, flash.touch_baud)
        return f"{self.port} at {flash.touch_baud} baud"

    def _await_bootloader(self, deadline: Deadline) -> str:
        seen = self.sight.wait(deadline, Mode.BOOTLOADER)
        self.port = seen.port
        if seen.mode == Mode.BOOTLOADER:
            return self.port
        time.sleep(min(SETTLE_S, deadline.remaining_s))
        return f"{self.port}, by waiting: nothing tells"

    def _upload(self, deadline: Deadline) -> str:
        self.uploads += 1
        command = self._uploader.command(self._executable, self.image, self.board, self.port)
        given = self.image if self._uploader.reads_image else None
        finished = tools.run_tool(command, deadline_s=deadline.remaining_s, stdin=given)
        note(self.log, command, finished)
        if not finished.ok:
            raise self._failure(finished)
        return f"{self.board.flash.tool}, {finished.seconds:.1f} s"

    def _load_direct(self, deadline: Deadline) -> str:
        self.uploads += 1
        control_of(self.board, self.port).load(self.image, self.board.flash.offset)
        return "written through the control socket"

    def _await_application(self, deadline: Deadline) -> str | None:
        if self.board.link.resets_on_open:
            return None  # whatever runs there now, opening the port starts it again
        self.port = self.sight.wait(deadline, Mode.APPLICATION).port
        return self.port

    def _failure(self, finished: tools.Finished) -> FlashError:
        tool, words = self.board.flash.tool, last_words(finished.output)
        said = f"; it said: {words}" if words else "; it said nothing"
        where = f"flash {self.board.kind} at {self.port}"
        how = f"upload {self.uploads}, {finished.seconds:.1f} s"
        hint = advice(finished.output, self.board)
        if finished.timed_out:
            where = where.replace("flash", "flashing", 1)
            return FlashError(f"{tool} did not finish {where} in time ({how}){said}", hint=hint)
        return FlashError(
            f"{tool} could not {where} (status {finished.status}, {how}){said}", hint=hint
        )


def control_of(board: Board, port: str) -> Control:
    """The control socket of the virtual board at `port`. Raises LabError when there is none."""
    control = control_at(port)
    if control is None:
        raise LabError(
            f"there is no control socket beside {port}, and the twin of a {board.title} is loaded "
            "by means of it",
            hint=f"give the link that `harness virtual up {board.kind}` prints",
        )
    return control


def note(log: Path | None, command: list[str], finished: tools.Finished) -> None:
    """Append what an uploader was told and what it said."""
    if log is None:
        return
    end = "ran past the deadline" if finished.timed_out else f"status {finished.status}"
    with log.open("a") as file:
        file.write(f"$ {' '.join(command)}\n{finished.output.rstrip()}\n")
        file.write(f"[{end} after {finished.seconds:.1f} s]\n")
