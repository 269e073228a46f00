"""The whole firmware as a process, under ASan and UBSan, against the reference: tolerance 0.

Hidden states after every step, logits, label and saturation counts, through the real protocol.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from harness.firmware.host import build_host
from harness.link.dut import connect
from harness.reference import CELLS
from harness.reference.model import run
from tests.models import random_raw

from .configurations import CONFIGURATIONS
from .process_link import ProcessLink

WINDOWS = 3


def build(configuration, **options):
    model = configuration.model()
    return build_host(
        model, random_raw(model, 1)[0], sanitize=True, optimise=configuration.storage, **options
    )


@pytest.fixture(scope="module")
def programs(request):
    """Configuration -> its executable; compiled ahead in threads, kept in pytest's cache."""
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setenv("HARNESS_CACHE_DIR", str(request.config.cache.mkdir("harness-kernels")))
        ahead: dict[object, Future] = {}
        if "PYTEST_XDIST_WORKER" not in os.environ and len(request.session.items) > 20:
            ahead = {c: pool.submit(build, c) for c in CONFIGURATIONS}
        yield lambda c: ahead[c].result() if c in ahead else build(c)
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=str)
def test_bit_exact(programs, configuration):
    model = configuration.model()
    raw = random_raw(model, WINDOWS, configuration.number)
    expected = run(model, raw, trace=True)
    link = ProcessLink(programs(configuration))
    dut = connect(lambda: link, boot_wait_s=10, banner=True)
    try:
        assert dut.identity.model_sha256 == model.sha256
        for n in range(WINDOWS):
            outcome = dut.infer(raw[n], trace=True)
            np.testing.assert_array_equal(outcome.hidden, expected.hidden[n])
            np.testing.assert_array_equal(outcome.logits, expected.logits[n])
            assert outcome.label == expected.labels[n]
            counts = expected.saturations
            assert (outcome.sat_input, outcome.sat_mid, outcome.sat_state) == (
                counts.input[n],
                counts.mid[n],
                counts.state[n],
            )
            np.testing.assert_array_equal(dut.infer(raw[n]).logits, expected.logits[n])
    finally:
        dut.close()
    assert link.exit_code == 0, link.errors


def test_configurations_clamp_everywhere():
    """The comparison above means little where nothing is ever clamped."""
    totals = {"input": 0, "mid": 0, "state": 0}
    for configuration in CONFIGURATIONS:
        model = configuration.model()
        saturations = run(model, random_raw(model, WINDOWS, configuration.number)).saturations
        for name in totals:
            totals[name] += int(getattr(saturations, name).sum())
    assert min(totals.values()) > 100, totals


def test_configurations_align_either_side():
    """Both orders of the products, and a factor common to both, occur for every cell."""
    for cell in {c.cell for c in CONFIGURATIONS if CELLS[c.cell].recurrent}:
        shifts = [c.model().shifts for c in CONFIGURATIONS if c.cell == cell]
        assert any(s["w_align"] > s["u_align"] for s in shifts)
        assert any(s["w_align"] < s["u_align"] for s in shifts)
        assert any(min(s["w_align"], s["u_align"]) > 0 for s in shifts)
