"""Assembly text to an ARMv7E-M machine that is about to run it."""

from __future__ import annotations

from dataclasses import replace

from harness.virtual.armv7m_core import CORTEX_M4F, LR, PC, SP, XPSR, Core, CoreConfig
from tests.virtual_armv6m.assembler import assemble
from tests.virtual_armv6m.side_by_side import RAM_BASE, RAM_BYTES
from tests.virtual_armv7m.machines import MEMORIES

IRQS = 112
HFSR = 0xE000_ED2C
NAMES = {
    2: "nmi",
    3: "hardfault",
    4: "memmanage",
    5: "busfault",
    6: "usagefault",
    11: "svcall",
    14: "pendsv",
    15: "systick",
    **{16 + n: f"irq{n}" for n in (0, 1, 2, 3, 95, 111)},
}
# Addresses the snippets use.
EQUATES = """
    .syntax unified
    .cpu cortex-m4
    .fpu fpv4-sp-d16
    .thumb
    .equ SYST_CSR, 0xE000E010
    .equ SYST_RVR, 0xE000E014
    .equ SYST_CVR, 0xE000E018
    .equ NVIC_ISER, 0xE000E100
    .equ NVIC_ISPR, 0xE000E200
    .equ NVIC_IABR, 0xE000E300
    .equ NVIC_IPR, 0xE000E400
    .equ ICSR, 0xE000ED04
    .equ AIRCR, 0xE000ED0C
    .equ SCR, 0xE000ED10
    .equ CCR, 0xE000ED14
    .equ SHPR1, 0xE000ED18
    .equ SHPR3, 0xE000ED20
    .equ SHCSR, 0xE000ED24
    .equ CFSR, 0xE000ED28
    .equ HFSR, 0xE000ED2C
    .equ BFAR, 0xE000ED38
    .equ CPACR, 0xE000ED88
    .equ DEMCR, 0xE000EDFC
    .equ DWT_CTRL, 0xE0001000
    .equ DWT_CYCCNT, 0xE0001004
    .equ RAM, 0x20000000
    .macro poke address, value      @ uses r0, r1
    ldr r0, =\\address
    ldr r1, =\\value
    str r1, [r0]
    .endm
    .macro peek register, address
    ldr \\register, =\\address
    ldr \\register, [\\register]
    .endm
    .macro fpu_on
    poke CPACR, 0xF00000
    .endm
"""


def program(code: str) -> bytes:
    """An image with vector table. `code` starts at its label `start`; a label named as in NAMES
    is that handler, and an exception without one ends in an undefined instruction."""
    lines = [".text", f".word {RAM_BASE + RAM_BYTES:#x}", ".word start + 1"]
    for number in range(2, 16 + IRQS):
        name = NAMES.get(number, "")
        defined = name and f"\n{name}:" in f"\n{code}".replace("\n    ", "\n")
        lines.append(f".word {name if defined else 'unexpected'} + 1")
    return assemble("\n".join([EQUATES, *lines, code, "unexpected: udf #0", ".ltorg", ""]))


def machine(code: str, config: CoreConfig = CORTEX_M4F, **changes) -> Core:
    settings = {"memories": MEMORIES, "n_irqs": IRQS, **changes}
    core = Core(replace(config, **settings))
    core.load(0, program(code))
    core.reset()
    return core


def run_to_breakpoint(core: Core, *, after_faults: int = 0, steps: int = 100_000) -> None:
    """Runs to the BKPT that ends a snippet, and undoes its HardFault.

    `after_faults`: how many faults the snippet makes before, and means to.
    """
    last = core.fault.count + after_faults
    for _ in range(steps):
        kept = [(reg, core.get(reg)) for reg in (SP, LR, PC, XPSR)]
        if core.step() == 0 or core.fault.count > last:
            break
    assert core.read(HFSR) >> 31, core.fault  # a debug event
    core.clear_fault()
    for reg, value in kept:
        core.set(reg, value)


def registers(
    code: str, *numbers: int, config: CoreConfig = CORTEX_M4F, after_faults: int = 0, **changes
) -> list[int]:
    """What is in these registers at the BKPT."""
    core = machine(code, config, **changes)
    run_to_breakpoint(core, after_faults=after_faults)
    return [core.get(number) for number in numbers]
