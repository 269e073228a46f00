"""Training: the same bits again, also after a kill; exact sparsity; the cache; model names."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness import datasets, pipeline, presets
from harness.compress import Sparsifier, largest, ramp
from harness.datasets import Dataset, Windows
from harness.errors import ResultError, UsageError
from harness.floatmodel import FloatModel
from harness.presets import Hyper
from harness.train import Stage, Training, _disturb, build, fit

SMALL = {
    "hidden": 6, "epochs": 3, "epochs_sparse": 3, "epochs_frozen": 2,
    "batch": 16,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))


def tiny_dataset(n=96, steps=6, features=4, classes=3, seed=0):
    """Classes differ by the channel that carries a ramp."""
    rng = np.random.default_rng(seed)

    def part(count):
        y = np.arange(count) % classes
        x = rng.normal(0, 0.3, (count, steps, features)).astype(np.float32)
        x[np.arange(count), :, y] += np.linspace(0, 2, steps, dtype=np.float32)
        return Windows(x, y.astype(np.int64))

    return Dataset(
        name="tiny",
        train=part(n),
        validation=part(n // 3),
        test=part(n // 2),
        class_names=tuple("abc"[:classes]),
        channels=tuple(f"c{i}" for i in range(features)),
        raw_step=np.full(features, 2.0**-10),
        companded=np.zeros(features, np.bool_),
    )


def train(name="fastgrnn", seed=0, **kwargs):
    rounded = {"epochs_rounded": 2} if name.startswith("ornn") else {}
    overrides = {**SMALL, **rounded, **kwargs.pop("overrides", {})}
    return pipeline.train_model(name, tiny_dataset(), "quick", seed, overrides=overrides, **kwargs)


# -- names and presets ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "low_rank", "sparse", "quantised"),
    [
        ("fastgrnn", True, True, True),
        ("fastgrnn-q", True, True, False),
        ("fastgrnn-sq", True, False, False),
        ("fastgrnn-lsq", False, False, False),
        ("lstm", True, True, True),
        ("lstm-q", True, True, False),
        ("lstm-sq", True, False, False),
        ("eurnn-lsq", False, False, False),
    ],
)
def test_model_names(name, low_rank, sparse, quantised):
    spec = presets.parse_model_name(name)
    assert (spec.low_rank, spec.sparse, spec.quantised) == (low_rank, sparse, quantised)
    assert spec.cell == name.split("-")[0]
    assert name in presets.model_names()


@pytest.mark.parametrize("name", ["fastgrn", "lstm-", "fastgrnn-ql", "", "gru-x"])
def test_unknown_names_give_the_nearest(name):
    with pytest.raises(UsageError, match="unknown model") as caught:
        presets.parse_model_name(name)
    assert "known: " in caught.value.hint


def test_every_model_has_hyper_parameters_everywhere():
    for preset in presets.PRESETS:
        for dataset in ("digits", "har2", "anything"):
            for cell in presets.CELLS:
                assert presets.hyper(preset, dataset, cell).hidden > 0


def test_paper_preset_is_table_11():
    h = presets.hyper("paper", "har2", "fastgrnn")
    assert (h.hidden, h.rank_w, h.rank_u, h.density_w, h.density_u) == (80, 5, 40, 0.2, 0.3)


def test_bad_overrides_are_usage_errors():
    with pytest.raises(UsageError, match="unknown hyper-parameter 'hiden'"):
        presets.hyper("quick", "digits", "lstm", {"hiden": 3})
    with pytest.raises(UsageError, match="density_u is 1.5"):
        presets.hyper("quick", "digits", "fastgrnn", {"density_u": 1.5})
    with pytest.raises(UsageError, match="noise is -1"):
        presets.hyper("quick", "digits", "lstm", {"noise": -1})
    with pytest.raises(UsageError, match="channel_dropout is 1.0"):
        presets.hyper("quick", "digits", "lstm", {"channel_dropout": 1.0})
    with pytest.raises(UsageError, match="rank_w is 99"):
        presets.hyper("quick", "digits", "fastgrnn", {"rank_w": 99})
    with pytest.raises(UsageError, match="unknown preset 'quik'"):
        presets.hyper("quik", "digits", "lstm")


# -- sparsity ------------------------------------------------------------------------------------


def test_ramp_falls_from_one_to_the_target():
    values = [ramp(s, 100, 0.3) for s in range(101)]
    assert values[0] == 1.0 and values[60] == pytest.approx(0.3) == values[100]
    assert all(a >= b for a, b in zip(values, values[1:], strict=False))


def test_largest_keeps_exactly_count_even_with_ties():
    assert int(largest(torch.ones(4, 5), 7).sum()) == 7
    mask = largest(torch.tensor([[3.0, -5.0], [1.0, 0.0]]), 2)
    assert mask.tolist() == [[True, True], [False, False]]


def test_density_is_exact_and_the_support_stays_when_frozen(tmp_path):
    d = tiny_dataset()
    h = Hyper(**{**SMALL, "hidden": 10}, rank_u=4, density_w=0.5, density_u=0.3)
    network = build("fastgrnn", d.features, d.classes, d.steps, h, seed=1)
    x, y = datasets.features(d, "train"), d.train.y
    supports = []
    watch = Sparsifier.of(network.cell, h, frozen=False)
    training = Training(network, x, y, h, 1)
    fit(training, Stage("sparse", 1, 4, 1e-2), watch)
    matrices = network.cell.matrices()
    for name, p in matrices.items():
        target = 0.5 if name.startswith("W") else 0.3
        assert int(torch.count_nonzero(p)) == round(target * p.numel())
    before = {n: (p.detach() != 0).clone() for n, p in matrices.items()}
    values = {n: p.detach().clone() for n, p in matrices.items()}

    def progress(*args):
        supports.append({n: (p.detach() != 0).clone() for n, p in matrices.items()})

    frozen = Sparsifier.of(network.cell, h, frozen=True)
    fit(replace(training, progress=progress), Stage("frozen", 2, 3, 1e-2), frozen)
    assert len(supports) == 3
    for support in supports:
        assert all(torch.equal(support[n], before[n]) for n in before)
    assert any(not torch.equal(values[n], matrices[n]) for n in values)


def test_weights_can_come_back_at_a_projection():
    parameter = torch.nn.Parameter(torch.tensor([[1.0, 0.5, 0.1, 0.0]]))
    s = Sparsifier({"U": (parameter, 0.5)}, frozen=False)
    s.after_step(75, 100)  # past the ramp: two of four
    assert (parameter != 0).tolist() == [[True, True, False, False]]
    with torch.no_grad():
        parameter[0, 2] = 9.0
    s.after_step(76, 100)  # between projections: put back
    assert parameter[0, 2] == 0
    with torch.no_grad():
        parameter[0, 2] = 9.0
    s.after_step(90, 100)  # a projection: comes in, the smallest leaves
    assert (parameter != 0).tolist() == [[True, False, True, False]]


# -- repeatability -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fastgrnn", "lstm", "gru", "ornn"])
def test_the_same_seed_gives_the_same_bits(name, monkeypatch, tmp_path):
    first = train(name)
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "other"))
    second = train(name)
    assert not second.cached
    assert first.model_sha256 == second.model_sha256
    assert first.float_model.sha256 == second.float_model.sha256
    assert train(name, seed=1).model_sha256 != first.model_sha256


def test_channel_dropout_zeroes_whole_channels_of_a_window():
    x = torch.ones(200, 5, 8)
    generator = torch.Generator().manual_seed(3)
    dropped = _disturb(x, Hyper(channel_dropout=0.3), generator)
    per_channel = dropped.sum(1)
    assert set(per_channel.unique().tolist()) == {0.0, 5.0}  # all steps or none, nothing scaled
    assert abs(float((per_channel == 0).float().mean()) - 0.3) < 0.05
    again = _disturb(x, Hyper(channel_dropout=0.3), torch.Generator().manual_seed(3))
    assert torch.equal(dropped, again)
    assert _disturb(x, Hyper(), generator) is x
    noisy = _disturb(x, Hyper(channel_dropout=0.3, noise=0.1), torch.Generator().manual_seed(3))
    gone = (noisy == 0).all(1)  # the noise does not touch what is dropped
    assert torch.equal((noisy == 0).any(1), gone) and 0.2 < float(gone.float().mean()) < 0.4


def test_gains_and_offsets_are_one_for_all_steps_of_a_channel():
    x = torch.randn(200, 5, 4)
    gained = _disturb(x, Hyper(gain_noise=0.2), torch.Generator().manual_seed(1)) / x
    shifted = _disturb(x, Hyper(offset_noise=0.5), torch.Generator().manual_seed(1)) - x
    for drawn, mean, spread in ((gained, 1.0, 0.2), (shifted, 0.0, 0.5)):
        torch.testing.assert_close(drawn, drawn[:, :1].expand_as(drawn), rtol=1e-3, atol=1e-3)
        assert abs(float(drawn.mean()) - mean) < 0.1
        assert abs(float(drawn[:, 0].std()) - spread) < 0.1 * spread + 0.02


class Killed(Exception):
    pass


@pytest.mark.parametrize("name", ["fastgrnn", "ornn"])
@pytest.mark.parametrize("after", [1, 3, 4, 5])
def test_a_killed_training_resumes_to_the_same_bits(name, after, monkeypatch, tmp_path):
    overrides = {"density_u": 0.5, "noise": 0.1, "channel_dropout": 0.2}
    undisturbed = train(name, overrides=overrides)
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "other"))
    seen = []

    def killer(stage, done, total, loss, accuracy):
        seen.append((stage, done))
        if len(seen) == after:
            raise Killed

    with pytest.raises(Killed):
        train(name, overrides=overrides, progress=killer)
    stage, done = seen[-1]
    again = []
    resumed = train(name, overrides=overrides, progress=lambda *a: again.append(a[:2]))
    assert (stage, done) not in again  # what was done is not done again
    assert not set(again) & set(seen)
    assert resumed.model_sha256 == undisturbed.model_sha256


def test_a_damaged_checkpoint_starts_the_stage_over(tmp_path):
    def killer(*args):
        raise Killed

    with pytest.raises(Killed):
        train(progress=killer)
    (checkpoint,) = (tmp_path / "cache").rglob("checkpoint.*")
    checkpoint.write_bytes(b"garbage")
    train()
    assert not list((tmp_path / "cache").rglob("checkpoint.*"))


def test_divergence_is_reported():
    d = tiny_dataset()
    x = datasets.features(d, "train")
    x[0, 0, 0] = np.inf
    h = Hyper(**SMALL)
    network = build("lstm", d.features, d.classes, d.steps, h, seed=0)
    with pytest.raises(ResultError, match="diverged in epoch 1 of stage dense"):
        fit(Training(network, x, d.train.y, h, 0), Stage("dense", 0, 3, 1e-2))


# -- the pipeline --------------------------------------------------------------------------------


def test_it_learns_and_reports_every_stage():
    events = []
    trained = train(
        overrides={"hidden": 10, "epochs": 12, "density_u": 0.5, "rank_w": 3},
        progress=lambda *a: events.append(a),
    )
    assert [s.stage for s in trained.stages] == ["low-rank", "sparse", "quantised"]
    assert trained.accuracy_host > 0.9
    assert trained.accuracy_host == trained.stages[-1].accuracy_integer
    assert abs(trained.accuracy_float - trained.accuracy_host) < 0.05
    sizes = [s.model_bytes for s in trained.stages]
    assert sizes[0] > sizes[1] > sizes[2]
    assert trained.stages[1].density_u == pytest.approx(0.5)
    assert trained.qmodel.density("U") <= 0.5
    assert trained.qmodel.name == "fastgrnn" and trained.qmodel.dataset == "tiny"
    assert [e[0] for e in events] == ["low-rank"] * 12 + ["sparse"] * 3 + ["frozen"] * 2
    assert all(0 <= e[4] <= 1 and e[1] <= e[2] for e in events)


def test_float_forms_share_their_stages():
    overrides = {"density_u": 0.5}
    whole = train("fastgrnn", overrides=overrides)
    events = []
    floats = train("fastgrnn-q", overrides=overrides, progress=lambda *a: events.append(a))
    dense = train("fastgrnn-sq", overrides=overrides, progress=lambda *a: events.append(a))
    assert not events
    assert floats.qmodel is None and floats.accuracy_host is None
    assert floats.float_model.sha256 == whole.float_model.sha256
    assert floats.accuracy_float == whole.accuracy_float
    assert dense.stages[-1].density_u == 1.0


def test_hold_out_trains_on_less_and_reports_validation():
    held = train(hold_out=True)
    assert held.stages[-1].evaluated_on == "validation"
    assert held.accuracy_validation == held.stages[-1].accuracy_integer
    assert train().accuracy_validation is None
    assert train().model_sha256 != held.model_sha256


def test_a_second_call_is_cached_and_damage_is_noticed():
    first = train()
    second = train()
    assert not first.cached and second.cached
    assert second.model_sha256 == first.model_sha256
    assert second.stages == first.stages and second.accuracy_host == first.accuracy_host
    (first.folder / "model.npz").write_bytes(b"damage")
    third = train()
    assert not third.cached and third.model_sha256 == first.model_sha256
    (first.folder / "result.json").unlink()  # written last: without it nothing counts
    assert not train().cached


def test_without_torch_the_newest_result_is_taken(monkeypatch):
    first = train()
    monkeypatch.setattr(pipeline, "_torch_version", lambda: None)
    second = train()
    assert second.cached and second.model_sha256 == first.model_sha256
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError, match="training needs torch"):
        train(seed=7)


def test_a_cached_result_needs_no_torch():
    program = (
        "import sys\n"
        "from harness import pipeline\n"
        "o = dict(hidden=4, epochs=1, density_u=1.0)\n"
        "t = pipeline.train_model('gru', 'digits', 'smoke', overrides=o)\n"
        "x = __import__('harness.datasets').datasets.load('digits')\n"
        "print(t.cached, 'torch' in sys.modules, t.model_sha256)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    first, second = (r.stdout.split() for r in runs)
    assert first[:2] == ["False", "True"]
    assert second[:2] == ["True", "False"]
    assert first[2] == second[2]


def test_digits_smoke_reaches_its_target():
    trained = pipeline.train_model("fastgrnn", "digits", "smoke")
    assert trained.accuracy_host >= 0.93
    assert abs(trained.accuracy_host - trained.accuracy_float) < 0.01
    assert trained.stages[-1].model_bytes < 2048


@pytest.mark.parametrize("name", ["fastgrnn", "lstm", "gru", "ornn"])
def test_numpy_floats_equal_torch(name):
    d = tiny_dataset()
    h = Hyper(**SMALL)
    network = build(name, d.features, d.classes, d.steps, h, seed=0)
    x = datasets.features(d, "test")
    trained = train(name + "-q", overrides={"density_u": 1.0})
    tensors = {n: torch.from_numpy(a.copy()) for n, a in trained.float_model.tensors.items()}
    network.cell.load_export(tensors, dict(trained.float_model.scalars))
    with torch.no_grad():
        network.classifier.weight.copy_(tensors["F"])
        network.classifier.bias.copy_(tensors["b_F"])
        expected = network(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(trained.float_model.run(x).logits, expected, atol=2e-5)


def test_float_model_file_round_trip(tmp_path):
    model = train().float_model
    model.save(tmp_path / "m.npz")
    again = FloatModel.load(tmp_path / "m.npz")
    assert again.sha256 == model.sha256
    assert replace(again, scalars={"zeta": 0.1, "nu": 0.1}).sha256 != model.sha256


def test_seed_must_be_a_natural_number():
    with pytest.raises(UsageError, match="seed is -1"):
        train(seed=-1)
