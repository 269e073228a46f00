"""Exceptions, priorities, sleep, faults and lockup (ARM DDI 0419, chapter B1)."""

import pytest

from harness.virtual.armv6m_core import CONTROL, LR, MSP, PC, PRIMASK, PSP, RAM_BASE, SP, XPSR
from tests.virtual_armv6m.assembler import machine, run_to_breakpoint

IPSR = 0x3F


def registers(code, *numbers):
    core = machine(code)
    run_to_breakpoint(core)
    return [core.get(number) for number in numbers]


# ---- entry and return ----


def test_frame_and_return():
    core = machine("""
    start:
        movs r0, #10
        movs r1, #11
        movs r2, #12
        movs r3, #13
        movs r4, #1
        mov r12, r4
        sub sp, #4
        subs r5, r0, r0     @ Z and C
        svc #1
    back:
        bkpt
    svcall:
        mov r6, lr
        mrs r7, ipsr
        bx lr
    """)
    before = core.get(SP)
    while core.get(XPSR) & IPSR != 11:
        core.step()
    frame = core.dump(core.get(SP), 32)
    words = [int.from_bytes(frame[i : i + 4], "little") for i in range(0, 32, 4)]
    assert core.get(SP) % 8 == 0 and core.get(SP) == (before - 4 - 32) & ~7
    assert words[:4] == [10, 11, 12, 13] and words[4] == 1
    assert words[7] == 0x6100_0200  # Z, C, T, and the bit for the moved stack
    run_to_breakpoint(core)
    assert core.get(6) == 0xFFFF_FFF9 and core.get(7) == 11
    assert core.get(SP) == before - 4
    assert core.get(XPSR) >> 28 == 0b0110


def test_process_stack():
    lr, main, process, control = registers(
        """
    start:
        ldr r0, =RAM + 0x1000
        msr psp, r0
        movs r0, #2
        msr control, r0
        isb
        push {r0}
        svc #1
        mrs r4, control
        bkpt
    svcall:
        mov r5, lr
        mrs r6, psp
        mrs r7, msp
        bx lr
    """,
        5,
        7,
        6,
        4,
    )
    assert lr == 0xFFFF_FFFD and control == 2
    assert main == RAM_BASE + 0x8000
    assert process == (RAM_BASE + 0x1000 - 4 - 32) & ~7


def test_nested_priorities():
    """IRQ1 (priority 0x40) preempts IRQ0 (0x80); IRQ2 (0xC0) waits for both."""
    (order,) = registers(
        """
    start:
        movs r7, #0
        ldr r0, =NVIC_IPR
        ldr r1, =0x00C04080
        str r1, [r0]
        ldr r0, =NVIC_ISER
        movs r1, #7
        str r1, [r0]
        ldr r6, =NVIC_ISPR
        movs r1, #1
        str r1, [r6]
        bkpt
    irq0:
        movs r1, #6
        str r1, [r6]
        lsls r7, #4
        adds r7, #1
        bx lr
    irq1:
        lsls r7, #4
        adds r7, #2
        bx lr
    irq2:
        lsls r7, #4
        adds r7, #3
        bx lr
    """,
        7,
    )
    # IPR bytes: IRQ0 = 0x80, IRQ1 = 0x40, IRQ2 = 0xC0
    assert order == 0x213


def test_equal_priorities_lowest_number_first():
    (order,) = registers(
        """
    start:
        movs r7, #0
        ldr r0, =NVIC_ISER
        movs r1, #7
        str r1, [r0]
        cpsid i
        ldr r0, =NVIC_ISPR
        movs r1, #6
        str r1, [r0]
        ldr r0, =ICSR
        ldr r1, =1 << 28
        str r1, [r0]
        cpsie i
        bkpt
    pendsv:
        adds r7, #1
        bx lr
    irq1:
        lsls r7, #4
        adds r7, #2
        bx lr
    irq2:
        lsls r7, #4
        adds r7, #3
        bx lr
    """,
        7,
    )
    assert order == 0x123


def test_primask_holds_off_and_releases():
    early, late = registers(
        """
    start:
        movs r7, #0
        cpsid i
        ldr r0, =ICSR
        ldr r1, =1 << 28
        str r1, [r0]
        nop
        mov r6, r7
        cpsie i
        mov r5, r7
        bkpt
    pendsv:
        movs r7, #1
        bx lr
    """,
        6,
        5,
    )
    assert (early, late) == (0, 1)


def test_nmi_preempts_everything_even_masked():
    seen, primask = registers(
        """
    start:
        cpsid i
        ldr r0, =ICSR
        ldr r1, =1 << 31
        str r1, [r0]
        mrs r4, primask
        bkpt
    nmi:
        mrs r7, ipsr
        bx lr
    """,
        7,
        4,
    )
    assert (seen, primask) == (2, 1)


