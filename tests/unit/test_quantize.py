"""The quantiser: formats proved for any weights, round trips, agreement with the floats."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.datasets import Standardisation
from harness.errors import ResultError
from harness.floatmodel import FloatModel
from harness.qmodel import QModel
from harness.quantize import (
    float_bytes,
    frac_for,
    input_stage,
    integer_bytes,
    matrix_bytes,
    quantise,
    to_int,
)
from harness.reference import CELLS, Dims
from harness.reference.model import run, to_raw
from harness.reference.ops import Saturations
from harness.reference.reach import reach_of


def random_float(
    cell, seed=0, *, features=4, hidden=8, classes=3, rank_w=None, rank_u=None, steps=12,
    scale=1.0, nu=0.05, companded=False, options=None,
):  # fmt: skip
    rng = np.random.default_rng(seed)
    chosen = {name: values[0] for name, values in CELLS[cell].options.items()} | (options or {})
    dims = Dims(features, hidden, classes, rank_w, rank_u, chosen)
    tensors = {
        name: (scale * rng.normal(0, 1, shape) / shape[-1] ** 0.5).astype(np.float32)
        for name, (_, shape) in CELLS[cell].tensor_spec(dims).items()
    }
    scalars = {"zeta": 0.8, "nu": nu, "alpha": 0.1, "beta": 0.92}
    for name, (dtype, shape) in CELLS[cell].tensor_spec(dims).items():
        if dtype == "int16":  # FastRNN's weights of the average
            tensors[name] = np.full(shape, scalars[name], np.float32)
    if cell == "ornn":
        tensors["U"] = np.linalg.qr(rng.normal(0, 1, (hidden, hidden)))[0].astype(np.float32)
    return FloatModel(
        cell=cell,
        dims=dims,
        steps=steps,
        dataset="random",
        class_names=tuple(f"class {i}" for i in range(classes)),
        tensors=tensors,
        scalars=scalars,
        standardisation=Standardisation(rng.normal(0, 1, features), rng.uniform(0.5, 2, features)),
        raw_step=np.full(features, 2.0**-10),
        companded=np.full(features, companded),
    )


def inputs(model, n=64, seed=1):
    """Standardised windows and the raw counts they came from."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (n, model.steps, model.dims.features)).astype(np.float32)
    s = model.standardisation
    physical = (x * s.std + s.mean).astype(np.float32)
    return x, to_raw(physical, model.raw_step)


SHAPES = [
    ("fastgrnn", {}),
    ("fastgrnn", {"rank_w": 2, "rank_u": 3}),
    ("fastgrnn", {"rank_u": 3}),
    ("lstm", {}),
    ("gru", {}),
    ("ornn", {}),
    ("gru", {"rank_w": 2, "rank_u": 3}),
    ("lstm", {"rank_w": 2, "rank_u": 3}),
    ("rnn", {}),
    ("rnn", {"options": {"activation": "relu"}, "scale": 0.5}),
    ("ugrnn", {}),
    ("ugrnn", {"rank_w": 2, "rank_u": 3}),
    ("fastrnn", {}),
    ("fastrnn", {"options": {"activation": "sigmoid"}, "rank_w": 2, "rank_u": 3}),
    ("fastrnn", {"options": {"activation": "relu"}}),
    ("fastrnn", {"options": {"form": "vector"}}),
    ("fastrnn", {"options": {"form": "vector", "activation": "relu"}}),
    ("fastgrnn", {"options": {"gate": "tanh"}}),
]


@given(st.floats(1e-6, 1e6), st.sampled_from([8, 16]))
def test_frac_for_is_the_most_bits_that_fit(largest, bits):
    frac = frac_for(largest, bits)
    limit = 2 ** (bits - 1) - 1
    assert largest * 2.0**frac <= limit
    assert frac == 15 or largest * 2.0 ** (frac + 1) > limit


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=20), st.integers(0, 5))
def test_to_int_is_within_half_a_step(values, frac):
    a = np.array(values)
    np.testing.assert_array_less(np.abs(to_int(a, frac, 8) / 2.0**frac - a), 0.5 / 2**frac + 1e-9)


