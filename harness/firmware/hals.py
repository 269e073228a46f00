"""HALs: the files that each adds to a firmware, and for bare ARMv7-M where the chip's memories lie.

`boards.yaml` names a board's HAL. A HAL with `memory` gets its linker script from armv7m.ld.j2;
another brings its own or leaves it to the platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Memory:
    """Flash that a program may take (behind a bootloader), and RAM: start and bytes of each."""

    flash_origin: int
    flash_bytes: int
    ram_origin: int
    ram_bytes: int


@dataclass(frozen=True, slots=True)
class Hal:
    """Sources under firmware_templates, and the memories where the linker script is rendered."""

    files: tuple[str, ...]
    memory: Memory | None = None


def _armv7m(name: str, memory: Memory) -> Hal:
    shared = ("app/main.c", "hal/hal_armv7m.c", "hal/startup_armv7m.c")
    return Hal((*shared, f"hal/hal_{name}.c"), memory)


HALS: Mapping[str, Hal] = {
    "avr": Hal(("app/main.c", "hal/hal_avr.c")),
    "samd21": Hal(
        (
            "app/main.c",
            "hal/hal_samd21.c",
            "hal/startup_samd21.c",
            "hal/samd21g18_0x2000.ld",
        )
    ),
    # Ref: Atmel 11057C, figure "SAM3X/A Product Mapping": two planes of flash in a row, and SRAM0
    # mirrored so that it ends where SRAM1 begins.
    "sam3x": _armv7m("sam3x", Memory(0x0008_0000, 0x8_0000, 0x2007_0000, 0x1_8000)),
    # Ref: nRF52840 PS v1.11, "Memory map"; the Nano 33 BLE's bootloader keeps the first 64 KB.
    "nrf52840": _armv7m("nrf52840", Memory(0x0001_0000, 0xF_0000, 0x2000_0000, 0x4_0000)),
    # Ref: ST RM0432, "Memory organization": SRAM1, SRAM2's mirror and SRAM3 in a row.
    "stm32l4r5": _armv7m("stm32l4r5", Memory(0x0800_0000, 0x20_0000, 0x2000_0000, 0xA_0000)),
    "arduino": Hal(("hal/hal_arduino.cpp",)),
    "posix": Hal(("hal/hal_posix.c",)),
}
