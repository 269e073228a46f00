"""Firmware with the Arduino HAL for a kind of boards.yaml, over the stand-in of arduino_api/."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.boards import Board, BoardKind, load_kinds
from harness.firmware.render import Rendered, render_sources
from harness.qmodel import QModel
from tests.models import random_raw

API = Path(__file__).parents[1] / "arduino_api"
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")
C_FLAGS = ("-std=gnu99", *STRICT)
CXX_FLAGS = ("-std=gnu++11", *STRICT, "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics")
COMMON = ("-Os", "-ffunction-sections", "-fdata-sections")
LINK = (
    "-nostartfiles",
    "--specs=nano.specs",
    "-Wl,--gc-sections",
    "-Wl,--defsym=__StackTop=__stack_top",
)

# Flags of each core, and the macro by which PlatformIO tells each board. A kind without a rule here
# fails its test.
CORE_FLAGS = {
    "cortex-m0plus": ("-mcpu=cortex-m0plus", "-mthumb"),
    "cortex-m3": ("-mcpu=cortex-m3", "-mthumb"),
    "cortex-m4f": ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
}
BOARD_MACROS = {
    "mkr1000USB": "ARDUINO_SAMD_MKR1000",
    "zeroUSB": "ARDUINO_SAMD_ZERO",
    "adafruit_feather_m0": "ADAFRUIT_FEATHER_M0",
    "dueUSB": "ARDUINO_SAM_DUE",
    "nano33ble": "ARDUINO_ARDUINO_NANO33BLE",
}

# What hal.h declares, under other names in the bare-metal HAL that carries the stand-in.
BARE = ("init", "waiting", "drop", "write", "idle", "overruns", "window", "bauds", "set_baud")
BARE = (*BARE, "stretch_begin", "stretch_end", "timer", "stack_peak", "reset")
RENAMED = tuple(f"-Dhal_{name}=bare_{name}" for name in BARE)


def compile_alone(source: Path, core: str, macro: str, target: Path) -> None:
    """Compile one C++ file strictly for a core and a board's ports."""
    flags = (*CORE_FLAGS[core], f"-D{macro}", *COMMON, *CXX_FLAGS, f"-I{API}")
    _run("arm-none-eabi-g++", *flags, f"-I{source.parent}", "-c", source, "-o", target)


def arduino_kinds() -> dict[str, BoardKind]:
    """Every kind whose board on the desk runs the Arduino HAL."""
    return {name: kind for name, kind in load_kinds().items() if kind.silicon().hal == "arduino"}


@dataclass(frozen=True)
class ArduinoBuild:
    """One kind and how to compile for it; `build` makes the whole firmware."""

    kind: BoardKind
    folder: Path

    @property
    def machine(self) -> tuple[str, ...]:
        board = self.kind.silicon()
        return (*CORE_FLAGS[board.core], f"-D{BOARD_MACROS[board.build.board]}")

    def build(self, model: QModel) -> Path:
        """The image of the firmware, linked with the stand-in over the twin's bare-metal HAL."""
        silicon = self._render(model, self.kind.silicon(), "arduino")
        bare = self._render(model, self.kind.virtual(), "bare")
        script = next(bare.folder.glob("*.ld"))
        objects = [self._compile(path, silicon) for path in silicon.sources]
        objects += [self._compile(path, bare, RENAMED) for path in _hal_sources(bare)]
        objects.append(self._compile(API / "core.cpp", silicon))
        elf, image = self.folder / "firmware.elf", self.folder / "firmware.bin"
        _run("arm-none-eabi-gcc", *self.machine, *LINK, "-T", script, *objects, "-o", elf)
        _run("arm-none-eabi-objcopy", "-O", "binary", elf, image)
        return image

    def _render(self, model: QModel, board: Board, name: str) -> Rendered:
        return render_sources(
            model,
            board_name=board.kind,
            hal=board.hal,
            clock_hz=board.clock_hz,
            baud=self.kind.virtual().link.baud,
            max_payload=board.max_payload_bytes,
            bench_raw=random_raw(model, 1, 77)[0],
            destination=self.folder / name,
            core=board.core,
        )

    def _compile(self, path: Path, rendered: Rendered, extra: tuple[str, ...] = ()) -> Path:
        target = rendered.folder / f"{path.name}.o"
        cxx = path.suffix == ".cpp"
        flags = (*self.machine, *COMMON, *(CXX_FLAGS if cxx else C_FLAGS), *extra)
        include = (f"-I{API}", f"-I{rendered.folder}")
        compiler = "arm-none-eabi-g++" if cxx else "arm-none-eabi-gcc"
        _run(compiler, *flags, *include, "-c", path, "-o", target)
        return target


def _hal_sources(rendered: Rendered) -> list[Path]:
    return [p for p in rendered.sources if p.name.startswith(("hal_", "startup_"))]


def _run(*command: object) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stderr}"
