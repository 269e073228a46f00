"""Weights as code for ARMv6-M: sums in registers, columns outer, a product from what is at hand.

A block of up to ten rows keeps its sums in registers: six in r8-r12 and lr, which can only be
added to, and the rest in low registers, which can also be subtracted from. Elements of v are loaded
one to three at a time. A multiple of an element x costs a MOVS and a MULS, but only one instruction
where it is a shift, sum or difference of multiples that are still in registers; a search that looks
one step ahead picks the order of the rows and what to keep. Cycles: ARM DDI 0484C, table 3-1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.firmware.ascode import PREFIX, Routine
from harness.firmware.storage import Product

HIGH = ("r8", "r9", "r10", "r11", "r12", "lr")
POINTER = "r7"
LOW = ("r0", "r1", "r2", "r3", "r4", "r5", "r6")
MOST_ROWS = 10
MOST_VALUES = 5  # low registers for elements and their multiples
LOADS = (1, 2, 3)  # elements loaded at once
LARGEST_IMMEDIATE = 255
LARGEST_WEIGHT = 128
WORD = 4
LARGEST_BUMP = 252  # of a pointer, in whole words
SLOW = {"ldr": 2}


@dataclass
class _Writer:
    """Instructions so far and what they cost."""

    lines: list[str] = field(default_factory=list)
    cycles: int = 0
    code_bytes: int = 0

    def put(self, op: str, *operands: object, cycles: int | None = None) -> None:
        self.lines.append(f"        {op:<7} {', '.join(map(str, operands))}")
        self.cycles += SLOW.get(op, 1) if cycles is None else cycles
        self.code_bytes += 2


def write_routine(product: Product) -> Routine:
    """The cheapest of the ways to cut the rows into blocks and to load v."""
    rows = len(product.matrix)
    fewest = -(-rows // MOST_ROWS)
    ways = [
        _routine(product, blocks, at_once)
        for blocks in range(fewest, min(fewest + 2, rows + 1))
        for at_once in LOADS
    ]
    return min(ways, key=lambda routine: (routine.cycles, routine.code_bytes))


def _routine(product: Product, blocks: int, at_once: int) -> Routine:
    """r1 = v, r2 = where the sums go; every register is lost."""
    writer = _Writer()
    name = PREFIX + product.name
    _prologue(writer)
    start = 0
    for block in np.array_split(product.matrix, blocks):
        _block(writer, block, product, start, at_once)
        start += len(block)
    _epilogue(writer)
    body = "\n".join(writer.lines)
    text = f"""/* Generated: {product.name} [{rows_cols(product)}] as code. Do not edit. */
        .syntax unified
        .cpu    cortex-m0plus
        .thumb
        .section .text.{name}, "ax", %progbits
        .balign 4
        .global {name}
        .type   {name}, %function
{name}:
{body}
        .size   {name}, . - {name}
