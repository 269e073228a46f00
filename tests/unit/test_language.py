"""Language models: perplexity, the state that runs on, and the states of every cell."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.datasets import TextDataset
from harness.errors import DataError, UsageError
from harness.language import LanguageHyper, build, perplexity, train_language
from harness.models import CELLS
from harness.presets import Hyper

WORDS = 40


def corpus(seed=0):
    """Each word is followed by one of three, so a perfect model has perplexity 3."""
    rng = np.random.default_rng(seed)
    follows = np.stack([rng.choice(WORDS, 3, replace=False) for _ in range(WORDS)])

    def text(n):
        words = [0]
        for choice in rng.integers(3, size=n - 1):
            words.append(follows[words[-1], choice])
        return np.array(words, np.int32)

    names = tuple(f"w{i}" for i in range(WORDS))
    return TextDataset("toy", text(2400), text(600), text(600), names)


def small(**changes):
    cell = Hyper(hidden=16, epochs=4, lr=2e-2, batch=10, weight_decay=0.0, nu_cap_times_steps=None)
    return replace(LanguageHyper(cell=cell, sequence=12), **changes)


@pytest.mark.parametrize("tied", [True, False])
def test_perplexity_falls_far_below_the_vocabulary(tied):
    seen = []
    h = small(tied=tied)
    found = train_language("fastgrnn", corpus(), h, progress=lambda *a: seen.append(a))
    assert [done for done, *_ in seen] == [1, 2, 3, 4]
    assert seen[-1][2] < seen[0][2]
    assert 3 < found.test < WORDS / 2 and 3 < found.validation < WORDS / 2
    shared = WORDS * 16
    cell = sum(p.numel() for p in found.model.cell.parameters())
    assert found.parameters == cell + shared * (1 if tied else 2) + WORDS


def test_equal_seeds_give_equal_bits():
    h = small(dropout=0.1)
    h = replace(h, cell=replace(h.cell, epochs=1))
    a, b, c = (train_language("gru", corpus(), h, seed=s) for s in (1, 1, 2))
    assert (a.train, a.validation, a.test) == (b.train, b.validation, b.test)
    assert a.test != c.test
    for p, q in zip(a.model.parameters(), b.model.parameters(), strict=True):
        assert torch.equal(p, q)


def test_an_untrained_model_is_about_as_unsure_as_the_vocabulary():
    h = small(tied=False)
    found = perplexity(build("fastgrnn", WORDS, h, 0), corpus().test, h)
    assert WORDS * 0.8 < found < WORDS * 2


def test_perplexity_is_the_definition_word_by_word():
    """One stream; the state carried by hand, probabilities from a plain softmax."""
    h = small(tied=False)
    h = replace(h, cell=replace(h.cell, batch=1))
    model = build("fastgrnn", WORDS, h, 3)
    tokens = corpus().test[:100]
    state = model.cell.start(1)
    nats = 0.0
    with torch.no_grad():
        for word, following in zip(tokens[:-1], tokens[1:], strict=True):
            state = model.cell.step(model.embedding.weight[[int(word)]], state)
            p = torch.softmax(model.softmax(state["h"])[0], 0)
            nats -= math.log(float(p[int(following)]))
    assert perplexity(model, tokens, h) == pytest.approx(math.exp(nats / 99), rel=1e-5)


def test_the_length_of_the_sequences_does_not_change_a_judgement():
    h = small()
    model = build("lstm", WORDS, h, 0)
    one, other = (perplexity(model, corpus().test, replace(h, sequence=n)) for n in (7, 60))
    assert one == pytest.approx(other, rel=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_states_of_every_cell_end_in_its_forward_and_can_be_carried(cell):
    torch.manual_seed(0)
    module = CELLS[cell].build(8, 10, Hyper(hidden=8)).double()
    x = torch.randn(3, 10, 8, dtype=torch.float64)
    hidden, state = module.states(x)
    assert hidden.shape == (3, 10, 8)
    torch.testing.assert_close(hidden[:, -1], module(x))
    torch.testing.assert_close(hidden[:, 3], module(x[:, :4]))
    first, between = module.states(x[:, :4])
    second, last = module.states(x[:, 4:], between)
    torch.testing.assert_close(torch.cat([first, second], 1), hidden)
    torch.testing.assert_close(last["h"], state["h"])


def test_gradients_reach_every_parameter_but_not_past_a_sequence():
    h = small(tied=False)
    model = build("fastgrnn", WORDS, h, 0)
    logits, state = model(torch.arange(12).view(2, 6), None)
    logits.logsumexp(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert state["h"].shape == (2, 16)


def test_what_cannot_be_trained():
    with pytest.raises(DataError, match="5 words are too few for 10 parallel streams"):
        train_language("fastgrnn", replace(corpus(), train=np.arange(5, dtype=np.int32)), small())
    with pytest.raises(UsageError, match="unknown cell 'fastgrn'"):
        train_language("fastgrn", corpus(), small())
    with pytest.raises(UsageError, match="dropout is 1"):
        LanguageHyper(dropout=1.0)
    with pytest.raises(UsageError, match="sequence is 0"):
        LanguageHyper(sequence=0)
