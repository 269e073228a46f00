"""Every kind of fault: reason, PC, address, status bits; enabled handlers, escalation, lockup."""

import pytest

from harness.virtual.armv7m_core import CORTEX_M3, PC, SP, XPSR
from tests.virtual_armv6m.side_by_side import RAM_BASE, RAM_BYTES
from tests.virtual_armv7m.assembler import machine, registers, run_to_breakpoint

CFSR, HFSR, BFAR = 0xE000_ED28, 0xE000_ED2C, 0xE000_ED38
HARD, MEM, BUS, USAGE = 3, 4, 5, 6
FORCED, DEBUG, VECTOR_TABLE = 1 << 30, 1 << 31, 1 << 1
ENABLE = "poke SHCSR, 0x70000\n"
HANDLERS = (
    "\nhardfault: b hardfault\nmemmanage: b memmanage\nbusfault: b busfault\n"
    "usagefault: b usagefault\n"
)

# name, code, reason, exception when enabled, CFSR
FAULTS = [
    ("undefined", "bad: udf #1", "undefined instruction", USAGE, 0x1_0000),
    ("undefined wide", "bad: udf.w #1", "undefined instruction", USAGE, 0x1_0000),
    (
        "unpredictable",
        "bad: .hword 0xFA0F, 0xFD80",
        "unpredictable instruction",
        USAGE,
        0x1_0000,
    ),
    (
        "IT in IT",
        "cmp r0, r0\nit eq\nbad: .hword 0xBF08\nnop",
        "unpredictable instruction",
        USAGE,
        0x1_0000,
    ),
    (
        "ARM state",
        "adr r0, 1f\nbx r0\n.balign 4\nbad: 1: nop",
        "branch to an even address",
        USAGE,
        0x2_0000,
    ),
    (
        "coprocessor",
        "bad: mrc p15, 0, r0, c0, c0",
        "coprocessor that is absent or off",
        USAGE,
        0x8_0000,
    ),
    (
        "unaligned LDM",
        "ldr r0, =RAM + 2\nbad: ldm r0, {r1, r2}",
        "unaligned access",
        USAGE,
        0x100_0000,
    ),
    (
        "unaligned LDRD",
        "ldr r0, =RAM + 1\nbad: ldrd r1, r2, [r0]",
        "unaligned access",
        USAGE,
        0x100_0000,
    ),
    (
        "unaligned LDREX",
        "ldr r0, =RAM + 2\nbad: ldrex r1, [r0]",
        "unaligned access",
        USAGE,
        0x100_0000,
    ),
    (
        "unaligned trap",
        "poke CCR, 0x208\nldr r0, =RAM + 1\nbad: ldr r1, [r0]",
        "unaligned access",
        USAGE,
        0x100_0000,
    ),
    (
        "unaligned device",
        "ldr r0, =NVIC_IPR + 2\nbad: ldr r1, [r0]",
        "unaligned access",
        USAGE,
        0x100_0000,
    ),
    (
        "division",
        "poke CCR, 0x210\nmovs r0, #0\nbad: udiv r1, r1, r0",
        "division by zero",
        USAGE,
        0x200_0000,
    ),
    ("load", "ldr r0, =0x50000000\nbad: ldr r1, [r0]", "access to nothing", BUS, 0x8200),
    ("store to flash", "movs r0, #0\nbad: str r1, [r0]", "access to nothing", BUS, 0x8200),
    ("byte of a register", "ldr r0, =AIRCR\nbad: ldrb r1, [r0]", "access to nothing", BUS, 0x8200),
    ("fetch", "ldr r0, =0x10000001\nbx r0", "execution where no code can be", BUS, 0x100),
    (
        "fetch from a device",
        "ldr r0, =0x40000001\nbx r0",
        "execution where no code can be",
        MEM,
        0x1,
    ),
]