"""
    return Routine(text, writer.code_bytes, writer.cycles)


def rows_cols(product: Product) -> str:
    """`rows, cols` for a comment."""
    return ", ".join(map(str, product.matrix.shape))


def _prologue(writer: _Writer) -> None:
    writer.put("push", "{r1, r2, lr}", cycles=4)


def _epilogue(writer: _Writer) -> None:
    writer.put("add", "sp", "#8")
    writer.put("pop", "{pc}", cycles=4)


# -- a block of rows -----------------------------------------------------------------------------


def _block(
    writer: _Writer, matrix: NDArray[np.int8], product: Product, start: int, at_once: int
) -> None:
    """Sums of the rows start .. start + len(matrix) - 1, and their way to acc."""
    homes = _homes(len(matrix))
    values = [r for r in LOW if r not in homes][:MOST_VALUES]
    writer.put("ldr", POINTER, "[sp, #0]")
    untouched = set(range(len(matrix)))
    pointer = 0  # the column that POINTER points to
    used = (matrix != 0).sum(axis=0) > 0
    while used[pointer:].any():
        first = pointer + int(np.argmax(used[pointer:]))
        count = min(at_once, len(values) - 1, matrix.shape[1] - first)
        _load(writer, values[:count], first - pointer)
        pointer = first + count
        weights = matrix[:, first:pointer]
        _Columns(writer, weights, homes, values, untouched).write()
    for row in sorted(untouched):
        writer.put("movs", values[0], "#0")
        writer.put("mov", homes[row], values[0])
    _store(writer, homes, product.adds, start)


def _load(writer: _Writer, registers: list[str], skip: int) -> None:
    """The next elements of v, after `skip` that are not needed; POINTER is behind them then."""
    for part in range(WORD * skip, 0, -LARGEST_BUMP):
        writer.put("adds", POINTER, f"#{min(part, LARGEST_BUMP)}")
    writer.put("ldm", f"{POINTER}!", f"{{{', '.join(registers)}}}", cycles=1 + len(registers))


def _homes(rows: int) -> list[str]:
    """A register for each row's sum: the high ones, then low ones from the top."""
    extra = max(0, rows - len(HIGH))
    return [*HIGH[: rows - extra], *LOW[len(LOW) - extra :]]


def _store(writer: _Writer, homes: list[str], adds: bool, start: int) -> None:
    """Sums to acc[start ...], in as few STM as the order of registers allows."""
    writer.put("ldr", POINTER, "[sp, #4]")
    for part in range(WORD * start, 0, -LARGEST_BUMP):
        writer.put("adds", POINTER, f"#{min(part, LARGEST_BUMP)}")
    high = [h for h in homes if h in HIGH]
    low = [h for h in homes if h not in HIGH]
    free = [r for r in LOW if r not in low]
    spare = free.pop()
    while high:
        batch, high = high[: len(free)], high[len(free) :]
        for register, home in zip(free, batch, strict=False):
            writer.put("mov", register, home)
        stored = [*free[: len(batch)], *([] if high else low)]
        for i, register in enumerate(stored if adds else ()):
            writer.put("ldr", spare, f"[{POINTER}, #{WORD * i}]")
            writer.put("adds", register, register, spare)
        writer.put("stm", f"{POINTER}!", f"{{{', '.join(stored)}}}", cycles=1 + len(stored))


# -- some columns --------------------------------------------------------------------------------

