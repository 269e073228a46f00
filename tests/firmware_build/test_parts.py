"""Flash by part: of real builds, against the vendor's nm, the image and a build that differs."""

import subprocess
from dataclasses import replace

import pytest

from harness.boards import find_kind
from harness.firmware.build import build_firmware
from harness.reference.model import bench_window
from harness.results import SUMMARY_COLUMNS
from tests.models import random_qmodel

pytestmark = pytest.mark.emulated

LINK_SYMBOLS = ("frame_", "cobs_", "crc32_", "nibbles", "zero")


def build(board, cell="fastgrnn", optimise="size"):
    model = random_qmodel(cell)
    return build_firmware(model, board, bench_raw=bench_window(model), optimise=optimise)


def symbol_bytes(firmware, core):
    """Bytes by symbol as nm has them."""
    nm = "avr-nm" if core == "avr" else "arm-none-eabi-nm"
    text = subprocess.run([nm, "-S", firmware.elf], capture_output=True, text=True, check=True)
    lines = [line.split() for line in text.stdout.splitlines()]
    return {words[3]: int(words[1], 16) for words in lines if len(words) == 4}


@pytest.mark.parametrize(("cell", "optimise"), [("fastgrnn", "size"), ("lstm", "speed")])
def test_the_parts_add_up_to_the_image(cache, board, cell, optimise):
    firmware = build(board, cell, optimise)
    columns = firmware.memory.columns()
    assert set(columns) <= set(SUMMARY_COLUMNS)
    parts = {k: v for k, v in columns.items() if k.endswith("_flash_bytes")}
    assert sum(parts.values()) == columns["flash_bytes"]
    assert len(parts) == 8 and all(size > 0 for size in parts.values())
    assert parts["other_flash_bytes"] < 64  # gaps of alignment only


def test_the_link_is_the_bytes_that_nm_gives_its_functions(cache, board):
    firmware = build(board)
    sizes = symbol_bytes(firmware, board.core)
    link = sum(size for name, size in sizes.items() if name.startswith(LINK_SYMBOLS))
    assert firmware.memory.parts["link"] == link > 400


def test_another_cell_changes_the_kernels_and_nothing_else(cache, board):
    one, other = (build(board, cell).memory.parts for cell in ("fastgrnn", "gru"))
    assert one["kernel"] != other["kernel"]
    assert [one[p] for p in ("link", "hal")] == [other[p] for p in ("link", "hal")]


def test_the_arduino_core_counts_as_hal(cache):
    bare = find_kind("uno").virtual()
    arduino = replace(bare, hal="arduino", build=replace(bare.build, framework="arduino"))
    parts, bare_parts = build(arduino).memory.parts, build(bare).memory.parts
    assert parts["hal"] > bare_parts["hal"] + 500
    assert parts["link"] == bare_parts["link"]
    assert parts["other"] < 64
