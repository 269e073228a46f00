"""The network on the emulated Cortex-M3 and M4, with their own kernels, against the reference:
tolerance 0."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.firmware import armv7m
from harness.firmware.cores import core_of
from harness.firmware.plan import make_plan
from harness.firmware.storage import Product
from harness.reference import ops
from harness.reference.model import run
from tests.models import random_raw

from .armv6m import TEMPLATES
from .armv7m import CORES, NETWORKS
from .configurations import CONFIGURATIONS
from .test_armv6m import POLICIES, check, safe_model

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

INT16 = (-(2**15), 2**15 - 1)
CHOSEN = CONFIGURATIONS[1::9]  # every cell; their numbers decide shape, density, policy and core


@pytest.mark.parametrize("configuration", CHOSEN, ids=str)
def test_bit_exact(configuration, tmp_path):
    turn = configuration.number // 9
    network = NETWORKS[CORES[turn % 2]]
    check(configuration.model(), POLICIES[turn // 2 % 3], tmp_path, configuration.number, network)


def test_clamps_occur():
    totals = np.zeros(3, int)
    for configuration in CHOSEN:
        model = configuration.model()
        counts = run(model, random_raw(model, 2, configuration.number)).saturations
        totals += [counts.input.sum(), counts.mid.sum(), counts.state.sum()]
    assert totals.min() > 30, totals


@settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    core=st.sampled_from(CORES),
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
    core, cell, features, hidden, rank_w, rank_u, state_bits, density, corners, policy, seed
):
    shape = {"features": features, "hidden": hidden, "rank_w": rank_w, "rank_u": rank_u}
    model = safe_model(cell, seed, shape | {"state_bits": state_bits}, density, corners)
    with tempfile.TemporaryDirectory() as folder:
        check(model, policy, Path(folder), seed, NETWORKS[core])


# -- products by themselves: one program for all shapes -------------------------------------------

# The kernels of dense products are inline; here their sizes are variables, in a model constants.
SHIM = """
#define RNN_UNROLL {unroll}
#include "rnn_matvec_{form}_s8_s16.h"
#if RNN_BOTH_{form}_{form}
void product(const void *m, const int16_t *v, int32_t *acc, uint16_t rows, uint16_t cols,
             uint8_t add)
{{
    rnn_matvec_{form}_s8_s16(m, v, acc, rows, cols, add);
}}
void both(const void *m, const int16_t *v, int32_t *acc, uint16_t rows, uint16_t v_cols,
          uint8_t align, const void *n, const int16_t *w, uint16_t w_cols)
{{
    rnn_both_{form}_s8_s16(m, v, v_cols, align, n, w, w_cols, acc, rows);
}}
#endif
"""
FORMS = {form.name: form for form in (*armv7m.M3_FORMS, *armv7m.M4_FORMS)}
DENSE = [("cortex-m4f", "dual"), ("cortex-m3", "block")]


class Kernel:
    """A product in one form on one core, as a function of its arrays."""

    def __init__(self, core, form, unroll, folder) -> None:
        source = folder / f"{core}-{form}-{unroll}.c"
        source.write_text(SHIM.format(form=form, unroll=unroll))
        kernel = TEMPLATES / "kernels" / "armv7m" / f"rnn_matvec_{form}_s8_s16.S"
        more = [kernel] if kernel.is_file() else []
        self.program = NETWORKS[core].program_type(source, *more)
        self.name = f"rnn_matvec_{form}_s8_s16" if more else "product"
        self.form = FORMS[form]

    def pack(self, matrix):
        reach = np.full(matrix.shape[1], 1 << 15)
        return self.form.pack(Product("M", matrix, "s16", reach))

    def product(self, matrix, v, acc, add):
        program, (rows, cols) = self.program, matrix.shape
        sums = program.place(np.pad(acc, (0, self.form.pad)).astype(np.int32))
        # An odd address, in halfwords: v lies where the matrices' sizes put it.
        places = program.place(self.pack(matrix)), program.place(v, align=2)
        program.call(self.name, *places, sums, rows, cols, int(add))
        return program.read(sums, np.int32, rows)

    def both(self, m, v, align, n, w):
        program, rows = self.program, len(m)
        sums = program.place(np.zeros(rows + self.form.pad, np.int32))
        left = program.place(self.pack(m)), program.place(v, align=2)
        right = program.place(self.pack(n)), program.place(w, align=2)
        program.call("both", *left, sums, rows, m.shape[1], align, *right, n.shape[1])
        return program.read(sums, np.int32, rows)


@pytest.fixture(scope="module", params=[*DENSE, *((core, "pairs") for core in CORES)], ids=str)
def kernel(request, tmp_path_factory):
    return Kernel(*request.param, 32, tmp_path_factory.mktemp("kernel"))


@pytest.fixture(scope="module", params=[(*which, unroll) for which in DENSE for unroll in (8, 32)],
                ids=str)  # fmt: skip
def dense(request, tmp_path_factory):
    return Kernel(*request.param, tmp_path_factory.mktemp("kernel"))


def draw(rng, rows, cols, density, extreme):
    """A matrix and a vector of which no sum passes int32."""
    matrix = rng.integers(-128, 128, (rows, cols)).astype(np.int8)
    v = rng.integers(INT16[0], INT16[1] + 1, cols).astype(np.int16)
    if extreme:
        matrix[:] = rng.choice([-128, 127], matrix.shape)
        v[:] = rng.choice(INT16, cols)
    matrix[rng.random(matrix.shape) >= density] = 0
    return matrix, v


SHAPES = {
    "rows": st.integers(1, 20),
    "cols": st.integers(1, 40) | st.sampled_from([1, 2, 63, 64, 255, 256]),
    "density": st.sampled_from([0.0, 0.2, 1.0]),
    "extreme": st.booleans(),
    "seed": st.integers(0, 2**32 - 1),
}


@settings(max_examples=60, deadline=None)
@given(**SHAPES, add=st.booleans())
def test_a_product(kernel, rows, cols, density, extreme, seed, add):
    rng = np.random.default_rng(seed)
    matrix, v = draw(rng, rows, cols, density, extreme)
    if not kernel.form.fits(Product("M", matrix, "s16", np.ones(cols))):
        matrix[:, 2 * armv7m.MAX_PAIRS :] = 0
    acc = rng.integers(-(2**29), 2**29, rows)
    expected = ops.matvec(matrix, v[None].astype(np.int64))[0] + add * acc
    np.testing.assert_array_equal(kernel.product(matrix, v, acc, add), expected)


@settings(max_examples=40, deadline=None)
@given(**SHAPES, w_cols=st.integers(1, 20), align=st.integers(0, 5))
def test_both_products_in_one_pass(dense, rows, cols, density, extreme, seed, w_cols, align):
    rng = np.random.default_rng(seed)
    n, w = draw(rng, rows, cols, density, extreme)
    m, v = draw(rng, rows, w_cols, density, extreme)
    v >>= align  # else a sum may pass int32
    expected = sum(
        ops.matvec(matrix, vector[None].astype(np.int64))[0] << shift
        for matrix, vector, shift in ((m, v, align), (n, w, 0))
    )
    np.testing.assert_array_equal(dense.both(m, v, align, n, w), expected)


def test_a_product_reaches_both_ends_of_int32(dense):
    v = np.full(511, INT16[0], np.int16)  # 511 * -128 * -32768 = 2^31 - 2^22, the most that fits
    matrix = np.array([[-128], [127], [0], [-128], [127]], np.int8).repeat(511, axis=1)
    expected = matrix.astype(np.int64) @ v
    np.testing.assert_array_equal(dense.product(matrix, v, np.zeros(5), False), expected)


def test_every_form_is_chosen():
    """By some policy, for some matrix."""
    for name in CORES:
        core, seen = core_of(name), set()
        for density in (1.0, 0.3, 0.02):
            model = safe_model("fastgrnn", 1, {"features": 9, "hidden": 19}, density, False)
            for policy in POLICIES:
                seen |= set(make_plan(model, core, policy).storage.values())
        assert {form.name for form in core.forms} <= seen, name
