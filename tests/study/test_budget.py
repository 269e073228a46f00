"""Bytes before training: never below what the firmware links, and H as large as fits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.datasets import Standardisation
from harness.errors import DoesNotFit, UsageError
from harness.firmware.render import render_sources
from harness.floatmodel import FloatModel
from harness.models import CELLS as FLOAT_CELLS
from harness.presets import PRESETS, Hyper, parse_model_name
from harness.quantize import quantise
from harness.reference import CELLS, Dims
from harness.study import space
from harness.study.budget import SPARSE, kept, largest_hidden, model_bytes, sparse_u
from harness.train import build

STEPS = 4
PLACES = {  # of a firmware; none of them has to do with the model's bytes
    "board_name": "mkr1000",
    "hal": "samd21",
    "clock_hz": 48_000_000,
    "baud": 115_200,
    "max_payload": 1_000,
}


@st.composite
def shapes(draw):
    """A cell with sizes, ranks and densities, and numbers to fill it from."""
    cell = CELLS[draw(st.sampled_from(sorted(CELLS)))]
    hidden = cell.multiple * draw(st.integers(1, 40))
    ranks = st.none() | st.integers(1, hidden) if cell.low_rank else st.none()
    densities = st.just(1.0) | st.floats(0.05, 1.0)
    return {
        "cell": cell.name,
        "hidden": hidden,
        "features": draw(st.integers(1, 50)),
        "rank_w": draw(ranks),
        "rank_u": draw(ranks),
        "densities": {"W": draw(densities), "U": draw(densities) if cell.low_rank else 1.0},
        "seed": draw(st.integers(0, 99)),
    }


def quantised(shape):
    """An untrained network of the shape, with exactly the weights that sparsification leaves."""
    rng = np.random.default_rng(shape["seed"])
    spec = parse_model_name(shape["cell"])
    sizes = {name: shape[name] for name in ("hidden", "rank_w", "rank_u")}
    network = build(spec.cell, shape["features"], 3, STEPS, Hyper(**sizes, options=spec.options), 0)
    tensors = network.export()
    for name, matrix in tensors.items():
        if name in SPARSE["W"] + SPARSE["U"]:
            count = kept(matrix.size, shape["densities"][name[0]])
            dropped = rng.choice(matrix.size, matrix.size - count, replace=False)
            matrix.reshape(-1)[dropped] = 0.0
    features = shape["features"]
    model = FloatModel(
        cell=spec.cell,
        dims=Dims(features, shape["hidden"], 3, shape["rank_w"], shape["rank_u"], spec.options),
        steps=STEPS,
        dataset="random",
        class_names=("a", "b", "c"),
        tensors=tensors,
        scalars=network.cell.scalars(),
        standardisation=Standardisation(np.zeros(features), np.ones(features)),
        raw_step=np.full(features, 0.01),
        companded=np.zeros(features, bool),
    )
    return quantise(model, rng.normal(size=(8, STEPS, features)).astype(np.float32))


@settings(max_examples=100, deadline=None)
@given(shapes())
def test_the_firmware_never_has_more_model_bytes_than_were_promised(tmp_path_factory, shape):
    model = quantised(shape)
    promised = model_bytes(
        model.cell_class, model.dims, shape["densities"]["W"], shape["densities"]["U"]
    )
    bench_raw = np.zeros((STEPS, shape["features"]), np.int16)
    folder = tmp_path_factory.mktemp("sources") / "src"
    linked = render_sources(model, bench_raw=bench_raw, destination=folder, **PLACES).model_bytes
    assert linked <= promised
    if model.cell != "eurnn":  # whose fresh U has many zeros of its own
        assert linked > 0.5 * promised  # so the promise is not an idle one


@pytest.mark.parametrize("name", sorted(CELLS))
def test_u_can_be_sparse_exactly_where_training_can_make_it_so(name):
    network = FLOAT_CELLS[name].build(5, 8, Hyper(hidden=8, options={}))
    found = {matrix[0] for matrix in network.matrices()}
    assert found == ({"W", "U"} if sparse_u(CELLS[name]) else {"W"})


def subjects():
    specs = [parse_model_name(name) for name in sorted(CELLS)]
    return [space.subject(s.cell, s.options, 9, 2, "quick", "har2", {}) for s in specs]


@pytest.mark.parametrize("subject", subjects(), ids=lambda s: s.cell)
@pytest.mark.parametrize("low_rank", space.LOW_RANK)
def test_h_is_the_largest_that_fits(subject, low_rank):
    if low_rank != "none" and not CELLS[subject.cell].low_rank:
        return
    point = space.Settings(0.6, 0.3, 1e-2, 0.0, False, low_rank, 0.25)
    for budget in (600, 1024, 8192):
        hidden = subject.overrides(point, budget)["hidden"]
        assert subject.bytes_at(point, hidden) <= budget
        assert subject.bytes_at(point, hidden + CELLS[subject.cell].multiple) > budget


def test_a_budget_below_the_smallest_network_says_by_how_much():
    with pytest.raises(DoesNotFit, match="7 bytes, 3 more than 4") as caught:
        largest_hidden(CELLS["gru"], 4, lambda hidden: 7 * hidden)
    assert caught.value.over_bytes == 3


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("dataset", ["digits", "har2", "dsa19"])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_every_search_begins_with_three_points_of_its_space(preset, dataset, cell):
    first = space.subject(cell, {}, 9, 2, preset, dataset, {}).first_points()
    assert len(set(first)) == 3
    assert (first[0].density_w, first[0].density_u) == (1.0, 1.0)
    for point in first:
        for value, (low, high) in (
            (point.density_w, space.DENSITY_W),
            (point.density_u, space.DENSITY_U),
            (point.lr, space.LR),
            (point.weight_decay, space.WEIGHT_DECAY),
        ):
            assert low <= value <= high


def test_what_the_search_draws_cannot_be_set():
    with pytest.raises(UsageError, match="--set hidden .* the search draws it"):
        space.subject("gru", {}, 9, 2, "quick", "har2", {"hidden": 5})


@pytest.mark.parametrize("subject", subjects(), ids=lambda s: s.cell)
def test_density_counts_for_every_matrix_of_a_cell_but_the_classifier(subject):
    point = space.Settings(1.0, 1.0, 1e-2, 0.0, False)
    spec = CELLS[subject.cell].tensor_spec(subject.dims(point, 16))
    weights = {name for name, (_, shape) in spec.items() if len(shape) == 2} - {"F"}
    assert weights <= {name for group in SPARSE.values() for name in group}
