"""Put a firmware image on a board with the vendor's own uploader, step by step, under one deadline.

procedure  which step follows which (docs/flashing.md)
steps      what each does on a board
sight      where the board is, and what it runs
signals    touch, DTR, power
uploaders  avrdude, bossac, stm32flash and the rest
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.boards import Board
from harness.discovery import UsbPort
from harness.errors import FlashError
from harness.flash.procedure import Procedure, State, Step
from harness.flash.steps import Means, Steps
from harness.flash.uploaders import last_words, tool_version, uploader_path

__all__ = [
    "FIND_S",
    "POWER_CYCLE_S",
    "FlashResult",
    "Means",
    "flash_firmware",
    "last_words",
    "tool_version",
    "uploader_path",
]

FIND_S = 10.0
REAPPEAR_S = 5.0  # for a bootloader or an application to show
RESET_S = 10.0
POWER_CYCLE_S = 30.0
WHOLE = 3  # with all means: times the board's timeout_s


@dataclass(frozen=True, slots=True)
class FlashResult:
    """What was done to put an image on a board.

    attempts    uploads begun
    recoveries  resets and power cycles that were needed besides
    seconds     for everything
    port        where the board was at the end
    """

    tool: str
    version: str
    seconds: float
    attempts: int
    recoveries: int = 0
    port: str = ""
    steps: tuple[Step, ...] = field(default=(), repr=False)


def flash_firmware(
    firmware_image: Path,
    board: Board,
    port: str,
    *,
    deadline_s: float | None = None,
    log: Path | None = None,
    place: UsbPort | None = None,
    means: Means | None = None,
    on_flash: Callable[[FlashResult], None] = lambda result: None,
) -> FlashResult:
    """Write `firmware_image` (.hex for avrdude, .bin for bossac) to the board at `port`; verify it.

    An upload has half of the board's `timeout_s` (or of `deadline_s`) seconds and is tried twice.
    With `means` the board is also asked what it runs, reset, power-cycled and put into quarantine;
    all together then has three times that. `place`: where the board is on USB, for one that is not
    at its port now. Every step, and what the uploader said, is appended to `log`. `on_flash` is
    told what was done, whether it helped or not. Raises FlashError with the first cause.
    """
    if not firmware_image.is_file():
        raise FlashError(f"{firmware_image}: no such image", hint="harness build makes one")
    steps = Steps(firmware_image, board, port, place, log)
    time_s = board.flash.timeout_s if deadline_s is None else deadline_s
    can = means or Means()
    procedure = Procedure(
        steps.actions(can),
        _limits_s(board, time_s),
        whole_s=time_s * (WHOLE if means else 1),
        quarantine=can.quarantine,
        tell=lambda step: _append(log, step),
    )
    ready = procedure.run()
    result = _result(procedure, steps)
    if result.attempts:
        on_flash(result)
    if not ready:
        raise _given_up(procedure)
    return result


def _limits_s(board: Board, time_s: float) -> dict[State, float]:
    return {
        State.FIND: FIND_S,
        State.TOUCH: REAPPEAR_S,
        State.BOOTLOADER: REAPPEAR_S,
        State.UPLOAD: time_s / 2,
        State.APPLICATION: REAPPEAR_S,
        State.HANDSHAKE: REAPPEAR_S + 2 * board.link.boot_wait_s,
        State.RESET: RESET_S,
        State.POWER_CYCLE: POWER_CYCLE_S,
    }


def _append(log: Path | None, step: Step) -> None:
    if log is not None:
        with log.open("a") as file:
            file.write(f"[{step}]\n")


def _result(procedure: Procedure, steps: Steps) -> FlashResult:
    return FlashResult(
        tool=steps.board.flash.tool,
        version=steps.version,
        seconds=procedure.seconds,
        attempts=steps.uploads,
        recoveries=procedure.count(State.RESET, State.POWER_CYCLE),
        port=steps.port,
        steps=tuple(procedure.steps),
    )


def _given_up(procedure: Procedure) -> FlashError:
    cause = procedure.cause
    assert cause is not None
    return FlashError(
        f"{cause.message}; gave up after {procedure.seconds:.1f} s: {procedure.summary()}",
        hint=cause.hint,
    )
