"""What harness/firmware/armv6m.py expects a product to cost, against the emulator's count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.firmware import armv6m
from harness.firmware.cores import core_of
from harness.firmware.plan import make_plan
from harness.firmware.storage import Cost
from tests.models import random_qmodel

from .test_armv6m import Network

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

FORMS = {form.name: form for form in (*armv6m.FORMS, armv6m.CODE)}
FULL, SPARSE = [(16, 9, 1.0), (33, 7, 1.0)], [(16, 9, 0.4), (20, 40, 0.25)]
CASES = [
    (name, shape) for name in FORMS for shape in (SPARSE if name == "pairs" else FULL + SPARSE)
]
OVERHEAD = 60  # saving registers, loading addresses
TOLERANCE = 0.06


def keep_only(name, core, model, folder, monkeypatch, network_type=Network):
    """A network whose products all have one form, with its plan and room for their sums."""
    only = replace(core, forms=tuple(f for f in core.forms if f.name in (name, "dense")))
    if name != "dense":  # the classifier is; the others must not be
        dense = next(form for form in only.forms if form.name == "dense")
        slow = replace(dense, cost=dict.fromkeys(dense.cost, Cost(call=1e9)))
        only = replace(only, forms=(*(f for f in only.forms if f.name == name), slow))
    policy = "speed" if name == "code" else "balanced"
    plan = make_plan(model, only, policy)
    assert {form.name for p, form in plan.kept if p.name != "F"} == {name}
    monkeypatch.setattr("harness.firmware.render.core_of", lambda _: only)
    network = network_type(model, policy, folder)
    assert network.rendered.storage == plan.storage
    network.program.call("rnn_model_reset")
    sums = np.zeros(model.cell_class.rows(model.dims) + 3, np.int32)
    return network.program, network.program.place(sums), plan


def expected_cycles(plan):
    return sum(form.cycles(p) for p, form in plan.kept if p.name != "F")


@pytest.mark.parametrize(("name", "shape"), CASES, ids=str)
def test_a_product_costs_what_was_expected(name, shape, tmp_path, monkeypatch):
    hidden, features, density = shape
    model = random_qmodel("rnn", hidden=hidden, features=features, density=density, companded=False)
    core = core_of("cortex-m0plus")
    program, sums, plan = keep_only(name, core, model, tmp_path, monkeypatch)
    cycles, expected = program.call("rnn_products", sums), expected_cycles(plan)
    assert abs(cycles - expected) <= OVERHEAD + TOLERANCE * expected
