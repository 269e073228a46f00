"""Each kernel against the numpy reference: random shapes and corner values, tolerance 0."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.firmware.storage import STORAGES, allowed, pack, packed_size
from harness.reference import ops
from harness.reference.eurnn import modrelu_gain, reciprocal_table
from harness.reference.preprocess import compander_table, input_stage

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
int32 = st.integers(INT32_MIN, INT32_MAX) | st.sampled_from([INT32_MIN, -1, 0, 1, INT32_MAX])
int16 = st.integers(-(2**15), 2**15 - 1) | st.sampled_from([-(2**15), -1, 0, 2**15 - 1])
uint8 = st.integers(0, 255)
DTYPES = {"s8": np.int8, "s16": np.int16, "s32": np.int32}


def c_matvec(kernels, storage, vector_type, matrix, v, acc, add=True):
    """acc + M v, or M v, by the C kernel."""
    function = getattr(kernels, f"rnn_matvec_{storage}_s8_{vector_type}")
    function.restype = None
    packed = np.ascontiguousarray(pack(matrix, storage))
    assert len(packed) == packed_size(matrix, storage)
    result = acc.astype(np.int32)
    pointers = (a.ctypes.data_as(ctypes.c_void_p) for a in (packed, v, result))
    shape = (ctypes.c_uint16(size) for size in matrix.shape)
    function(*pointers, *shape, ctypes.c_uint8(add))
    return result


@pytest.mark.parametrize("vector_type", DTYPES)
@pytest.mark.parametrize("storage", STORAGES)
@settings(max_examples=120, deadline=None)
@given(
    rows=st.integers(1, 20),
    cols=st.integers(1, 40) | st.sampled_from([1, 7, 8, 9, 255, 256]),
    density=st.sampled_from([0.0, 0.05, 0.3, 0.9, 1.0]),
    extreme=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_matvec(kernels, storage, vector_type, rows, cols, density, extreme, seed):
    rng = np.random.default_rng(seed)
    dtype = DTYPES[vector_type]
    bits = min(np.iinfo(dtype).bits, 16)  # more could overflow the sum
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    matrix = rng.integers(-128, 128, (rows, cols)).astype(np.int8)
    v = rng.integers(low, high + 1, cols).astype(dtype)
    if extreme:
        matrix[:] = rng.choice([-128, 127], matrix.shape)
        v[:] = rng.choice([low, high], cols)
    matrix[rng.random(matrix.shape) >= density] = 0
    if not allowed(matrix, storage):
        matrix[:, -1] = 0
    acc = rng.integers(-(2**29), 2**29, rows)
    expected = acc + ops.matvec(matrix, v[None].astype(np.int64))[0]
    got = c_matvec(kernels, storage, vector_type, matrix, v, acc)
    np.testing.assert_array_equal(got, expected)
    alone = c_matvec(kernels, storage, vector_type, matrix, v, acc, add=False)
    np.testing.assert_array_equal(alone, expected - acc)


def test_matvec_reaches_both_ends_of_int32(kernels):
    # 511 * -128 * -32768 = 2^31 - 2^22, the most that fits
    v = np.full(511, -32768, np.int16)
    for sign, weight in ((1, -128), (-1, 127)):
        matrix = np.full((1, 511), weight, np.int8)
        expected = int(weight) * -32768 * 511
        assert np.sign(expected) == sign
        for storage in ("dense", "bitmap"):
            got = c_matvec(kernels, storage, "s16", matrix, v, np.zeros(1))
            assert got[0] == expected


@given(v=int32, shift=st.integers(0, 31))
@settings(max_examples=400)
def test_rshift(kernels, v, shift):
    expected = ops.rshift(np.array([v], np.int64), shift)[0]
    assert kernels.shim_rshift(v, shift) == expected


def test_rshift_at_the_corners(kernels):
    for shift in range(32):
        for v in (INT32_MIN, INT32_MIN + 1, -3, -2, -1, 0, 1, 2, 3, INT32_MAX - 1, INT32_MAX):
            assert kernels.shim_rshift(v, shift) == ops.rshift(np.array([v]), shift)[0]


@given(shift=st.integers(0, 30), data=st.data())
def test_scale(kernels, shift, data):
    v = data.draw(st.integers(-(2**31) >> shift, (2**31 - 1) >> shift))
    assert kernels.shim_scale(v, shift) == v << shift


@pytest.mark.parametrize(("name", "bits"), [("shim_sat8", 8), ("shim_sat16", 16)])
@given(v=int32 | st.sampled_from([-32769, -32768, 32767, 32768, -129, -128, 127, 128]))
def test_saturate(kernels, name, bits, v):
    count, expected_count = ctypes.c_uint32(5), np.array([5])
    expected = ops.saturate(np.array([v]), bits, expected_count)[0]
    assert getattr(kernels, name)(v, ctypes.byref(count)) == expected
    assert count.value == expected_count[0]


@given(a=int32, shift=st.integers(0, 31))
@settings(max_examples=400)
def test_table_index(kernels, a, shift):
    assert kernels.shim_index(a, shift) == ops.table_index(np.array([a]), shift)[0]


@given(p=uint8, a=int16, q=uint8, b=int16)
def test_mix(kernels, p, a, q, b):
    assert kernels.shim_mix(p, a, q, b) == ops.mix(*(np.array([v], np.int64) for v in (p, a, q, b)))


@pytest.mark.parametrize("wild", [False, True])
@given(re=int16, im=int16, bias=int16, data=st.data())
def test_modrelu(kernels, wild, re, im, bias, data):
    table = reciprocal_table()
    n = re * re + im * im
    if wild:  # any table is safe: no sum may overflow
        table = np.full(256, data.draw(int16), np.int16)
    address = table.ctypes.data_as(ctypes.c_void_p)
    gain = modrelu_gain(np.array([n]), np.array([bias]), table.astype(np.int64))
    assert kernels.shim_modrelu_gain(re, im, bias, address) == gain
    expected = ops.rshift(re * gain, 13)
    assert kernels.shim_modrelu_apply(re, int(gain[0])) == expected


@given(p=st.integers(-8192, 8192), a=int16, q=st.integers(0, 24576), b=int16)
def test_mix_of_signed_gates(kernels, p, a, q, b):
    expected = ops.mix_wide(*(np.array([v], np.int64) for v in (p, a, q, b)))
    assert kernels.shim_mix_signed(p, a, q, b) == expected


def test_compander_on_every_sample(kernels):
    table = compander_table()
    address = table.ctypes.data_as(ctypes.c_void_p)
    raw = np.arange(-32768, 32768).astype(np.int16)
    got = [kernels.rnn_compand_s16(int(r), address) for r in raw]
    # multiplier 2^7 and offset 0 at shift 7 hand v through; the clamp to int8 is undone by taking
    # high and low parts apart
    low, high = (_stage(raw, table, m, shift) for m, shift in ((1, 0), (1, 8)))
    values = np.array(got)
    np.testing.assert_array_equal(np.clip(values, -128, 127), low)
    np.testing.assert_array_equal(np.clip(values >> 8, -128, 127), high)


def _stage(raw, table, multiplier, shift):
    ones = np.ones(1, np.uint8)
    factor, offset = np.array([multiplier], np.int16), np.zeros(1, np.int32)
    return input_stage(
        raw[:, None], table, ones, factor, offset, shift, np.zeros(len(raw), np.int64)
    )[:, 0]


@given(
    v=int16,
    m=int16,
    offset=st.integers(-(2**30) + 1, 2**30 - 1) | st.sampled_from([-(2**30) + 1, 2**30 - 1]),
    shift=st.integers(0, 30),
)
@settings(max_examples=300)
def test_standardise(kernels, v, m, offset, shift):
    count, expected_count = ctypes.c_uint32(0), np.zeros(1, np.int64)
    expected = input_stage(
        np.array([[v]], np.int16),
        np.zeros(0, np.int16),
        np.zeros(1, np.uint8),
        np.array([m], np.int16),
        np.array([offset], np.int32),
        shift,
        expected_count,
    )
    assert kernels.shim_standardise(v, m, offset, shift, ctypes.byref(count)) == expected[0, 0]
    assert count.value == expected_count[0]
