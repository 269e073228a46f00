"""Instructions in random states, run by our core and by Unicorn's Cortex-M4 or M3, and compared.

Unicorn takes more than the cores do, so a fault on one side only must be explained by a rule of
`explain_ours` or `explain_theirs`; what no rule explains is a difference.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import unicorn as uc
from unicorn import arm_const as arm

from harness.virtual.armv7m_core import (
    BASEPRI,
    CONTROL,
    CORTEX_M3,
    CORTEX_M4F,
    FAULTMASK,
    FPSCR,
    PC,
    PRIMASK,
    PSP,
    S0,
    SP,
    XPSR,
    Core,
    CoreFault,
    Memory,
)
from tests.virtual_armv7m.encodings import find, is_legal

MASK = 0xFFFF_FFFF
FLASH_BYTES = RAM_BYTES = 0x4000
RAM_BASE = 0x2000_0000
CPACR = 0xE000_ED88
MEMORIES = (Memory(0, FLASH_BYTES, writable=False), Memory(RAM_BASE, RAM_BYTES, writable=True))
MODELS = {
    "m4f": (replace(CORTEX_M4F, memories=MEMORIES, priority_bits=8), frozenset({"dsp", "fpu"})),
    "m3": (replace(CORTEX_M3, memories=MEMORIES, priority_bits=8), frozenset()),
}
UNICORN = {"m4f": arm.UC_CPU_ARM_CORTEX_M4, "m3": arm.UC_CPU_ARM_CORTEX_M3}
CORNERS = (
    *(0, 1, 2, 31, 32, 33, 255, 256, 0x7F, 0x80, 0x7FFF, 0x8000, 0xFFFF, 0x10000),
    *(0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, 0xFFFF_FFFE, 0xFFFF_FFFF, 0xFFFF_FF80),
    *(0x7FFF_8000, 0x8000_7FFF, 0x8000_8000, 0x7F80_7F80, 0x00FF_FF00),
)
# Zeros, denormals, least and most normals, infinities, quiet and signalling NaNs, ones, halves.
FLOATS = (
    *(0, 1, 0x007F_FFFF, 0x0080_0000, 0x0080_0001, 0x3F80_0000, 0x3F7F_FFFF, 0x3F80_0001),
    *(0x7F7F_FFFF, 0x7F80_0000, 0x7F80_0001, 0x7FBF_FFFF, 0x7FC0_0000, 0x7FFF_FFFF, 0x7FC1_2345),
    *(0x4F00_0000, 0x4EFF_FFFF, 0x4F80_0000, 0x477F_E000, 0x477F_F000, 0x3880_0000, 0x387F_FFFF),
    *(0x3F00_0000, 0x3FC0_0000, 0x4B7F_FFFF, 0x3300_0000, 0x3300_0001, 0x3380_0000, 0x0000_7C01),
)
UC_REGS = [
    *(getattr(arm, f"UC_ARM_REG_R{n}") for n in range(13)),
    *(arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR, arm.UC_ARM_REG_PC, arm.UC_ARM_REG_XPSR),
    *(arm.UC_ARM_REG_PSP, arm.UC_ARM_REG_PRIMASK, arm.UC_ARM_REG_CONTROL),
    *(arm.UC_ARM_REG_BASEPRI, arm.UC_ARM_REG_FAULTMASK, arm.UC_ARM_REG_FPSCR),
    *(getattr(arm, f"UC_ARM_REG_S{n}") for n in range(32)),
]
UC_CONTROL = arm.UC_ARM_REG_CONTROL  # not written: that would close the FP context
OUR_REGS = [
    *range(16),
    *(XPSR, PSP, PRIMASK, CONTROL, BASEPRI, FAULTMASK, FPSCR),
    *range(S0, S0 + 32),
]
AT_XPSR, AT_PSP, AT_CONTROL, AT_FPSCR, AT_S0 = 16, 17, 19, 22, 23
NAMES = [
    *(f"r{n}" for n in range(16)),
    *("xpsr", "psp", "primask", "control", "basepri", "faultmask", "fpscr"),
    *(f"s{n}" for n in range(32)),
]
XPSR_FLAGS, XPSR_GE, XPSR_THUMB = 0xF800_0000, 0xF_0000, 1 << 24
CONTROL_NPRIV, CONTROL_SPSEL, CONTROL_FPCA = 1, 2, 4
FPSCR_RMODE, FPSCR_FZ, FPSCR_DN, FPSCR_AHP = 3 << 22, 1 << 24, 1 << 25, 1 << 26
FPSCR_FLAGS = 0xF000_009F
# Accesses that must be aligned whatever CCR says (A3.2.1), by group of encodings and name.
ALIGNED_NAMES = {"vldr.s", "vstr.s", "vldr.d", "vstr.d", "vldm.s", "vldmdbs", "vldm.d", "vldmdbd"}


@dataclass
class Tally:
    """How the cases ended."""

    compared: int = 0
    both_fault: int = 0
    unaligned: int = 0
    not_an_instruction: int = 0
    next_fetch: int = 0

    def total(self) -> int:
        return sum(vars(self).values())


class Difference(Exception):
    """Our core and Unicorn disagree and no rule says why."""


class Pair:
    """Our core and Unicorn with the same memories, ready for one case after the other."""

    def __init__(self, model: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.tally = Tally()
        config, self.features = MODELS[model]
        self.ours = Core(config)
        self.theirs = uc.Uc(uc.UC_ARCH_ARM, uc.UC_MODE_THUMB | uc.UC_MODE_MCLASS)
        self.theirs.ctl_set_cpu_model(UNICORN[model])
        self.theirs.mem_map(0, FLASH_BYTES, uc.UC_PROT_READ | uc.UC_PROT_EXEC)
        self.theirs.mem_map(RAM_BASE, RAM_BYTES)
        self.ram = self.random.randbytes(RAM_BYTES)
        flash = bytearray(self.random.randbytes(FLASH_BYTES))
        flash[0:8] = (RAM_BASE + RAM_BYTES).to_bytes(4, "little") + (0x101).to_bytes(4, "little")
        self.ours.load(0, bytes(flash))
        self.theirs.mem_write(0, bytes(flash))
        self.ours.reset()
        self.ours.write(CPACR, 0xF << 20)
        self.restore_ram()
        self.open_fp_context()
        self.clean = self.theirs.context_save()

    def restore_ram(self) -> None:
        self.ours.load(RAM_BASE, self.ram)
        self.theirs.mem_write(RAM_BASE, self.ram)

    def open_fp_context(self) -> None:
        """A first floating-point instruction: it is the one that starts with a fresh FPSCR."""
        self.theirs.mem_write(0x100, bytes.fromhex("b0ee400a"))  # vmov.f32 s0, s0
        self.theirs.emu_start(0x101, 0x104)

    # ---- random states ----

    def random_value(self) -> int:
        kind = self.random.randrange(9)
        if kind < 4:  # mostly aligned, well inside RAM
            return RAM_BASE + self.random.randrange(0x400, RAM_BYTES - 0x400) & ~(3 * (kind > 0))
        if kind == 4:
            return self.random.randrange(0x100, FLASH_BYTES)
        if kind == 5:
            return self.random.choice(CORNERS)
        if kind == 6:
            return self.random.randrange(64)
        return self.random.getrandbits(32)

    def random_float(self) -> int:
        kind = self.random.randrange(8)
        sign = self.random.getrandbits(1) << 31
        if kind < 3:
            return self.random.choice(FLOATS) | sign
        if kind < 6:  # near one, so that sums and products stay in range
            return (self.random.randrange(0x70, 0x90) << 23) | self.random.getrandbits(23) | sign
        if kind == 6:  # near the least normal
            return (self.random.randrange(0, 3) << 23) | self.random.getrandbits(23) | sign
        return self.random.getrandbits(32)

    def random_fpscr(self) -> int:
        """Flags, and less often the modes."""
        value = self.random.getrandbits(32) & FPSCR_FLAGS
        for mode in (FPSCR_FZ, FPSCR_DN, FPSCR_AHP):
            value |= mode if self.random.random() < 0.2 else 0
        return value | (self.random.getrandbits(2) << 22 if self.random.random() < 0.4 else 0)

    def random_state(self, pc: int, with_floats: bool) -> list[int]:
        values = [self.random_value() for _ in range(13)]
        sp, psp = (
            RAM_BASE + (self.random.randrange(0x400, RAM_BYTES - 0x400) & ~3) for _ in range(2)
        )
        flags = self.random.getrandbits(5) << 27  # Unicorn cannot be given GE: test_sel has it
        control = CONTROL_FPCA if "fpu" in self.features else 0  # else FPSCR starts afresh
        state = [*values, sp, self.random_value(), pc, flags, psp, 0, control, 0, 0]
        if with_floats:
            state += [self.random_fpscr(), *(self.random_float() for _ in range(32))]
        return state

    # ---- one case ----

    def check(self, *halfwords: int, with_floats: bool = True) -> None:
        """One instruction, or several that nothing may refuse; raises Difference.

        Without floats, their registers keep what they have and are not compared.
        """
        pc = self.random.randrange(0x100, FLASH_BYTES - 0x100) & ~1
        code = b"".join(h.to_bytes(2, "little") for h in halfwords)
        state = self.random_state(pc, with_floats)
        if with_floats and any(h & 0xFFBE == 0xEEBA for h in halfwords):
            # From fixed point VCVT rounds to nearest (A7.7.230), in Unicorn's QEMU 5 as FPSCR says.
            state[AT_FPSCR] &= ~FPSCR_RMODE
        self.ours.load(pc, code)
        self.theirs.mem_write(pc, code)
        self.theirs.ctl_remove_cache(pc, pc + len(code) + 4)  # else it runs what was here before
        self.ours.set_all(OUR_REGS[: len(state)], state)
        thumb = [*state[:AT_XPSR], state[AT_XPSR] | XPSR_THUMB, *state[AT_PSP:]]
        writes = [pair for pair in zip(UC_REGS, thumb, strict=False) if pair[0] != UC_CONTROL]
        self.theirs.reg_write_batch(writes)
        where = f"{' '.join(f'{h:04x}' for h in halfwords)} at {pc:#x}"
        try:
            if len(halfwords) == 2:
                self.compare_one(halfwords[0], halfwords[1], pc, state, where)
            else:
                self.compare_block(pc, pc + len(code), state, where)
        finally:
            self.settle()

    def compare_one(self, first: int, second: int, pc: int, state: list[int], where: str) -> None:
        faults = self.ours.fault.count
        self.ours.step()
        our_fault = self.ours.fault if self.ours.fault.count > faults else None
        their_fault = self.run_theirs(pc, 0xFFFF_FFFF, 1)
        legal = is_legal(first, second, self.features)
        refused = our_fault is not None and our_fault.reason.endswith(("instruction", "or off"))
        if legal == refused and not self.loads_pc_unaligned(first, second, our_fault):
            raise Difference(f"{where}: legal is {legal}, but our core said {our_fault}")
        if our_fault and their_fault:
            self.check_reason(our_fault.reason, our_fault.address, where)
            self.tally.both_fault += 1
        elif our_fault:
            self.explain_ours(first, second, our_fault.reason, our_fault.address, where)
        elif their_fault:
            self.explain_theirs(pc, str(their_fault), where)
        else:
            self.compare_states(state, where)

    def compare_block(self, pc: int, end: int, state: list[int], where: str) -> None:
        """Instructions that neither side may refuse; ours must arrive where Unicorn does."""
        faults = self.ours.fault.count
        while self.ours.get(PC) != end and self.ours.fault.count == faults:
            self.ours.step()
        if self.ours.fault.count > faults:
            raise Difference(f"{where}: our core said {self.ours.fault}")
        if error := self.run_theirs(pc, end, 0):
            raise Difference(f"{where}: Unicorn said {error}")
        self.compare_states(state, where)

    def run_theirs(self, pc: int, end: int, count: int) -> uc.UcError | None:
        try:
            self.theirs.emu_start(pc | 1, end, count=count)
        except uc.UcError as error:
            return error
        return None

    # ---- rules ----

    def check_reason(self, reason: str, address: int, where: str) -> None:
        """Both fault: our reason must hold; that of instructions has been compared with `legal`."""
        if reason == "access to nothing":
            holds = not RAM_BASE <= address <= RAM_BASE + RAM_BYTES - 4
        elif reason == "unaligned access":  # outside memory any unaligned access is one
            holds = address & 3 != 0
        else:
            holds = reason.endswith(("instruction", "or off"))
        if not holds:
            raise Difference(f"{where}: both fault, but ours with {reason} at {address:#x}")

    def explain_ours(self, first: int, second: int, reason: str, address: int, where: str) -> None:
        """Only we fault: Unicorn accepts unaligned accesses and what is no instruction."""
        encoding = find(first << 16 | second) if first >> 11 > 0b11100 else None
        aligned_only = encoding is not None and (
            encoding.group == "multiple" or encoding.name in ALIGNED_NAMES
        )
        narrow_multiple = first >> 12 in (0b1011, 0b1100)
        if reason == "unaligned access" and address & 3 and (aligned_only or narrow_multiple):
            self.tally.unaligned += 1
        elif reason.endswith(("instruction", "or off")):  # `legal` was compared above
            self.tally.not_an_instruction += 1
        else:
            raise Difference(f"{where}: only our core faults, {reason} at {address:#x}")

    def loads_pc_unaligned(self, first: int, second: int, fault: CoreFault | None) -> bool:
        """LDR PC from an address that is no multiple of 4, which is UNPREDICTABLE (A7.7.43)."""
        encoding = find(first << 16 | second)
        loads_pc = encoding is not None and encoding.name.startswith("ldr.") and second >> 12 == 15
        return loads_pc and fault is not None and fault.reason.startswith("unpredictable")

    def explain_theirs(self, pc: int, error: str, where: str) -> None:
        """Only Unicorn faults: it fetches the target of a branch at once, we one step later."""
        target, faults = self.ours.get(PC), self.ours.fault.count
        self.ours.step()
        fault = self.ours.fault
        fetch = fault.reason in ("execution where no code can be", "branch to an even address")
        if target == pc or fault.count == faults or not fetch or fault.pc != target:
            raise Difference(f"{where}: only Unicorn faults, {error}; ours then {fault}")
        self.tally.next_fetch += 1

    def compare_states(self, state: list[int], where: str) -> None:
        ours = self.ours.get_all(OUR_REGS[: len(state)])
        theirs = [value & MASK for value in self.theirs.reg_read_batch(UC_REGS[: len(state)])]
        theirs[SP] &= ~3  # Unicorn keeps the bits the architecture forces to zero
        theirs[AT_PSP] &= ~3
        theirs[PC] &= ~1
        ge = XPSR_GE if "dsp" in self.features else 0
        for values in (ours, theirs):
            values[AT_XPSR] &= XPSR_FLAGS | ge
            values[AT_CONTROL] &= CONTROL_SPSEL | CONTROL_NPRIV
        if ours != theirs:
            words = [
                f"{n} {o:x}, Unicorn {t:x}"
                for n, o, t in zip(NAMES, ours, theirs, strict=False)
                if o != t
            ]
            before = ", ".join(f"{n} {v:x}" for n, v in zip(NAMES, state, strict=False))
            raise Difference(f"{where}: {'; '.join(words)}\n from {before}")
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
