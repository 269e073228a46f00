"""The portable kernels as an AArch64 program, run by qemu, against the reference: bit for bit."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from harness.firmware.render import render_sources
from harness.link.dut import connect
from harness.link.process import ProcessLink
from harness.reference import CELLS
from harness.reference.model import run
from tests.models import random_raw

from .configurations import CONFIGURATIONS

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

STRICT = ("-std=gnu99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")
WINDOWS = 2
# Of each cell three configurations, which differ in rank, sparsity and width of the state.
CHOSEN = [c for cell in CELLS for c in [c for c in CONFIGURATIONS if c.cell == cell][:3]]


def build(model, storage, folder):
    rendered = render_sources(
        model,
        board_name="rpi3",
        hal="posix",
        clock_hz=1_200_000_000,
        baud=0,
        max_payload=4096,
        bench_raw=random_raw(model, 1)[0],
        destination=folder / "src",
        core="cortex-a53",
        optimise=storage,
    )
    program = folder / "firmware"
    command = ["aarch64-linux-gnu-gcc", *STRICT, "-Os", "-static", f"-I{rendered.folder}"]
    subprocess.run([*command, *rendered.sources, "-o", program], check=True, timeout=120)
    return program


@pytest.mark.parametrize("configuration", CHOSEN, ids=str)
def test_bit_exact(configuration, tmp_path):
    model = configuration.model()
    raw = random_raw(model, WINDOWS, configuration.number)
    expected = run(model, raw, trace=True)
    program = build(model, configuration.storage, tmp_path)
    dut = connect(
        lambda: ProcessLink(["qemu-aarch64", str(program)], name="qemu"),
        boot_wait_s=20,
        banner=True,
    )
    try:
        for n in range(WINDOWS):
            outcome = dut.infer(raw[n], trace=True)
            np.testing.assert_array_equal(outcome.hidden, expected.hidden[n])
            np.testing.assert_array_equal(outcome.logits, expected.logits[n])
            counts = expected.saturations
            found = (outcome.sat_input, outcome.sat_mid, outcome.sat_state)
            assert found == (counts.input[n], counts.mid[n], counts.state[n])
        assert 0 < dut.stats().stack_peak_bytes < 8192
    finally:
        dut.close()
