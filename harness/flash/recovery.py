"""How a board that does not take its firmware can be brought back: reset, then power."""

from __future__ import annotations

from collections.abc import Callable

from harness.boards import Board
from harness.flash.signals import power_cycle, pulse_dtr, touch
from harness.flash.steps import control_of
from harness.instances import Instance
from harness.link.base import Deadline
from harness.link.dut import connect
from harness.link.serial import SerialLink

ANSWER_S = 2.0  # for a firmware that is asked to restart


def reset_of(board: Board) -> Callable[[str, Deadline], str] | None:
    """How boards of this kind are reset; None for one that is started anew by every opening."""
    if board.flash.tool == "ssh":
        return None
    if board.is_virtual:
        return lambda port, deadline: _by_control(board, port)
    if board.link.resets_on_open:
        return lambda port, deadline: _by_dtr(port)
    if board.flash.touch_baud:
        return lambda port, deadline: _by_touch(board, port)
    return lambda port, deadline: _by_message(board, port)


def _by_control(board: Board, port: str) -> str:
    control_of(board, port).reset()
    return "the reset line, by the control socket"


def _by_dtr(port: str) -> str:
    pulse_dtr(port)
    return "a pulse on DTR"


def _by_touch(board: Board, port: str) -> str:
    touch(port, board.flash.touch_baud)
    return "into the bootloader, by the touch"


def _by_message(board: Board, port: str) -> str:
    """Whatever firmware of ours is there restarts itself."""
    dut = connect(lambda: SerialLink(port, board.link.baud), boot_wait_s=ANSWER_S, banner=False)
    try:
        dut.reset()
    finally:
        dut.close()
    return "by a RESET message to its firmware"


def power_cycle_of(instance: Instance | None) -> Callable[[Deadline], str] | None:
    """By the commands of the board's entry; None where it has none."""
    if instance is None or not (instance.power_off and instance.power_on):
        return None
    return lambda deadline: _switch(instance, deadline)


def _switch(instance: Instance, deadline: Deadline) -> str:
    power_cycle(instance.power_off, instance.power_on, deadline)
    return f"{' '.join(instance.power_off)}; {' '.join(instance.power_on)}"
