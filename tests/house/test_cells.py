"""Every cell has a page, and the index of docs/cells/ says of it what the registries say."""

import re
from pathlib import Path

import pytest

from harness.models import CELLS as FLOAT
from harness.reference import CELLS, Dims

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "cells"
CLASSIFIER = ("F", "b_F")


def index():
    """cell -> (link, source, formula, variants) of the table's rows."""
    lines = re.findall(
        r"^\| \[(\w+)\]\((.*?)\) \|(.*)\|$", (FOLDER / "README.md").read_text(), re.M
    )
    return {name: (link, *(c.strip() for c in rest.split("|"))) for name, link, rest in lines}


def evaluated(formula, d, h):
    """The formula's value: juxtaposed factors are multiplied."""
    assert re.fullmatch(r"[DH\d+/() ]+", formula), formula
    product = re.sub(r"(?<=[\w)]) (?=[\w(])", " * ", formula)
    return eval(product, {"__builtins__": {}}, {"D": d, "H": h})


def test_the_registries_and_the_index_name_the_same_cells():
    assert set(index()) == set(CELLS) == set(FLOAT)


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_has_a_page_that_the_index_links(cell):
    link, source, _, _ = index()[cell]
    assert link == f"{cell}.md"
    text = (FOLDER / link).read_text()
    assert text.lower().startswith(f"# {cell}")
    for part in ("parameter", "integer", "invariant"):
        assert part in text.lower(), part
    assert re.search(r"\b(19|20)\d\d$", source), source


@pytest.mark.parametrize("cell", CELLS)
def test_the_index_has_the_cells_variants(cell):
    options = CELLS[cell].options.items()
    assert index()[cell][3] == "; ".join(f"{name}: {', '.join(v)}" for name, v in options)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("features", "hidden"), [(3, 8), (9, 16), (1, 6)])
def test_the_index_counts_the_weights(cell, features, hidden):
    kind = CELLS[cell]
    spec = kind.tensor_spec(Dims(features, hidden, 2, options=kind.choices({})))
    count = sum(
        int(shape[0]) * (int(shape[1]) if len(shape) > 1 else 1)
        for name, (_, shape) in spec.items()
        if name not in CLASSIFIER
    )
    assert evaluated(index()[cell][2], features, hidden) == count


@pytest.mark.parametrize("cell", CELLS)
def test_a_page_explains_every_variant(cell):
    text = (FOLDER / f"{cell}.md").read_text()
    for values in CELLS[cell].options.values():
        for value in values:
            assert re.search(value, text, re.IGNORECASE), value
