"""The same firmware on the virtual boards: bit-exact, cycles and stack as the emulator has them."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import serial

from harness.firmware.render import Rendered, render_sources
from harness.link.dut import connect
from harness.link.serial import SerialLink
from harness.reference import CELLS
from harness.reference.model import run
from harness.virtual.process import VirtualBoard
from tests.models import random_qmodel, random_raw

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

COUNTER_PROGRAM = Path(__file__).parent / "firmware" / "counter.c"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
SECTIONS = ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")


@dataclass(frozen=True)
class Target:
    """How to build for a virtual board, and where its memory is."""

    name: str
    hal: str
    tools: str
    flags: tuple[str, ...]
    clock_hz: int
    baud: int
    max_payload: int
    banner: bool
    flash_bytes: int
    flash_offset: int
    stack_base: int  # stack pointer of an empty stack
    longest_stretch: int

    def compile(
        self,
        rendered: Rendered,
        sources: list[Path],
        state_dir: Path,
        level: tuple[str, ...] = ("-Os",),
    ) -> None:
        """The flash of a board that runs the program."""
        elf, image = rendered.folder / "firmware.elf", rendered.folder / "firmware.bin"
        script = ["-T", rendered.linker_script] if rendered.linker_script else []
        command = [f"{self.tools}-gcc", *self.flags, *STRICT, *SECTIONS, *level, *script]
        include = f"-I{rendered.folder}"
        subprocess.run([*command, include, *sources, "-o", elf], check=True, timeout=120)
        copy = [f"{self.tools}-objcopy", "-O", "binary", elf, image]
        subprocess.run(copy, check=True, timeout=60)
        flash = b"\xff" * self.flash_offset + image.read_bytes()
        state_dir.mkdir()
        (state_dir / "flash.bin").write_bytes(flash.ljust(self.flash_bytes, b"\xff"))

    def render(self, model, destination: Path) -> Rendered:
        return render_sources(
            model,
            board_name=self.name,
            hal=self.hal,
            clock_hz=self.clock_hz,
            baud=self.baud,
            max_payload=self.max_payload,
            bench_raw=random_raw(model, 1, 77)[0],
            destination=destination,
        )


UNO = Target(
    name="uno",
    hal="avr",
    tools="avr",
    flags=("-mmcu=atmega328p",),
    clock_hz=16_000_000,
    baud=115_200,
    max_payload=128,
    banner=True,
    flash_bytes=1 << 15,
    flash_offset=0,
    stack_base=0x08FF,
    longest_stretch=22_020_096,
)
MKR1000 = Target(
    name="mkr1000",
    hal="samd21",
    tools="arm-none-eabi",
    flags=("-mcpu=cortex-m0plus", "-mthumb", "-nostartfiles", "--specs=nano.specs"),
    clock_hz=48_000_000,
    baud=1_000_000,
    max_payload=1024,
    banner=False,
    flash_bytes=1 << 18,
    flash_offset=0x2000,
    stack_base=0x20007FF8,
    longest_stretch=(1 << 25) - 17,
)
# Cycles are the lower end of a bracket here; the firmware counts the same. A stretch may
# last 2^32 - 2 of them, which would take half a minute a piece.
DUE = Target(
    name="due",
    hal="sam3x",
    tools="arm-none-eabi",
    flags=("-mcpu=cortex-m3", "-mthumb", "-nostartfiles", "--specs=nano.specs"),
    clock_hz=84_000_000,
    baud=250_000,
    max_payload=1024,
    banner=True,
    flash_bytes=1 << 19,
    flash_offset=0,
    stack_base=0x20088000,
    longest_stretch=1 << 22,
)
NUCLEO = Target(
    name="nucleo_l4r5zi",
    hal="stm32l4r5",
    tools="arm-none-eabi",
    flags=("-mcpu=cortex-m4", "-mthumb", "-nostartfiles", "--specs=nano.specs"),
    clock_hz=120_000_000,
    baud=921_600,
    max_payload=1024,
    banner=False,
    flash_bytes=1 << 21,
    flash_offset=0,
    stack_base=0x200A0000,
    longest_stretch=1 << 22,
)


@pytest.fixture(params=[UNO, MKR1000, DUE, NUCLEO], ids=lambda target: target.name)
def target(request):
    return request.param


@contextmanager
def running(target: Target, model, tmp_path: Path, level: tuple[str, ...] = ("-Os",)):
    """A board that runs `model`, and a connected client."""
    rendered = target.render(model, tmp_path / "src")
    target.compile(rendered, list(rendered.sources), tmp_path / "state", level)
    with VirtualBoard.start(target.name, tmp_path / "state") as board:
        dut = connect(
            lambda: SerialLink(str(board.port), target.baud), boot_wait_s=6, banner=target.banner
        )
        try:
            yield board, dut
        finally:
            dut.close()


# All cells run the same portable C on these two: two of them show that the board carries it.
CASES = [(target, cell) for target in (UNO, MKR1000) for cell in CELLS]
CASES += [(target, cell) for target in (DUE, NUCLEO) for cell in ("fastgrnn", "lstm")]


@pytest.mark.parametrize(
    ("target", "cell"), CASES, indirect=["target"], ids=lambda v: getattr(v, "name", v)
)
def test_bit_exact_and_to_the_cycle(target, cell, tmp_path):
    number = sorted(CELLS).index(cell)
    model = random_qmodel(
        cell,
        features=9,
        hidden=13,
        density=0.4,
        state_bits=16 if number % 2 else 8,
        rank_u=4 if number > 1 else None,
    )
    raw = random_raw(model, 2, 3)
    expected = run(model, raw, trace=True)
    with running(target, model, tmp_path) as (board, dut):
        for n in range(2):
            before = board.status()
            outcome = dut.infer(raw[n], trace=True)
            after = board.status()
            np.testing.assert_array_equal(outcome.hidden, expected.hidden[n])
            np.testing.assert_array_equal(outcome.logits, expected.logits[n])
            stretches = after.marks_count - before.marks_count
            assert stretches == model.steps + 1
            marked = after.marks_cycles - before.marks_cycles
            assert outcome.cycles == marked - stretches * after.marks_first_cycles
        bench = dut.bench(3)
        assert bench.cycles_min == bench.cycles_max > 0
        stats = dut.stats()
        status = board.status()
        # paint shows what was written; a slot that a frame reserves and leaves alone is not seen
        assert 0 <= target.stack_base - status.min_sp - stats.stack_peak_bytes <= 16
        assert (stats.bad_crc, stats.bad_frame, stats.overruns, status.fault) == (0, 0, 0, None)
        dut.reset()
        dut.connect(boot_wait_s=6, banner=False)
        np.testing.assert_array_equal(dut.infer(raw[0]).logits, expected.logits[0])


@pytest.mark.parametrize("level", [("-O3",), ("-O2", "-flto")], ids=" ".join)
def test_right_at_any_level_of_optimisation(target, level, tmp_path):
    """Start-up, stack paint and counter are what an optimiser might break."""
    model = random_qmodel("gru", hidden=13, rank_u=4, density=0.5)
    raw = random_raw(model, 1, 3)
    with running(target, model, tmp_path, level) as (board, dut):
        before = board.status()
        outcome = dut.infer(raw[0])
        after = board.status()
        np.testing.assert_array_equal(outcome.logits, run(model, raw).logits[0])
        marked = after.marks_cycles - before.marks_cycles
        assert outcome.cycles == marked - (model.steps + 1) * after.marks_first_cycles
        painted = dut.stats().stack_peak_bytes
        assert 0 <= target.stack_base - board.status().min_sp - painted <= 16


def test_largest_frames_lose_nothing(target, tmp_path):
    model = random_qmodel("ornn", features=1, hidden=4, steps=500)
    raw = random_raw(model, 1)
    with running(target, model, tmp_path) as (_, dut):
        outcome = dut.infer(raw[0])
        np.testing.assert_array_equal(outcome.logits, run(model, raw).logits[0])
        stats = dut.stats()
        assert (stats.overruns, stats.bad_frame, dut.counters.repeats) == (0, 0, 0)


def burn_counts(target: Target) -> list[int]:
    """Loop counts whose cycles lie all over the range, and close to every wrap of every timer."""
    per_loop = 7 if target is UNO else 6  # at least; the estimate of an ARMv7-M core has fewer
    near = [k << 16 for k in (1, 2, 3, 4, 5, 8, 63, 64, 65, 255, 256, 257)]
    near += [k << 10 for k in (1, 2, 62, 63, 64, 253, 254, 256, 506)]
    near += [target.longest_stretch - 120] + [1 << 24] * (target is MKR1000)
    counts = {0, 1, 2, 3}
    for cycles in near:
        counts |= {max(0, cycles // per_loop + offset) for offset in range(-9, 2)}
    limit = (target.longest_stretch - 100) // per_loop
    rng = np.random.default_rng(1)
    counts |= {int(limit**x) for x in rng.uniform(0.3, 1, 60)}
    return sorted(n for n in counts if n <= limit)


def test_counter_is_exact_to_its_limit(target, tmp_path):
    rendered = target.render(random_qmodel("ornn"), tmp_path / "src")
    hal = [p for p in rendered.sources if p.name.startswith(("hal_", "startup_"))]
    target.compile(rendered, [*hal, COUNTER_PROGRAM], tmp_path / "state")
    differences = set()
    with (
        VirtualBoard.start(target.name, tmp_path / "state") as board,
        serial.Serial(str(board.port), target.baud, timeout=30) as port,
    ):
        time.sleep(1.5 if target.banner else 0)  # the bootloader listens that long
        while board.status().state != "sleeping":  # the program listens
            time.sleep(0.01)
        for count in burn_counts(target):
            port.write(count.to_bytes(4, "little"))
            cycles = int.from_bytes(port.read(4), "little")
            differences.add(cycles - board.status().marks_last_cycles)
    assert len(differences) == 1, differences
    assert abs(differences.pop()) < 10
