"""Why a build failed: too large for the board, or the compiler's own words."""

from __future__ import annotations

import re
from pathlib import Path

from harness.boards import Board
from harness.errors import BuildError, DoesNotFit, HarnessError
from harness.firmware.elf import MemoryUse
from harness.tools import Finished

WORDS = 16  # lines of the compiler that an error quotes
AVR_RAM_START = 0x80_0100  # in an ELF's addresses; of an MCU with up to 64 KB of flash
LARGE_AVR_RAM_START = 0x80_0200  # of the ATmega640..2561 family
LPM_REACH_BYTES = 0x1_0000  # of flash, on any AVR: LPM's address has 16 bits
AVR_OBJECT_BYTES = 0x7FFF  # avr-gcc takes no larger one
LPM_HINT = "fewer hidden units, a lower rank, a sparser model, or a board with an ARM core"


def check_fit(memory: MemoryUse, board: Board, name: str) -> None:
    """Raises DoesNotFit when flash, or static RAM and the stack reserve, exceed the board."""
    over = memory.flash_bytes - board.flash_free_bytes
    if over > 0:
        raise _flash_overflow(board, name, over)
    if memory.ram_static_bytes + board.stack_reserve_bytes > board.ram_bytes:
        raise _ram_overflow(board, name, memory.ram_static_bytes)


def check_data_fit(data_bytes: int, board: Board, name: str) -> None:
    """Raises DoesNotFit when the constants alone exceed the flash: avr-gcc chokes on them."""
    over = data_bytes - board.flash_free_bytes
    if over > 0:
        raise _flash_overflow(board, name, over, "at least ")


def check_lpm_reach(constants_end: int, board: Board, name: str) -> None:
    """Raises DoesNotFit when constants of an AVR end above what LPM, with its 16 bits, reaches."""
    over = constants_end - LPM_REACH_BYTES
    if over > 0:
        raise DoesNotFit(
            f"{name} has constants up to address {constants_end:,}, LPM on {board.kind} reaches "
            f"the first {LPM_REACH_BYTES:,} bytes of flash (over by {over:,})",
            over_bytes=over,
            hint=LPM_HINT,
        )


def explain(run: Finished, board: Board, name: str, log: Path) -> HarnessError:
    """The error to raise for a failed run of PlatformIO, whose whole output lies in `log`."""
    too_large = _linker_overflow(run.output, board, name) or _array_overflow(run.output, name)
    if too_large is not None:
        return too_large
    what = f"building {name} for {board.kind}"
    hint = f"the whole log: {log}"
    words = compiler_words(run.output)
    if run.timed_out:
        message = f"{what} took more than {run.seconds:.0f} s; last words:\n{words}"
        return BuildError(message, hint=hint)
    return BuildError(f"{what} failed (status {run.status}):\n{words}", hint=hint)


def compiler_words(output: str) -> str:
    """The lines of a failed build that say why, at most `WORDS` of them."""
    command = re.compile(r"^\S*(gcc|g\+\+|objcopy|ar|ranlib|size)(\.exe)? -|^\s*$|^=+ ")
    lines = [line for line in output.splitlines() if not command.match(line)]
    tell = re.compile(
        r"\berror\b|undefined reference|overflowed|not within region|No such file", re.I
    )
    first = next((i for i, line in enumerate(lines) if tell.search(line)), None)
    if first is None:
        return "\n".join(lines[-WORDS:])
    if first and "In function" in lines[first - 1]:
        first -= 1
    return "\n".join(lines[first : first + WORDS])


def _linker_overflow(output: str, board: Board, name: str) -> DoesNotFit | None:
    """A linker that ran out of a memory region leaves no ELF to measure, but says by how much."""
    found = re.search(r"region [`'](\w+)' overflowed by (\d+) bytes", output)
    if found and re.search("ram|data", found[1], re.I):
        return _ram_overflow(board, name, board.ram_bytes + int(found[2]))
    if found:
        return _flash_overflow(board, name, int(found[2]))
    # avr-ld names the end of each section that lies outside instead.
    ends = re.findall(
        r"address (0x[0-9a-f]+) of \S+ section \S+ is not within region `data'", output
    )
    if ends:
        large = board.flash_bytes > LPM_REACH_BYTES
        start = LARGE_AVR_RAM_START if large else AVR_RAM_START
        return _ram_overflow(board, name, max(int(end, 16) for end in ends) - start)
    return None


def _array_overflow(output: str, name: str) -> DoesNotFit | None:
    """avr-gcc refuses a large array where it is declared, without saying by how much."""
    found = re.search(r"size of array \W(\w+)\W is too large", output)
    if found is None:
        return None
    what = f"an array, {found[1]}, of more than the {AVR_OBJECT_BYTES:,} bytes that avr-gcc takes"
    return DoesNotFit(f"{name} has {what}", over_bytes=1, hint=LPM_HINT)


def _flash_overflow(board: Board, name: str, over: int, bound: str = "") -> DoesNotFit:
    free = board.flash_free_bytes
    return DoesNotFit(
        f"{name} needs {bound}{free + over:,} bytes of flash, {board.kind} has {free:,} free "
        f"(over by {bound}{over:,})",
        over_bytes=over,
        hint="fewer hidden units, a lower rank, a sparser model, or a board with more flash",
    )


def _ram_overflow(board: Board, name: str, static: int) -> DoesNotFit:
    over = static + board.stack_reserve_bytes - board.ram_bytes
    return DoesNotFit(
        f"{name} needs {static:,} bytes of static RAM and {board.stack_reserve_bytes:,} for the "
        f"stack, {board.kind} has {board.ram_bytes:,} (over by {over:,})",
        over_bytes=over,
        hint="fewer hidden units or features, an 8-bit state, or a board with more RAM",
    )
