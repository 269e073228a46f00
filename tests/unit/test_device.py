"""Training on another device. There is no GPU here: `meta`, a device without numbers, stands in
for one wherever no number is read, and every tensor a step makes must be on the network's device.
Nothing here shows what a GPU computes; on a machine with one, the last tests train on it, too."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from harness import fused, pipeline
from harness.cli import cli
from harness.compress import Sparsifier, largest
from harness.errors import UsageError
from harness.language import LanguageModel
from harness.models import CELLS, Network
from harness.presets import Hyper
from harness.reference import CELLS as INTEGER_CELLS
from harness.train import (
    DEVICES,
    Stage,
    Training,
    _disturb,
    _optimiser,
    _step,
    build,
    find_device,
    fit,
)
from tests.unit.test_train import SMALL, tiny_dataset

HERE = [name for name in DEVICES if name == "cpu" or torch.cuda.is_available()]
FORMS = [
    (cell, Hyper(hidden=8, options={**integer.choices({}), option: value}))
    for cell, integer in INTEGER_CELLS.items()
    for option, values in (integer.options or {"": ("",)}).items()
    for value in values
]
FORMS = [(c, h if "" not in h.options else Hyper(hidden=8)) for c, h in FORMS]
FORMS += [
    (cell, Hyper(hidden=8, rank_w=2, rank_u=3, options=integer.choices({})))
    for cell, integer in INTEGER_CELLS.items()
    if integer.low_rank
]
every_form = pytest.mark.parametrize(("cell", "h"), FORMS, ids=lambda v: getattr(v, "hidden", v))


@every_form
def test_a_step_on_another_device_makes_nothing_on_the_cpu(cell, h):
    network = Network(CELLS[cell].build(4, 10, h), 3).to("meta")
    optimiser = _optimiser(network, 1e-2, 0.03)
    x, y = torch.empty(5, 10, 4, device="meta"), torch.zeros(5, dtype=torch.int64, device="meta")
    loss, hits = _step(network, optimiser, x, y, 1e-2, 1.0)
    assert loss.is_meta and hits.is_meta
    assert all(p.grad is None or p.grad.is_meta for p in network.parameters())


@every_form
@pytest.mark.parametrize("kernel", [False, True], ids=["plain", "kernel"])
def test_a_step_leaves_no_device_to_torch(monkeypatch, cell, h, kernel):
    """Tensors made without naming a device are on `meta` here, and cannot meet the network's. The
    plain form is the one that a GPU computes."""
    if not kernel:
        monkeypatch.setattr(fused, "supports", lambda x, hidden: False)
    network = Network(CELLS[cell].build(4, 10, h), 3)
    optimiser = torch.optim.SGD(network.parameters())  # AdamW itself makes such a tensor, a counter
    x, y = torch.randn(5, 10, 4), torch.zeros(5, dtype=torch.int64)
    with torch.device("meta"):
        loss, _ = _step(network, optimiser, x, y, 1e-2, 1.0)
    assert torch.isfinite(loss)


@every_form
def test_a_language_model_s_states_are_on_its_device(cell, h):
    model = LanguageModel(CELLS[cell].build(8, 10, h), 20, tied=True).to("meta")
    words = torch.zeros(3, 6, dtype=torch.int64, device="meta")
    hidden, state = model(words, None)
    again, _ = model(words, state)
    assert hidden.is_meta and again.is_meta and all(v.is_meta for v in state.values())


def test_noise_and_masks_go_where_the_network_is():
    x = torch.empty(5, 10, 4, device="meta")
    h = Hyper(noise=0.1, channel_dropout=0.2)
    assert _disturb(x, h, torch.Generator().manual_seed(0)).is_meta
    parameter = torch.nn.Parameter(torch.empty(6, 4, device="meta"))
    watch = Sparsifier({"U": (parameter, 0.5)}, frozen=True)
    watch.load_state({"U": torch.ones(6, 4, dtype=torch.bool)})  # as from a checkpoint, on the CPU
    watch.after_step(1, 30)
    assert watch.masks["U"].is_meta
    assert largest(parameter, 7).is_meta


# -- what is refused, and what the cache keeps apart -----------------------------------------------


@pytest.fixture
def without_gpu(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.usefixtures("without_gpu")
def test_no_gpu_is_refused_with_advice():
    with pytest.raises(UsageError, match="device cuda: torch .* (GPU|CUDA)") as caught:
        find_device("cuda")
    assert "--device cpu" in caught.value.hint
    with pytest.raises(UsageError, match="unknown device 'cud'") as caught:
        find_device("cud")
    assert "'cuda'" in caught.value.hint


@pytest.mark.usefixtures("without_gpu")
def test_what_a_cpu_trained_is_not_taken_for_a_gpu_s():
    def train(device):
        return pipeline.train_model("gru", tiny_dataset(), overrides=SMALL, device=device)

    assert not train("cpu").cached
    assert train("cpu").cached
    with pytest.raises(UsageError, match="device cuda"):
        train("cuda")


@pytest.mark.usefixtures("without_gpu")
@pytest.mark.parametrize(
    "command", ["train gru", "compress gru", "run -b uno --virtual --models gru"]
)
def test_the_commands_hand_the_device_on(command, tmp_path):
    arguments = [*command.split(), "--preset", "smoke", "--device", "cuda"]
    arguments += ["--out", str(tmp_path)] if "compress" not in command else []
    done = CliRunner().invoke(cli, arguments)
    assert isinstance(done.exception, UsageError) and "device cuda" in done.exception.message
    assert "--device cpu" in done.exception.hint


# -- on every device that is here ------------------------------------------------------------------


@pytest.mark.parametrize("device", HERE)
def test_a_device_repeats_its_bits_and_gives_the_network_back(device):
    d, h = tiny_dataset(), Hyper(hidden=6, batch=16, noise=0.1)
    weights = []
    for _ in range(2):
        network = build("fastgrnn", 4, 3, 6, h, 0)
        training = Training(network, d.train.x, d.train.y, h, 0, device=device)
        outcome = fit(training, Stage("dense", 0, 3, 2e-2))
        assert outcome.accuracy > 0.5
        assert {p.device.type for p in network.parameters()} == {"cpu"}
        weights.append(network.export())
    for name, tensor in weights[0].items():
        assert np.array_equal(tensor, weights[1][name]), name
