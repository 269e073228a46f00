"""Whole firmware with the AVR's kernels on the virtual Uno against the reference: tolerance 0.

The configurations are those of test_cells.py; every second one with its weights as code.
"""

from __future__ import annotations

import numpy as np
import pytest

from harness.firmware.render import render_sources
from harness.link.dut import connect
from harness.link.serial import SerialLink
from harness.reference.model import run
from harness.virtual.process import VirtualBoard
from tests.models import random_raw

from .configurations import CONFIGURATIONS
from .test_boards import UNO

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

STRIDE = 5  # prime to the number of widths, ranks and storages: all occur


@pytest.mark.parametrize("configuration", CONFIGURATIONS[3::STRIDE], ids=str)
def test_bit_exact(configuration, tmp_path):
    model = configuration.model()
    raw = random_raw(model, 2, configuration.number)
    expected = run(model, raw, trace=True)
    rendered = render_sources(
        model,
        board_name="uno",
        hal="avr",
        clock_hz=UNO.clock_hz,
        baud=UNO.baud,
        max_payload=UNO.max_payload,
        bench_raw=raw[0],
        destination=tmp_path / "src",
        core="avr",
        optimise="speed" if configuration.number % 2 else configuration.storage,
    )
    UNO.compile(rendered, list(rendered.sources), tmp_path / "state")
    with VirtualBoard.start("uno", tmp_path / "state") as board:
        dut = connect(
            lambda: SerialLink(str(board.port), UNO.baud), boot_wait_s=6, banner=UNO.banner
        )
        try:
            for n in range(len(raw)):
                outcome = dut.infer(raw[n], trace=True)
                np.testing.assert_array_equal(outcome.hidden, expected.hidden[n])
                np.testing.assert_array_equal(outcome.logits, expected.logits[n])
                counts = expected.saturations
                assert (outcome.sat_input, outcome.sat_mid, outcome.sat_state) == (
                    counts.input[n],
                    counts.mid[n],
                    counts.state[n],
                )
        finally:
            dut.close()
