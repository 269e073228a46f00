"""The integer definition against exact arithmetic, and the proof that nothing overflows."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ModelFileError
from harness.reference import CELLS, ops
from harness.reference.cell import Dims, accumulator_bounds
from harness.reference.model import bench_window, run, to_raw
from harness.reference.ops import Saturations
from harness.reference.preprocess import (
    COMPANDER_SIZE,
    compander_index,
    compander_table,
    input_stage,
)
from tests.models import random_qmodel, random_raw

INT32 = 2**31


@given(v=st.integers(-(2**40), 2**40), shift=st.integers(0, 30))
def test_rshift_rounds_half_up(v, shift):
    exact = math.floor(Fraction(v, 2**shift) + Fraction(1, 2)) if shift else v
    assert ops.rshift(np.array(v), shift) == exact


@given(
    rows=st.integers(1, 8),
    cols=st.integers(1, 64),
    seed=st.integers(0, 2**32 - 1),
    bits=st.sampled_from([8, 16]),
)
def test_matvec_is_exact_at_the_corners(rows, cols, seed, bits):
    rng = np.random.default_rng(seed)
    matrix = rng.choice([-128, -127, -1, 0, 1, 127], (rows, cols)).astype(np.int8)
    v = rng.choice([-(2 ** (bits - 1)), -1, 0, 1, 2 ** (bits - 1) - 1], (3, cols))
    exact = [
        [sum(int(w) * int(x) for w, x in zip(row, one, strict=True)) for row in matrix] for one in v
    ]
    np.testing.assert_array_equal(ops.matvec(matrix, v.astype(np.int64)), exact)


def test_saturation_is_counted_per_window():
    count = np.zeros(2, np.int64)
    clipped = ops.saturate(np.array([[200, -129, 3], [127, -128, 0]]), 8, count)
    assert clipped.tolist() == [[127, -128, 3], [127, -128, 0]]
    assert count.tolist() == [2, 0]


def test_tables_stand_for_the_middle_of_their_buckets():
    z = ops.sigmoid_table().astype(float) / 256
    a = (np.arange(256) - 127.5) / 16
    sigmoid = np.minimum(1 / (1 + np.exp(-a)), 255 / 256)  # uint8 ends at 255
    assert np.abs(z - sigmoid).max() <= 0.5 / 256 + 1e-12
    c = ops.tanh_table(13).astype(float) / 2**13
    assert np.abs(c - np.tanh((np.arange(256) - 127.5) / 32)).max() <= 0.5 / 2**13 + 1e-12
    g = ops.candidate_gate_table(0.7, 0.02).astype(float) / 256
    assert np.abs(g - (0.7 * (1 - 1 / (1 + np.exp(-a))) + 0.02)).max() <= 0.5 / 256 + 1e-12


def test_compander_follows_asinh_within_its_bucket():
    u = np.arange(32768)
    table = compander_table().astype(float) / 2**11
    assert compander_index(u).max() == COMPANDER_SIZE - 1
    assert (np.diff(compander_index(u)) >= 0).all()
    error = np.abs(table[compander_index(u)] - np.arcsinh(u / 16))
    assert error.max() < 1 / 32 + 1 / 2**11


@given(st.integers(-32768, 32767), st.integers(-32768, 32767), st.integers(0, 30))
def test_input_stage_equals_big_integers(r, multiplier, shift):
    sat = np.zeros(1, np.int64)
    x = input_stage(
        np.array([[r]], np.int16),
        np.zeros(0, np.int16),
        np.zeros(1, np.uint8),
        np.array([multiplier], np.int16),
        np.array([77], np.int32),
        shift,
        sat,
    )
    exact = (r * multiplier + 77) // 2**shift
    assert abs(r * multiplier + 77) < INT32
    assert x[0, 0] == min(127, max(-128, exact))
    assert sat[0] == (exact != x[0, 0])


def accumulators_seen(model, raw):
    """The largest |accumulator| that really occurs, partial sums in the worst order included."""
    worst = {"pre": 0, "classifier": 0, "w_mid": 0, "u_mid": 0}
    cell = model.cell_class(model.dims, model.state_bits, model.tensors, model.tables, model.shifts)
    plain, state = cell._product, {}

    def spy(matrix, shift, v, sat):
        acc = plain(matrix, shift, v, sat)
        first = matrix if matrix in model.tensors else f"{matrix}2T"
        key = "pre" if first == matrix else f"{shift}_mid"
        scale = 1 << model.shifts[f"{shift}_align"] if first == matrix else 1
        partial = np.abs(model.tensors[first].astype(np.int64)) @ np.abs(v).T * scale
        worst[key] = max(worst[key], int(partial.max()))
        worst["pre"] = max(worst["pre"], int(np.abs(acc).max()))
        return acc

    cell._product = spy
    sat = Saturations.zeros(len(raw))
    state = cell.start(len(raw))
    for t in range(raw.shape[1]):
        x = input_stage(
            raw[:, t],
            model.tables.get("compander", np.zeros(0, np.int16)),
            model.tensors["pre_companded"],
            model.tensors["pre_multiplier"],
            model.tensors["pre_offset"],
            model.shifts["pre"],
            sat.input,
        )
        state = cell.step(x, state, sat)
    partial = np.abs(model.tensors["F"].astype(np.int64)) @ np.abs(state["h"]).T
    worst["classifier"] = int((partial.max(axis=1) + np.abs(model.tensors["b_F"])).max())
    return worst


@pytest.mark.parametrize("cell", CELLS)
@given(seed=st.integers(0, 10**6), ranked=st.booleans(), bits=st.sampled_from([8, 16]))
@settings(max_examples=15, deadline=None)
def test_no_accumulator_passes_its_proved_bound(cell, seed, ranked, bits):
    model = random_qmodel(
        cell, seed, rank_w=2 if ranked else None, rank_u=3 if ranked else None, state_bits=bits
    )
    raw = random_raw(model, 6, seed)
    raw[0], raw[1] = 32767, -32768
    seen = accumulators_seen(model, raw)
    for what, bound in model.acc_bounds.items():
        assert seen.get(what, 0) <= bound < INT32, what  # `update` is not spied on


@given(
    hidden=st.integers(1, 512),
    features=st.integers(1, 512),
    align=st.integers(0, 20),
    bits=st.sampled_from([8, 16]),
)
def test_the_bound_is_reached_by_the_worst_model_and_refused_past_int32(
    hidden, features, align, bits
):
    dims = Dims(features, hidden, 1)
    tensors = {
        "W": np.full((hidden, features), -128, np.int8),
        "U": np.full((hidden, hidden), -128, np.int8),
        "F": np.full((1, hidden), -128, np.int8),
        "b_F": np.full(1, -(2**31), np.int32),
    }
    shifts = {"w_align": align, "u_align": 0, "b_align": align}
    bounds = accumulator_bounds(CELLS["ornn"], dims, bits, tensors, shifts)
    x = h = -128
    h = -(1 << (bits - 1))
    exact = features * (-128 * x << align) + hidden * (-128 * h) + (128 << align)
    assert bounds["pre"] == exact


def test_a_model_whose_sums_could_overflow_is_refused():
    model = random_qmodel("ornn")
    values = {name: getattr(model, name) for name in type(model).__dataclass_fields__}
    values["shifts"] = dict(model.shifts) | {"u_align": 12}
    with pytest.raises(ModelFileError, match="int32 holds"):
        type(model)(**values)


@pytest.mark.parametrize("cell", CELLS)
def test_windows_do_not_influence_each_other(cell):
    model = random_qmodel(cell, 3)
    raw = random_raw(model, 7, 1)
    together = run(model, raw, trace=True)
    for i in range(len(raw)):
        alone = run(model, raw[i : i + 1], trace=True)
        np.testing.assert_array_equal(alone.hidden[0], together.hidden[i])
        np.testing.assert_array_equal(alone.logits[0], together.logits[i])


def test_first_of_equal_logits_wins():
    model = random_qmodel("fastgrnn")
    values = {name: getattr(model, name) for name in type(model).__dataclass_fields__}
    tensors = dict(model.tensors)
    tensors["F"] = np.zeros_like(tensors["F"])
    tensors["b_F"] = np.array([-5, 7, 7, 0, 7, -9], np.int32)
    same = type(model)(**(values | {"tensors": tensors}))
    assert run(same, random_raw(same, 3)).labels.tolist() == [1, 1, 1]


def test_to_raw_rounds_half_up_and_saturates():
    x = np.array([[[0.5, -0.5, 1e9, -1e9]]], np.float32)
    assert to_raw(x, np.ones(4)).tolist() == [[[1, 0, 32767, -32768]]]


@pytest.mark.parametrize("cell", CELLS)
def test_bench_window_is_reproducible_and_in_range(cell):
    model = random_qmodel(cell)
    window = bench_window(model)
    assert window.shape == (8, 9)
    assert window.dtype == np.int16
    np.testing.assert_array_equal(window, bench_window(model))
