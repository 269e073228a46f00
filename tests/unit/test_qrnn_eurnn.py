"""QRNN and EURNN: fast form, gradients, numpy twin, and what each cell promises by construction."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.datasets import Standardisation
from harness.errors import ModelFileError, UsageError
from harness.floatmodel import FloatModel
from harness.models import CELLS, Network
from harness.models.cell import plain_forward
from harness.models.eurnn import EURNN, as_real, layer_pairs, modrelu, rotations
from harness.models.qrnn import QRNN
from harness.quantize import quantise
from harness.reference import CELLS as INTEGER
from harness.reference import Dims
from harness.reference.eurnn import halvings, modrelu_gain, reciprocal_table
from harness.reference.model import run, to_raw
from tests.models import random_qmodel, random_raw

D, H, C, N, T = 5, 8, 3, 4, 11
POOLINGS = [{"pooling": p, "width": w} for p in ("f", "fo", "ifo") for w in ("k1", "k2")]
VARIANTS = [
    *(("qrnn", options) for options in POOLINGS),
    ("eurnn", {"style": "tunable"}),
    ("eurnn", {"style": "fft"}),
]
each_variant = pytest.mark.parametrize(
    ("name", "options"), VARIANTS, ids=lambda v: v if isinstance(v, str) else "-".join(v.values())
)


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        yield


def make(name, options, hidden=H):
    """A cell whose biases matter."""
    cell = CELLS[name](D, hidden, **options)
    with torch.no_grad():
        cell.b.add_(torch.randn_like(cell.b) * 0.3)
    return cell


def float_model(name, options, hidden=H, steps=T, seed=0):
    torch.manual_seed(seed)
    network = Network(make(name, options, hidden), C)
    model = FloatModel(
        cell=name,
        dims=Dims(D, hidden, C, options=options),
        steps=steps,
        dataset="random",
        class_names=tuple("abc"),
        tensors=network.export(),
        scalars={},
        standardisation=Standardisation(np.zeros(D), np.ones(D)),
        raw_step=np.full(D, 2.0**-10),
        companded=np.zeros(D, np.bool_),
    )
    return network, model


# -- float ---------------------------------------------------------------------------------------


@each_variant
def test_fast_form_equals_plain_form(name, options):
    cell, x = make(name, options), torch.randn(N, T, D)
    torch.testing.assert_close(cell(x), plain_forward(cell, x), rtol=1e-5, atol=1e-5)


@each_variant
def test_states_are_the_steps(name, options):
    cell, x = make(name, options), torch.randn(N, T, D)
    first, between = cell.states(x[:, :4])
    second, last = cell.states(x[:, 4:], between)
    whole = torch.cat([first, second], 1)
    torch.testing.assert_close(whole[:, 6], plain_forward(cell, x[:, :7]), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(last["h"], cell(x), rtol=1e-5, atol=1e-5)


@each_variant
def test_gradients_equal_autograd_of_the_plain_form(name, options):
    cell = make(name, options).double()
    x = torch.randn(N, T, D, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(N, H, dtype=torch.float64)
    wanted = [x, *cell.parameters()]
    fast = torch.autograd.grad((cell(x) * weight).sum(), wanted)
    plain = torch.autograd.grad((plain_forward(cell, x) * weight).sum(), wanted)
    for f, p in zip(fast, plain, strict=True):
        torch.testing.assert_close(f, p, rtol=1e-9, atol=1e-10)


@each_variant
def test_gradcheck(name, options):
    cell = CELLS[name](2, 4, **options).double()
    x = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(cell, (x,))


@each_variant
def test_numpy_floats_equal_torch(name, options):
    network, model = float_model(name, options)
    x = torch.randn(N, T, D)
    expected = network(x).detach().numpy()
    np.testing.assert_allclose(model.run(x.numpy()).logits, expected, atol=2e-5)


@each_variant
def test_exported_tensors_are_the_integer_models(name, options):
    spec = INTEGER[name].tensor_spec(Dims(D, H, C, options=options))
    network, model = float_model(name, options)
    assert {n: model.tensors[n].shape for n in spec} == {n: shape for n, (_, shape) in spec.items()}
    assert set(model.tensors) - set(spec) <= {"V"}
    other = make(name, options)
    other.load_export({k: v.detach().clone() for k, v in network.cell.export().items()}, {})
    x = torch.randn(N, T, D)
    torch.testing.assert_close(other(x), network.cell(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("options", POOLINGS, ids=lambda o: "-".join(o.values()))
def test_qrnn_equals_an_independent_numpy_form(options):
    cell, x = make("qrnn", options), torch.randn(N, T, D)
    w, b = cell.W.detach().double().numpy(), cell.b.detach().double().numpy()
    c = np.zeros((N, H))
    before = np.zeros((N, D))
    for t in range(T):
        now = x[:, t].double().numpy()
        v = np.concatenate([before, now], 1) if options["width"] == "k2" else now
        blocks = [v @ w[k * H : (k + 1) * H].T + b[k * H : (k + 1) * H] for k in range(len(w) // H)]
        z, f, *rest = np.tanh(blocks[0]), *(1 / (1 + np.exp(-a)) for a in blocks[1:])
        c = f * c + (rest[1] if options["pooling"] == "ifo" else 1 - f) * z
        h, before = (c if options["pooling"] == "f" else rest[0] * c), now
    np.testing.assert_allclose(cell(x).detach().numpy(), h, atol=1e-5)


@pytest.mark.parametrize("pooling", ["f", "fo"])
def test_qrnn_state_stays_below_one(pooling):
    cell = QRNN(D, H, pooling)
    assert cell(20.0 * torch.randn(N, 200, D)).abs().max() <= 1.0


def test_qrnn_gates_see_two_inputs_and_no_state():
    """From two states the same input makes the same gates: only c carries the difference."""
    cell = QRNN(D, H, "fo")
    one = cell.start(1)
    other = {**one, "c": torch.ones(1, H), "h": torch.ones(1, H)}
    x = torch.randn(1, D)
    state = [cell.step(x, s) for s in (one, other)]
    forget = torch.sigmoid(cell.W[H : 2 * H, D:] @ x[0] + cell.b[H : 2 * H])
    torch.testing.assert_close(state[1]["c"] - state[0]["c"], forget[None])


@pytest.mark.parametrize(("hidden", "style"), [(2, "tunable"), (14, "tunable"), (64, "tunable"),
                                               (2, "fft"), (16, "fft"), (128, "fft")])  # fmt: skip
def test_eurnn_recurrent_matrix_is_unitary(hidden, style):
    cell = EURNN(3, hidden, style)
    u = cell.unitary.detach()
    assert (u @ u.mH - torch.eye(hidden // 2)).abs().max() < 1e-5
    assert (cell.U @ cell.U.t() - torch.eye(hidden)).detach().abs().max() < 1e-5


@pytest.mark.parametrize("style", ["tunable", "fft"])
def test_eurnn_keeps_the_norm_of_the_state(style):
    """With no bias and no input: 500 steps in float32."""
    cell = EURNN(D, 32, style)
    h = torch.randn(N, 32)
    state = {"h": h}
    for _ in range(500):
        state = cell.step(torch.zeros(N, D), state)
    torch.testing.assert_close(state["h"].norm(dim=1), h.norm(dim=1), rtol=1e-3, atol=0.0)


def test_eurnn_real_form_is_complex_arithmetic():
    cell, h = EURNN(D, H), torch.randn(H)
    product = cell.unitary @ torch.complex(h[: H // 2], h[H // 2 :])
    torch.testing.assert_close(cell.U @ h, torch.cat([product.real, product.imag]))


def test_eurnn_rotations_written_out():
    pairs, v = layer_pairs(4, "tunable", 2), torch.randn(3, 4, dtype=torch.float64)
    expected = np.diag(np.exp(1j * v[2].numpy()))
    for layer, (first, second) in enumerate(pairs):
        for k, (i, j) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
            t, phi = float(v[layer, k]), float(v[layer, 2 + k])
            turn = np.eye(4, dtype=complex)
            turn[i, i], turn[i, j] = np.exp(1j * phi) * np.array([math.cos(t), -math.sin(t)])
            turn[j, i], turn[j, j] = math.sin(t), math.cos(t)
            expected = expected @ turn
    np.testing.assert_allclose(rotations(v, pairs).numpy(), expected, atol=1e-12)


def test_eurnn_layers():
    assert [(i.tolist(), j.tolist()) for i, j in layer_pairs(5, "tunable", 2)] == [
        ([0, 2], [1, 3]),
        ([1, 3], [2, 4]),
    ]
    assert [(i.tolist(), j.tolist()) for i, j in layer_pairs(4, "fft")] == [
        ([0, 2], [1, 3]),
        ([0, 1], [2, 3]),
    ]
    full = as_real(rotations(torch.randn(5, 16), layer_pairs(16, "fft")))
    assert bool((full != 0).all())
    banded = EURNN(3, 64).unitary
    assert int((banded != 0).sum(1).max()) <= 8  # 2 L units reach a unit


def test_modrelu():
    p = torch.tensor([[3.0, 0.0, 0.1, 4.0, 0.0, 0.0]])  # |p| = 5, 0, 0.1
    b = torch.tensor([-1.0, 2.0, 2.0])
    expected = torch.tensor([[2.4, 0.0, 0.1 * 65535 / 8192, 3.2, 0.0, 0.0]])
    torch.testing.assert_close(modrelu(p, b), expected)
    assert modrelu(p, torch.full((3,), -6.0)).abs().max() == 0


def test_rounded_eurnn_has_a_byte_matrix_and_still_learns():
    cell = EURNN(3, 16)
    zeros = cell.U == 0
    cell.round_weights()
    u = cell.U.detach().numpy()
    np.testing.assert_array_equal(u * 128, np.round(u * 128))
    assert (u[zeros.numpy()] == 0).all()
    cell(torch.randn(2, 5, 3)).sum().backward()
    assert cell.V.grad.abs().sum() > 0


def test_sizes_that_have_no_form_are_refused():
    with pytest.raises(UsageError, match="two numbers"):
        EURNN(D, 7)
    with pytest.raises(UsageError, match="power of two"):
        EURNN(D, 24, "fft")
    with pytest.raises(ModelFileError, match="hidden is 7, must be a multiple of 2"):
        model = random_qmodel("eurnn", hidden=8)
        replace(model, dims=replace(model.dims, hidden=7))
    with pytest.raises(ModelFileError, match="has no recurrent matrix"):
        model = random_qmodel("qrnn")
        replace(model, dims=replace(model.dims, rank_u=2))


# -- integers ------------------------------------------------------------------------------------


@each_variant
@pytest.mark.parametrize("state_bits", [8, 16])
def test_integers_agree_with_floats(name, options, state_bits):
    _, model = float_model(name, options, hidden=16, steps=12)
    x = np.random.default_rng(1).normal(0, 1, (64, 12, D)).astype(np.float32)
    q = quantise(model, x, state_bits=state_bits)
    result = run(q, to_raw(x, model.raw_step))
    floats = model.run(x)
    error = np.abs(result.logits / 2.0 ** (q.fracs["F"] + q.fracs["h"]) - floats.logits).max()
    assert error < (0.12 if state_bits == 16 else 0.6) * max(1.0, np.abs(floats.logits).max())
    assert result.saturations.state.sum() == 0


@pytest.mark.parametrize("options", POOLINGS[:4], ids=lambda o: "-".join(o.values()))
@pytest.mark.parametrize("state_bits", [8, 16])
def test_qrnn_reach_of_the_state_is_never_passed(options, state_bits):
    model = random_qmodel("qrnn", options=options, state_bits=state_bits, steps=40)
    reach = model.cell_class.state_reach(model.tensors, model.tables, model.shifts, model.steps)
    result = run(model, random_raw(model, 8), trace=True)
    assert 0 < np.abs(result.hidden).max() <= reach


def test_qrnn_sees_the_input_before():
    model = random_qmodel("qrnn", steps=3)
    raw = np.zeros((2, 3, 9), np.int16)
    raw[1, 1] = 9000
    hidden = run(model, raw, trace=True).hidden
    cell = model.cell_class(model.dims, 16, model.tensors, model.tables, model.shifts)
    assert {n: s.shape for n, s in cell.start(2).items()} == {"h": (2, 16), "c": (2, 16),
                                                            "x": (2, 9)}  # fmt: skip
    np.testing.assert_array_equal(hidden[0, 0], hidden[1, 0])
    assert (hidden[0, 2] != hidden[1, 2]).any()


def test_density_without_a_recurrent_matrix():
    assert random_qmodel("qrnn", density=0.5).density("U") == 1.0


@given(st.integers(0, 2**31))
def test_halvings_are_the_least(n):
    k = int(halvings(np.array([n]))[0])
    assert n >> (2 * k) < 256 and (k == 0 or n >> (2 * k - 2) >= 256) and k <= 12


@given(
    re=st.integers(-32768, 32767), im=st.integers(-32768, 32767), bias=st.integers(-32768, 32767)
)
def test_modrelu_gain_is_close_and_never_overflows(re, im, bias):
    n = re * re + im * im
    gain = int(
        modrelu_gain(np.array([n]), np.array([bias]), reciprocal_table().astype(np.int64))[0]
    )
    size = math.sqrt(n)
    exact = 0.0 if n == 0 else min(max(1 + bias / size, 0.0), 65535 / 8192)
    ratio = 0.0 if n == 0 else abs(bias / size)
    if n:
        assert abs(gain / 8192 - exact) <= 0.005 * min(ratio, 8.1) + 2 / 8192
    assert 0 <= gain < 1 << 16
    assert max(abs(re), abs(im)) * gain + (1 << 12) < 1 << 31
