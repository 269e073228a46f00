"""The simulated Cortex-M3, M4 and M4F as Python objects: they run firmware without a pty.

    core = Core(CORTEX_M4F)
    core.load(0, vectors_and_code)
    core.reset()
    core.step(100)
    print(core.cycles, core.cycles_hi, core.instructions, core.regs())

It is `src/armv7m`, compiled once into a shared library in the cache; `src/armv7m/library/api.h`
says what each call does. `cycles` and `cycles_hi` are the two ends of an estimate
(`src/armv7m/timing.h`), `instructions` is exact.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass

from harness.virtual.build import core_library
from harness.virtual.simulated_core import (
    BOOL,
    CONTROL,
    HANDLE,
    LR,
    MSP,
    NONE,
    PC,
    PRIMASK,
    PSP,
    SP,
    U32,
    U64,
    XPSR,
    CoreFault,
    Prototypes,
    SimulatedCore,
    load_library,
)

__all__ = [
    "BASEPRI",
    "CONTROL",
    "CORTEX_M3",
    "CORTEX_M4",
    "CORTEX_M4F",
    "FAULTMASK",
    "FPSCR",
    "LR",
    "MSP",
    "PC",
    "PRIMASK",
    "PSP",
    "S0",
    "SP",
    "XPSR",
    "Core",
    "CoreConfig",
    "CoreFault",
    "Memory",
]

BASEPRI, FAULTMASK, FPSCR = 21, 22, 23
S0 = 32  # S0 + n is the register Sn
PREFIX = "v7_"
MEMORIES = 4


class _CMemory(ctypes.Structure):
    _fields_ = (("base", U32), ("size", U32), ("writable", U32))


class _CConfig(ctypes.Structure):
    _fields_ = (
        ("memory", _CMemory * MEMORIES),
        ("n_memories", U32),
        ("cpuid", U32),
        ("n_irqs", U32),
        ("priority_bits", U32),
        ("has_dsp", U32),
        ("has_fpu", U32),
    )


_PROTOTYPES: Prototypes = {
    "cycles_hi": (U64, ()),
    "get_all": (NONE, (ctypes.POINTER(U32), ctypes.POINTER(U32), U32)),
    "set_all": (NONE, (ctypes.POINTER(U32), ctypes.POINTER(U32), U32)),
    "read": (BOOL, (U32, ctypes.POINTER(U32))),
    "write": (BOOL, (U32, U32)),
}


@dataclass(frozen=True, slots=True)
class Memory:
    """`size` bytes (a multiple of 4) at `base`; code runs from all of them."""

    base: int
    size: int
    writable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreConfig:
    """What distinguishes the cores; up to four memories, the main RAM first of those writable."""

    cpuid: int
    has_dsp: bool
    has_fpu: bool
    memories: tuple[Memory, ...] = (
        Memory(0, 256 * 1024, writable=False),
        Memory(0x2000_0000, 64 * 1024, writable=True),
    )
    n_irqs: int = 96
    priority_bits: int = 4


CORTEX_M3 = CoreConfig(cpuid=0x412F_C230, has_dsp=False, has_fpu=False)
CORTEX_M4 = CoreConfig(cpuid=0x410F_C241, has_dsp=True, has_fpu=False)
CORTEX_M4F = CoreConfig(cpuid=0x410F_C241, has_dsp=True, has_fpu=True)


@functools.cache
def _library() -> ctypes.CDLL:
    library = load_library(core_library("armv7m"), PREFIX, _PROTOTYPES)
    library.v7_create.restype = HANDLE
    library.v7_create.argtypes = (ctypes.POINTER(_CConfig),)
    return library


def _c_config(config: CoreConfig) -> _CConfig:
    if len(config.memories) > MEMORIES:
        raise ValueError(f"{len(config.memories)} memories, the library takes {MEMORIES}")
    memories = (_CMemory * MEMORIES)()
    for i, memory in enumerate(config.memories):
        memories[i] = _CMemory(memory.base, memory.size, memory.writable)
    return _CConfig(
        memories,
        len(config.memories),
        config.cpuid,
        config.n_irqs,
        config.priority_bits,
        config.has_dsp,
        config.has_fpu,
    )


class Core(SimulatedCore):
    """Core, memories and private peripheral bus; any other access faults. Call `reset` first."""

    def __init__(self, config: CoreConfig = CORTEX_M4F) -> None:
        library = _library()
        super().__init__(library, PREFIX, library.v7_create(ctypes.byref(_c_config(config))))

    @property
    def cycles_hi(self) -> int:
        return int(self._call("cycles_hi"))

    def get_all(self, regs: Sequence[int]) -> list[int]:
        """Several registers at once."""
        values = (U32 * len(regs))()
        self._call("get_all", (U32 * len(regs))(*regs), values, len(regs))
        return list(values)

    def set_all(self, regs: Sequence[int], values: Sequence[int]) -> None:
        """Several registers at once, each 32 bits."""
        count = len(regs)
        self._call("set_all", (U32 * count)(*regs), (U32 * count)(*values), count)

    def read(self, address: int) -> int:
        """The word at `address` as the program would see it, system registers included."""
        value = U32()
        if not self._call("read", address, ctypes.byref(value)):
            raise ValueError(f"a read at {address:#x} faults")
        return value.value

    def write(self, address: int, value: int) -> None:
        if not self._call("write", address, value & 0xFFFF_FFFF):
            raise ValueError(f"a write at {address:#x} faults")