def test_level_interrupt_stays_until_it_is_served():
    code = """
    start:
        ldr r0, =NVIC_ISER
        movs r1, #2
        str r1, [r0]
        movs r7, #0
    wait:
        b wait
    irq1:
        adds r7, #1
        bx lr
    """
    core = machine(code)
    core.step(20)
    core.irq(1, True)
    core.step(40)
    assert core.get(7) > 3
    core.irq(1, False)
    core.step(10)
    count = core.get(7)
    core.step(40)
    assert core.get(7) == count


def test_tail_chaining_does_not_touch_the_stack():
    code = """
    start:
        cpsid i
        ldr r0, =NVIC_ISER
        movs r1, #3
        str r1, [r0]
        ldr r0, =NVIC_ISPR
        str r1, [r0]
        mov r7, sp
        cpsie i
        bkpt
    irq0:
        mov r5, sp
        bx lr
    irq1:
        mov r6, sp
        bx lr
    """
    first, second, before = registers(code, 5, 6, 7)
    assert first == second == before - 32


# ---- SysTick ----

SYSTICK = """
start:
    ldr r7, =SYST_CSR
    ldr r0, ={reload}
    str r0, [r7, #4]
    str r0, [r7, #8]
    movs r0, #{control}
    str r0, [r7]
    {body}
    bkpt
    {after}
"""


def systick(body, reload=9, control=5, after=""):
    core = machine(SYSTICK.format(reload=reload, control=control, body=body, after=after))
    run_to_breakpoint(core)
    return [core.get(number) for number in range(8)]


def test_systick_counts_down_each_cycle_and_wraps():
    """Enabled at 0, it takes the reload value one cycle later: 9, then 7, 5, 3, 1 every LDR."""
    r = systick(
        "nop\nldr r0, [r7, #8]\nldr r1, [r7, #8]\nldr r2, [r7, #8]\nldr r3, [r7, #8]\n"
        "ldr r4, [r7, #8]\nldr r5, [r7, #8]"
    )
    # STR enables at its own start: 2 cycles of it, 1 of the nop: third count
    assert r[:6] == [7, 5, 3, 1, 9, 7]


def test_countflag_is_set_at_zero_and_cleared_by_reading():
    r = systick("ldr r0, [r7]\n" + "nop\n" * 12 + "ldr r1, [r7]\nldr r2, [r7]")
    assert [value >> 16 for value in r[:3]] == [0, 1, 0]
    assert r[0] & 7 == 5


def test_writing_cvr_clears_it_and_countflag():
    r = systick("nop\n" * 14 + "str r0, [r7, #8]\nldr r1, [r7]\nldr r2, [r7, #8]", reload=0xFFFF)
    assert r[1] >> 16 == 0
    assert r[2] == 0x10000 - 4  # STR 2 and LDR 2 after the write, one to reload


def test_systick_interrupt_comes_every_period():
    """1000 cycles a period; the handler and its entry and return fit many times over."""
    r = systick(
        "ldr r4, =30000\n1: subs r4, #3\nbgt 1b",
        reload=999,
        control=7,
        after="systick: adds r5, #1\nbx lr",
    )
    # 30000/3 rounds of 3 cycles, and each interrupt adds 15 + 1 + 12
    assert r[5] == (30_000 + 31 * 28) // 1000


def test_reload_zero_stops_it():
    r = systick(
        "str r1, [r7, #4]\n" + "nop\n" * 30 + "ldr r2, [r7, #8]\nldr r3, [r7]\nldr r3, [r7]"
    )
    assert r[2] == 0 and r[3] >> 16 == 0


# ---- sleep ----


def test_wfi_sleeps_to_the_very_cycle_of_the_interrupt():
    code = SYSTICK.format(reload=4999, control=7, body="wfi\nnop", after="systick: bx lr")
    core = machine(code)
    while not core.sleeping:
        core.step()
    slept_from = core.cycles
    while core.get(XPSR) & IPSR != 15:
        core.step()
    # enabled 4 cycles before the WFI ended (STR 2, WFI 2), 5000 cycles to the zero, entry 15
    assert core.cycles - slept_from == 5000 - 4 + 15
    run_to_breakpoint(core)


def test_wfi_wakes_under_primask_without_taking_the_interrupt():
    code = SYSTICK.format(
        reload=499, control=7, body="cpsid i\nwfi\nmovs r6, #1", after="systick: movs r5, #1\nbx lr"
    )
    taken, went_on = registers(code, 5, 6)
    assert (taken, went_on) == (0, 1)


