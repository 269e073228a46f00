"""The real templates with a random model, for both boards."""

from dataclasses import replace

import numpy as np
import pytest

from harness.boards import find_kind
from harness.errors import DoesNotFit
from harness.firmware.build import build_firmware
from harness.firmware.render import render_sources
from tests.models import random_qmodel

pytestmark = pytest.mark.emulated


def window(model):
    rng = np.random.default_rng(1)
    return rng.integers(-2000, 2000, (model.steps, model.dims.features)).astype(np.int16)


@pytest.mark.parametrize(("cell", "optimise"), [("fastgrnn", "size"), ("lstm", "speed")])
def test_a_model_becomes_firmware(cache, tmp_path, board, cell, optimise):
    model = random_qmodel(cell)
    firmware = build_firmware(model, board, bench_raw=window(model), optimise=optimise)
    memory = firmware.memory
    rendered = render_sources(
        model,
        board_name=board.kind,
        hal=board.hal,
        clock_hz=board.clock_hz,
        baud=board.link.baud,
        max_payload=board.max_payload_bytes,
        bench_raw=window(model),
        destination=tmp_path / "sources",
        core=board.core,
        optimise=optimise,
        flash_bytes=board.flash_free_bytes,
    )
    # A row's start and end in AVR code depend on its scales: counted as most often.
    slack = 0.1 if (board.core, optimise) == ("avr", "speed") else 0.0
    assert abs(memory.model_flash_bytes - rendered.model_bytes) <= slack * rendered.model_bytes
    assert memory.table_flash_bytes == rendered.table_bytes
    assert memory.model_flash_bytes + memory.table_flash_bytes < memory.flash_bytes
    assert firmware.storage == rendered.storage
    assert ("code" in firmware.storage.values()) == (optimise == "speed")
    assert firmware.optimise == optimise
    assert firmware.firmware_id in firmware.elf.read_bytes()


def test_other_storage_is_another_build(cache):
    model = random_qmodel("fastgrnn", density=0.2)
    board = find_kind("uno").virtual()
    builds = [
        build_firmware(model, board, bench_raw=window(model), optimise=s)
        for s in ("dense", "bitmap")
    ]
    assert builds[0].firmware_id != builds[1].firmware_id
    assert builds[0].storage != builds[1].storage
    assert builds[1].memory.model_flash_bytes < builds[0].memory.model_flash_bytes


@pytest.mark.parametrize(("hidden", "bound"), [(75, ""), (96, "at least ")])
def test_a_model_too_large_for_the_uno_says_so(cache, hidden, bound):
    """At 96 one array alone exceeds what avr-gcc takes; that must not look like a compile error."""
    model = random_qmodel("lstm", hidden=hidden)
    with pytest.raises(DoesNotFit, match=rf"lstm needs {bound}[\d,]+ bytes of flash, uno has"):
        build_firmware(model, find_kind("uno").virtual(), bench_raw=window(model))


@pytest.mark.parametrize("kind", ["uno", "mega2560"])
def test_the_arduino_hal_compiles_and_fits_beside_an_arduino_core(cache, kind):
    """SAM D21 boards on the desk use this HAL; here only Debian's core for AVR vouches for it."""
    board = find_kind(kind).virtual()
    arduino = replace(board, hal="arduino", build=replace(board.build, framework="arduino"))
    model = random_qmodel("fastgrnn")
    firmware = build_firmware(model, arduino, bench_raw=window(model))
    assert firmware.firmware_id in firmware.elf.read_bytes()
    assert firmware.memory.flash_bytes < board.flash_free_bytes
