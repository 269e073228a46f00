"""Forth and back: nothing is favoured by when it runs."""

from collections import defaultdict

import pytest

from harness.nightly.order import pieces
from harness.nightly.plan import parse


def plan(models=2, datasets=1, seeds=1, repeats=2):
    return parse(
        {
            "boards": {"uno-1": {"kind": "uno", "virtual": True}},
            "models": ["fastgrnn", "gru", "lstm", "rnn"][:models],
            "datasets": ["digits", "har6", "har2"][:datasets],
            "seeds": list(range(seeds)),
            "repeats": repeats,
        },
        "plan",
    )


def cells(plan):
    return [(p.dataset, p.seed, p.repeat, m) for p in pieces(plan) for m in p.models]


def test_two_models_twice_are_abba():
    assert [m for *_, m in cells(plan())] == ["fastgrnn", "gru", "gru", "fastgrnn"]


@pytest.mark.parametrize("models", [1, 2, 3, 4])
@pytest.mark.parametrize("seeds", [1, 2, 3])
@pytest.mark.parametrize("repeats", [2, 4])
def test_everything_is_measured_at_the_same_time_on_average(models, seeds, repeats):
    order = cells(plan(models=models, datasets=2, seeds=seeds, repeats=repeats))
    times = defaultdict(list)
    for time, (dataset, seed, _, model) in enumerate(order):
        times[dataset, seed, model].append(time)
    assert {sum(t) / len(t) for t in times.values()} == {(len(order) - 1) / 2}


@pytest.mark.parametrize("repeats", [1, 2, 3])
def test_every_cell_comes_once_in_each_repeat(repeats):
    asked = plan(models=3, datasets=2, seeds=2, repeats=repeats)
    order = cells(asked)
    assert len(set(order)) == len(order) == asked.cells
    assert [repeat for _, _, repeat, _ in order] == sorted(repeat for _, _, repeat, _ in order)
    names = [piece.name for piece in pieces(asked)]
    assert len(set(names)) == len(names)


def test_with_one_repeat_models_take_turns():
    order = cells(plan(seeds=2, repeats=1))
    assert [m for *_, m in order] == ["fastgrnn", "gru", "gru", "fastgrnn"]
