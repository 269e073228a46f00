"""Language models: perplexity, the state that runs on, and the states of every cell."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness import language
from harness.datasets import TextDataset
from harness.errors import DataError, ResultError, UsageError
from harness.language import build, perplexity, stages, train_language
from harness.language_presets import LanguageHyper, language_hyper
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
    cell = Hyper(hidden=16, epochs=4, lr=2e-2, batch=10, weight_decay=0.0)
    return replace(LanguageHyper(cell=cell, sequence=12), **changes)


@pytest.mark.parametrize("tied", [True, False])
def test_perplexity_falls_far_below_the_vocabulary(tied):
    seen = []
    h = small(tied=tied)
    found = train_language(
        "fastgrnn", corpus(), h, progress=lambda done, total: seen.append((len(done), total))
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert found.epochs[-1].train < found.epochs[0].train
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
    hidden, state = model(torch.arange(12).view(2, 6), None)
    model.softmax(hidden).logsumexp(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert state["h"].shape == (2, 16)


@pytest.mark.parametrize("slice_words", [1, 5, 12, 100])
def test_the_loss_in_slices_is_the_loss(monkeypatch, slice_words):
    monkeypatch.setattr(language, "SLICE_WORDS", slice_words)
    h = small(tied=True)
    model = build("gru", WORDS, h, 0).double()
    words, following = torch.arange(12).view(2, 6), torch.arange(20, 32).view(2, 6)
    hidden, _ = model(words, None)
    loss = torch.nn.functional.cross_entropy(
        model.softmax(hidden).flatten(0, 1), following.flatten()
    )
    loss.backward()
    expected = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    hidden, _ = model(words, None)
    seen = hidden.detach().requires_grad_()
    assert model.nats(seen, following, backward=True) == pytest.approx(12 * float(loss.detach()))
    hidden.backward(seen.grad)
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_what_cannot_be_trained():
    with pytest.raises(DataError, match="5 words are too few for 10 parallel streams"):
        train_language("fastgrnn", replace(corpus(), train=np.arange(5, dtype=np.int32)), small())
    with pytest.raises(UsageError, match="unknown cell 'fastgrn'"):
        train_language("fastgrn", corpus(), small())
    with pytest.raises(UsageError, match="dropout is 1"):
        LanguageHyper(dropout=1.0)
    with pytest.raises(UsageError, match="sequence is 0"):
        LanguageHyper(sequence=0)


# -- stages, checkpoints, compression --------------------------------------------------------------

COMPRESSED = {"density_w": 0.25, "density_u": 0.5, "epochs": 2, "epochs_sparse": 2,
              "epochs_frozen": 1, "epochs_rounded": 1}  # fmt: skip


def compressed(**changes):
    h = small(dropout=0.1)
    return replace(h, cell=replace(h.cell, **(COMPRESSED | changes)))


def test_stages_are_those_of_windows_and_the_support_stays():
    h = compressed(rank_w=4)
    found = train_language("fastgrnn", corpus(), h, quantised=True)
    assert [e.stage for e in found.epochs] == [
        "first", "first", "sparse", "sparse", "frozen", "rounded",
    ]  # fmt: skip
    for name, parameter in found.model.cell.matrices().items():
        density = h.cell.density_w if name.startswith("W") else h.cell.density_u
        assert int((parameter != 0).sum()) == round(density * parameter.numel()), name


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5])
def test_a_killed_training_ends_with_the_same_bits(tmp_path, after):
    class Kill(Exception):
        pass

    def kill(epochs, total):
        if len(epochs) == after:
            raise Kill

    h, data, file = compressed(), corpus(), tmp_path / "checkpoint.pt"
    whole = train_language("fastgrnn", data, h, 1)
    with pytest.raises(Kill):
        train_language("fastgrnn", data, h, 1, progress=kill, checkpoint=file)
    again = train_language("fastgrnn", data, h, 1, checkpoint=file)
    assert len(again.epochs) == 6
    assert (again.train, again.validation, again.test) == (
        whole.train,
        whole.validation,
        whole.test,
    )
    for p, q in zip(again.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(p, q)


def test_a_damaged_checkpoint_counts_as_none(tmp_path):
    file = tmp_path / "checkpoint.pt"
    file.write_bytes(b"PK\x03\x04 half a checkpoint")
    h = small()
    h = replace(h, cell=replace(h.cell, epochs=1))
    assert train_language("rnn", corpus(), h, checkpoint=file).epochs[0].stage == "first"


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_learns_and_can_be_judged_with_rounded_matrices(cell):
    h = small()
    h = replace(h, cell=replace(h.cell, epochs=1))
    found = train_language(cell, corpus(), h, quantised=True)
    assert found.test < WORDS
    assert found.test == pytest.approx(found.test_float, rel=0.05)
    assert found.test != found.test_float
    floats = train_language(cell, corpus(), h)
    assert floats.test == floats.test_float == found.test_float
    assert floats.cell_bytes == 4 * found.cell_bytes


def test_fastgrnn_s_state_cannot_drift_over_a_long_text():
    """|h| <= zeta + nu / (1 - z): nu stays below 1.28 / 1000 whatever the learning rate."""
    for rate in (2e-3, 5e-2):
        h = small()
        h = replace(h, cell=replace(h.cell, epochs=1, lr=rate))
        cell = train_language("fastgrnn", corpus(), h).model.cell
        assert float(cell.nu.detach()) <= 1.28e-3 * (1 + 1e-5)


def test_bytes_of_the_cell_are_the_paper_s_account():
    h = small()
    h = replace(h, cell=replace(h.cell, epochs=1))
    lstm = train_language("lstm", corpus(), h)
    assert lstm.cell_bytes == 4 * (8 * 16**2 + 4 * 16)
    sparse = train_language("fastgrnn", corpus(), compressed(epochs_rounded=0), quantised=True)
    w, u = round(0.25 * 16 * 16), 16 * 16  # half of U is not fewer than half: no index
    assert sparse.cell_bytes == 2 * w + u + 2 * 16


def test_divergence_is_an_error_with_advice():
    h = small()
    h = replace(h, cell=replace(h.cell, lr=1e37))
    with pytest.raises(ResultError, match="diverged in epoch 1 of stage first") as caught:
        train_language("rnn", corpus(), h)
    assert "lower the learning rate" in caught.value.hint


# -- presets ---------------------------------------------------------------------------------------


def test_presets_follow_the_model_s_name():
    full, dense = (language_hyper("paper", name) for name in ("fastgrnn", "fastgrnn-lsq"))
    assert (full.cell.rank_w, full.cell.density_u, full.sequence) == (64, 0.3, 300)
    assert (dense.cell.rank_w, dense.cell.density_u) == (None, 1.0)
    assert [s.name for s in stages(dense.cell)] == ["first"]
    assert language_hyper("smoke", "fastrnn+relu").cell.options["activation"] == "relu"
    assert language_hyper("smoke", "lstm", {"hidden": 8, "tied": False}).tied is False


@pytest.mark.parametrize("preset", ["smoke", "quick", "paper"])
@pytest.mark.parametrize("cell", CELLS)
def test_every_preset_builds_every_cell(preset, cell):
    model = build(cell, WORDS, language_hyper(preset, cell), 0)
    assert model.embedding.weight.shape[1] == model.cell.hidden


@pytest.mark.parametrize("name", ["noise", "channel_dropout", "state_bits", "hiden", "options"])
def test_what_means_nothing_for_text_is_refused(name):
    with pytest.raises(UsageError, match=f"of a language model '{name}'"):
        language_hyper("smoke", "fastgrnn", {name: 1})
