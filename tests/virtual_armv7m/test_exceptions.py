"""Exceptions, priorities, sleep, SysTick and DWT (ARM DDI 0403, chapters B1, B3 and C1)."""

import pytest

from harness.virtual.armv7m_core import (
    BASEPRI,
    CONTROL,
    CORTEX_M3,
    FPSCR,
    LR,
    PC,
    S0,
    SP,
    XPSR,
)
from tests.virtual_armv6m.side_by_side import RAM_BASE, RAM_BYTES
from tests.virtual_armv7m.assembler import machine, registers, run_to_breakpoint

TOP = RAM_BASE + RAM_BYTES
IPSR = 0x1FF


def words(core, address, count):
    data = core.dump(address, 4 * count)
    return [int.from_bytes(data[i : i + 4], "little") for i in range(0, 4 * count, 4)]


# ---- entry and return ----


def test_frame_and_return():
    core = machine("""
    start:
        movs r0, #10
        movs r1, #11
        movs r2, #12
        movs r3, #13
        mov r12, #1
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
    frame = words(core, core.get(SP), 8)
    assert core.get(SP) % 8 == 0 and core.get(SP) == (before - 4 - 32) & ~7
    assert frame[:5] == [10, 11, 12, 13, 1]
    assert frame[7] == 0x6100_0200  # Z, C, T, and the bit for the moved stack
    run_to_breakpoint(core)
    assert core.get(6) == 0xFFFF_FFF9 and core.get(7) == 11
    assert core.get(SP) == before - 4
    assert core.get(XPSR) >> 28 == 0b0110


def test_stack_is_aligned_to_four_without_stkalign():
    sp, frame = registers(
        """
    start:
        poke CCR, 0
        sub sp, #4
        mov r6, sp
        svc #0
        bkpt
    svcall:
        mov r7, sp
        bx lr
    """,
        6,
        7,
    )
    assert sp - frame == 32 and frame % 8 == 4


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
    assert main == TOP
    assert process == (RAM_BASE + 0x1000 - 4 - 32) & ~7


def test_it_block_goes_on_after_an_interrupt():
    """An exception in the middle of an IT block saves ITSTATE and continues the block."""
    code = """
    start:
        movs r4, #0
        cmp r4, r4
        itttt eq
        moveq r0, #1
        svceq #0
        moveq r1, #2
        moveq r2, #3
        ite eq
        moveq r3, #4
        movne r3, #5
        bkpt
    svcall:
        cmp lr, #0          @ other flags, no IT block
        movs r5, #9
        bx lr
    """
    assert registers(code, 0, 1, 2, 3, 5) == [1, 2, 3, 4, 9]


# ---- priorities ----

COUNTING = """
    irq0:
        lsl r7, r7, #4
        add r7, r7, #1
        bx lr
    irq2:
        lsl r7, r7, #4
        add r7, r7, #3
        bx lr
"""


def test_nested_priorities():
    """IRQ1 (0x40) preempts IRQ0 (0x80), which has pended all; IRQ2 (0xC0) waits for both."""
    (order,) = registers(
        """
    start:
        movs r7, #0
        poke NVIC_IPR, 0x00C04080
        poke NVIC_ISER, 7
        poke NVIC_ISPR, 1
        bkpt
    irq0:
        poke NVIC_ISPR, 6
        lsl r7, r7, #4
        add r7, r7, #1
        bx lr
    irq1:
        lsl r7, r7, #4
        add r7, r7, #2
        bx lr
    irq2:
        lsl r7, r7, #4
        add r7, r7, #3
        bx lr
    """,
        7,
    )
    assert order == 0x213


@pytest.mark.parametrize(("prigroup", "order"), [(0, 0x213), (5, 0x123), (7, 0x123)])
def test_priority_grouping(prigroup, order):
    """0x90 preempts 0xB0 only while bit 5 belongs to the group; subpriority orders what waits."""
    (got,) = registers(
        f"""
    start:
        movs r7, #0
        poke AIRCR, 0x05FA0000 + {prigroup << 8}
        poke NVIC_IPR, 0x00B890B0
        poke NVIC_ISER, 7
        poke NVIC_ISPR, 1
        bkpt
    irq0:
        poke NVIC_ISPR, 6
        lsl r7, r7, #4
        add r7, r7, #1
        bx lr
    irq1:
        lsl r7, r7, #4
        add r7, r7, #2
        bx lr
    irq2:
        lsl r7, r7, #4
        add r7, r7, #3
        bx lr
    """,
        7,
        priority_bits=8,
    )
    assert got == order


def test_only_the_top_priority_bits_exist():
    value, masked = registers(
        """
    start:
        poke NVIC_IPR, 0xFFFFFFFF
        peek r6, NVIC_IPR
        mov r0, #0xFF
        msr basepri, r0
        mrs r7, basepri
        bkpt
    """,
        6,
        7,
        priority_bits=3,
    )
    assert (value, masked) == (0xE0E0_E0E0, 0xE0)


def test_priorities_are_bytes():
    assert registers(
        """
    start:
        ldr r0, =NVIC_IPR
        mov r1, #0x40
        strb r1, [r0, #2]
        mov r1, #0x80
        strb r1, [r0, #3]
        ldr r6, [r0]
        ldrb r7, [r0, #3]
        ldrh r5, [r0, #2]
        bkpt
    """,
        6,
        7,
        5,
    ) == [0x8040_0000, 0x80, 0x8040]


def test_basepri_masks_by_priority():
    """BASEPRI 0x80 holds back 0x80 and 0xC0, lets 0x40 through; BASEPRI_MAX only raises."""
    order, basepri, later = registers(
        """
    start:
        movs r7, #0
        poke NVIC_IPR, 0x00C04080
        poke NVIC_ISER, 7
        mov r2, #0x80
        msr basepri, r2
        poke NVIC_ISPR, 7
        mov r6, r7
        mov r2, #0xC0
        msr basepri_max, r2     @ lower priority: ignored
        mrs r5, basepri
        mov r2, #0
        msr basepri, r2
        bkpt
    irq1:
        lsl r7, r7, #4
        add r7, r7, #2
        bx lr
    """
        + COUNTING,
        6,
        5,
        7,
    )
    assert (order, basepri, later) == (2, 0x80, 0x213)


def test_faultmask_holds_back_all_but_nmi_and_ends_with_a_handler():
    nmi, irq, after = registers(
        """
    start:
        movs r5, #0
        movs r7, #0
        poke NVIC_ISER, 1
        svc #0
        mrs r4, faultmask
        bkpt
    svcall:
        cpsid f
        poke NVIC_ISPR, 1
        poke ICSR, 0x80000000
        mov r6, r7              @ IRQ0 has waited
        bx lr                   @ clears FAULTMASK
    nmi:
        movs r5, #1
        bx lr
    """
        + COUNTING,
        5,
        6,
        4,
    )
    assert (nmi, irq, after) == (1, 0, 0)


def test_tail_chaining_skips_the_frames():
    """The second handler starts with the same stack; entry and return are paid once."""
    core = machine(
        """
    start:
        movs r7, #0
        poke NVIC_ISER, 5
        cpsid i
        poke NVIC_ISPR, 5
        cpsie i
        bkpt
    """
        + COUNTING
    )
    while core.get(XPSR) & IPSR != 16:
        core.step()
    sp, cycles = core.get(SP), core.cycles
    while core.get(XPSR) & IPSR == 16:
        core.step()
    assert core.get(XPSR) & IPSR == 18 and core.get(SP) == sp
    assert core.cycles - cycles == 1 + 1 + 2 + 6  # lsl, add, bx, tail-chain
    assert core.get(LR) == 0xFFFF_FFF9
    run_to_breakpoint(core)
    assert core.get(7) == 0x13


@pytest.mark.parametrize("irq", [95, 111])
def test_many_interrupts(irq):
    core = machine(f"""
    start:
        poke NVIC_ISER + {irq // 32 * 4}, 1 << {irq % 32}
    wait:
        b wait
    irq{irq}:
        peek r6, NVIC_IABR + {irq // 32 * 4}
        mrs r7, ipsr
        bkpt
    """)
    core.step(10)
    core.irq(irq, True)
    run_to_breakpoint(core)
    assert core.get(7) == 16 + irq and core.get(6) == 1 << irq % 32


def test_a_level_pends_again_until_it_falls():
    core = machine("""
    start:
        movs r7, #0
        poke NVIC_ISER, 1
    wait:
        b wait
    irq0:
        add r7, r7, #1
        bx lr
    """)
    core.step(10)
    core.irq(0, True)
    core.step(20)
    assert core.get(7) > 3
    core.irq(0, False)
    core.step(10)
    count = core.get(7)
    core.step(20)
    assert core.get(7) == count


# ---- the floating-point frame ----


def test_fp_frame():
    """A handler that uses floats finds S0-S15 saved, FPSCR fresh, and gives all of it back."""
    core = machine("""
    start:
        fpu_on
        vmov.f32 s0, #1.0
        vmov.f32 s15, #2.0
        vmov.f32 s16, #3.0
        ldr r0, =0x03C00000     @ DN, FZ, round towards zero
        vmsr fpscr, r0
        mrs r8, control
        mov r4, sp
        svc #0
        vmrs r9, fpscr
        mrs r10, control
        bkpt
    svcall:
        mov r5, lr
        mov r6, sp
        mrs r7, control
        vmov.f32 s0, #5.0
        vmov.f32 s15, #6.0
        vmrs r11, fpscr
        bx lr
    """)
    run_to_breakpoint(core)
    assert core.get(5) == 0xFFFF_FFE9
    assert core.get(4) - core.get(6) == 104
    assert (core.get(8), core.get(7), core.get(10)) == (4, 0, 4)  # FPCA
    assert (core.get(11), core.get(9), core.get(FPSCR)) == (0, 0x03C0_0000, 0x03C0_0000)
    frame = words(core, core.get(6), 26)
    assert frame[8] == 0x3F80_0000 and frame[23] == 0x4000_0000 and frame[24] == 0x03C0_0000
    assert [core.get(S0 + n) for n in (0, 15, 16)] == [0x3F80_0000, 0x4000_0000, 0x4040_0000]


def test_no_fp_frame_without_floats():
    core = machine("""
    start:
        fpu_on
        svc #0
        bkpt
    svcall:
        mov r5, lr
        bx lr
    """)
    run_to_breakpoint(core)
    assert core.get(5) == 0xFFFF_FFF9


def test_the_fpu_is_off_after_reset():
    core = machine("start: vmov.f32 s0, #1.0\nhardfault: b hardfault")
    core.step(2)
    assert (
        core.fault.reason == "coprocessor that is absent or off" and core.fault.pc == core.fault.pc
    )
    assert core.read(0xE000_ED28) == 1 << 19  # NOCP


def test_an_m3_has_none():
    core = machine("start: fpu_on\nvmov.f32 s0, #1.0\nhardfault: b hardfault", CORTEX_M3)
    core.step(6)
    assert core.fault.reason == "coprocessor that is absent or off"
    assert core.read(0xE000_ED88) == 0


# ---- unprivileged code, exclusives, sleep, reset ----


def test_unprivileged_code():
    control, basepri, masked, fault = registers(
        """
    start:
        movs r0, #1
        msr control, r0
        mov r0, #0x80
        msr basepri, r0         @ ignored
        mrs r5, basepri
        cpsid i                 @ ignored
        mrs r6, primask
        mrs r4, control
        ldr r0, =CFSR
        ldr r1, [r0]            @ BusFault
        bkpt
    hardfault:
        movs r0, #0
        msr control, r0
        peek r7, CFSR
        bkpt
    """,
        4,
        BASEPRI,
        6,
        7,
        after_faults=1,
    )
    assert (control, basepri, masked, fault) == (1, 0, 0, 0x8200)


def test_exclusives():
    assert registers(
        """
    start:
        ldr r0, =RAM + 0x100
        movs r1, #7
        strex r2, r1, [r0]      @ without a monitor: 1
        ldrex r3, [r0]
        strex r4, r1, [r0]      @ 0
        strex r5, r1, [r0]      @ used up: 1
        ldrexb r3, [r0]
        clrex
        strexb r6, r1, [r0]     @ 1
        ldrexh r3, [r0]
        svc #0                  @ an exception clears it
        strexh r7, r1, [r0]
        bkpt
    svcall:
        bx lr
    """,
        2,
        4,
        5,
        6,
        7,
        3,
    ) == [1, 0, 1, 1, 1, 7]


def test_wfi_wakes_with_primask():
    core = machine("""
    start:
        poke NVIC_ISER, 1
        cpsid i
        wfi
        mov r6, #1
        cpsie i
        bkpt
    irq0:
        mov r7, r6
        bx lr
    """)
    core.step(10)
    assert core.sleeping
    core.irq(0, True)
    core.step(3)
    assert not core.sleeping
    core.irq(0, False)
    run_to_breakpoint(core)
    assert core.get(7) == 1


@pytest.mark.parametrize("hint", ["wfe", "wfe.w"])
def test_wfe_takes_an_event(hint):
    core = machine(f"start: sev\n{hint}\nmov r7, #1\n{hint}\nmov r7, #2\nbkpt")
    core.step(10)
    assert core.sleeping and core.get(7) == 1


def test_reset_is_requested():
    core = machine("start: poke AIRCR, 0x05FA0004\nwait: b wait")
    assert core.step(1000) < 10


def test_vtor_moves_the_table():
    core = machine("""
    start:
        ldr r0, =RAM + 0x200
        ldr r1, =handler + 1
        str r1, [r0, #44]
        poke 0xE000ED08, RAM + 0x200
        svc #0
        bkpt
        .thumb_func
    handler:
        mov r7, #3
        bx lr
    """)
    run_to_breakpoint(core)
    assert core.get(7) == 3


# ---- SysTick and DWT ----


def test_systick_interrupt():
    count, flag = registers(
        """
    start:
        movs r7, #0
        poke SYST_RVR, 99
        poke SYST_CVR, 0
        poke SYST_CSR, 7
    wait:
        cmp r7, #3
        bne wait
        peek r6, SYST_CSR
        bkpt
    systick:
        add r7, r7, #1
        bx lr
    """,
        7,
        6,
    )
    assert count == 3 and flag & 0x1_0000


def test_systick_and_cyccnt_count_the_same_cycles():
    """Both are the lower count of the bracket; SysTick counts down."""
    core = machine("""
    start:
        poke DEMCR, 0x01000000
        ldr r6, =DWT_CYCCNT
        str r6, [r6]            @ any value
        poke DWT_CTRL, 1
        poke SYST_RVR, 0xFFFFFF
        poke SYST_CVR, 0
        poke SYST_CSR, 5
        ldr r5, =SYST_CVR
        ldr r0, [r5]
        ldr r1, [r6]
        nop
        mul r2, r0, r1
        b.w 1f
    1:  ldr r3, [r5]
        ldr r4, [r6]
        sub r0, r0, r3
        sub r1, r4, r1
        bkpt
    """)
    run_to_breakpoint(core)
    assert core.get(0) == core.get(1) == 1 + 1 + 1 + 1 + 2  # ldr, nop, mul, b; and the other ldr


def test_cyccnt_needs_trcena():
    assert registers(
        """
    start:
        poke DWT_CTRL, 1
        peek r5, DWT_CYCCNT
        poke DEMCR, 0x01000000
        peek r6, DWT_CYCCNT     @ not enabled: stands still
        poke DWT_CTRL, 1
        peek r7, DWT_CTRL
        poke DWT_CTRL, 0
        peek r4, DWT_CYCCNT
        peek r3, DWT_CYCCNT
        subs r3, r3, r4
        bkpt
    """,
        5,
        6,
        7,
        3,
    ) == [0, 0, 0x4000_0001, 0]


def test_stack_watermark():
    core = machine("start: push {r0-r7}\nsub sp, #64\nadd sp, #96\nwait: b wait")
    core.step(5)
    assert core.min_sp == TOP - 96 and core.get(SP) == TOP and core.get(CONTROL) == 0
    assert core.get(PC) % 2 == 0
