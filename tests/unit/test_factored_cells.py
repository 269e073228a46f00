"""Cells that build U from factors: the factors' invariants, the penalty, the plain cell beneath."""

import dataclasses

import numpy as np
import pytest
import torch

from harness.models import CELLS, FactoredRNN, Network, SpectralRNN
from harness.models.cell import plain_forward
from harness.models.orthogonal import banded, cayley, deviation
from harness.models.plain import Plain
from harness.presets import Hyper, hyper
from harness.reference import CELLS as INTEGER
from harness.reference import Dims
from harness.reference.floats import Floats
from harness.train import Stage, Training, fit

D, H, N, T = 5, 7, 4, 11


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        yield


VARIANTS = [
    (SpectralRNN, {"activation": "leaky"}),
    (SpectralRNN, {"activation": "tanh", "count": 2}),
    (SpectralRNN, {"activation": "relu", "margin": 0.0}),
    (FactoredRNN, {"orthogonality": "cayley"}),
    (FactoredRNN, {"orthogonality": "soft", "activation": "tanh"}),
    (FactoredRNN, {"orthogonality": "equal"}),
]
HARD = [v for v in VARIANTS if v[1].get("orthogonality") != "soft"]


def moved(kind, options, size=H):
    """A cell whose parameters are far from where they started."""
    cell = kind(D, size, **options)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.add_(torch.randn_like(parameter))
    return cell


