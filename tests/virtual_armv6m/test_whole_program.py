"""Compiled code on our core and on Unicorn: same memory, registers, instructions and cycles.

The cycles for Unicorn are added up here, instruction by instruction as it runs them, from another
writing of ARM DDI 0484C table 3-1 than the simulator's.
"""

import subprocess

import pytest
import unicorn as uc
from unicorn import arm_const as arm

from harness.virtual.armv6m_core import FLASH_BYTES, PC, RAM_BASE, RAM_BYTES, Core
from tests.virtual_armv6m.conftest import FIRMWARE

UC_REGS = [getattr(arm, f"UC_ARM_REG_R{n}") for n in range(13)] + [
    arm.UC_ARM_REG_SP,
    arm.UC_ARM_REG_LR,
]


def cost(first: int, taken: bool) -> int:
    """Cycles of the instruction that begins with this halfword."""
    top4, top5 = first >> 12, first >> 11
    if top5 == 0b11110:
        return 3  # BL; the program has no MRS or barriers
    if first >> 10 == 0b010001:
        writes_pc = first >> 8 == 0x47 or (first & 0x87 == 0x87 and first >> 8 != 0x45)
        return 2 if writes_pc else 1  # even to the next instruction
    if top4 == 0b1100:
        return 1 + (first & 0xFF).bit_count()
    if first >> 9 in (0b1011010, 0b1011110):  # PUSH, POP
        return (3 if first >> 8 == 0b10111101 else 1) + (first & 0x1FF).bit_count()
    if 0b0101 <= top4 <= 0b1001 or top5 == 0b01001:
        return 2
    return 2 if taken else 1  # branches, and all that computes


def build(folder, optimise):
    elf, image = folder / "whole.elf", folder / "whole.bin"
    flags = ["-mcpu=cortex-m0plus", "-mthumb", "-ffreestanding", "-nostartfiles", "-Wall"]
    script = folder / "whole.ld"
    script.write_text(
        "SECTIONS { . = 0; .text : { *(.vectors) *(.text*) *(.rodata*) }"
        " .bss 0x20000000 : { *(.bss*) *(COMMON) } /DISCARD/ : { *(.ARM.exidx*) } }"
    )
    source = FIRMWARE / "whole.c"
    for command in (
        ["arm-none-eabi-gcc", *flags, optimise, "-T", script, source, "-lgcc", "-o", elf],
        ["arm-none-eabi-objcopy", "-O", "binary", "-j", ".text", elf, image],
    ):
        subprocess.run(command, check=True, timeout=60)
    symbols = subprocess.run(
        ["arm-none-eabi-nm", elf], check=True, timeout=60, capture_output=True, text=True
    ).stdout
    addresses = {line.split()[-1]: int(line.split()[0], 16) for line in symbols.splitlines()}
    return image.read_bytes(), addresses["done"] & ~1


def run_ours(image, done):
    with Core(bare=True) as core:
        core.load(0, image)
        core.reset()
        while core.get(PC) != done:
            core.step()
            assert core.fault.count == 0, core.fault
        registers = [core.get(reg) for reg in range(15)]
        return registers, core.dump(RAM_BASE, RAM_BYTES), core.instructions, core.cycles


class Account:
    """Adds up Unicorn's instructions; a branch is taken if the next one is not the following."""

    def __init__(self, image):
        self.image = image
        self.instructions = self.cycles = 0
        self.last = None

    def __call__(self, _engine, address, size, _data):
        self.settle(address)
        self.last = address, size
        self.instructions += 1

    def settle(self, following):
        if self.last is not None:
            address, size = self.last
            first = int.from_bytes(self.image[address : address + 2], "little")
            self.cycles += cost(first, following != address + size)


def run_theirs(image, done):
    engine = uc.Uc(uc.UC_ARCH_ARM, uc.UC_MODE_THUMB | uc.UC_MODE_MCLASS)
    engine.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M0)
    engine.mem_map(0, FLASH_BYTES)
    engine.mem_map(RAM_BASE, RAM_BYTES)
    engine.mem_write(0, image)
    engine.reg_write(arm.UC_ARM_REG_SP, int.from_bytes(image[:4], "little"))
    engine.reg_write(arm.UC_ARM_REG_LR, 0xFFFF_FFFF)
    account = Account(image)
    engine.hook_add(uc.UC_HOOK_CODE, account)
    engine.emu_start(int.from_bytes(image[4:8], "little") | 1, done)
    account.settle(done)
    registers = [value & 0xFFFF_FFFF for value in engine.reg_read_batch(UC_REGS)]
    ram = bytes(engine.mem_read(RAM_BASE, RAM_BYTES))
    return registers, ram, account.instructions, account.cycles


@pytest.mark.parametrize("optimise", ["-O0", "-Os", "-O2"])
def test_whole_program(tmp_path, optimise):
    image, done = build(tmp_path, optimise)
    ours, theirs = run_ours(image, done), run_theirs(image, done)
    assert ours[0] == theirs[0], "registers"
    assert ours[1] == theirs[1], "RAM"
    assert ours[2] == theirs[2] > 20_000, "instructions"
    assert ours[3] == theirs[3], "cycles"
    print(f"{optimise}: {ours[2]} instructions, {ours[3]} cycles")
