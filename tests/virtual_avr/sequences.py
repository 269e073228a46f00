"""Instruction sequences and the cycles the data sheet gives them.

Ref: ATmega328P and ATmega2560 data sheets, Microchip DS40002061 and DS40002211, sections
"Instruction Set Summary" (column #Clocks) and "Interrupt Response Time". Where the program counter
has three bytes, what pushes or pops it takes one cycle more: `pc_transfers`.

Registers r10..r15 belong to the measurement; a sequence may use the others.
"""

from __future__ import annotations

from dataclasses import dataclass

REPEATS = 32


@dataclass(frozen=True)
class Sequence:
    """`code` is repeated; `setup` runs once before; `cycles` is for one repetition.

    `cycles` counts a program counter of two bytes, which is pushed or popped `pc_transfers` times.
    """

    name: str
    code: str
    cycles: int
    setup: str = ""
    pc_transfers: int = 0

    def cycles_with(self, pc_bytes: int) -> int:
        """Cycles on an MCU whose program counter has 2 or 3 bytes."""
        return self.cycles + self.pc_transfers * (pc_bytes - 2)


# Pointers into a buffer in SRAM that is large enough for 32 post-increments or pre-decrements.
X = "ldi r26, lo8(buffer+64)\n ldi r27, hi8(buffer+64)"
Y = "ldi r28, lo8(buffer+64)\n ldi r29, hi8(buffer+64)"
Z = "ldi r30, lo8(buffer+64)\n ldi r31, hi8(buffer+64)"
Z_STUB = "ldi r30, lo8(pm(stub_ret))\n ldi r31, hi8(pm(stub_ret))"
Z_FLASH = "ldi r30, lo8(stub_ret)\n ldi r31, hi8(stub_ret)"
BITS = "ldi r16, 0x01\n ldi r17, 0x01\n ldi r18, 0x02\n sbi 0x05, 0\n cbi 0x05, 1"
FLAGS_ZERO = "sez"
FLAGS_CLEAR = "clz"


def _ones() -> list[Sequence]:
    code = {
        "nop": "nop",
        "add": "add r16, r17",
        "adc": "adc r16, r17",
        "sub": "sub r16, r17",
        "subi": "subi r16, 3",
        "sbci": "sbci r16, 3",
        "and": "and r16, r17",
        "eor": "eor r16, r17",
        "com": "com r16",
        "inc": "inc r16",
        "mov": "mov r16, r17",
        "movw": "movw r16, r18",
        "ldi": "ldi r16, 7",
        "cp": "cp r16, r17",
        "cpi": "cpi r16, 7",
        "lsr": "lsr r16",
        "asr": "asr r16",
        "ror": "ror r16",
        "swap": "swap r16",
        "bst": "bst r16, 3",
        "bld": "bld r16, 3",
        "in": "in r16, 0x05",
        "out": "out 0x05, r16",
    }
    return [Sequence(name, text, 1) for name, text in code.items()]


def _arithmetic() -> list[Sequence]:
    code = {
        "mul": "mul r16, r17",
        "muls": "muls r16, r17",
        "mulsu": "mulsu r16, r17",
        "fmul": "fmul r16, r17",
        "fmuls": "fmuls r16, r17",
        "adiw": "adiw r26, 1",
        "sbiw": "sbiw r26, 1",
        "sbi": "sbi 0x05, 2",
        "cbi": "cbi 0x05, 2",
    }
    return [Sequence(name, text, 2) for name, text in code.items()]


def _memory() -> list[Sequence]:
    return [
        Sequence("lds", "lds r16, buffer", 2),
        Sequence("sts", "sts buffer, r16", 2),
        Sequence("ld X", "ld r16, X", 2, X),
        Sequence("ld X+", "ld r16, X+", 2, X),
        Sequence("ld -X", "ld r16, -X", 2, X),
        Sequence("ld Z+", "ld r16, Z+", 2, Z),
        Sequence("ldd Y+q", "ldd r16, Y+5", 2, Y),
        Sequence("ldd Z+q", "ldd r16, Z+5", 2, Z),
        Sequence("st X+", "st X+, r16", 2, X),
        Sequence("st -X", "st -X, r16", 2, X),
        Sequence("std Y+q", "std Y+5, r16", 2, Y),
        Sequence("lpm r0", "lpm", 3, Z_FLASH),
        Sequence("lpm Z", "lpm r16, Z", 3, Z_FLASH),
        Sequence("lpm Z+", "lpm r16, Z+", 3, Z_FLASH),
        Sequence("push pop", "push r16\n pop r16", 4),
    ]


def _jumps() -> list[Sequence]:
    to_next = "ldi r30, lo8(pm(1f))\n ldi r31, hi8(pm(1f))\n"
    return [
        Sequence("rjmp", "rjmp 1f\n 1:", 2),
        Sequence("jmp", "jmp 1f\n 1:", 3),
        Sequence("ldi ldi ijmp", f"{to_next} ijmp\n 1:", 4),
        Sequence("rcall ret", "rcall stub_ret", 7, pc_transfers=2),
        Sequence("call ret", "call stub_ret", 8, pc_transfers=2),
        Sequence("icall ret", "icall", 7, Z_STUB, pc_transfers=2),
        Sequence("rcall reti", "rcall stub_reti", 7, pc_transfers=2),
        Sequence("breq taken", "breq 1f\n 1:", 2, FLAGS_ZERO),
        Sequence("breq not taken", "breq 1f\n 1:", 1, FLAGS_CLEAR),
    ]


