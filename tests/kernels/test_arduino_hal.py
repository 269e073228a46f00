"""hal_arduino.cpp for every kind that runs it: compiled strictly, linked whole, and run.

No Arduino core for ARM is at hand without PlatformIO's registry, so a stand-in of the API takes its
place (tests/arduino_api), carried by the chip's bare-metal HAL. On an emulated board the firmware
then has to do all that it does with that HAL alone.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from harness import lab
from harness.boards import Board
from harness.firmware.build import build_firmware
from harness.firmware.render import render_sources
from harness.flash import flash_firmware
from harness.link.dut import connect
from harness.link.serial import SerialLink
from harness.reference.model import run
from tests.models import random_qmodel, random_raw

from .arduino import BOARD_MACROS, CORE_FLAGS, ArduinoBuild, arduino_kinds, compile_alone

KINDS = arduino_kinds()
MODEL = random_qmodel("fastgrnn", features=9, hidden=13, density=0.4, rank_u=4)

each_kind = pytest.mark.parametrize("name", KINDS)


@each_kind
def test_every_kind_has_its_rule(name):
    board = KINDS[name].silicon()
    assert board.core in CORE_FLAGS, f"{name}: add the flags of {board.core} to arduino.py"
    assert board.build.board in BOARD_MACROS, f"{name}: add {board.build.board} to arduino.py"
    assert board.build.framework == "arduino"


@pytest.mark.emulated
@pytest.mark.parametrize("macro", BOARD_MACROS.values())
@pytest.mark.parametrize("core", CORE_FLAGS)
def test_it_compiles_for_every_core_with_every_kind_of_port(core, macro, source, tmp_path):
    compile_alone(source, core, macro, tmp_path / "hal.o")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """hal_arduino.cpp with the headers of a firmware beside it."""
    folder = tmp_path_factory.mktemp("hal") / "src"
    render_sources(
        MODEL,
        board_name="test",
        hal="arduino",
        clock_hz=48_000_000,
        baud=115_200,
        max_payload=1_024,
        bench_raw=random_raw(MODEL, 1)[0],
        destination=folder,
    )
    return folder / "hal_arduino.cpp"


@pytest.mark.emulated
@each_kind
def test_the_whole_firmware_compiles_links_and_fits(name, tmp_path):
    board = KINDS[name].silicon()
    image = ArduinoBuild(KINDS[name], tmp_path).build(MODEL)
    assert 0 < image.stat().st_size < board.flash_free_bytes


@pytest.mark.emulated
@pytest.mark.slow
@each_kind
def test_it_runs_as_the_bare_metal_firmware_does(name, tmp_path):
    """Bit-exact, to the cycle what the twin's own HAL counts, the stack as the emulator saw it."""
    kind = KINDS[name]
    image = ArduinoBuild(kind, tmp_path).build(MODEL)
    raw = random_raw(MODEL, 2, 3)
    expected = run(MODEL, raw, trace=True)
    cycles = []
    with running(kind.virtual(), image, tmp_path / "arduino-board") as (board, dut):
        timer = dut.identity.timer
        for n in range(2):
            outcome = dut.infer(raw[n], trace=True)
            np.testing.assert_array_equal(outcome.hidden, expected.hidden[n])
            np.testing.assert_array_equal(outcome.logits, expected.logits[n])
            cycles.append(outcome.cycles)
        stats = dut.stats()
        assert (stats.bad_crc, stats.bad_frame, board.status().fault) == (0, 0, None)
        stack_bytes = stack_top(image) - board.status().min_sp
        # paint shows what was written; slots that frames reserve and leave alone are not seen
        assert 0 <= stack_bytes - stats.stack_peak_bytes <= 32
        dut.reset()
        dut.connect(boot_wait_s=kind.virtual().link.boot_wait_s, banner=False)
        np.testing.assert_array_equal(dut.infer(raw[0]).logits, expected.logits[0])
    bare = build_firmware(MODEL, kind.virtual(), bench_raw=random_raw(MODEL, 1, 77)[0])
    with running(kind.virtual(), bare.image, tmp_path / "bare-board") as (_, dut):
        assert dut.identity.timer == timer
        assert [dut.infer(window, trace=True).cycles for window in raw] == cycles


@contextmanager
def running(twin: Board, image: Path, state_dir: Path):
    """The twin with the image on it, flashed as ever, and a connected client."""
    with lab.attached(twin, port=None, state_dir=state_dir) as attachment:
        flashed = flash_firmware(image, twin, attachment.port, log=state_dir / "flash.log")
        dut = connect(
            lambda: SerialLink(flashed.port, twin.link.baud),
            boot_wait_s=twin.link.boot_wait_s,
            banner=twin.link.resets_on_open,
        )
        try:
            yield attachment.emulator, dut
        finally:
            dut.close()


def stack_top(image: Path) -> int:
    """Where the stack starts: the first word of the vector table."""
    return int.from_bytes(image.read_bytes()[:4], "little")
