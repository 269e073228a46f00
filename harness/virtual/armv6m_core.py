"""The simulated Cortex-M0+ as a Python object: counts cycles and runs firmware without a pty.

    core = Core(bare=True)
    core.load(0, vectors_and_code)
    core.reset()
    core.step(100)
    print(core.cycles, core.regs())

It is `src/armv6m` without its main(), compiled once into a shared library in the cache;
`src/armv6m/library/api.h` says what each call does.
"""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass

from harness.virtual.build import core_library
from harness.virtual.simulated_core import (
    BOOL,
    CONTROL,
    HANDLE,
    INT,
    LR,
    MSP,
    NONE,
    PC,
    PRIMASK,
    PSP,
    SP,
    U8,
    U64,
    XPSR,
    CoreFault,
    Prototypes,
    SimulatedCore,
    load_library,
)

__all__ = [
    "CONTROL",
    "FLASH_BYTES",
    "LR",
    "MSP",
    "PC",
    "PRIMASK",
    "PSP",
    "RAM_BASE",
    "RAM_BYTES",
    "SP",
    "XPSR",
    "Core",
    "CoreFault",
    "CoreMarks",
]

FLASH_BYTES = 256 * 1024
RAM_BASE = 0x2000_0000
RAM_BYTES = 32 * 1024
PREFIX = "m0_"

_PROTOTYPES: Prototypes = {
    "send": (NONE, (U8,)),
    "receive": (INT, ()),
    "marks": (NONE, (ctypes.POINTER(U64),)),
}


@functools.cache
def _library() -> ctypes.CDLL:
    library = load_library(core_library("armv6m"), PREFIX, _PROTOTYPES)
    library.m0_create.restype = HANDLE
    library.m0_create.argtypes = (BOOL, BOOL)
    return library


@dataclass(frozen=True, slots=True)
class CoreMarks:
    """Stretches between raising and lowering PA20, in cycles."""

    count: int
    total: int
    first: int
    last: int


class Core(SimulatedCore):
    """One machine. `bare`: core and memories only, anything else faults. Call `reset` first."""

    def __init__(self, *, bare: bool = False, wait_states: bool = False) -> None:
        library = _library()
        super().__init__(library, PREFIX, library.m0_create(bare, wait_states))

    def send(self, data: bytes) -> None:
        for byte in data:
            self._call("send", byte)

    def receive(self) -> bytes:
        """What the board has sent since the last call."""
        received = bytearray()
        while (byte := self._call("receive")) >= 0:
            received.append(byte)
        return bytes(received)

    @property
    def marks(self) -> CoreMarks:
        values = (U64 * 4)()
        self._call("marks", values)
        return CoreMarks(*(int(value) for value in values))