def test_to_int_is_symmetric():
    assert to_int(np.array([-9.0, 9.0]), 4, 8).tolist() == [-127, 127]


@pytest.mark.parametrize(("cell", "ranks"), SHAPES)
@pytest.mark.parametrize("state_bits", [8, 16])
def test_integers_agree_with_floats(cell, ranks, state_bits):
    model = random_float(cell, **ranks)
    x, raw = inputs(model)
    q = quantise(model, x, state_bits=state_bits)
    result = run(q, raw)
    floats = model.run(x)
    real = result.logits / 2.0 ** (q.fracs["F"] + q.fracs["h"])
    error = np.abs(real - floats.logits).max()
    assert error < (0.12 if state_bits == 16 else 0.5) * max(1.0, np.abs(floats.logits).max())
    clear = np.sort(floats.logits, axis=1)
    sure = clear[:, -1] - clear[:, -2] > 2 * error
    np.testing.assert_array_equal(result.labels[sure], floats.labels[sure])
    assert result.saturations.state.sum() == 0


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    seed=st.integers(0, 1000),
    exponent=st.floats(-6, 2),  # beyond that weights are of no use and may be refused
    state_bits=st.sampled_from([8, 16]),
    hidden=st.integers(3, 20),
    nu=st.floats(0, 0.9),
    companded=st.booleans(),
)
def test_the_proof_holds_for_any_weights(shape, seed, exponent, state_bits, hidden, nu, companded):
    cell, ranks = shape
    model = random_float(
        cell, seed, hidden=hidden, nu=nu, companded=companded,
        **(ranks | {"scale": 10.0**exponent})
    )  # fmt: skip
    x, raw = inputs(model, n=8)
    q = quantise(model, x, state_bits=state_bits)  # QModel refuses what is not proved
    assert max(q.acc_bounds.values()) < 1 << 31
    assert all(0 <= s <= 30 for s in q.shifts.values())
    run(q, raw)


@settings(max_examples=25, deadline=None)
@given(
    cell=st.sampled_from(["fastgrnn", "gru", "rnn", "ugrnn", "fastrnn", "fastrnn+vector"]),
    seed=st.integers(0, 1000),
    nu=st.floats(0, 0.5),
    scale=st.floats(0.1, 30),
    state_bits=st.sampled_from([8, 16]),
)
def test_the_reach_of_the_state_is_never_passed(cell, seed, nu, scale, state_bits):
    cell, *variant = cell.split("+")
    options = {"form": variant[0]} if variant else {}
    nu = min(nu, 0.19) if variant else nu  # the vector form has a bound for zeta + nu <= 1
    model = random_float(cell, seed, scale=scale, nu=nu, steps=40, options=options)
    x, _ = inputs(model, n=4)
    q = quantise(model, x, state_bits=state_bits)
    reach = q.cell_class.state_reach(q.tensors, q.tables, q.shifts, q.steps)
    assert reach < 1 << (state_bits - 1)
    wild = np.random.default_rng(seed).choice([-32768, 32767], (8, 40, 4)).astype(np.int16)
    result = run(q, wild, trace=True)
    assert np.abs(result.hidden).max() <= reach
    assert result.saturations.state.sum() == 0


def test_zeros_stay_zeros_and_the_file_round_trips(tmp_path):
    model = random_float("fastgrnn")
    u = model.tensors["U"].copy()
    u[np.abs(u) < np.median(np.abs(u))] = 0
    model = replace(model, tensors={**model.tensors, "U": u})
    q = quantise(model, inputs(model)[0])
    assert (q.tensors["U"][u == 0] == 0).all()
    q.save(tmp_path / "q.npz")
    assert QModel.load(tmp_path / "q.npz").sha256 == q.sha256


def test_the_same_floats_give_the_same_integers():
    model = random_float("lstm")
    x = inputs(model)[0]
    assert quantise(model, x).sha256 == quantise(model, x).sha256


def test_the_input_stage_standardises():
    model = random_float("fastgrnn", features=6)
    x, raw = inputs(model, n=200)
    pre, shift = input_stage(model, 4)
    v = raw.astype(np.int64) * pre["pre_multiplier"] + pre["pre_offset"]
    assert np.abs((v >> shift) - x * 16.0).max() < 0.6


