"""Assembly text to a machine that is about to run it."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

from harness.virtual.armv6m_core import LR, PC, RAM_BASE, RAM_BYTES, SP, XPSR, Core

VECTORS = 48
NAMES = {
    2: "nmi",
    3: "hardfault",
    11: "svcall",
    14: "pendsv",
    15: "systick",
    16: "irq0",
    17: "irq1",
    18: "irq2",
}
# Addresses the snippets use.
EQUATES = """
    .syntax unified
    .cpu cortex-m0plus
    .thumb
    .equ SYST_CSR, 0xE000E010
    .equ SYST_RVR, 0xE000E014
    .equ SYST_CVR, 0xE000E018
    .equ NVIC_ISER, 0xE000E100
    .equ NVIC_ISPR, 0xE000E200
    .equ NVIC_IPR, 0xE000E400
    .equ ICSR, 0xE000ED04
    .equ AIRCR, 0xE000ED0C
    .equ SCR, 0xE000ED10
    .equ SHPR2, 0xE000ED1C
    .equ SHPR3, 0xE000ED20
    .equ RAM, 0x20000000
    .equ IOBUS, 0x60000000
"""


@functools.cache
def assemble(source: str, base: int = 0) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        text, obj, elf, image = (Path(folder) / f"a.{end}" for end in ("s", "o", "elf", "bin"))
        text.write_text(source)
        for command in (
            ["arm-none-eabi-as", "-o", obj, text],
            ["arm-none-eabi-ld", f"-Ttext={base:#x}", "-e", "0", "-o", elf, obj],
            ["arm-none-eabi-objcopy", "-O", "binary", "-j", ".text", elf, image],
        ):
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, f"{done.stderr}\n{source}"
        return image.read_bytes()


def program(code: str, base: int = 0) -> bytes:
    """An image with vector table. `code` starts at its label `start`; a label named as in NAMES
    is that handler, and an exception without one ends in an undefined instruction."""
    lines = [".text", f".word {RAM_BASE + RAM_BYTES:#x}", ".word start + 1"]
    for number in range(2, VECTORS):
        name = NAMES.get(number, "")
        defined = name and f"\n{name}:" in f"\n{code}".replace("\n    ", "\n")
        lines.append(f".word {name if defined else 'unexpected'} + 1")
    return assemble("\n".join([EQUATES, *lines, code, "unexpected: udf #0", ".ltorg", ""]), base)


def machine(code: str, *, bare: bool = False, wait_states: bool = False) -> Core:
    core = Core(bare=bare, wait_states=wait_states)
    core.load(0, program(code))
    core.reset()
    return core


def run_to_breakpoint(core: Core, steps: int = 100_000) -> None:
    """Runs to the BKPT that ends a snippet, and undoes its HardFault."""
    before = core.fault.count
    for _ in range(steps):
        sp, lr, flags = core.get(SP), core.get(LR), core.get(XPSR)
        if core.step() == 0 or core.fault.count > before:
            break
    assert core.fault.reason == "breakpoint without a debugger", core.fault
    pc = core.fault.pc
    core.clear_fault()
    for reg, value in ((SP, sp), (LR, lr), (XPSR, flags), (PC, pc)):
        core.set(reg, value)
