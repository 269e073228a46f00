"""A whole firmware on the virtual Uno against the reference: tolerance 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.firmware.render import Rendered, render_sources
from harness.link.dut import connect
from harness.link.serial import SerialLink
from harness.qmodel import QModel
from harness.reference.model import run
from harness.virtual.process import VirtualBoard

from .test_boards import UNO


def compare_traces(model: QModel, raw: np.ndarray, optimise: str, folder: Path) -> Rendered:
    """Every window of raw [N, T, D]: hidden states, logits, saturations. Returns what was built."""
    expected = run(model, raw, trace=True)
    rendered = render_sources(
        model,
        board_name="uno",
        hal="avr",
        clock_hz=UNO.clock_hz,
        baud=UNO.baud,
        max_payload=UNO.max_payload,
        bench_raw=raw[0],
        destination=folder / "src",
        core="avr",
        optimise=optimise,
    )
    UNO.compile(rendered, list(rendered.sources), folder / "state")
    with VirtualBoard.start("uno", folder / "state") as board:
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
    return rendered