def faulting(code):
    core = machine("start: " + code)
    before = core.fault.count
    for _ in range(40):
        core.step()
        if core.fault.count > before:
            return core
    raise AssertionError("it did not fault")


def bad_address(code):
    """Where `bad` is: the snippet up to it is assembled and run."""
    core = machine("start: " + code.replace("bad:", "bkpt\nbad:"))
    run_to_breakpoint(core)
    return core.get(PC)


@pytest.mark.parametrize(
    ("code", "reason", "exception", "cfsr"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_kinds(code, reason, exception, cfsr):
    hard = faulting(code + HANDLERS)
    assert hard.fault.reason == reason
    assert hard.get(XPSR) & 0x1FF == HARD
    assert (hard.read(CFSR), hard.read(HFSR)) == (cfsr, FORCED)
    enabled = faulting(ENABLE + code + HANDLERS)
    assert enabled.get(XPSR) & 0x1FF == exception
    assert (enabled.read(CFSR), enabled.read(HFSR)) == (cfsr, 0)
    if cfsr & 0x8000:
        assert enabled.read(BFAR) == enabled.fault.address
    stacked_pc = int.from_bytes(enabled.dump(enabled.get(SP) + 24, 4), "little")
    assert stacked_pc == enabled.fault.pc


@pytest.mark.parametrize(
    "code", [f[1] for f in FAULTS if "bad: " in f[1] and "it eq" not in f[1] and "bx" not in f[1]]
)
def test_the_pc_is_that_of_the_instruction(code):
    core = faulting(code + HANDLERS)
    assert core.fault.pc == bad_address(code + HANDLERS)


def test_breakpoint_is_a_debug_event():
    core = faulting("bkpt" + HANDLERS)
    assert core.fault.reason == "breakpoint without a debugger"
    assert core.read(HFSR) == DEBUG


def test_unaligned_words_are_allowed():
    assert registers(
        """
    start:
        ldr r0, =RAM + 0x101
        ldr r1, =0x12345678
        str r1, [r0]
        ldr r2, [r0]
        strh r1, [r0, #4]
        ldrsh r3, [r0, #4]
        ldrb r4, [r0, #1]
        bkpt
    """,
        2,
        3,
        4,
    ) == [0x1234_5678, 0x5678, 0x56]


def test_division_by_zero_is_zero():
    assert registers(
        "start: movs r0, #0\nmovs r1, #9\nsdiv r2, r1, r0\nudiv r3, r1, r0\nbkpt", 2, 3
    ) == [0, 0]


def test_a_handler_can_repair_and_return():
    """The instruction runs again: here after the handler has changed its base register."""
    core = machine("""
    start:
        poke SHCSR, 0x20000
        ldr r0, =0x50000000
        ldr r4, =RAM + 64
        mov r5, #77
        str r5, [r4]
        ldr r6, [r0]
        bkpt
    busfault:
        str r4, [sp]            @ R0 of the frame
        bx lr
    """)
    run_to_breakpoint(core, after_faults=1)
    assert core.get(6) == 77


def test_the_faulting_instruction_of_an_it_block_runs_again():
    core = machine("""
    start:
        poke SHCSR, 0x20000
        ldr r0, =0x50000000
        ldr r4, =RAM + 64
        cmp r4, r4
        itte eq
        ldreq r6, [r0]
        addeq r7, r7, #1
        addne r7, r7, #16
        bkpt
    busfault:
        str r4, [sp]
        bx lr
    """)
    run_to_breakpoint(core, after_faults=1)
    assert core.get(7) == 1


def test_svc_while_masked_escalates():
    core = faulting("cpsid i\nsvc #0" + HANDLERS)
    assert core.fault.reason == "supervisor call while masked"
    assert core.get(XPSR) & 0x1FF == HARD and core.read(HFSR) == FORCED


def test_a_fault_in_its_own_handler_escalates():
    core = machine("start: " + ENABLE + "udf #0\nusagefault: udf #1\nhardfault: b hardfault")
    core.step(30)
    assert core.fault.count == 2 and core.get(XPSR) & 0x1FF == HARD


@pytest.mark.parametrize("handler", ["hardfault: udf #1", "hardfault: bkpt", "hardfault: svc #0"])
def test_lockup(handler):
    core = machine("start: udf #0\n" + handler)
    core.step(30)
    assert core.locked_up and core.fault.count == 2
    assert core.fault.reason == "undefined instruction"
    assert core.step() == 0


def test_lockup_stands_still():
    core = machine("start: udf #0\nhardfault: udf #1")
    core.run(1000)
    assert core.locked_up and core.cycles < 1000


def test_stack_outside_ram():
    """BusFault STKERR; its handler runs on the same bad main stack, without a frame."""
    core = machine(
        """
    start:
        poke SHCSR, 0x20000
        ldr r0, =0x30000000
        mov sp, r0
        svc #0
    """
        + HANDLERS
    )
    core.step(20)
    assert core.fault.reason == "stack outside RAM at an exception"
    assert core.get(XPSR) & 0x1FF == BUS and core.read(CFSR) == 0x1000


def test_process_stack_outside_ram_can_be_handled():
    """The handler has the main stack; the call stays pending and comes after it has returned."""
    core = machine("""
    start:
        poke SHCSR, 0x20000
        ldr r0, =0x30000000
        msr psp, r0
        mov r0, #2
        msr control, r0
        svc #0
        bkpt
    busfault:
        mov r7, #5
        ldr r0, =RAM + 0x800
        msr psp, r0
        bx lr                   @ tail-chains: there is no frame to return to
    svcall:
        mrs r6, ipsr
        bkpt
    """)
    run_to_breakpoint(core, after_faults=1)
    assert (core.get(7), core.get(6)) == (5, 11)


def test_unreadable_vector():
    core = machine("start: poke 0xE000ED08, 0x50000000\nsvc #0")
    core.step(20)
    assert core.locked_up and core.fault.reason == "vector table outside memory"
    assert core.read(HFSR) & VECTOR_TABLE


@pytest.mark.parametrize("value", [0xFFFF_FFF1, 0xFFFF_FFF5, 0xFFFF_FF00, 0xF000_0001])
def test_impossible_returns(value):
    core = machine(f"""
    start:
        {ENABLE}
        svc #0
    svcall:
        ldr lr, ={value:#x}
        bx lr
    usagefault:
        bkpt
    """)
    for _ in range(20):
        core.step()
        if core.fault.count:
            break
    assert core.fault.reason == "impossible exception return"
    assert core.read(CFSR) == 0x4_0000 and core.get(XPSR) & 0x1FF == USAGE


def test_fp_return_on_a_core_without_fpu():
    core = machine(
        f"""
    start:
        {ENABLE}
        svc #0
    svcall:
        ldr lr, =0xFFFFFFE9
        bx lr
    usagefault:
        b usagefault
    """,
        CORTEX_M3,
    )
    core.step(20)
    assert core.fault.reason == "impossible exception return"


def test_cfsr_bits_are_cleared_by_ones():
    core = machine(
        "start: "
        + ENABLE
        + "udf #0\nusagefault: ldr r0, =CFSR\nldr r1, [r0]\nstr r1, [r0]\nwait: b wait"
    )
    core.step(30)
    assert core.read(CFSR) == 0


def test_code_may_run_from_ram_until_its_end():
    core = machine(
        f"""
    start:
        ldr r0, ={RAM_BASE + RAM_BYTES - 4:#x}
        ldr r1, =0x3701BF00         @ nop; adds r7, #1
        str r1, [r0]
        movs r7, #0
        adds r0, #1
        bx r0
    """
        + HANDLERS
    )
    core.step(20)
    assert core.get(7) == 1
    assert core.fault.reason == "execution where no code can be"
    assert core.fault.pc == RAM_BASE + RAM_BYTES