_Multiple = tuple[int, int]  # column and factor


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction that makes a multiple of an element from multiples at hand."""

    op: str
    sources: tuple[str, ...]
    immediate: int | None = None


class _Columns:
    """Adds weight * x to each row's sum, for the elements x in the first of `values`."""

    def __init__(
        self,
        writer: _Writer,
        weights: NDArray[np.int8],
        homes: list[str],
        values: list[str],
        untouched: set[int],
    ) -> None:
        self.writer = writer
        self.left = {(int(r), int(c)): int(weights[r, c]) for r, c in np.argwhere(weights)}
        self.homes = homes
        self.values = values
        self.untouched = untouched
        self.live: dict[str, _Multiple] = {values[c]: (c, 1) for c in range(weights.shape[1])}

    def write(self) -> None:
        """Write until every weight is in its sum."""
        while self.left:
            ready = [place for place in self.left if self._holder(place)]
            if ready:
                self._accumulate(ready[0])
            elif not self._derive() and not self._multiply():
                self._negate()

    def _wanted(self, place: tuple[int, int]) -> tuple[_Multiple, ...]:
        """Multiples that serve a weight: a low register can also be subtracted from."""
        row, column = place
        weight = self.left[place]
        if self.homes[row] in HIGH:
            return ((column, weight),)
        return ((column, weight), (column, -weight))

    def _holder(self, place: tuple[int, int]) -> str | None:
        wanted = self._wanted(place)
        return next((r for r, m in self.live.items() if m in wanted), None)

    def _accumulate(self, place: tuple[int, int]) -> None:
        row, register = place[0], self._holder(place)
        assert register is not None
        home = self.homes[row]
        same = self.live[register][1] == self.left.pop(place)
        if row in self.untouched:
            self.untouched.remove(row)
            operands = (home, register) if same else (home, register, "#0")
            self.writer.put("mov" if same else "rsbs", *operands)
        elif home in HIGH:
            self.writer.put("add", home, register)
        else:
            self.writer.put("adds" if same else "subs", home, home, register)

    # -- the search --------------------------------------------------------------------------

    def _derive(self) -> bool:
        """One instruction towards a weight, if one suffices: the one that leaves most at hand."""
        steps = dict(_steps(self.live))
        options = [
            (self._score(register, multiple), register, multiple)
            for place in self.left
            for multiple in self._wanted(place)
            if multiple in steps
            for register in self._places()
        ]
        if not options:
            return False
        _, register, multiple = max(options)
        step = steps[multiple]
        last = () if step.immediate is None else (f"#{step.immediate}",)
        self.writer.put(step.op, register, *step.sources, *last)
        self._now_live(register, multiple)
        return True

    def _multiply(self) -> bool:
        """MOVS and MULS for the weight that brings the others nearest, if an element serves."""
        options = [
            (self._score(register, multiple), register, multiple, source)
            for place in self.left
            for multiple in self._wanted(place)
            if (source := self._source(multiple))
            for register in self._places()
            if register != source
        ]
        if not options:
            return False
        _, register, multiple, source = max(options)
        self.writer.put("movs", register, f"#{multiple[1] // self.live[source][1]}")
        self.writer.put("muls", register, source)
        self._now_live(register, multiple)
        return True

    def _negate(self) -> None:
        """x becomes -x, in place, or the reverse: only multiples of the other sign are left."""
        column = next(iter(self.left))[1]
        register = next(r for r, (c, m) in self.live.items() if c == column and abs(m) == 1)
        self.writer.put("rsbs", register, register, "#0")
        self._now_live(register, (column, -self.live[register][1]))

    def _now_live(self, register: str, multiple: _Multiple) -> None:
        self.live = {r: m for r, m in self.live.items() if r != register} | {register: multiple}

    def _places(self) -> list[str]:
        """Registers that may take a new multiple: not the last one with +-x of a column in need."""
        needed = {column for _, column in self.left}
        kept = {m[0]: r for r, m in self.live.items() if abs(m[1]) == 1 and m[0] in needed}
        return [r for r in self.values if r not in kept.values()]

    def _score(self, register: str, multiple: _Multiple) -> int:
        """How near the other weights are with this multiple in this register."""
        live = {r: m for r, m in self.live.items() if r != register} | {register: multiple}
        held, near = set(live.values()), {m for m, _ in _steps(live)}
        score = 0
        for place in self.left:
            wanted = self._wanted(place)
            if any(m in held for m in wanted):
                score += 16
            elif any(m in near for m in wanted):
                score += 8
        return score + (register not in self.live)

    def _source(self, multiple: _Multiple) -> str | None:
        """A register whose multiple, times an immediate, is this one."""
        for register, (column, factor) in self.live.items():
            if column == multiple[0]:
                immediate, rest = divmod(multiple[1], factor)
                if not rest and 0 < immediate <= LARGEST_IMMEDIATE:
                    return register
        return None


def _steps(live: dict[str, _Multiple]) -> Iterator[tuple[_Multiple, _Step]]:
    """Every multiple that one instruction makes from those at hand."""
    for a, (column, m) in live.items():
        for shift in range(1, 8):
            if abs(m << shift) <= LARGEST_WEIGHT:
                yield (column, m << shift), _Step("lsls", (a,), shift)
        yield (column, -m), _Step("rsbs", (a,), 0)
        for b, (other, n) in live.items():
            if other == column and a < b:
                yield (column, m + n), _Step("adds", (a, b))
            if other == column and a != b:
                yield (column, m - n), _Step("subs", (a, b))
