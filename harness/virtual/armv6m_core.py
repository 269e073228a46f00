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
from types import TracebackType

from harness.virtual.build import core_library

FLASH_BYTES = 256 * 1024
RAM_BASE = 0x2000_0000
RAM_BYTES = 32 * 1024
SP, LR, PC, XPSR, MSP, PSP, PRIMASK, CONTROL = range(13, 21)

_U32, _U64, _BOOL, _INT = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_bool, ctypes.c_int
_UINT, _HANDLE, _NONE, _BYTES = ctypes.c_uint, ctypes.c_void_p, None, ctypes.c_char_p
_OUT_U32, _OUT_TEXT = ctypes.POINTER(_U32), ctypes.POINTER(ctypes.c_char_p)

# name -> result, arguments after the machine
_PROTOTYPES: dict[str, tuple[object, tuple[object, ...]]] = {
    "destroy": (_NONE, ()),
    "load": (_BOOL, (_U32, _BYTES, _U32)),
    "dump": (_BOOL, (_U32, _BYTES, _U32)),
    "reset": (_NONE, (_U32,)),
    "step": (_U64, (_U64,)),
    "run": (_NONE, (_U64,)),
    "get": (_U32, (_UINT,)),
    "set": (_BOOL, (_UINT, _U32)),
    "cycles": (_U64, ()),
    "instructions": (_U64, ()),
    "min_sp": (_U32, ()),
    "sleeping": (_BOOL, ()),
    "locked_up": (_BOOL, ()),
    "faults": (_U32, (_OUT_TEXT, _OUT_U32, _OUT_U32)),
    "clear_fault": (_NONE, ()),
    "irq": (_NONE, (_UINT, _BOOL)),
    "send": (_NONE, (ctypes.c_uint8,)),
    "receive": (_INT, ()),
    "marks": (_NONE, (ctypes.POINTER(_U64),)),
}


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(core_library()))
    library.m0_create.restype = _HANDLE
    library.m0_create.argtypes = (_BOOL, _BOOL)
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, f"m0_{name}")
        function.restype = result
        function.argtypes = (_HANDLE, *arguments)
    return library


@dataclass(frozen=True, slots=True)
class CoreFault:
    """The first fault since reset, and how many there were since the core was made."""

    count: int
    reason: str
    pc: int
    address: int


@dataclass(frozen=True, slots=True)
class CoreMarks:
    """Stretches between raising and lowering PA20, in cycles."""

    count: int
    total: int
    first: int
    last: int


class Core:
    """One machine. `bare`: core and memories only, anything else faults. Call `reset` first."""

    def __init__(self, *, bare: bool = False, wait_states: bool = False) -> None:
        self._library = _library()
        self._machine: int | None = self._library.m0_create(bare, wait_states)
        if not self._machine:
            raise MemoryError("no memory for a simulated core")

    def close(self) -> None:
        if self._machine:
            self._library.m0_destroy(self._machine)
        self._machine = None

    def __enter__(self) -> Core:
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
        if not self._library.m0_load(self._machine, address, data, len(data)):
            raise ValueError(f"{len(data)} bytes at {address:#x} are not flash or RAM")

    def dump(self, address: int, size: int) -> bytes:
        data = ctypes.create_string_buffer(size)
        if not self._library.m0_dump(self._machine, address, data, size):
            raise ValueError(f"{size} bytes at {address:#x} are not flash or RAM")
        return data.raw

    def reset(self, vtor: int = 0) -> None:
        self._library.m0_reset(self._machine, vtor)

    def step(self, count: int = 1) -> int:
        """Instructions or exception entries done; fewer than `count` when it cannot go on."""
        return int(self._library.m0_step(self._machine, count))

    def run(self, cycles: int) -> None:
        """Lets that many cycles pass."""
        self._library.m0_run(self._machine, self.cycles + cycles)

    def get(self, reg: int) -> int:
        return int(self._library.m0_get(self._machine, reg))

    def set(self, reg: int, value: int) -> None:
        if not self._library.m0_set(self._machine, reg, value & 0xFFFF_FFFF):
            raise ValueError(f"there is no register {reg}")

    def regs(self) -> list[int]:
        """R0-R15, R15 being the address of the next instruction."""
        return [self.get(reg) for reg in range(16)]

    @property
    def cycles(self) -> int:
        return int(self._library.m0_cycles(self._machine))

    @property
    def instructions(self) -> int:
        return int(self._library.m0_instructions(self._machine))

    @property
    def min_sp(self) -> int:
        return int(self._library.m0_min_sp(self._machine))

    @property
    def sleeping(self) -> bool:
        return bool(self._library.m0_sleeping(self._machine))

    @property
    def locked_up(self) -> bool:
        return bool(self._library.m0_locked_up(self._machine))

    @property
    def fault(self) -> CoreFault:
        name, pc, address = ctypes.c_char_p(), _U32(), _U32()
        count = self._library.m0_faults(
            self._machine, ctypes.byref(name), ctypes.byref(pc), ctypes.byref(address)
        )
        return CoreFault(int(count), (name.value or b"").decode(), pc.value, address.value)

    def clear_fault(self) -> None:
        """Forgets a fault and leaves every exception; stack and registers stay as they are."""
        self._library.m0_clear_fault(self._machine)

    def irq(self, number: int, level: bool) -> None:
        self._library.m0_irq(self._machine, number, level)

    def send(self, data: bytes) -> None:
        for byte in data:
            self._library.m0_send(self._machine, byte)

    def receive(self) -> bytes:
        """What the board has sent since the last call."""
        received = bytearray()
        while (byte := self._library.m0_receive(self._machine)) >= 0:
            received.append(byte)
        return bytes(received)

    @property
    def marks(self) -> CoreMarks:
        values = (_U64 * 4)()
        self._library.m0_marks(self._machine, values)
        return CoreMarks(*(int(value) for value in values))
