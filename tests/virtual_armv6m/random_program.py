"""Programs drawn by hypothesis, valid whatever is drawn: they end, and touch only scratch.

A program is text for the GNU assembler, so that one that hypothesis has shrunk can be read.
Straight lines come from templates; loops have counters, ifs go both ways, calls go to later
functions only. R6 points to the scratch area throughout, R7 is free between statements. Another
architecture adds templates of its own: `programs(ARMV6M_TEMPLATES + MORE)`.
"""

from __future__ import annotations

import string
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from elftools.elf.elffile import ELFFile
from hypothesis import strategies as st

from harness.virtual.armv6m_core import RAM_BASE, RAM_BYTES
from tests.virtual_armv6m.side_by_side import Image

ENTRY = 0x100
SCRATCH = RAM_BASE + 0x400
CORNERS = (0, 1, 31, 32, 0x7F, 0x80, 0xFFFF, 0x8000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
FUNCTIONS = 3
REGISTERS = [*range(6), *range(8, 13)]  # what a program starts with is drawn

# Placeholders: a, b, c a low register; h, k a high one; the rest are numbers and lists.
ARMV6M_TEMPLATES = (
    "adds {a}, {b}, {c}",
    "subs {a}, {b}, {c}",
    "adds {a}, {b}, #{imm3}",
    "subs {a}, {b}, #{imm3}",
    "adds {a}, #{imm8}",
    "subs {a}, #{imm8}",
    "movs {a}, #{imm8}",
    "cmp {a}, #{imm8}",
    "cmp {a}, {b}",
    "cmn {a}, {b}",
    "tst {a}, {b}",
    "adcs {a}, {b}",
    "sbcs {a}, {b}",
    "rsbs {a}, {b}, #0",
    "muls {a}, {b}, {a}",
    "ands {a}, {b}",
    "orrs {a}, {b}",
    "eors {a}, {b}",
    "bics {a}, {b}",
    "mvns {a}, {b}",
    "lsls {a}, {b}, #{imm5}",
    "lsrs {a}, {b}, #{shift}",
    "asrs {a}, {b}, #{shift}",
    "lsls {a}, {b}",
    "lsrs {a}, {b}",
    "asrs {a}, {b}",
    "rors {a}, {b}",
    "movs r7, #{imm8}\nlsls {a}, r7",
    "movs r7, #{imm8}\nlsrs {a}, r7",
    "movs r7, #{imm8}\nasrs {a}, r7",
    "movs r7, #{imm8}\nrors {a}, r7",
    "sxth {a}, {b}",
    "sxtb {a}, {b}",
    "uxth {a}, {b}",
    "uxtb {a}, {b}",
    "rev {a}, {b}",
    "rev16 {a}, {b}",
    "revsh {a}, {b}",
    "mov {h}, {a}",
    "mov {a}, {h}",
    "add {h}, {a}",
    "add {a}, {h}",
    "add {h}, {k}",
    "cmp {h}, {a}",
    "cmp {h}, {k}",
    "ldr {a}, ={word32}",
    "add {a}, pc, #{word}",
    "add {a}, sp, #{word}",
    "mrs {a}, apsr",
    "msr apsr_nzcvq, {a}",
    "cpsid i\ncpsie i",
    "nop",
    "sev",
    "dmb",
    "dsb",
    "isb",
    # the scratch area: 128 bytes at r6
    "str {a}, [r6, #{word}]",
    "strh {a}, [r6, #{half}]",
    "strb {a}, [r6, #{imm5}]",
    "ldr {a}, [r6, #{word}]",
    "ldrh {a}, [r6, #{half}]",
    "ldrb {a}, [r6, #{imm5}]",
    # an address that depends on data
    "movs r7, #124\nands r7, {a}\nstr {b}, [r6, r7]",
    "movs r7, #126\nands r7, {a}\nstrh {b}, [r6, r7]",
    "movs r7, #127\nands r7, {a}\nstrb {b}, [r6, r7]",
    "movs r7, #124\nands r7, {a}\nldr {b}, [r6, r7]",
    "movs r7, #126\nands r7, {a}\nldrh {b}, [r7, r6]",
    "movs r7, #127\nands r7, {a}\nldrb {b}, [r6, r7]",
    "movs r7, #126\nands r7, {a}\nldrsh {b}, [r6, r7]",
    "movs r7, #127\nands r7, {a}\nldrsb {b}, [r6, r7]",
    # many registers
    "mov r7, r6\nadds r7, #{word}\nldmia r7!, {{{list}}}",
    "mov r7, r6\nadds r7, #{word}\nstmia r7!, {{{list}}}",
    "mov {a}, r6\nldmia {a}, {{{a}, r7}}",
    "push {{{list}}}\npop {{{list}}}",
    "sub sp, #16\nstr {a}, [sp, #4]\nldr {b}, [sp, #12]\nadd sp, #16",
    # branches by address
    "adr {a}, 7f\nadds {a}, #1\nbx {a}\n.balign 4\n7:",
    "adr {a}, 7f\nmov pc, {a}\n.balign 4\n7:",
    "adr {a}, 7f\nadds {a}, #1\nblx {a}\nb 8f\n.balign 4\n7: adds {b}, {c}\nbx lr\n8:",
)
CONDITIONS = ("eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le")

_LOW = st.sampled_from([f"r{n}" for n in range(6)])
_HIGH = st.sampled_from([f"r{n}" for n in range(8, 13)])
_LIST = st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True)
_WORD32 = st.one_of(st.sampled_from(CORNERS), st.integers(0, 0xFFFF_FFFF))
_PLACEHOLDERS = {
    "a": _LOW,
    "b": _LOW,
    "c": _LOW,
    "h": _HIGH,
    "k": _HIGH,
    "imm3": st.integers(0, 7),
    "imm5": st.integers(0, 31),
    "imm8": st.integers(0, 255),
    "shift": st.integers(1, 32),
    "word": st.integers(0, 25).map(lambda n: 4 * n),
    "half": st.integers(0, 31).map(lambda n: 2 * n),
    "word32": _WORD32,
    "list": _LIST.map(lambda numbers: ", ".join(f"r{n}" for n in sorted(numbers))),
}


