"""The network on the emulated Cortex-M0+, with its own kernels, against the reference: tolerance 0.

Hidden states after every step, logits and saturation counts; every cell, rank, width and storage.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ModelFileError
from harness.firmware.cores import core_of
from harness.firmware.plan import make_plan
from harness.firmware.render import render_sources
from harness.reference.model import run
from tests.models import random_qmodel, random_raw

from .armv6m import Program
from .configurations import CONFIGURATIONS

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

POLICIES = ("size", "balanced", "speed")
NOT_THE_NETWORK = re.compile(r"(hal|startup)_|(main|app|measure|requests|cobs|crc32|frame)\.c")
ELEMENTS = {"s8": np.int8, "s16": np.int16, "s32": np.int32}


class Network:
    """A model's firmware without link and HAL, called step by step."""

    core, hal, program_type = "cortex-m0plus", "samd21", Program

    def __init__(self, model, optimise, folder) -> None:
        self.rendered = render_sources(
            model,
            board_name="test",
            hal=self.hal,
            clock_hz=48_000_000,
            baud=115_200,
            max_payload=1024,
            bench_raw=random_raw(model, 1)[0],
            destination=folder / "src",
            core=self.core,
            optimise=optimise,
        )
        sources = [p for p in self.rendered.sources if not NOT_THE_NETWORK.match(p.name)]
        self.program = self.program_type(*sources, include=[self.rendered.folder])
        header = (self.rendered.folder / "model_data.h").read_text()
        self.element = ELEMENTS[re.search(r"RNN_H_TYPE (\w+)", header)[1]]
        self.dims = model.dims

    def window(self, raw):
        """Hidden states [T, H], logits [C] and clamps (input, mid, state) of raw samples [T, D]."""
        program, hidden = self.program, []
        program.call("rnn_model_reset")
        for sample in raw:
            program.call("rnn_model_step", program.place(sample))
            hidden.append(self._read("rnn_vectors", self.element, self.dims.hidden))
        program.call("rnn_model_classify")
        logits = self._read("logits", np.int32, self.dims.classes)
        return np.array(hidden), logits, self._read("rnn_counters", np.uint32, 3)

    def _read(self, symbol, dtype, count):
        return self.program.read(self.program.symbols[symbol], dtype, count)


def check(model, optimise, folder, seed, network_type=Network):
    network, raw = network_type(model, optimise, folder), random_raw(model, 2, seed)
    expected = run(model, raw, trace=True)
    for n, window in enumerate(raw):
        hidden, logits, clamps = network.window(window)
        np.testing.assert_array_equal(hidden, expected.hidden[n])
        np.testing.assert_array_equal(logits, expected.logits[n])
        counts = expected.saturations
        assert tuple(clamps) == (counts.input[n], counts.mid[n], counts.state[n])
    return network


CHOSEN = CONFIGURATIONS[::3]  # every cell; their numbers decide shape, density and policy


@pytest.mark.parametrize("configuration", CHOSEN, ids=str)
def test_bit_exact(configuration, tmp_path):
    policy = POLICIES[configuration.number // 3 % len(POLICIES)]
    check(configuration.model(), policy, tmp_path, configuration.number)


CORNERS = np.array([-128, -127, -64, -1, 0, 1, 2, 3, 64, 126, 127], np.int8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    cell=st.sampled_from(["fastgrnn", "lstm", "ugrnn", "rnn", "gru"]),
    features=st.integers(1, 35),
    hidden=st.integers(1, 45),
    rank_w=st.none() | st.integers(1, 9),
    rank_u=st.none() | st.integers(1, 20),
    state_bits=st.sampled_from([8, 16]),
    density=st.sampled_from([0.0, 0.1, 0.3, 1.0]),
    corners=st.booleans(),
    policy=st.sampled_from(POLICIES),
    seed=st.integers(0, 2**16),
)
def test_any_shape(
    cell, features, hidden, rank_w, rank_u, state_bits, density, corners, policy, seed
):
    shape = {"features": features, "hidden": hidden, "rank_w": rank_w, "rank_u": rank_u}
    model = safe_model(cell, seed, shape | {"state_bits": state_bits}, density, corners)
    with tempfile.TemporaryDirectory() as folder:
        check(model, policy, Path(folder), seed)


WIDE = [(7, 16), (45, 32), (63, 80), (128, 20), (9, 143), (1, 200)]  # (D, H)


@pytest.mark.parametrize(("features", "hidden"), WIDE)
@pytest.mark.parametrize("cell", ["fastgrnn", "gru"])
def test_large_shapes_without_a_compander(cell, features, hidden, tmp_path):
    """Branches and offsets of an instruction reach only so far."""
    turn = features + hidden + len(cell)
    shape = {"features": features, "hidden": hidden, "companded": False}
    model = safe_model(cell, turn, shape, 0.3, False)
    check(model, POLICIES[turn % 3], tmp_path, turn)


def safe_model(cell, seed, shape, density, corners):
    """Random weights, or those at the ends of their range, at the finest scale that is proved."""
    empty = random_qmodel(cell, seed, density=0.0, steps=3, **shape)
    rng = np.random.default_rng(seed)
    tensors = dict(empty.tensors)
    for name, matrix in empty.matrices.items():
        values = (
            rng.choice(CORNERS, matrix.shape) if corners else rng.integers(-90, 91, matrix.shape)
        )
        tensors[name] = np.where(rng.random(matrix.shape) < density, values, 0).astype(np.int8)
    for lower in range(20):
        w_align = max(0, empty.shifts["w_align"] - lower)
        try:
            return replace(empty, tensors=tensors, shifts=empty.shifts | {"w_align": w_align})
        except ModelFileError:  # a sum might pass int32
            continue
    raise AssertionError("no scale is safe")


def test_clamps_and_clips_occur():
    """The comparisons above mean little where nothing is ever clamped."""
    totals = np.zeros(3, int)
    for configuration in CHOSEN:
        model = configuration.model()
        counts = run(model, random_raw(model, 2, configuration.number)).saturations
        totals += [counts.input.sum(), counts.mid.sum(), counts.state.sum()]
    assert totals.min() > 30, totals


def test_every_form_is_chosen(tmp_path):
    """By some policy, for some matrix."""
    core, seen = core_of("cortex-m0plus"), set()
    for density in (1.0, 0.3, 0.02):
        model = safe_model("fastgrnn", 1, {"features": 9, "hidden": 19}, density, False)
        for policy in POLICIES:
            seen |= set(make_plan(model, core, policy).storage.values())
    assert seen == {"block", "pairs", "dense", "index", "bitmap", "code"}