def trained(cell, steps=3):
    """The cell after a few epochs on windows whose class is the sign of their mean; lr is high."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (32, T, D)).astype(np.float32)
    y = (x.mean((1, 2)) > 0).astype(np.int64)
    network = Network(cell, 2)
    fit(Training(network, x, y, Hyper(batch=8), 0), Stage("dense", 0, steps, 0.05))
    return cell


def orthogonal(p):
    return float((p.t() @ p - torch.eye(len(p))).abs().max())


# -- the plain cell ------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), VARIANTS)
def test_fast_form_equals_plain_form(kind, options):
    cell, x = kind(D, H, **options), torch.randn(N, T, D)
    torch.testing.assert_close(cell(x), plain_forward(cell, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "options"), VARIANTS)
def test_gradients_in_float64(kind, options):
    cell = kind(2, 3, **options | ({"count": 2} if "count" in options else {})).double()
    x = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    wanted = [x, *cell.parameters()]
    fast = torch.autograd.grad(cell(x).square().sum(), wanted)
    plain = torch.autograd.grad(plain_forward(cell, x).square().sum(), wanted)
    for f, p in zip(fast, plain, strict=True):
        torch.testing.assert_close(f, p, rtol=1e-9, atol=1e-10)
    assert torch.autograd.gradcheck(cell, (x,))


@pytest.mark.parametrize(("kind", "options"), VARIANTS)
def test_torch_equals_the_reference_in_floats(kind, options):
    cell, x = moved(kind, options), torch.randn(N, T, D)
    tensors = {n: v.detach().numpy() for n, v in cell.export().items()}
    integer = INTEGER[cell.name]
    floats = Floats(tensors, {}, {"activation": options.get("activation", "leaky")})
    state = {"h": np.zeros((N, H), np.float32)}
    for t in range(T):
        state = integer.float_step(floats, x[:, t].numpy(), state)
    expected = cell(x).detach().numpy()
    np.testing.assert_allclose(state["h"], expected, rtol=2e-5, atol=2e-5)
    assert state["h"].dtype == np.float32


@pytest.mark.parametrize(("kind", "options"), VARIANTS)
def test_export_and_load_are_inverse(kind, options):
    first, second = moved(kind, options), kind(D, H, **options)
    x = torch.randn(N, T, D)
    second.load_export({k: v.detach().clone() for k, v in first.export().items()}, {})
    torch.testing.assert_close(second(x), first(x), rtol=1e-6, atol=1e-6)
    spec = INTEGER[kind.name].tensor_spec(Dims(D, H, 3))
    exported = Network(first, 3).export()
    assert all(exported[n].shape == shape for n, (_, shape) in spec.items())


@pytest.mark.parametrize("cell", [c for c in CELLS if issubclass(CELLS[c], Plain)])
def test_rounded_weights_are_bytes_and_still_learn(cell):
    model = CELLS[cell](D, H)
    model.round_weights()
    u, exact = model.U.detach().numpy(), model.recurrent().detach().numpy()
    unit = 2.0 ** np.floor(np.log2(127 / np.abs(exact).max()))
    np.testing.assert_array_equal(u * unit, np.round(u * unit))
    assert np.abs(u - exact).max() <= 0.5001 / unit
    model(torch.randn(2, 5, D)).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())


def test_factors_are_not_decayed():
    cell = SpectralRNN(D, H)
    assert {id(p) for p in cell.undecayed()} == {id(p) for p in (cell.V_p, cell.V_q, cell.s_raw)}
    assert set(cell.matrices()) == {"W"}


# -- orthogonality and the band ------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 24, 80])
@pytest.mark.parametrize(("kind", "options"), HARD)
def test_bases_are_orthogonal_wherever_the_parameters_are(kind, options, size):
    count = {"count": min(size, 2)} if "count" in options else {}
    for cell in (kind(D, size, **options | count), moved(kind, options | count, size)):
        for base in cell.bases():
            assert orthogonal(base.detach()) < 1e-5


@pytest.mark.parametrize(("kind", "options"), HARD)
def test_singular_values_stay_in_the_band_and_bases_orthogonal_in_training(kind, options):
    cell = kind(D, H, **options)
    before = cell.U.detach().clone()
    trained(cell)
    assert (cell.U.detach() - before).abs().max() > 1e-3
    s = torch.linalg.svdvals(cell.U.detach().double())
    assert 1 - cell.margin - 1e-5 < float(s.min()) <= float(s.max()) < 1 + cell.margin + 1e-5
    for base in cell.bases():
        assert orthogonal(base.detach()) < 1e-5


@pytest.mark.parametrize("rounded", [False, True])
def test_all_singular_values_start_at_one(rounded):
    for kind, options in VARIANTS:
        cell = kind(D, 16, **options)
        cell.rounded = rounded
        s = torch.linalg.svdvals(cell.U.detach())
        assert (s - 1).abs().max() < (0.05 if rounded else 1e-5)


def test_the_band_is_open_and_reached_from_both_sides():
    s = banded(torch.tensor([-30.0, 0.0, 30.0]), 0.25)
    torch.testing.assert_close(s, torch.tensor([0.75, 1.0, 1.25]))


def test_all_reflections_move_and_few_leave_a_subspace_alone():
    whole, few = SpectralRNN(D, 8, margin=0.0), SpectralRNN(D, 8, margin=0.0, count=2)
    for cell, still in ((whole, 0), (few, 4)):  # 2 reflections each fix at least 6 of 8 directions
        u = cell.U.detach().double()
        rank = torch.linalg.matrix_rank(u - torch.eye(8, dtype=torch.float64), rtol=1e-5)
        assert int(rank) <= 8 - still


@pytest.mark.parametrize("size", [7, 8])
def test_two_bases_of_reflections_turn_and_do_not_mirror(size):
    assert torch.linalg.det(moved(SpectralRNN, {}, size).U.detach().double()) > 0


def test_cayley_is_a_rotation_and_zero_is_the_identity():
    torch.testing.assert_close(cayley(torch.zeros(5, 5)), torch.eye(5))
    p = cayley(torch.randn(6, 6, dtype=torch.float64))
    assert float(torch.linalg.det(p)) == pytest.approx(1.0)
    assert deviation(p) < 1e-20


def test_equal_bases_give_a_symmetric_positive_matrix():
    cell = moved(FactoredRNN, {"orthogonality": "equal"})
    u = cell.U.detach().double()
    torch.testing.assert_close(u, u.t(), atol=1e-6, rtol=0)
    eigenvalues = torch.linalg.eigvalsh(u)
    assert 1 - cell.margin - 1e-5 < eigenvalues.min() <= eigenvalues.max() < 1.1 + 1e-5


# -- the penalty ---------------------------------------------------------------------------------


def test_only_soft_orthogonality_has_a_penalty():
    for name, kind in CELLS.items():
        assert kind(D, H + H % 2).penalty() is None, name
    cell = FactoredRNN(D, H, "soft", soft_weight=2.0)
    assert float(cell.penalty().detach()) < 1e-9
    with torch.no_grad():
        cell.P.mul_(2.0)  # P'P = 4 I: 9 for each of H columns
    assert float(cell.penalty().detach()) == pytest.approx(2.0 * 9 * H, rel=1e-5)


def test_training_lowers_the_penalty():
    cell = moved(FactoredRNN, {"orthogonality": "soft", "soft_weight": 1.0})
    before = float(cell.penalty().detach())
    trained(cell, steps=20)
    assert float(cell.penalty().detach()) < 0.1 * before


def test_the_loop_adds_whatever_a_cell_asks_for():
    class Pulled(FactoredRNN):
        def penalty(self):
            return 100.0 * (self.b - 1.0).square().sum()

    assert (trained(FactoredRNN(D, H), 20).b - 1.0).abs().max() > 0.5
    assert (trained(Pulled(D, H), 20).b - 1.0).abs().max() < 0.2


# -- hyper-parameters ----------------------------------------------------------------------------


def test_build_takes_the_preset_and_the_variant():
    h = Hyper(hidden=6, margin=0.2, reflections=3, soft_weight=0.5)
    spectral = SpectralRNN.build(D, T, h)
    assert (spectral.margin, spectral.V_p.shape, spectral.activation) == (0.2, (6, 3), "leaky")
    options = {"orthogonality": "soft", "activation": "tanh"}
    factored = FactoredRNN.build(D, T, dataclasses.replace(h, options=options))
    assert (factored.margin, factored.soft_weight) == (0.2, 0.5)
    assert (factored.orthogonality, factored.activation) == ("soft", "tanh")


@pytest.mark.parametrize("preset", ["smoke", "quick", "paper"])
def test_cells_without_a_row_of_their_own_borrow_one(preset):
    for dataset in ("digits", "har2"):
        h = hyper(preset, dataset, "spectralrnn")
        assert h.epochs_rounded > 0
        assert h.hidden == hyper(preset, dataset, "ornn").hidden
