"""Every configuration compiles for every core without a warning, and the Uno has room for it."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.firmware.render import Rendered, render_sources
from harness.qmodel import QModel
from tests.models import random_qmodel, random_raw

from .configurations import CONFIGURATIONS

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")
SECTIONS = ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
TARGETS = {
    "gcc": ("posix", ("gcc",)),
    "avr-gcc": ("avr", ("avr-gcc", "-mmcu=atmega328p")),
    "arm-none-eabi-gcc": ("samd21", ("arm-none-eabi-gcc", "-mcpu=cortex-m0plus", "-mthumb")),
}
UNO_FLASH, UNO_RAM, STACK_RESERVE = 32_256, 2_048, 256


def render(model: QModel, hal: str, destination: Path, optimise: str = "size") -> Rendered:
    return render_sources(
        model,
        board_name="test",
        hal=hal,
        clock_hz=48_000_000 if hal == "samd21" else 16_000_000,
        baud=115_200,
        max_payload=128,
        bench_raw=random_raw(model, 1)[0],
        destination=destination,
        optimise=optimise,
    )


def must_run(command: list[object], folder: Path) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("compiler", TARGETS)
def test_no_warnings(compiler, tmp_path):
    hal, command = TARGETS[compiler]

    def compile_one(configuration) -> None:
        folder = tmp_path / str(configuration)
        rendered = render(configuration.model(), hal, folder, configuration.storage)
        level = "-O2" if configuration.number % 12 == 0 else "-Os"
        must_run([*command, *STRICT, level, "-c", *rendered.sources], folder)

    # test_cells.py builds them all with gcc and the same warnings, at another level
    chosen = CONFIGURATIONS[::4] if compiler == "gcc" else CONFIGURATIONS
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(compile_one, chosen))


def section_bytes(size_tool: str, elf: Path) -> tuple[int, int]:
    """Flash and static RAM of an ELF."""
    text, data, bss = must_run([size_tool, elf], elf.parent).splitlines()[1].split()[:3]
    return int(text) + int(data), int(data) + int(bss)


def link_avr(model: QModel, folder: Path) -> tuple[int, int]:
    rendered = render(model, "avr", folder)
    elf = folder / "firmware.elf"
    command = [*TARGETS["avr-gcc"][1], *STRICT, "-Os", *SECTIONS]
    must_run([*command, *rendered.sources, "-o", elf], folder)
    return section_bytes("avr-size", elf)


def test_fastgrnn_32_fits_the_uno(tmp_path):
    model = random_qmodel("fastgrnn", hidden=32, features=8, density=0.3)
    flash, ram = link_avr(model, tmp_path / "uno")
    assert flash <= 9_150 < UNO_FLASH
    assert ram <= 880 < UNO_RAM - STACK_RESERVE


@pytest.mark.parametrize(
    ("cell", "flash_limit", "ram_limit"),
    [
        ("fastgrnn", 8_450, 760),
        ("lstm", 10_150, 980),
        ("gru", 9_600, 920),
        ("ornn", 7_250, 760),
        ("rnn", 7_650, 760),
        ("fastrnn", 7_850, 760),
        ("ugrnn", 8_850, 820),
    ],
)
def test_sizes_on_the_uno_do_not_creep_up(cell, flash_limit, ram_limit, tmp_path):
    flash, ram = link_avr(random_qmodel(cell, hidden=16, features=9), tmp_path / "uno")
    assert flash <= flash_limit
    assert ram <= ram_limit


def test_bare_metal_samd21_links(tmp_path):
    folder = tmp_path / "mkr1000"
    rendered = render(random_qmodel("gru"), "samd21", folder)
    command = [*TARGETS["arm-none-eabi-gcc"][1], *STRICT, "-Os", *SECTIONS]
    link = ["-nostartfiles", "--specs=nano.specs", "-T", rendered.linker_script]
    elf = folder / "firmware.elf"
    must_run([*command, *link, *rendered.sources, "-o", elf], folder)
    flash, ram = section_bytes("arm-none-eabi-size", elf)
    assert flash <= 8_300
    assert ram <= 2_710
    symbols = must_run(["arm-none-eabi-nm", elf], folder)
    assert re.search(r"^00002000 \w vectors$", symbols, re.MULTILINE), symbols
