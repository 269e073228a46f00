"""What can be done to a board from outside: the 1200-baud touch, a pulse on DTR, its power."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

import serial

from harness import tools
from harness.errors import LabError
from harness.link.base import Deadline

PULSE_S = 0.1
OFF_S = 2.0  # until capacitors are empty


def touch(port: str, baud: int) -> None:
    """Open and close the port at the rate that asks for the bootloader. Raises LabError."""
    line = _open(port, baud)
    with suppress(OSError):  # a pty has no DTR
        line.dtr = False
    line.close()


def pulse_dtr(port: str) -> None:
    """Let DTR drop and rise, which pulls the reset line of boards that are reset by opening."""
    line = _open(port, 115_200)
    with suppress(OSError):
        line.dtr = False
        time.sleep(PULSE_S)
        line.dtr = True
    line.close()


def _open(port: str, baud: int) -> serial.Serial:
    try:
        return serial.Serial(port, baud)
    except (OSError, ValueError) as error:  # SerialException is an OSError
        raise LabError(f"cannot open {port}: {error}") from error


def power_cycle(off: Sequence[str], on: Sequence[str], deadline: Deadline) -> None:
    """Switch a board off and on by its owner's commands; on in any case. Raises LabError with the
    words of the first that failed."""
    try:
        _switch(off, deadline.sooner(deadline.remaining_s / 2))
        time.sleep(min(OFF_S, deadline.remaining_s))
    finally:
        _switch(on, deadline)


def _switch(command: Sequence[str], deadline: Deadline) -> None:
    finished = tools.run_tool(command, deadline_s=deadline.remaining_s)
    if finished.ok:
        return
    end = "did not end in time" if finished.timed_out else f"ended with {finished.status}"
    said = finished.output.strip().replace("\n", " / ")[-200:]
    raise LabError(f"{' '.join(command)} {end}" + (f"; it said: {said}" if said else ""))
