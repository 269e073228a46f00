"""What the Python objects of the simulated cores share: memory, registers, steps, cycles, faults.

A core is a shared library whose functions begin with a prefix of its own (`m0_`, `v7_`) and take
the machine as their first argument; `src/*/library/api.h` says what each does.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

SP, LR, PC, XPSR, MSP, PSP, PRIMASK, CONTROL = range(13, 21)

U8, U32, U64, BOOL, INT = (
    ctypes.c_uint8,
    ctypes.c_uint32,
    ctypes.c_uint64,
    ctypes.c_bool,
    ctypes.c_int,
)
UINT, HANDLE, NONE, BYTES = ctypes.c_uint, ctypes.c_void_p, None, ctypes.c_char_p
_OUT_U32, _OUT_TEXT = ctypes.POINTER(U32), ctypes.POINTER(ctypes.c_char_p)

# name -> result, arguments after the machine
Prototypes = Mapping[str, tuple[object, tuple[object, ...]]]
_COMMON: Prototypes = {
    "destroy": (NONE, ()),
    "load": (BOOL, (U32, BYTES, U32)),
    "dump": (BOOL, (U32, BYTES, U32)),
    "reset": (NONE, (U32,)),
    "step": (U64, (U64,)),
    "run": (NONE, (U64,)),
    "get": (U32, (UINT,)),
    "set": (BOOL, (UINT, U32)),
    "cycles": (U64, ()),
    "instructions": (U64, ()),
    "min_sp": (U32, ()),
    "sleeping": (BOOL, ()),
    "locked_up": (BOOL, ()),
    "faults": (U32, (_OUT_TEXT, _OUT_U32, _OUT_U32)),
    "clear_fault": (NONE, ()),
    "irq": (NONE, (UINT, BOOL)),
}


def load_library(path: Path, prefix: str, more: Prototypes) -> ctypes.CDLL:
    """The library at `path` with the types of its functions set."""
    library = ctypes.CDLL(str(path))
    for name, (result, arguments) in {**_COMMON, **more}.items():
        function = getattr(library, prefix + name)
        function.restype = result
        function.argtypes = (HANDLE, *arguments)
    return library


@dataclass(frozen=True, slots=True)
class CoreFault:
    """The first fault since reset, and how many there were since the core was made."""

    count: int
    reason: str
    pc: int
    address: int


class SimulatedCore:
    """One machine of `library`. Call `reset` first; `close` frees it."""

    def __init__(self, library: ctypes.CDLL, prefix: str, machine: int | None) -> None:
        if not machine:
            raise MemoryError("no memory for a simulated core")
        self._library = library
        self._prefix = prefix
        self._machine: int | None = machine
        self._functions: dict[str, ctypes._NamedFuncPointer] = {}

    def _call(self, name: str, *arguments: object) -> int:
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = getattr(self._library, self._prefix + name)
        return function(self._machine, *arguments)  # type: ignore[no-any-return]

    def close(self) -> None:
        if self._machine:
            self._call("destroy")
        self._machine = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def load(self, address: int, data: bytes) -> None:
        """Writes flash (erased or not) or RAM."""
        if not self._call("load", address, data, len(data)):
            raise ValueError(f"{len(data)} bytes at {address:#x} are not flash or RAM")

    def dump(self, address: int, size: int) -> bytes:
        data = ctypes.create_string_buffer(size)
        if not self._call("dump", address, data, size):
            raise ValueError(f"{size} bytes at {address:#x} are not flash or RAM")
        return data.raw

    def reset(self, vtor: int = 0) -> None:
        self._call("reset", vtor)

    def step(self, count: int = 1) -> int:
        """Instructions or exception entries done; fewer than `count` when it cannot go on."""
        return int(self._call("step", count))

    def run(self, cycles: int) -> None:
        """Lets that many cycles pass."""
        self._call("run", self.cycles + cycles)

    def get(self, reg: int) -> int:
        return int(self._call("get", reg))

    def set(self, reg: int, value: int) -> None:
        if not self._call("set", reg, value & 0xFFFF_FFFF):
            raise ValueError(f"there is no register {reg}")

    def regs(self) -> list[int]:
        """R0-R15, R15 being the address of the next instruction."""
        return [self.get(reg) for reg in range(16)]

    @property
    def cycles(self) -> int:
        return int(self._call("cycles"))

    @property
    def instructions(self) -> int:
        return int(self._call("instructions"))

    @property
    def min_sp(self) -> int:
        return int(self._call("min_sp"))

    @property
    def sleeping(self) -> bool:
        return bool(self._call("sleeping"))

    @property
    def locked_up(self) -> bool:
        return bool(self._call("locked_up"))

    @property
    def fault(self) -> CoreFault:
        name, pc, address = ctypes.c_char_p(), U32(), U32()
        count = self._call("faults", ctypes.byref(name), ctypes.byref(pc), ctypes.byref(address))
        return CoreFault(int(count), (name.value or b"").decode(), pc.value, address.value)

    def clear_fault(self) -> None:
        """Forgets a fault and leaves every exception; stack and registers stay as they are."""
        self._call("clear_fault")

    def irq(self, number: int, level: bool) -> None:
        self._call("irq", number, level)
