"""Cycles of each row of the Cortex-M0+ table (ARM DDI 0484C, table 3-1), and of loops, by hand.

Every sequence is timed twice: by the firmware itself with SysTick, as on silicon, and by the
simulator's own cycle counter. Between the two SysTick reads lies the second half of the first LDR
and nothing of the second, hence the 2 that is subtracted.
"""

import pytest

from harness.virtual.armv6m_core import PC
from tests.virtual_armv6m.assembler import machine, run_to_breakpoint

READ = 2  # cycles of the LDR that reads SYST_CVR

# r4 = RAM + 0x100, r3 = IOBUS, r0-r2 small numbers; r5-r7 are taken.
FRAME = """
start:
    ldr r7, =SYST_RVR
    ldr r0, =0xFFFFFF
    str r0, [r7]
    str r0, [r7, #4]
    movs r0, #5
    subs r7, #4
    str r0, [r7]
    adds r7, #8
    ldr r4, =RAM + 0x100
    ldr r3, =IOBUS
    movs r0, #1
    movs r1, #2
    movs r2, #3
    {prepare}
    .balign 4
    ldr r5, [r7]
    {body}
    ldr r6, [r7]
    subs r0, r5, r6
    bkpt
    {after}
"""

ROWS = [
    # moves, arithmetic, logic, shifts: 1
    ("movs imm", "movs r0, #1", 1),
    ("movs reg", "movs r0, r1", 1),
    ("mov high", "mov r8, r0", 1),
    ("mov sp", "mov r0, sp", 1),
    ("adds imm3", "adds r0, r1, #3", 1),
    ("adds imm8", "adds r0, #200", 1),
    ("adds reg", "adds r0, r1, r2", 1),
    ("add high", "add r8, r0", 1),
    ("add sp imm", "add sp, #16\nsub sp, #16", 2),
    ("add rd sp", "add r0, sp, #16", 1),
    ("adr", "adr r0, 1f\nnop\nnop\n1: nop", 4),
    ("adcs sbcs rsbs", "adcs r0, r1\nsbcs r0, r1\nrsbs r0, r0, #0", 3),
    ("subs", "subs r0, r1, #1\nsubs r0, #1\nsubs r0, r1, r2", 3),
    ("cmp cmn tst", "cmp r0, #1\ncmp r0, r1\ncmp r8, r0\ncmn r0, r1\ntst r0, r1", 5),
    (
        "ands eors orrs bics mvns",
        "ands r0, r1\neors r0, r1\norrs r0, r1\nbics r0, r1\nmvns r0, r1",
        5,
    ),
    ("shifts imm", "lsls r0, r1, #3\nlsrs r0, r1, #3\nasrs r0, r1, #3", 3),
    ("shifts reg", "lsls r0, r1\nlsrs r0, r1\nasrs r0, r1\nrors r0, r1", 4),
    ("extend", "sxth r0, r1\nsxtb r0, r1\nuxth r0, r1\nuxtb r0, r1", 4),
    ("rev", "rev r0, r1\nrev16 r0, r1\nrevsh r0, r1", 3),
    ("muls", "muls r0, r1, r0", 1),
    # single loads and stores: 2
    ("ldr imm", "ldr r0, [r4, #4]", 2),
    ("ldr reg", "ldr r0, [r4, r0]", 2, "movs r0, #8"),
    ("ldr literal", "ldr r0, =0x12345678", 2),
    ("ldr sp", "ldr r0, [sp, #0]", 2, "sub sp, #8"),
    ("ldrh", "ldrh r0, [r4, #2]\nldrh r0, [r4, r1]", 4),
    ("ldrb", "ldrb r0, [r4, #1]\nldrb r0, [r4, r1]", 4),
    ("ldrsh ldrsb", "ldrsh r0, [r4, r1]\nldrsb r0, [r4, r1]", 4),
    ("str", "str r0, [r4]\nstr r0, [r4, r2]\nstr r0, [sp]", 6, "sub sp, #8\nmovs r2, #4"),
    ("strh strb", "strh r0, [r4]\nstrh r0, [r4, r1]\nstrb r0, [r4]\nstrb r0, [r4, r1]", 8),
    ("str iobus", "str r0, [r3, #0x14]\nldr r0, [r3, #0x20]\nstrb r0, [r3, #0x18]", 3),
    ("str port through the bridge", "str r0, [r2, #0x14]", 2, "ldr r2, =0x41004400"),
    # multiple: 1 + N
    ("ldm 1", "ldm r4!, {r0}", 2),
    ("ldm 4", "ldm r4!, {r0-r3}", 5),
    ("ldm base in list", "ldm r4, {r0-r4}", 6),
    ("stm 1", "stm r4!, {r0}", 2),
    ("stm 5", "stm r4!, {r0-r3, r5}", 6),
    ("push 1 pop 1", "push {r0}\npop {r0}", 4),
    ("push 5 with lr", "push {r0-r3, lr}\nadd sp, #20", 7),
    ("push 8 pop 8", "push {r0-r7}\npop {r0-r7}", 18),
    ("pop 1 pc", "pop {pc}\nnop\n1:", 4, "ldr r0, =1f + 1\npush {r0}"),
    ("pop 3 pc", "pop {r0, r1, pc}\nnop\n1:", 6, "ldr r2, =1f + 1\npush {r0, r1, r2}"),
    # branches
    ("b", "b 1f\nnop\n1:", 2),
    ("beq taken", "beq 1f\nnop\n1:", 2, "cmp r0, r0"),
    ("bne not taken", "bne 1f\n1:", 1, "cmp r0, r0"),
    ("bl and bx lr", "bl f", 5, "", "f: bx lr"),
    ("blx and bx lr", "blx r0", 4, "ldr r0, =f + 1", ".thumb_func\nf: bx lr"),
    ("bx", "bx r0\nnop\n1:", 2, "ldr r0, =1f + 1"),
    ("mov pc", "mov pc, r0\nnop\n1:", 2, "ldr r0, =1f"),
    ("add pc", "add pc, r0\nnop\nnop\nnop\n1:", 2, "movs r0, #4"),
    # system
    ("mrs msr", "mrs r0, apsr\nmsr apsr, r0", 6),
    ("barriers", "dmb\ndsb\nisb", 9),
    ("cps", "cpsid i\ncpsie i", 2),
    ("nop sev yield", "nop\nsev\nyield", 3),
    ("wfe with the event there", "wfe", 2, "sev"),
    # exceptions: entry 15; the return is the assumption of timing.h, BX 2 + 10
    ("svc", "svc #1", 15 + 12, "", "svcall: bx lr"),
    ("pendsv", "str r1, [r2]", 2 + 15 + 12, "ldr r2, =ICSR\nldr r1, =1 << 28", "pendsv: bx lr"),
    (
        "pendsv pop pc",
        "str r1, [r2]",
        2 + 15 + 2 + 4 + 10,
        "ldr r2, =ICSR\nldr r1, =1 << 28",
        "pendsv: push {lr}\npop {pc}",
    ),
    # the loops of the feasibility study
    ("1000 x alu", "1: adds r0, #1\neors r2, r0\nsubs r1, #1\nbne 1b", 5000 - 1, "ldr r1, =1000"),
    (
        "1000 x memory",
        "1: ldr r0, [r4]\nadds r0, #1\nstr r0, [r4]\nmuls r0, r2, r0\n"
        "ldrh r0, [r4, #4]\nstrb r0, [r4, #6]\nsubs r1, #1\nbne 1b",
        13000 - 1,
        "ldr r1, =1000",
    ),
    (
        "1000 x call",
        "1: bl f\nb 2f\n2: subs r1, #1\nbne 1b",
        10000 - 1,
        "ldr r1, =1000",
        "f: bx lr",
    ),
    (
        "1000 x multiple",
        "1: ldm r4!, {r0, r2, r3}\nsubs r4, #12\nstm r4!, {r0, r2, r3}\n"
        "subs r4, #12\nsubs r1, #1\nbne 1b",
        13000 - 1,
        "ldr r1, =1000",
    ),
]


def timed(row):
    _, body, expected, prepare, after = (*row, "", "")[:5]
    core = machine(FRAME.format(body=body, prepare=prepare, after=after))
    return core, expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].replace(" ", "-"))
def test_row(row):
    core, expected = timed(row)
    run_to_breakpoint(core)
    assert core.get(0) - READ == expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].replace(" ", "-"))
def test_row_by_the_simulators_own_count(row):
    core, expected = timed(row)
    reads = []
    loads = (0x683D, 0x683E)  # ldr r5, [r7] and ldr r6, [r7]
    while len(reads) < 2:
        pc, before = core.get(PC), core.cycles
        core.step()
        executed = core.get(PC) == pc + 2  # and no exception entered instead
        if executed and int.from_bytes(core.dump(pc, 2), "little") == loads[len(reads)]:
            reads.append(before)
    assert reads[1] - reads[0] - READ == expected
