"""One instruction in one random state, run by our core and by Unicorn, and compared.

Unicorn's Cortex-M0 takes more than an ARMv6-M core does, so a fault on one side only must be
explained by a rule of `explain`; what no rule explains is a difference.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import unicorn as uc
from unicorn import arm_const as arm

from harness.virtual.armv6m_core import (
    CONTROL,
    FLASH_BYTES,
    PC,
    PRIMASK,
    PSP,
    RAM_BASE,
    RAM_BYTES,
    SP,
    XPSR,
    Core,
)

MASK = 0xFFFF_FFFF
CORNERS = (
    0,
    1,
    2,
    31,
    32,
    33,
    255,
    256,
    0x7F,
    0x80,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFF_FFFF,
    0x8000_0000,
    0x8000_0001,
    0xFFFF_FFFE,
    0xFFFF_FFFF,
    0xFFFF_FF80,
)
UC_REGS = [getattr(arm, f"UC_ARM_REG_R{n}") for n in range(13)] + [
    arm.UC_ARM_REG_SP,
    arm.UC_ARM_REG_LR,
    arm.UC_ARM_REG_PC,
    arm.UC_ARM_REG_XPSR,
    arm.UC_ARM_REG_PSP,
    arm.UC_ARM_REG_PRIMASK,
    arm.UC_ARM_REG_CONTROL,
]
OUR_REGS = [*range(16), XPSR, PSP, PRIMASK, CONTROL]
FLAGS = 0xF000_0000
XPSR_INDEX, PSP_INDEX, CONTROL_INDEX = 16, 17, 19
NPRIV, SPSEL = 1, 2


def is_armv6m(first: int, second: int) -> bool:
    """Is this an instruction of ARMv6-M whose use is predictable? (ARM DDI 0419, chapter A5)

    Written apart from the simulator's table, by exclusion instead of by listing.
    """
    top5, top6 = first >> 11, first >> 10
    if top5 in (0b11101, 0b11111):
        return False
    if top5 == 0b11110:
        return is_armv6m_wide(first, second)
    if top6 == 0b010001:
        return special_data_is_predictable(first)
    if first >> 12 == 0b1011:
        return miscellaneous_exists(first)
    if first >> 12 == 0b1100:  # STM, LDM: a list; a base that is stored must be the first
        base, registers = first >> 8 & 7, first & 0xFF
        stored_late = not first & 0x800 and registers >> base & 1 and registers & ((1 << base) - 1)
        return bool(registers) and not stored_late
    return first >> 8 != 0xDE  # UDF


def is_armv6m_wide(first: int, second: int) -> bool:
    if second & 0xD000 == 0xD000:
        return True  # BL
    sysm, rd, rn = second & 0xFF, second >> 8 & 15, first & 15
    known = sysm in (0, 1, 2, 3, 5, 6, 7, 8, 9, 16, 20)
    if first & 0xFFF0 == 0xF380:
        return second & 0xFF00 == 0x8800 and rn not in (13, 15) and known
    if first == 0xF3EF:
        return second & 0xF000 == 0x8000 and rd not in (13, 15) and known
    return first == 0xF3BF and second & 0xFFF0 in (0x8F40, 0x8F50, 0x8F60)


def special_data_is_predictable(first: int) -> bool:
    operation, rm, rd = first >> 8 & 3, first >> 3 & 15, first & 7 | first >> 4 & 8
    if operation == 0:
        return not (rm == 15 and rd == 15)
    if operation == 1:
        return not (rm < 8 and rd < 8) and rm != 15 and rd != 15
    return operation == 2 or (first & 7 == 0 and rm != 15)


def miscellaneous_exists(first: int) -> bool:
    group = first >> 8 & 15
    if group in (0, 2, 14):  # SP +- immediate, extend, BKPT
        return True
    if group in (4, 5, 12, 13):  # PUSH, POP: a list
        return first & 0x1FF != 0
    if group == 6:
        return first in (0xB662, 0xB672)
    if group == 10:
        return first >> 6 & 3 != 2
    return group == 15 and first & 15 == 0


@dataclass
class Tally:
    """How the cases ended."""

    compared: int = 0
    both_fault: int = 0
    unaligned: int = 0
    not_armv6m: int = 0
    next_fetch: int = 0

    def total(self) -> int:
        return sum(vars(self).values())


class Difference(Exception):
    """Our core and Unicorn disagree and no rule says why."""


class Pair:
    """Our core and Unicorn with the same memories, ready for one instruction after the other."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.tally = Tally()
        self.ours = Core(bare=True)
        self.theirs = uc.Uc(uc.UC_ARCH_ARM, uc.UC_MODE_THUMB | uc.UC_MODE_MCLASS)
        self.theirs.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M0)
        self.theirs.mem_map(0, FLASH_BYTES, uc.UC_PROT_READ | uc.UC_PROT_EXEC)
        self.theirs.mem_map(RAM_BASE, RAM_BYTES)
        self.ram = self.random.randbytes(RAM_BYTES)
        flash = bytearray(self.random.randbytes(FLASH_BYTES))
        flash[0:8] = (RAM_BASE + RAM_BYTES).to_bytes(4, "little") + (0x101).to_bytes(4, "little")
        self.ours.load(0, bytes(flash))
        self.theirs.mem_write(0, bytes(flash))
        self.ours.reset()
        self.restore_ram()
        self.clean = self.theirs.context_save()

    def restore_ram(self) -> None:
        self.ours.load(RAM_BASE, self.ram)
        self.theirs.mem_write(RAM_BASE, self.ram)

    def random_value(self) -> int:
        kind = self.random.randrange(8)
        if kind < 3:  # mostly aligned, well inside RAM
            return RAM_BASE + self.random.randrange(0x400, RAM_BYTES - 0x400) & ~(3 * (kind > 0))
        if kind == 3:
            return self.random.randrange(0x100, FLASH_BYTES)
        if kind == 4:
            return self.random.choice(CORNERS)
        if kind == 5:
            return self.random.randrange(64)
        return self.random.getrandbits(32) & 0x7FFF_FFFF | self.random.choice((0, 1 << 31))

    def random_state(self, pc: int) -> list[int]:
        values = [self.random_value() for _ in range(13)]
        sp, psp = (self.random.randrange(0x400, RAM_BYTES - 0x400) & ~3 for _ in range(2))
        flags = self.random.getrandbits(4) << 28
        return [*values, RAM_BASE + sp, self.random_value(), pc, flags, RAM_BASE + psp, 0, 0]

    def check(self, first: int, second: int) -> None:
        """Runs one case; raises Difference."""
        pc = self.random.randrange(0x100, FLASH_BYTES - 0x100) & ~1
        code = first.to_bytes(2, "little") + second.to_bytes(2, "little")
        state = self.random_state(pc)
        self.ours.load(pc, code)
        self.theirs.mem_write(pc, code)
        self.theirs.ctl_remove_cache(pc, pc + 4)  # else it runs what was here before
        for reg, value in zip(OUR_REGS, state, strict=True):
            self.ours.set(reg, value)
        thumb = [*state[:XPSR_INDEX], state[XPSR_INDEX] | 1 << 24, *state[PSP_INDEX:]]
        self.theirs.reg_write_batch(list(zip(UC_REGS, thumb, strict=True)))
        where = f"{first:04x} {second:04x} at {pc:#x}, from {[f'{v:x}' for v in state]}"
        try:
            self.compare(first, second, where)
        finally:
            self.settle()

    def compare(self, first: int, second: int, where: str) -> None:
        pc, faults = self.ours.get(PC), self.ours.fault.count
        self.ours.step()
        our_fault = self.ours.fault if self.ours.fault.count > faults else None
        their_fault = None
        try:
            self.theirs.emu_start(pc | 1, 0xFFFF_FFFF, count=1)
        except uc.UcError as error:
            their_fault = error
        if our_fault and their_fault:
            self.check_reason(first, second, our_fault.reason, our_fault.address, where)
            self.tally.both_fault += 1
        elif our_fault:
            self.explain_ours(first, second, our_fault.reason, our_fault.address, where)
        elif their_fault:
            self.explain_theirs(pc, str(their_fault), where)
        else:
            self.compare_states(where)
        legal = is_armv6m(first, second)
        refused = our_fault is not None and our_fault.reason.endswith("instruction")
        if legal == refused:
            raise Difference(f"{where}: ARMv6-M {legal}, but our core said {our_fault}")

    def check_reason(self, first: int, second: int, reason: str, address: int, where: str) -> None:
        """Both fault: ours must have a reason that holds."""
        if reason == "access to nothing":
            holds = not RAM_BASE <= address < RAM_BASE + RAM_BYTES
        elif reason == "unaligned access":
            holds = address & 3 != 0
        else:
            holds = reason.endswith("instruction") and not is_armv6m(first, second)
        if not holds:
            raise Difference(f"{where}: both fault, but ours with {reason} at {address:#x}")

    def explain_ours(self, first: int, second: int, reason: str, address: int, where: str) -> None:
        """Only we fault: Unicorn accepts unaligned accesses and what is not ARMv6-M."""
        if reason == "unaligned access" and address & 3:
            self.tally.unaligned += 1
        elif reason.endswith("instruction") and not is_armv6m(first, second):
            self.tally.not_armv6m += 1
        else:
            raise Difference(f"{where}: only our core faults, {reason} at {address:#x}")

    def explain_theirs(self, pc: int, error: str, where: str) -> None:
        """Only Unicorn faults: it fetches the target of a branch at once, we one step later."""
        target, faults = self.ours.get(PC), self.ours.fault.count
        self.ours.step()
        fault = self.ours.fault
        fetch = fault.reason in ("execution where no code can be", "branch to an even address")
        if target == pc or fault.count == faults or not fetch or fault.pc != target:
            raise Difference(f"{where}: only Unicorn faults, {error}; ours then {fault}")
        self.tally.next_fetch += 1

    def compare_states(self, where: str) -> None:
        ours = [self.ours.get(reg) for reg in OUR_REGS]
        theirs = [value & MASK for value in self.theirs.reg_read_batch(UC_REGS)]
        theirs[SP] &= ~3  # Unicorn keeps the bits the architecture forces to zero
        theirs[PSP_INDEX] &= ~3
        if theirs[CONTROL_INDEX] & NPRIV:  # which the SAM D21's core lacks; PSP is hidden then
            theirs[PSP_INDEX] = ours[PSP_INDEX]
        theirs[CONTROL_INDEX] &= SPSEL
        theirs[PC] &= ~1
        ours[XPSR_INDEX] &= FLAGS
        theirs[XPSR_INDEX] &= FLAGS
        if ours != theirs:
            raise Difference(
                f"{where}:\n ours   {[f'{v:x}' for v in ours]}"
                f"\n theirs {[f'{v:x}' for v in theirs]}"
            )
        if self.ours.dump(RAM_BASE, RAM_BYTES) != self.theirs.mem_read(RAM_BASE, RAM_BYTES):
            raise Difference(f"{where}: RAM differs")
        self.tally.compared += 1

    def settle(self) -> None:
        """Undoes what the case has left: exceptions, sleep, stores."""
        self.ours.clear_fault()
        self.theirs.context_restore(self.clean)  # a fault leaves more behind than registers
        if (
            self.ours.dump(RAM_BASE, RAM_BYTES) != self.ram
            or self.theirs.mem_read(RAM_BASE, RAM_BYTES) != self.ram
        ):
            self.restore_ram()