def test_sleep_without_a_wake_up_lasts():
    core = machine("start: wfi\nmovs r0, #1\nbkpt")
    assert core.step(10) < 10 and core.sleeping
    core.run(1_000_000)
    assert core.sleeping and core.cycles >= 1_000_000 and core.get(0) == 0


def test_sev_and_wfe():
    (value,) = registers("start: sev\nwfe\nmovs r0, #1\nbkpt", 0)
    assert value == 1


def test_sleep_on_exit():
    code = SYSTICK.format(
        reload=499,
        control=7,
        after="systick: adds r5, #1\nbx lr",
        body="ldr r0, =SCR\nmovs r1, #2\nstr r1, [r0]\nwfi\nmovs r6, #1",
    )
    core = machine(code)
    core.run(5100)  # the first 30 go into setting up
    assert core.get(5) == 5000 // 500 and core.get(6) == 0


# ---- faults ----

FAULTS = [
    # code at `here`, reason, address
    ("ldr r0, [r4]", "unaligned access", RAM_BASE + 2),
    ("strh r0, [r5]", "unaligned access", RAM_BASE + 1),
    ("ldr r0, [r6]", "access to nothing", 0x3000_0000),
    ("strb r0, [r6]", "access to nothing", 0x3000_0000),
    ("ldm r6!, {r0, r1}", "access to nothing", 0x3000_0000),
    ("push {r0}", "access to nothing", 0x1FFF_FFFC),
    ("str r0, [r7]", "access to nothing", 0x0000_0100),
    ("ldrh r0, [r3]", "access to nothing", 0xE000_E010),
    ("udf #3", "undefined instruction", None),
    (".hword 0xB100", "undefined instruction", None),  # CBZ
    (".hword 0xE850, 0x0000", "undefined instruction", None),  # LDRD and the like
    (".hword 0xFB90, 0xF0F1", "undefined instruction", None),  # SDIV
    (".hword 0xB400", "unpredictable instruction", None),  # PUSH of nothing
    ("bkpt", "breakpoint without a debugger", None),
]
FAULT_FRAME = """
start:
    ldr r3, =SYST_CSR
    ldr r4, =RAM + 2
    ldr r5, =RAM + 1
    ldr r6, =0x30000000
    ldr r7, =0x100
    movs r0, #77
    {before}
here:
    {body}
    nop
hardfault:
    mrs r1, ipsr
    b hardfault
"""


@pytest.mark.parametrize("body, reason, address", FAULTS, ids=[f[0] for f in FAULTS])
def test_faults_tell_reason_pc_and_address(body, reason, address):
    before = "ldr r2, =RAM\nmov sp, r2" if body.startswith("push") else "nop\nnop"
    core = machine(FAULT_FRAME.format(body=body, before=before), bare=True)
    core.step(30)
    here = 0xC0 + 2 * 8  # behind the vectors: eight instructions
    assert (core.fault.reason, core.fault.pc) == (reason, here)
    assert core.fault.address == (here if address is None else address)
    if body.startswith("push"):
        assert core.locked_up  # nor can the exception frame be stacked
    else:
        assert core.get(XPSR) & IPSR == 3 and core.get(1) == 3
        assert core.get(0) == 77  # nothing half done


TARGETS = [
    ("ldr r0, =0x20000101", "undefined instruction", 0x2000_0100),  # RAM may hold code
    ("ldr r0, =0x40000001", "execution where no code can be", 0x4000_0000),
    ("ldr r0, =0xFFFFFFF9", "execution where no code can be", 0xFFFF_FFF8),
    ("ldr r0, =0x00040001", "execution where no code can be", 0x0004_0000),
    ("ldr r0, =0x00000100", "branch to an even address", 0x0000_0100),
]


@pytest.mark.parametrize("load, reason, target", TARGETS, ids=[f"{t[2]:#x}" for t in TARGETS])
def test_branches_to_where_no_code_is(load, reason, target):
    core = machine(f"start: {load}\nbx r0\nhardfault: b hardfault", bare=True)
    core.load(RAM_BASE + 0x100, bytes.fromhex("00de"))
    core.step(10)
    assert (core.fault.reason, core.fault.pc) == (reason, target)
    stacked = core.dump(core.get(SP) + 24, 4)
    assert int.from_bytes(stacked, "little") == target


def test_svc_under_primask_is_a_hardfault():
    core = machine("start: cpsid i\nsvc #0\nhardfault: b hardfault\nsvcall: bx lr")
    core.step(5)
    assert core.fault.reason == "supervisor call while masked" and not core.locked_up
    assert core.get(XPSR) & IPSR == 3


def test_fault_in_hardfault_locks_up():
    core = machine("start: udf #0\nhardfault: ldr r0, =0x30000000\nldr r0, [r0]\nnop")
    core.step(50)
    assert core.locked_up and core.fault.count == 2
    assert core.fault.reason == "undefined instruction"  # the first is the cause
    at = core.cycles
    core.run(100)
    assert core.cycles == at