class Labels:
    """Names that nobody else has."""

    def __init__(self) -> None:
        self.count = 0

    def new(self) -> str:
        self.count += 1
        return f"l{self.count}"


@dataclass(frozen=True)
class Line:
    """A template, filled in."""

    template: str
    text: str

    def lines(self, _: Labels) -> Iterator[str]:
        yield from self.text.split("\n")


@dataclass(frozen=True)
class Call:
    """Of a function by its number."""

    function: int

    def lines(self, _: Labels) -> Iterator[str]:
        yield f"bl f{self.function}"


@dataclass(frozen=True)
class If:
    """Two ways, by whatever the flags are."""

    condition: str
    body: Sequence[Statement]

    def lines(self, labels: Labels) -> Iterator[str]:
        inside, after = labels.new(), labels.new()
        yield from (f"b{self.condition} {inside}", f"b {after}", f"{inside}:")
        yield from _all(self.body, labels)
        yield f"{after}:"


@dataclass(frozen=True)
class Loop:
    """`count` rounds; the counter waits on the stack while the body runs."""

    count: int
    body: Sequence[Statement]

    def lines(self, labels: Labels) -> Iterator[str]:
        again, after = labels.new(), labels.new()
        yield from (f"movs r7, #{self.count}", f"{again}:", "push {r7}")
        yield from _all(self.body, labels)
        yield from ("pop {r7}", "subs r7, #1", f"beq {after}", f"b {again}", f"{after}:")


Statement = Line | Call | If | Loop


def _all(statements: Sequence[Statement], labels: Labels) -> Iterator[str]:
    for statement in statements:
        yield from statement.lines(labels)