def _skips() -> list[Sequence]:
    two_words = "lds r19, buffer"
    return [
        Sequence("sbrc no skip, nop", "sbrc r16, 0\n nop", 2, BITS),
        Sequence("sbrc over one word", "sbrc r16, 1\n nop", 2, BITS),
        Sequence("sbrs over two words", f"sbrs r16, 0\n {two_words}", 3, BITS),
        Sequence("sbic over one word", "sbic 0x05, 1\n nop", 2, BITS),
        Sequence("sbis over two words", f"sbis 0x05, 0\n {two_words}", 3, BITS),
        Sequence("cpse no skip, nop", "cpse r16, r18\n nop", 2, BITS),
        Sequence("cpse over two words", f"cpse r16, r17\n {two_words}", 3, BITS),
    ]


def _mac() -> list[Sequence]:
    mac = "ld r16, X+\n lpm r17, Z+\n muls r16, r17\n add r4, r0\n adc r5, r1"
    return [Sequence("ld lpm muls add adc", mac, 9, f"{X}\n {Z_FLASH}")]


def _beyond_64_kb() -> list[Sequence]:
    """What only an MCU with RAMPZ and EIND has. `cycles_with(3)` is the data sheet's."""
    to_next = "ldi r30, lo8(pm(1f))\n ldi r31, hi8(pm(1f))\n"
    return [
        Sequence("elpm r0", "elpm", 3, Z_FLASH),
        Sequence("elpm Z", "elpm r16, Z", 3, Z_FLASH),
        Sequence("elpm Z+", "elpm r16, Z+", 3, Z_FLASH),
        Sequence("ldi ldi eijmp", f"{to_next} eijmp\n 1:", 4),
        Sequence("eicall ret", "eicall", 7, Z_STUB, pc_transfers=2),
    ]


SEQUENCES: list[Sequence] = [
    *_ones(),
    *_arithmetic(),
    *_memory(),
    *_jumps(),
    *_skips(),
    *_mac(),
]


def row_source(label: str, setup: str, body: str) -> str:
    """A function returning in r25:r24 the Timer1 ticks between two reads around `body`.

    The reads are bracketed by the marks GPIOR0 = 1 and 2.
    """
    saved = [*range(2, 18), 28, 29]
    push = "\n".join(f" push r{r}" for r in saved)
    pop = "\n".join(f" pop r{r}" for r in reversed(saved))
    return f"""
.global {label}
{label}:
{push}
 ldi r24, 1
 mov r10, r24
 ldi r24, 2
 mov r11, r24
 {setup}
 out 0x1e, r10
 lds r14, 0x84
 lds r15, 0x85
{body}
 lds r12, 0x84
 lds r13, 0x85
 out 0x1e, r11
 cli
 sub r12, r14
 sbc r13, r15
 movw r24, r12
{pop}
 clr r1
 ret
"""


# Timer2 matches once in 200 cycles; its handler is a lone RETI behind the JMP of the vector table.
INTERRUPT_SETUP = """
 ldi r24, 0
 sts 0xb1, r24
 sts 0xb0, r24
 sts 0xb2, r24
 ldi r24, 100
 sts 0xb3, r24
 ldi r24, 0xff
 out 0x17, r24
 ldi r24, 0x02
 sts 0x70, r24
 ldi r24, 1
 sts 0xb1, r24
 {interrupts}
"""
SLED_NOPS = 200
INTERRUPT = Sequence("interrupt", "", 4 + 3 + 4, pc_transfers=2)  # response, JMP, RETI


def sequences_of(pc_bytes: int) -> list[Sequence]:
    """What an MCU with such a program counter can run."""
    return SEQUENCES + (_beyond_64_kb() if pc_bytes == 3 else [])


def assembly(sequences: list[Sequence]) -> str:
    """The whole rows.S: an empty row, `sequences`, the sled without and with an interrupt."""
    rows = [row_source("row_0", "", "")]
    for index, sequence in enumerate(sequences, start=1):
        body = f".rept {REPEATS}\n {sequence.code}\n.endr"
        rows.append(row_source(f"row_{index}", sequence.setup, body))
    sled = f".rept {SLED_NOPS}\n nop\n.endr"
    quiet, loud = len(sequences) + 1, len(sequences) + 2
    rows.append(row_source(f"row_{quiet}", INTERRUPT_SETUP.format(interrupts="cli"), sled))
    rows.append(row_source(f"row_{loud}", INTERRUPT_SETUP.format(interrupts="sei"), sled))
    table = "\n".join(f" .word pm(row_{i})" for i in range(len(rows)))
    stubs = "\nstub_ret:\n ret\nstub_reti:\n reti\n"
    near = 1 + next(i for i, s in enumerate(sequences) if s.code.startswith("rcall"))
    rows.insert(near, stubs)  # RCALL reaches 4 KB
    head = ".section .bss\n.lcomm buffer, 160\n.section .text\n"
    tail = '\n.section .progmem.data,"a",@progbits\n.global row_table\nrow_table:\n'
    return head + "\n".join(rows) + tail + table + "\n"
