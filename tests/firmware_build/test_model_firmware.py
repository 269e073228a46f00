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


@pytest.mark.parametrize("cell", ["fastgrnn", "lstm"])
def test_a_model_becomes_firmware(cache, tmp_path, board, cell):
    model = random_qmodel(cell)
    firmware = build_firmware(model, board, bench_raw=window(model))
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
    )
    assert memory.model_flash_bytes == rendered.model_bytes
    assert memory.table_flash_bytes == rendered.table_bytes
    assert memory.model_flash_bytes + memory.table_flash_bytes < memory.flash_bytes
    assert set(firmware.storage) == set(model.matrices)
    assert firmware.firmware_id in firmware.elf.read_bytes()


def test_other_storage_is_another_build(cache):
    model = random_qmodel("fastgrnn", density=0.2)
    board = find_kind("uno").virtual()
    builds = [
        build_firmware(model, board, bench_raw=window(model), storage=s)
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


def test_the_arduino_hal_compiles_and_fits_beside_an_arduino_core(cache):
    """The MKR1000 on the desk uses this HAL; here only Debian's core for AVR can vouch for it."""
    uno = find_kind("uno").virtual()
    arduino = replace(uno, hal="arduino", build=replace(uno.build, framework="arduino"))
    model = random_qmodel("fastgrnn")
    firmware = build_firmware(model, arduino, bench_raw=window(model))
    assert firmware.firmware_id in firmware.elf.read_bytes()
    assert firmware.memory.flash_bytes < uno.flash_free_bytes
