"""FastGRNN's step with sums of 16 bits on the virtual Uno against the reference: tolerance 0.

The models are random floats as the quantiser makes them, some with random tables and shifts of
them besides, so that indices are clipped and states clamped; h starts anywhere within its proved
reach.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import ModelFileError, ResultError
from harness.firmware.cores import core_of
from harness.firmware.plan import make_plan
from harness.quantize import quantise
from harness.reference.model import run
from harness.reference.reach import reach_of
from tests.models import random_raw
from tests.unit.test_quantize import inputs, random_float

from .test_avr_products import CELL, TRIALS, Case, expected_states, run_and_compare, spiked
from .uno import compare_traces

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

BATCHES, CASES = 8, 6
FORMS = ("balanced", "speed")


def reach(model):
    return reach_of(model.cell_class, 8, model.tensors, model.tables, model.shifts)


def plan(model, form):
    return make_plan(model, core_of("avr"), form)


def random_narrow(seed):
    """A model that has the step, and how it is kept."""
    rng = np.random.default_rng(seed)
    form = FORMS[seed % 2]
    while True:
        floats = random_float(
            "fastgrnn",
            int(rng.integers(1 << 30)),
            features=int(rng.integers(1, 12)),
            hidden=int(rng.integers(10, 40)),
            rank_w=int(rng.integers(1, 5)),
            rank_u=int(rng.integers(1, 10)),
            scale=float(rng.choice([0.3, 1.0, 1.5])),
            nu=float(rng.choice([0.01, 0.2])),
        )
        density = float(rng.choice([0.0, 0.2, 1.0], p=[0.1, 0.5, 0.4]))
        tensors = {n: np.where(rng.random(t.shape) < density, t, 0) if n[0] in "WU" else t
                   for n, t in floats.tensors.items()}  # fmt: skip
        floats = replace(floats, tensors={n: t.astype(np.float32) for n, t in tensors.items()})
        try:
            model = quantise(floats, inputs(floats)[0], state_bits=8, sum_bits=16)
            model = _wild(model, rng) if rng.random() < 0.6 else model
        except (ModelFileError, ResultError):
            continue
        if plan(model, form).narrow:
            h = np.clip(spiked(rng, (TRIALS, model.dims.hidden), 8), -reach(model).state, 127)
            h = np.minimum(h, reach(model).state)
            return Case(model, form, h, spiked(rng, (TRIALS, model.dims.features), 8))


def _wild(model, rng):
    """Random gates and candidates, so that states are clamped; any shift of the two tables."""
    tables = dict(model.tables)
    tables["z"] = rng.integers(0, 256, 256).astype(np.uint8)
    tables["g"] = rng.integers(0, 256, 256).astype(np.uint8)
    tables["c"] = rng.integers(-127, 128, 256).astype(np.int16)
    c = int(rng.integers(1, 9))
    shifts = dict(model.shifts) | {"c": c, "z": int(rng.integers(c, 9))}
    return replace(model, tables=tables, shifts=shifts)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_steps(batch, tmp_path):
    run_and_compare([random_narrow(CASES * batch + i) for i in range(CASES)], CELL, tmp_path)


def test_the_cases_cover_every_form_shift_and_clamp():
    seen, clamped, clipped = set(), 0, set()
    for seed in range(BATCHES * CASES):
        case = random_narrow(seed)
        model = case.model
        kept = plan(model, case.form).kept
        seen |= {(product.name, form.name) for product, form in kept}
        last = [np.frombuffer(reply[-4:], "<u4")[0] for reply in expected_states(case)]
        clamped += int(sum(last))
        bits = reach(model).pre.bit_length() + 1
        for name in ("z", "c"):
            shift = model.shifts[name]
            clipped.add((shift, bits > 8 + shift))
    assert {(p, f) for p in ("U2T", "W2T", "U1W1") for f in ("dense", "index", "code")} <= seen
    assert clamped > 50
    assert {shift for shift, _ in clipped} == set(range(1, 9))
    assert {clips for _, clips in clipped} == {False, True}


@pytest.mark.parametrize("companded", [False, True])
def test_whole_firmware(companded, tmp_path):
    """The short input stage too, with samples over the whole range of int16."""
    floats = random_float(
        "fastgrnn", 3, features=5, hidden=20, rank_w=2, rank_u=4, steps=6, companded=companded
    )
    some = np.arange(5) % 2 == 0
    floats = replace(
        floats, raw_step=np.full(5, 2.0**-9), companded=some if companded else floats.companded
    )
    model = quantise(floats, inputs(floats)[0], state_bits=8, sum_bits=16)
    raw = random_raw(model, 6, 4)
    assert run(model, raw).saturations.input.sum() > 20
    optimise = "speed" if companded else "balanced"
    rendered = compare_traces(model, raw, optimise, tmp_path)
    assert any(source.name == "rnn_input_narrow.S" for source in rendered.sources)


def test_other_models_have_no_such_step():
    floats = random_float("fastgrnn", hidden=16, rank_w=2, rank_u=8)
    x = inputs(floats)[0]
    narrow = quantise(floats, x, state_bits=8, sum_bits=16)
    assert plan(narrow, "balanced").narrow
    assert not plan(narrow, "dense").narrow
    assert not plan(quantise(floats, x, state_bits=8), "balanced").narrow
    wide = dict(narrow.tensors) | {"U2T": np.full_like(narrow.tensors["U2T"], 127)}
    assert not plan(replace(narrow, tensors=wide), "balanced").narrow
