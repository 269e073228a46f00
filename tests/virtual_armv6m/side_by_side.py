"""A program on our core and on Unicorn: registers, RAM, instructions and cycles of both.

Unicorn counts no cycles: they are added up here, instruction by instruction as it runs them, from
another writing of ARM DDI 0484C table 3-1 than the simulator's. A core of another architecture is
another `Target`; one whose cycles are no exact table has no `cost`, and none are compared.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import unicorn as uc
from unicorn import arm_const as arm

from harness.virtual.armv6m_core import FLASH_BYTES, PC, RAM_BASE, RAM_BYTES, Core
from tests.virtual_armv6m.conftest import FIRMWARE

UC_REGS = [getattr(arm, f"UC_ARM_REG_R{n}") for n in range(13)] + [
    arm.UC_ARM_REG_SP,
    arm.UC_ARM_REG_LR,
]
LINKER_SCRIPT = (
    "SECTIONS { . = 0; .text : { *(.vectors) *(.text*) *(.rodata*) }"
    " .bss 0x20000000 : { *(.bss*) *(COMMON) } /DISCARD/ : { *(.ARM.exidx*) } }"
)
MOST_INSTRUCTIONS = 2_000_000


def cost_armv6m(first: int, taken: bool) -> int:
    """Cycles of the instruction that begins with this halfword; `taken`: it did not just go on."""
    top4, top5 = first >> 12, first >> 11
    if top5 == 0b11110:
        return 3  # BL, MRS, MSR, barriers
    if top5 == 0b11100:
        return 2  # B, even to the next instruction
    if first >> 10 == 0b010001:
        writes_pc = first >> 8 == 0x47 or (first & 0x87 == 0x87 and first >> 8 != 0x45)
        return 2 if writes_pc else 1  # even to the next instruction
    if top4 == 0b1100:
        return 1 + (first & 0xFF).bit_count()
    if first >> 9 in (0b1011010, 0b1011110):  # PUSH, POP
        return (3 if first >> 8 == 0b10111101 else 1) + (first & 0x1FF).bit_count()
    if 0b0101 <= top4 <= 0b1001 or top5 == 0b01001:
        return 2
    return 2 if taken else 1  # conditional branches, and all that computes


@dataclass(frozen=True)
class Target:
    """An architecture on both sides.

    Fields
        cpu      as the GNU tools call it
        core     makes one of ours: flash at 0, RAM at RAM_BASE, and nothing else
        model    Unicorn's number of the same core
        cost     cycles of an instruction by its first halfword and whether it branched; or None
    """

    cpu: str
    core: Callable[[], Any]
    model: int
    cost: Callable[[int, bool], int] | None


ARMV6M = Target("cortex-m0plus", lambda: Core(bare=True), arm.UC_CPU_ARM_CORTEX_M0, cost_armv6m)


@dataclass(frozen=True)
class Image:
    """A program as it lies in flash from address 0 on, and where it ends."""

    data: bytes
    done: int
    symbols: Mapping[str, int]


@dataclass(frozen=True)
class Outcome:
    """What a program leaves behind: R0 to R14, RAM, the number of instructions and cycles."""

    registers: list[int]
    ram: bytes
    instructions: int
    cycles: int

    def word(self, address: int) -> int:
        return int.from_bytes(self.ram[address - RAM_BASE :][:4], "little")


def build(folder: Path, target: Target, source: str, optimise: str) -> Image:
    """Compiles firmware/<source>, which brings its vectors, `start` and `done`."""
    elf, image, script = folder / "program.elf", folder / "program.bin", folder / "program.ld"
    script.write_text(LINKER_SCRIPT)
    flags = [f"-mcpu={target.cpu}", "-mthumb", "-ffreestanding", "-nostartfiles", "-Wall"]
    for command in (
        [
            "arm-none-eabi-gcc",
            *flags,
            optimise,
            "-T",
            script,
            FIRMWARE / source,
            "-lgcc",
            "-o",
            elf,
        ],
        ["arm-none-eabi-objcopy", "-O", "binary", "-j", ".text", elf, image],
    ):
        subprocess.run(command, check=True, timeout=60)
    listing = subprocess.run(
        ["arm-none-eabi-nm", elf], check=True, timeout=60, capture_output=True, text=True
    ).stdout
    symbols = {line.split()[-1]: int(line.split()[0], 16) for line in listing.splitlines()}
    return Image(image.read_bytes(), symbols["done"] & ~1, symbols)


def run_ours(target: Target, image: Image, start: Mapping[int, int], ram: bytes = b"") -> Outcome:
    """On our core, from reset; `start`: registers that are set before it."""
    with target.core() as core:
        core.load(0, image.data)
        core.load(RAM_BASE, ram)
        core.reset()
        for register, value in start.items():
            core.set(register, value)
        while core.get(PC) != image.done:
            core.step()
            assert core.fault.count == 0, core.fault
            assert core.instructions < MOST_INSTRUCTIONS, "it does not end"
        registers = [core.get(register) for register in range(15)]
        return Outcome(registers, core.dump(RAM_BASE, RAM_BYTES), core.instructions, core.cycles)


def run_theirs(target: Target, image: Image, start: Mapping[int, int], ram: bytes = b"") -> Outcome:
    """On Unicorn, likewise."""
    engine = uc.Uc(uc.UC_ARCH_ARM, uc.UC_MODE_THUMB | uc.UC_MODE_MCLASS)
    engine.ctl_set_cpu_model(target.model)
    engine.mem_map(0, FLASH_BYTES)
    engine.mem_map(RAM_BASE, RAM_BYTES)
    engine.mem_write(0, image.data)
    engine.mem_write(RAM_BASE, ram)
    sp, entry = (int.from_bytes(image.data[at : at + 4], "little") for at in (0, 4))
    engine.reg_write(arm.UC_ARM_REG_SP, sp)
    engine.reg_write(arm.UC_ARM_REG_LR, 0xFFFF_FFFF)
    for register, value in start.items():
        engine.reg_write(UC_REGS[register], value)
    account = _Account(image.data, target.cost)
    engine.hook_add(uc.UC_HOOK_CODE, account)
    engine.emu_start(entry | 1, image.done, count=MOST_INSTRUCTIONS)
    account.settle(image.done)
    registers = [value & 0xFFFF_FFFF for value in engine.reg_read_batch(UC_REGS)]
    ram_now = bytes(engine.mem_read(RAM_BASE, RAM_BYTES))
    return Outcome(registers, ram_now, account.instructions, account.cycles)


class _Account:
    """Adds up Unicorn's instructions; a branch is taken if the next one is not the following."""

    def __init__(self, image: bytes, cost: Callable[[int, bool], int] | None) -> None:
        self.image, self.cost = image, cost
        self.instructions = self.cycles = 0
        self.last: tuple[int, int] | None = None

    def __call__(self, _engine: Any, address: int, size: int, _data: Any) -> None:
        self.settle(address)
        self.last = address, size
        self.instructions += 1

    def settle(self, following: int) -> None:
        if self.last is not None and self.cost:
            address, size = self.last
            first = int.from_bytes(self.image[address : address + 2], "little")
            self.cycles += self.cost(first, following != address + size)


def compare(
    target: Target, image: Image, start: Mapping[int, int] | None = None, ram: bytes = b""
) -> Outcome:
    """Runs it on both and asserts that they agree; returns what ours left behind."""
    ours = run_ours(target, image, start or {}, ram)
    theirs = run_theirs(target, image, start or {}, ram)
    assert ours.registers == theirs.registers, "registers"
    assert ours.ram == theirs.ram, "RAM"
    assert ours.instructions == theirs.instructions, "instructions"
    if target.cost:
        assert ours.cycles == theirs.cycles, "cycles"
    return ours
