"""Cores with flash and RAM of one size, and programs compiled for them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from unicorn import arm_const as arm

from harness.virtual.armv7m_core import CORTEX_M3, CORTEX_M4F, Core, CoreConfig, Memory
from tests.virtual_armv6m.side_by_side import LINKER_SCRIPT, RAM_BASE, RAM_BYTES, Image, Target

FIRMWARE = Path(__file__).parent / "firmware"
FLASH_BYTES = 256 * 1024
CPACR, FPU_ON = 0xE000_ED88, 0xF << 20
MEMORIES = (Memory(0, FLASH_BYTES, writable=False), Memory(RAM_BASE, RAM_BYTES, writable=True))


class ReadyCore(Core):
    """A core whose FPU, if any, is on after reset, as Unicorn's is."""

    def reset(self, vtor: int = 0) -> None:
        super().reset(vtor)
        self.write(CPACR, FPU_ON)


@dataclass(frozen=True)
class Model:
    """A core on both sides and what gcc calls it."""

    config: CoreConfig
    flags: tuple[str, ...]
    unicorn: int

    def core(self) -> ReadyCore:
        return ReadyCore(replace(self.config, memories=MEMORIES))

    @property
    def target(self) -> Target:
        return Target(self.flags[0], self.core, self.unicorn, None)


MODELS = {
    "m3": Model(CORTEX_M3, ("-mcpu=cortex-m3", "-mfloat-abi=soft"), arm.UC_CPU_ARM_CORTEX_M3),
    "m4f": Model(
        CORTEX_M4F,
        ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
        arm.UC_CPU_ARM_CORTEX_M4,
    ),
}


def build(folder: Path, model: Model, sources: Sequence[Path], optimise: str) -> Image:
    """Compiles sources which bring vectors, `start` and `done`."""
    elf, image, script = folder / "program.elf", folder / "program.bin", folder / "program.ld"
    script.write_text(LINKER_SCRIPT)
    flags = [*model.flags, "-mthumb", "-ffreestanding", "-nostartfiles", "-Wall", optimise]
    for command in (
        ["arm-none-eabi-gcc", *flags, "-T", script, *sources, "-lgcc", "-o", elf],
        ["arm-none-eabi-objcopy", "-O", "binary", "-j", ".text", elf, image],
    ):
        subprocess.run(command, check=True, timeout=60)
    listing = subprocess.run(
        ["arm-none-eabi-nm", elf], check=True, timeout=60, capture_output=True, text=True
    ).stdout
    symbols = {line.split()[-1]: int(line.split()[0], 16) for line in listing.splitlines()}
    return Image(image.read_bytes(), symbols["done"] & ~1, symbols)
