"""Least and most cycles of each row of the tables of ARM 100166_0001 (M4) and DDI 0337I (M3).

The tables leave ranges, so there is a bracket to check and no number: P, the refill, 1..3; a load
or store 1..2 as it pipelines; a division 2..12.
"""

from collections.abc import Iterator

import pytest

from harness.virtual.armv7m_core import CORTEX_M3, CORTEX_M4F, PC
from tests.virtual_armv6m.conftest import FIRMWARE as ARMV6M_FIRMWARE
from tests.virtual_armv7m.assembler import machine
from tests.virtual_armv7m.machines import FIRMWARE, MODELS, build

P = (1, 3)
ALL, M3, M4 = "both", "m3", "m4f"

# body, least, most, cores, what comes before. r4 = RAM + 0x100, r5 = 8, r6 = 3.
ROWS = [
    ("movs r0, #1\nmov r8, r0\nadds r0, r0, r5\nsub.w r0, r0, #99\nrsbs r0, r5, #0", 5, 5, ALL),
    ("ands r0, r5\nbic r0, r5, #1\nmvn r0, r5\ntst r0, r5\nteq r0, #1\ncmp r0, #3", 6, 6, ALL),
    (
        "lsls r0, r5, #3\nlsr.w r0, r5, r6\nadd r0, r5, r5, ror #3\nmovw r0, #1\nmovt r0, #1",
        5,
        5,
        ALL,
    ),
    (
        "ubfx r0, r5, #1, #3\nbfi r0, r5, #4, #4\nclz r0, r5\nrbit r0, r5\nssat r0, #5, r5",
        5,
        5,
        ALL,
    ),
    ("sxtb r0, r5\nuxth.w r0, r5\nrev r0, r5\nadr r0, 1f\nadd r0, sp, #8", 5, 5, ALL),
    ("mul r0, r5, r6\nmuls r0, r5, r0", 2, 2, ALL),
    ("mla r0, r5, r6, r0\nmls r0, r5, r6, r0", 2, 2, M4),
    ("mla r0, r5, r6, r0\nmls r0, r5, r6, r0", 4, 4, M3),
    ("smull r0, r1, r5, r6\numull r0, r1, r5, r6", 2, 2, M4),
    ("smull r0, r1, r5, r6\numull r0, r1, r5, r6", 6, 10, M3),
    ("smlal r0, r1, r5, r6\numlal r0, r1, r5, r6", 2, 2, M4),
    ("smlal r0, r1, r5, r6\numlal r0, r1, r5, r6", 8, 14, M3),
    ("smlad r0, r5, r6, r0\nsmulbb r0, r5, r6\nsmlald r0, r1, r5, r6\nqadd r0, r5, r6", 4, 4, M4),
    (
        "uadd8 r0, r5, r6\nsel r0, r5, r6\npkhbt r0, r5, r6\nusad8 r0, r5, r6\nssat16 r0, #5, r5",
        5,
        5,
        M4,
    ),
    ("sdiv r0, r5, r6", 2, 12, ALL),
    ("udiv r0, r5, r6", 2, 12, ALL),
    ("ldr r0, [r4]\nldrb r0, [r4, r5]\nldrsh.w r0, [r4, #2]!", 3, 6, ALL),
    ("str r0, [r4]\nstrb r0, [r4, r5]\nstrh.w r0, [r4], #4", 3, 6, ALL),
    ("ldr r0, [r4, #1]", 2, 4, ALL),  # assumed: unaligned
    ("pld [r4]", 1, 1, ALL),
    ("ldm r4, {r0, r1, r2}", 4, 4, ALL),
    ("stm r4, {r0, r1}\npush {r0, lr}\npop {r0, r1}", 9, 9, ALL),
    ("ldrd r0, r1, [r4]\nstrd r0, r1, [r4]", 6, 6, ALL),
    ("ldrex r0, [r4]\nstrex r1, r0, [r4]", 4, 4, ALL),
    ("b 1f\n1:", 1 + P[0], 1 + P[1], ALL),
    ("b.w 1f\n1:", 1 + P[0], 1 + P[1], ALL),
    ("bl 1f\n1:", 1 + P[0], 1 + P[1], ALL),
    ("beq 1f\n1:", 1 + P[0], 1 + P[1], ALL, "cmp r0, r0"),
    ("beq.w 1f\n1:", 1 + P[0], 1 + P[1], ALL, "cmp r0, r0"),
    ("bne 1f\n1: bne.w 1f\n1:", 2, 2, ALL, "cmp r0, r0"),
    ("cbz r5, 1f\nnop\n1:", 2, 2, ALL),
    ("cbnz r5, 1f\nnop\n1:", 1 + P[0], 1 + P[1], ALL),
    ("bx r0\n.balign 4\n1:", 1 + P[0], 1 + P[1], ALL, "adr r0, 1f\nadds r0, #1"),
    ("mov pc, r0\n.balign 4\n1:", 1 + P[0], 1 + P[1], ALL, "adr r0, 1f"),
    (
        "pop {r1, pc}\n.balign 4\n1:",
        3 + P[0],
        3 + P[1],
        ALL,
        "adr r0, 1f\nadds r0, #1\npush {r0}\npush {r1}",
    ),
    (
        "ldr pc, [r4]\n.balign 4\n1:",
        1 + P[0],
        2 + P[1],
        ALL,
        "adr r0, 1f\nadds r0, #1\nstr r0, [r4]",
    ),
    ("tbb [pc, r0]\n.byte 1, 1\n1:", 2 + P[0], 2 + P[1], ALL, "movs r0, #0"),
    ("mrs r0, apsr\nmsr apsr_nzcvq, r0\ncpsie i", 3, 6, ALL),
    ("nop\nnop.w\nsev\nclrex", 4, 4, ALL),
    ("dmb\ndsb\nisb", 3, 12, ALL),
    ("ite eq\nmoveq r0, #1\nmovne r0, #2", 2, 3, ALL),  # IT folded or not; one skipped
    ("vadd.f32 s0, s1, s2\nvmul.f32 s0, s1, s2\nvcvt.s32.f32 s0, s1\nvcmp.f32 s0, s1", 4, 8, M4),
    ("vmov r0, s1\nvmov.f32 s0, s1\nvneg.f32 s0, s1\nvmov.f32 s0, #1.0\nvmrs r0, fpscr", 5, 5, M4),
    ("vmov r0, r1, s2, s3", 2, 2, M4),
    ("vfma.f32 s0, s1, s2\nvmls.f32 s0, s1, s2", 6, 8, M4),
    ("vdiv.f32 s0, s1, s2\nvsqrt.f32 s0, s1", 28, 30, M4),
    ("vldr s0, [r4]\nvstr s0, [r4]", 2, 4, M4),
    ("vldr d0, [r4]\nvstr d0, [r4]", 4, 6, M4),
    ("vldm r4, {s0-s3}\nvpush {s0-s1}\nvpop {s0-s1}", 11, 11, M4),
]