def test_a_step_out_of_range_is_explained():
    model = replace(random_float("fastgrnn"), raw_step=np.full(4, 1e6))
    with pytest.raises(ResultError, match="does not fit int16 multipliers") as caught:
        quantise(model, inputs(random_float("fastgrnn"))[0])
    assert "raw_step" in caught.value.hint


def test_weights_that_diverged_are_explained():
    model = random_float("gru")
    model.tensors["W"][0, 0] = np.nan
    with pytest.raises(ResultError, match="tensor W is not finite") as caught:
        quantise(model, inputs(random_float("gru"))[0])
    assert "learning rate" in caught.value.hint


def test_bytes_take_the_cheapest_storage():
    full = np.ones((8, 16), np.int8)
    assert matrix_bytes(full, 1) == 128
    half = full.copy()
    half[:, 8:] = 0
    assert matrix_bytes(half, 1) == 16 + 64  # bitmap
    few = np.zeros((8, 16), np.int8)
    few[0, :3] = 1
    assert matrix_bytes(few, 1) == 6  # index and value
    model = random_float("fastgrnn", features=9, hidden=32, classes=2)
    q = quantise(model, inputs(model)[0])
    assert integer_bytes(q) == 32 * 9 + 32 * 32 + 64 + 64 + 8 + len(q.shifts)
    assert float_bytes(model) > 3.9 * integer_bytes(q) * 0.98


@settings(max_examples=25, deadline=None)
@given(
    shape=st.sampled_from([shape for shape in SHAPES if shape[0] == "fastgrnn"]),
    seed=st.integers(0, 10_000),
    exponent=st.integers(-6, 1),
    hidden=st.integers(1, 40),
    companded=st.booleans(),
)
def test_narrow_sums_stay_within_what_is_proved(shape, seed, exponent, hidden, companded):
    cell, ranks = shape
    model = random_float(
        cell, seed, hidden=max(hidden, 3), scale=2.0**exponent, companded=companded, **ranks
    )  # fmt: skip
    q = quantise(model, inputs(model)[0], state_bits=8, sum_bits=16)
    reach = reach_of(q.cell_class, 8, q.tensors, q.tables, q.shifts)
    assert reach.pre < 1 << 15
    assert not q.shifts["w_align"] and not q.shifts["u_align"]
    for side in reach.first:
        assert reach.first[side] < 1 << 15
        assert reach.inner[side].max() < 1 << 7
    worst = _worst_sums(q, reach.state, seed)
    assert worst <= reach.pre


def _worst_sums(q, state, seed):
    """Largest |pre-activation| that inputs of the right signs for each row in turn reach."""
    cell = q.cell_class(q.dims, 8, q.tensors, q.tables, q.shifts)
    low = {
        side: q.tensors[f"{side}1"].astype(int) @ q.tensors[f"{side}2T"].astype(int)
        if f"{side}1" in q.tensors
        else q.tensors[side].astype(int)
        for side in "WU"
    }
    sat = Saturations.zeros(len(low["W"]))
    x = np.where(low["W"] > 0, 127, -128)
    h = np.where(low["U"] > 0, 1, -1) * min(state, 127)
    return int(np.abs(cell.acc_w(x, sat) + cell.acc_u(h, sat)).max())


def test_narrow_sums_cost_little_on_a_layer_of_weights():
    model = random_float("fastgrnn", hidden=32, rank_w=3, rank_u=12, features=9, steps=40)
    x, raw = inputs(model, 200)
    wide = run(quantise(model, x), raw).labels
    narrow = run(quantise(model, x, state_bits=8, sum_bits=16), raw).labels
    assert (wide == narrow).mean() > 0.9


def test_narrow_sums_are_refused_where_weights_leave_no_scale():
    model = random_float("fastgrnn", scale=64.0)
    with pytest.raises(ResultError, match="sums of 16 bits"):
        quantise(model, inputs(model)[0], state_bits=8, sum_bits=16)


def test_narrow_sums_need_an_8_bit_state():
    model = random_float("fastgrnn")
    with pytest.raises(ValueError, match="state_bits 16"):
        quantise(model, inputs(model)[0], sum_bits=16)