@dataclass(frozen=True)
class Program:
    """What runs, what it may call, and the registers it starts with, by number."""

    main: Sequence[Statement]
    functions: Sequence[Sequence[Statement]]
    registers: dict[int, int] = field(default_factory=dict)

    def text(self, cpu: str) -> str:
        """The program for the assembler; `done` is where it ends."""
        labels = Labels()
        lines = [".syntax unified", f".cpu {cpu}", ".thumb", f"ldr r6, ={SCRATCH:#x}"]
        lines += ["movs r7, #0", "msr apsr_nzcvq, r7"]  # flags after a reset are UNKNOWN
        lines += [*_all(self.main, labels), "mrs r7, apsr", "done: b done", ".ltorg"]
        for number, body in enumerate(self.functions):
            lines += [f"f{number}:", "push {r4, lr}", *_all(body, labels), "pop {r4, pc}", ".ltorg"]
        return "\n".join(lines) + "\n"

    def templates(self) -> set[str]:
        """Which ones it uses."""
        return {line.template for body in (self.main, *self.functions) for line in _lines_of(body)}


def _lines_of(statements: Sequence[Statement]) -> Iterator[Line]:
    for statement in statements:
        if isinstance(statement, Line):
            yield statement
        elif isinstance(statement, If | Loop):
            yield from _lines_of(statement.body)


# --- drawing -------------------------------------------------------------------------------------


def _line(template: str) -> st.SearchStrategy[Line]:
    names = sorted({name for _, name, _, _ in string.Formatter().parse(template) if name})
    values = st.fixed_dictionaries({name: _PLACEHOLDERS[name] for name in names})
    return values.map(lambda v: Line(template, template.format(**v)))


def _body(
    templates: Sequence[str], callable_from: int, depth: int, most: int
) -> st.SearchStrategy[list[Statement]]:
    """Statements; `callable_from`: the first function they may call."""
    kinds: list[st.SearchStrategy[Statement]] = [
        st.sampled_from(templates).flatmap(_line) for _ in range(4)
    ]
    if callable_from < FUNCTIONS:
        kinds.append(st.integers(callable_from, FUNCTIONS - 1).map(Call))
    if depth:
        inner = _body(templates, callable_from, depth - 1, most // 2)
        kinds.append(st.builds(If, st.sampled_from(CONDITIONS), inner))
        kinds.append(st.builds(Loop, st.integers(1, 4), inner))
    return st.lists(st.one_of(kinds), max_size=most)


def programs(templates: Sequence[str] = ARMV6M_TEMPLATES) -> st.SearchStrategy[Program]:
    """Programs of some thousand instructions at most, all of which end."""
    functions = [_body(templates, n + 1, 1, 8) for n in range(FUNCTIONS)]
    registers = st.fixed_dictionaries({number: _WORD32 for number in REGISTERS})
    return st.builds(Program, _body(templates, 0, 2, 24), st.tuples(*functions), registers)


def assemble(text: str, cpu: str) -> Image:
    """A program's image, behind vectors that start it at ENTRY."""
    with tempfile.TemporaryDirectory() as folder:
        source, obj = Path(folder) / "program.s", Path(folder) / "program.o"
        source.write_text(text)
        command = ["arm-none-eabi-as", f"-mcpu={cpu}", "-o", obj, source]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{done.stderr}\n{text}"
        with obj.open("rb") as file:
            elf = ELFFile(file)
            code = elf.get_section_by_name(".text")
            assert not elf.get_section_by_name(".rel.text"), "an address that only a linker knows"
            table = elf.get_section_by_name(".symtab")
            symbols = {s.name: ENTRY + s["st_value"] for s in table.iter_symbols() if s.name}
            vectors = (RAM_BASE + RAM_BYTES).to_bytes(4, "little") + (ENTRY | 1).to_bytes(
                4, "little"
            )
            return Image(vectors.ljust(ENTRY, b"\0") + code.data(), symbols["done"], symbols)