def test_stack_overflow_into_nothing_locks_up():
    core = machine("start: bl start2\nstart2: push {r0-r7}\nb start2\nhardfault: b hardfault")
    core.step(10_000)
    assert core.locked_up and core.fault.address < RAM_BASE
    assert core.min_sp == RAM_BASE


def test_impossible_exc_return():
    core = machine("start: svc #0\nnop\nsvcall: ldr r0, =0xFFFFFFF1\nbx r0\nhardfault: b hardfault")
    core.step(10)
    assert core.fault.reason == "impossible exception return"


def test_empty_vector_is_reported():
    core = machine("start: svc #0")
    core.load(4 * 11, bytes(4))
    core.step(5)
    assert core.fault.reason == "branch to an even address" and core.fault.pc == 0


def test_recovered_fault_goes_on():
    """A handler may step over the instruction; the record of the fault stays."""
    core = machine("""
    start:
        movs r1, #0
        udf #0
        movs r1, #5
        bkpt
    hardfault:
        ldr r0, [sp, #24]
        adds r0, #2
        str r0, [sp, #24]
        bx lr
    """)
    core.step(7)
    assert core.get(1) == 5 and core.get(XPSR) & IPSR == 0
    assert core.fault.count == 1 and core.fault.reason == "undefined instruction"


# ---- odds and ends ----


def test_reset_state():
    core = machine("start: nop")
    assert core.get(SP) == core.get(MSP) == core.min_sp == RAM_BASE + 0x8000
    assert core.get(LR) == 0xFFFF_FFFF and core.get(PC) == 0xC0
    assert [core.get(reg) for reg in (PSP, PRIMASK, CONTROL)] == [0, 0, 0]
    assert core.get(XPSR) & 0x0100_003F == 0x0100_0000  # Thumb state, Thread mode


def test_low_bits_of_sp_are_zero():
    (sp,) = registers("start: ldr r0, =RAM + 0x803\nmov sp, r0\nmov r1, sp\nbkpt", 1)
    assert sp == RAM_BASE + 0x800


def test_min_sp_includes_exception_frames():
    core = machine("start: push {r0, r1}\nsvc #0\nbkpt\nsvcall: sub sp, #40\nadd sp, #40\nbx lr")
    run_to_breakpoint(core)
    assert core.min_sp <= RAM_BASE + 0x8000 - 8 - 32 - 40


def test_vtor_moves_the_vectors():
    core = machine("""
    start:
        ldr r0, =0xE000ED08
        ldr r1, =RAM + 0x100
        str r1, [r0]
        ldr r2, =other + 1
        str r2, [r1, #11 * 4]
        svc #0
        bkpt
    svcall:
        movs r7, #1
        bx lr
    other:
        movs r7, #2
        bx lr
    """)
    run_to_breakpoint(core)
    assert core.get(7) == 2


@pytest.mark.parametrize(
    "register, value",
    [("0xE000ED00", 0x410C_C601), ("0xE000ED14", 0x208), ("0xE000E01C", 0x8000_0000)],
)
def test_identification(register, value):
    assert registers(f"start: ldr r0, ={register}\nldr r1, [r0]\nbkpt", 1) == [value]


# ---- how time is sliced must not matter ----

SLICED = """
start:
    ldr r7, =SYST_CSR
    movs r0, #96
    str r0, [r7, #4]
    str r0, [r7, #8]
    movs r0, #7
    str r0, [r7]
    movs r5, #0
    ldr r4, =NVIC_ISER
    movs r0, #2
    str r0, [r4]
    ldr r4, =NVIC_ISPR
round:
    cpsid i
    str r0, [r4]        @ pending before the WFI: no sleep at all
    wfi
    cpsie i
    wfi                 @ to the next SysTick
    push {r5, lr}
    pop {r5, r6}
    adds r5, #1
    b round
irq1:
    movs r1, #1
    add r8, r1          @ the frame restores r0-r3
    bx lr
systick:
    ldr r1, [r7, #8]
    add r9, r1
    bx lr
"""


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 50, 96, 97, 1000])
def test_slices_do_not_matter(piece):
    """Run in pieces to exact cycles, the core passes the same states as in one go."""
    whole, pieces = machine(SLICED), machine(SLICED)
    whole.run(3000)
    while pieces.cycles < 3000:
        pieces.run(min(piece, 3000 - pieces.cycles))
    assert pieces.cycles == whole.cycles
    assert pieces.regs() == whole.regs()
    assert whole.get(8) > 20 and whole.get(9) > 0, "interrupts came"
