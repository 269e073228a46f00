"""Calls functions of firmware_templates on an emulated Cortex-M, with their cycles."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from elftools.elf.elffile import ELFFile

from harness.virtual.armv6m_core import LR, PC, RAM_BASE, RAM_BYTES, SP, Core
from harness.virtual.simulated_core import SimulatedCore

TEMPLATES = Path(__file__).parents[2] / "firmware_templates"
FLAGS = (
    "-mthumb",
    "-std=c99",
    "-Os",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Werror",
)
STOP = 8  # an endless loop behind the vectors
CODE = 0x40
STACK = RAM_BASE + RAM_BYTES - 64
LIMIT = 2_000_000  # instructions of a call
CALLEE_SAVED = range(4, 12)


class Program:
    """Sources linked at CODE; `call` runs one of their functions."""

    cpu = "cortex-m0plus"
    kernels: tuple[str, ...] = ("armv6m",)  # folders, the first wins

    def __init__(self, *sources: Path | str, include: Sequence[Path] = ()) -> None:
        self.core = self.new_core()
        with tempfile.TemporaryDirectory() as folder:
            elf = Path(folder) / "out.elf"
            command = [
                "arm-none-eabi-gcc",
                f"-mcpu={self.cpu}",
                *FLAGS,
                "-nostdlib",
                f"-Wl,-Ttext={CODE:#x},-Tdata={RAM_BASE:#x},-e0,--build-id=none",
                "-ffunction-sections",
                "-fdata-sections",
            ]
            places = [
                f"-I{p}"
                for p in (
                    *include,
                    *(TEMPLATES / "kernels" / folder for folder in self.kernels),
                    TEMPLATES / "kernels",
                    TEMPLATES / "cells",
                    TEMPLATES / "core",
                )
            ]
            subprocess.run(
                [*command, *places, *sources, "-lc", "-lgcc", "-o", elf], check=True, timeout=60
            )
            with elf.open("rb") as file:
                self._load(ELFFile(file))
        self.core.load(0, STACK.to_bytes(4, "little") + (STOP + 1).to_bytes(4, "little"))
        self.core.load(STOP, b"\xfe\xe7")  # b .
        self.core.reset()
        self._start = -(-self.symbols["_end"] // 8) * 8
        self._heap = self._start

    def new_core(self) -> SimulatedCore:
        return Core(bare=True)

    def _load(self, elf: ELFFile) -> None:
        for segment in elf.iter_segments():
            if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]:
                self.core.load(segment["p_paddr"], segment.data())
        table = elf.get_section_by_name(".symtab")
        self.symbols = {s.name: s["st_value"] for s in table.iter_symbols() if s.name}

    def place(self, array: np.ndarray, align: int = 4) -> int:
        """Copies an array into RAM; its address. The next `call` frees it."""
        self._heap += -self._heap % align
        address, data = self._heap, np.ascontiguousarray(array).tobytes()
        self.core.load(address, data)
        self._heap += len(data)
        return address

    def read(self, address: int, dtype: type, count: int) -> np.ndarray:
        size = np.dtype(dtype).itemsize * count
        return np.frombuffer(self.core.dump(address, size), dtype)

    def call(self, name: str, *arguments: int) -> int:
        """Cycles of a call; registers that a callee must keep are kept."""
        core = self.core
        marks = {r: 0xA5A50000 + r for r in CALLEE_SAVED}
        for register, value in marks.items():
            core.set(register, value)
        for register, value in enumerate(arguments[:4]):
            core.set(register, value)
        stack = STACK - 32
        for i, value in enumerate(arguments[4:]):
            core.load(stack + 4 * i, int(value).to_bytes(4, "little"))
        core.set(SP, stack)
        core.set(LR, STOP + 1)
        core.set(PC, self.symbols[name] & ~1)
        before = core.cycles
        for _ in range(LIMIT):
            if core.get(15) == STOP:
                break
            core.step()
        else:
            raise AssertionError(f"{name} does not return")
        assert core.get(SP) == stack
        assert {r: core.get(r) for r in marks} == marks
        assert core.fault.count == 0, core.fault
        self._heap = self._start
        return core.cycles - before