def program(core: str) -> str:
    text = ["start: fpu_on\nldr r4, =RAM + 0x100\nmovs r5, #8\nmovs r6, #3\n"]
    for body, _, _, cores, *before in ROWS:
        if cores in (ALL, core):
            text += [*before, "ldr r4, =RAM + 0x100\n.balign 4\ndbg #0", body, "1: dbg #1"]
    return "\n".join([*text, "bkpt\n.ltorg\n"])


def stretches(config, text: str) -> Iterator[tuple[int, int]]:
    """Least and most cycles between each dbg #0 and the dbg #1 that follows it."""
    core = machine(text, config)
    begin = None
    while core.fault.count == 0:
        hint = int.from_bytes(core.dump(core.get(PC), 4), "little")
        if hint == 0x80F0_F3AF:
            core.step()
            begin = core.cycles, core.cycles_hi
        elif hint == 0x80F1_F3AF:
            assert begin
            yield core.cycles - begin[0], core.cycles_hi - begin[1]
            core.step()
        else:
            core.step()
    assert core.fault.reason == "breakpoint without a debugger", core.fault


@pytest.mark.parametrize(("core", "config"), [("m3", CORTEX_M3), ("m4f", CORTEX_M4F)])
def test_rows(core, config):
    rows = [row for row in ROWS if row[3] in (ALL, core)]
    measured = list(stretches(config, program(core)))
    assert len(measured) == len(rows)
    wrong = [
        (row[0], got, row[1:3]) for row, got in zip(rows, measured, strict=True) if got != row[1:3]
    ]
    assert not wrong


def test_exception_entry_and_return():
    """12 cycles in; out is assumed. A frame with floats costs up to 17 more, lazily nothing."""
    plain = "start: nop\ndbg #0\nsvc #0\n1: dbg #1\nbkpt\nsvcall: bx lr"
    floats = plain.replace("nop", "fpu_on\nvmov.f32 s0, #1.0", 1)
    ((lo, hi),) = stretches(CORTEX_M4F, plain)
    assert (lo, hi) == (12 + 2 + 10, 12 + 4 + 12)
    ((lo, hi),) = stretches(CORTEX_M4F, floats)
    assert (lo, hi) == (12 + 2 + 10, 12 + 4 + 12 + 17)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("optimise", ["-Os", "-O2"])
def test_spread_over_real_code(tmp_path, model, optimise):
    """Lists, matrices, a state machine, a CRC. For CoreMark a static count of the same kind gave hi
    / lo = 1.4 to 1.5, with the M4 boards that were measured inside it."""
    image = build(tmp_path, MODELS[model], [ARMV6M_FIRMWARE / "suite.c"], optimise)
    with MODELS[model].core() as core:
        core.load(0, image.data)
        core.reset()
        while core.get(PC) != image.done:
            core.step(100)
        per_instruction = core.cycles / core.instructions, core.cycles_hi / core.instructions
        assert 1.0 < per_instruction[0] < per_instruction[1] < 2.0
        assert 1.3 < core.cycles_hi / core.cycles < 1.6, per_instruction


def test_the_same_program_takes_the_same_cycles(tmp_path):
    image = build(tmp_path, MODELS["m4f"], [FIRMWARE / "whole.c"], "-O2")
    counts = set()
    for steps in (1, 7, 1000):
        with MODELS["m4f"].core() as core:
            core.load(0, image.data)
            core.reset()
            while core.instructions < 7000:
                core.step(min(steps, 7000 - core.instructions))
            counts.add((core.cycles, core.cycles_hi, core.instructions, tuple(core.regs())))
    with MODELS["m4f"].core() as core:
        core.load(0, image.data)
        core.reset()
        core.run(next(iter(counts))[0])
        assert core.instructions - 7000 in range(3)  # the last may overrun
    assert len(counts) == 1
