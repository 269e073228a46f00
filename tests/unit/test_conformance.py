"""The conformance vectors: what the generator writes, and what our cells compute."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.models import CELLS
from harness.reference import CELLS as INTEGER
from harness.reference.floats import Floats

FOLDER = Path(__file__).resolve().parents[1] / "golden" / "conformance"
FILE = json.loads((FOLDER / "fastcells.json").read_text())
CASES = FILE["cases"]


def generator():
    spec = importlib.util.spec_from_file_location("make_fastcells", FOLDER / "make_fastcells.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cell_of(case):
    """The torch cell of a case in float64, and the case's inputs [1, T, D]."""
    weights = {n: torch.tensor(v, dtype=torch.float64) for n, v in case["weights"].items()}
    factors = {n: weights[f"{n}2T"] for n in ("W", "U") if f"{n}2T" in weights}
    ranks = {f"rank_{n.lower()}": len(inner) for n, inner in factors.items()}
    sizes = FILE["sizes"]
    cell = CELLS[case["cell"]](sizes["features"], sizes["hidden"], **ranks, **case["options"])
    cell = cell.double()
    assert {name for name, _ in cell.named_parameters()} == set(weights)
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            parameter.copy_(weights[name])
    return cell, torch.tensor(case["inputs"], dtype=torch.float64)[None]


def test_the_file_is_what_its_generator_writes():
    made = json.loads(generator().text())
    assert {k: v for k, v in made.items() if k != "cases"} == {
        k: v for k, v in FILE.items() if k != "cases"
    }, "run python tests/golden/conformance/make_fastcells.py"
    for new, old in zip(made["cases"], CASES, strict=True):
        # another C library may round exp and tanh otherwise in the last place
        np.testing.assert_allclose(new.pop("states"), old["states"], rtol=0, atol=2e-12)
        assert new == {k: v for k, v in old.items() if k != "states"}


def test_every_variant_is_there_at_full_and_low_rank():
    names = {case["name"] for case in CASES}
    assert len(names) == len(CASES) == 16
    for cell in ("fastrnn", "fastgrnn"):
        for option, values in INTEGER[cell].options.items():
            for value in () if option in INTEGER[cell].formats else values:
                found = [c for c in CASES if c["options"].get(option) == value]
                assert {"W" in c["weights"] for c in found} == {True, False}, value


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_torch_cells_conform(case):
    cell, x = cell_of(case)
    state = cell.start(1)
    for t, expected in enumerate(case["states"]):
        state = cell.step(x[:, t], state)
        np.testing.assert_allclose(state["h"][0].detach().numpy(), expected, rtol=0, atol=2e-12)
    # forward may run a float32 kernel
    last = cell.float()(x.float())[0].detach().numpy()
    np.testing.assert_allclose(last, case["states"][-1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_numpy_steps_conform(case):
    cell, x = cell_of(case)
    tensors = {n: t.detach().float().numpy() for n, t in cell.export().items()}
    floats = Floats(tensors, cell.scalars(), case["options"])
    state = {"h": np.zeros((1, FILE["sizes"]["hidden"]), np.float32)}
    for t, expected in enumerate(case["states"]):
        x_t = x[:, t].float().numpy()
        state = INTEGER[case["cell"]].float_step(floats, x_t, state)
        np.testing.assert_allclose(state["h"][0], expected, rtol=0, atol=1e-5)
