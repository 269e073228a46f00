"""What harness/firmware/armv7m.py expects products to cost, against the middle of the bracket."""

from __future__ import annotations

import pytest

from harness.firmware.cores import core_of
from tests.models import random_qmodel

from .armv7m import CORES, NETWORKS
from .test_armv6m_costs import expected_cycles, keep_only

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

FULL, SPARSE = [(16, 9, 1.0), (33, 7, 1.0)], [(20, 40, 0.25)]
CASES = [
    (core, form.name, shape)
    for core in CORES
    for form in core_of(core).forms
    for shape in (SPARSE if form.name in ("pairs", "index", "bitmap") else FULL)
]
OVERHEAD = 60  # saving registers, loading addresses
TOLERANCE = 0.12


@pytest.mark.parametrize(("core", "form", "shape"), CASES, ids=str)
def test_a_product_costs_what_was_expected(core, form, shape, tmp_path, monkeypatch):
    hidden, features, density = shape
    model = random_qmodel("rnn", hidden=hidden, features=features, density=density, companded=False)
    program, sums, plan = keep_only(
        form, core_of(core), model, tmp_path, monkeypatch, NETWORKS[core]
    )
    cycles, expected = program.span("rnn_products", sums).middle, expected_cycles(plan)
    assert abs(cycles - expected) <= OVERHEAD + TOLERANCE * expected
