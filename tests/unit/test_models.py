"""Cells: the fast form equals the plain one, torch's own cells, and an independent numpy form."""

import numpy as np
import pytest
import torch

from harness.models import CELLS, GRU, LSTM, ORNN, FastGRNN, Network
from harness.models.cell import plain_forward
from harness.models.orthogonal import reflections
from harness.models.plain import SLOPE

D, H, N, T = 5, 7, 4, 11


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        yield


def make(name, **ranks):
    return CELLS[name](D, H, **ranks)


ALL = [
    ("fastgrnn", {}),
    ("fastgrnn", {"rank_w": 2, "rank_u": 3}),
    ("fastgrnn", {"rank_u": 3}),
    ("lstm", {}),
    ("gru", {}),
    ("ornn", {}),
    ("gru", {"rank_w": 2, "rank_u": 3}),
    ("lstm", {"rank_w": 2, "rank_u": 3}),
    ("fastgrnn", {"gate": "tanh"}),
    ("rnn", {}),
    ("rnn", {"activation": "relu", "rank_w": 2, "rank_u": 3}),
    ("ugrnn", {}),
    ("ugrnn", {"rank_w": 2, "rank_u": 3}),
    ("fastrnn", {}),
    ("fastrnn", {"activation": "sigmoid", "rank_u": 3}),
    ("fastrnn", {"activation": "relu", "rank_w": 2, "rank_u": 3}),
    ("fastrnn", {"form": "vector"}),
    ("fastrnn", {"form": "vector", "activation": "relu"}),
]


@pytest.mark.parametrize(("name", "ranks"), ALL)
def test_fast_form_equals_plain_form(name, ranks):
    cell, x = make(name, **ranks), torch.randn(N, T, D)
    torch.testing.assert_close(cell(x), plain_forward(cell, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "ranks"), ALL)
def test_gradients_equal_autograd_of_the_plain_form(name, ranks):
    cell = make(name, **ranks).double()
    x = torch.randn(N, T, D, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(N, H, dtype=torch.float64)
    wanted = [x, *cell.parameters()]
    fast = torch.autograd.grad((cell(x) * weight).sum(), wanted)
    plain = torch.autograd.grad((plain_forward(cell, x) * weight).sum(), wanted)
    for f, p in zip(fast, plain, strict=True):
        torch.testing.assert_close(f, p, rtol=1e-9, atol=1e-10)


def test_gradcheck_of_the_written_out_gradients():
    x = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    for cell in (FastGRNN(2, 3).double(), GRU(2, 3).double(), ORNN(2, 3).double()):
        assert torch.autograd.gradcheck(cell, (x,))


def test_float32_gradients_are_close_to_float64():
    cell, x = FastGRNN(D, 16), torch.randn(8, 64, D)
    single = torch.autograd.grad(cell(x).square().sum(), list(cell.parameters()))
    cell = cell.double()
    double = torch.autograd.grad(cell(x.double()).square().sum(), list(cell.parameters()))
    for s, d in zip(single, double, strict=True):
        assert (s - d).abs().max() <= 1e-4 * d.abs().max()


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def test_fastgrnn_equals_an_independent_numpy_form():
    cell, x = FastGRNN(D, H), torch.randn(N, T, D)
    p = {k: v.detach().double().numpy() for k, v in cell.named_parameters()}
    zeta, nu = sigmoid(p["zeta_raw"]), sigmoid(p["nu_raw"])
    h = np.zeros((N, H))
    for t in range(T):
        for n in range(N):
            a = p["W"] @ x[n, t].double().numpy() + p["U"] @ h[n]
            z, c = sigmoid(a + p["b_z"]), np.tanh(a + p["b_h"])
            h[n] = (zeta * (1 - z) + nu) * c + z * h[n]
    np.testing.assert_allclose(cell(x).detach().numpy(), h, atol=1e-5)
    assert abs(zeta - 0.7311) < 1e-4 and abs(nu - 0.018) < 1e-4


@pytest.mark.parametrize(("kind", "peer"), [(LSTM, torch.nn.LSTM), (GRU, torch.nn.GRU)])
def test_lstm_and_gru_are_torchs(kind, peer):
    cell, x = kind(D, H), torch.randn(N, T, D)
    other = peer(D, H, batch_first=True)
    with torch.no_grad():
        other.weight_ih_l0.copy_(cell.W)
        other.weight_hh_l0.copy_(cell.U)
        other.bias_ih_l0.copy_(cell.b_ih)
        other.bias_hh_l0.copy_(cell.b_hh)
    expected = other(x)[0][:, -1]
    assert (plain_forward(cell, x) - expected).abs().max() < 1e-6
    assert (cell(x) - expected).abs().max() < 1e-6


@pytest.mark.parametrize("size", [1, 2, 24, 80])
def test_the_recurrent_matrix_is_orthogonal(size):
    cell = ORNN(3, size)
    u = cell.U.detach()
    assert (u @ u.t() - torch.eye(size)).abs().max() < 1e-5


def test_reflections_are_the_product_written_out():
    v = torch.randn(6, 4, dtype=torch.float64)
    product = torch.eye(6, dtype=torch.float64)
    for k in range(4):
        column = v[:, k]
        product = product @ (
            torch.eye(6, dtype=torch.float64) - 2 * torch.outer(column, column) / column.dot(column)
        )
    torch.testing.assert_close(reflections(v), product)


def test_rounded_ornn_has_a_byte_matrix_and_still_learns():
    cell = ORNN(3, 8)
    cell.round_weights()
    u = cell.U.detach().numpy()
    np.testing.assert_array_equal(u * 128, np.round(u * 128))
    assert np.abs(u - cell.orthogonal.detach().numpy()).max() <= 1 / 64
    cell(torch.randn(2, 5, 3)).sum().backward()
    assert cell.V.grad.abs().sum() > 0


def test_ornn_leak_is_the_integer_cells():
    assert SLOPE == 0.1015625


def test_nu_cap_holds_from_the_start_and_after_a_step():
    cell = FastGRNN(D, H, nu_cap=0.01)
    assert float(cell.nu.detach()) == pytest.approx(0.01, rel=1e-5)
    with torch.no_grad():
        cell.nu_raw.fill_(2.0)
    cell.project()
    assert float(cell.nu.detach()) == pytest.approx(0.01, rel=1e-5)
    with torch.no_grad():
        cell.nu_raw.fill_(-7.0)
    cell.project()
    assert float(cell.nu_raw.detach()) == -7.0


@pytest.mark.parametrize(("name", "ranks"), ALL)
def test_export_and_load_are_inverse(name, ranks):
    first, second = make(name, **ranks), make(name, **ranks)
    x = torch.randn(N, T, D)
    tensors = {k: v.detach().clone() for k, v in first.export().items()}
    second.load_export(tensors, first.scalars())
    torch.testing.assert_close(second(x), first(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "ranks"), ALL)
def test_export_has_the_integer_models_names_and_shapes(name, ranks):
    from harness.reference import CELLS as INTEGER
    from harness.reference import Dims

    network = Network(make(name, **ranks), 3)
    options = {k: ranks.get(k, v[0]) for k, v in INTEGER[name].options.items()}
    dims = Dims(D, H, 3, ranks.get("rank_w"), ranks.get("rank_u"), options)
    spec = INTEGER[name].tensor_spec(dims)
    exported = network.export()
    assert {n: exported[n].shape for n in spec} == {n: shape for n, (_, shape) in spec.items()}
    assert set(exported) - set(spec) <= {"V", "alpha", "alpha_raw"}
