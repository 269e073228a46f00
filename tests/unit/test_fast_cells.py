"""FastRNN, FastGRNN, UGRNN and the plain RNN: the papers' equations, their bounds, their tables."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from harness.errors import ModelFileError
from harness.models import RNN, UGRNN, FastGRNN, FastRNN, Network
from harness.models.cell import plain_forward
from harness.presets import Hyper, hyper
from harness.quantize import quantise
from harness.reference import CELLS as INTEGER
from harness.reference import ops
from harness.reference.floats import Floats
from harness.reference.model import run
from tests.models import random_qmodel, random_raw
from tests.unit.test_quantize import inputs, random_float

D, H, N, T = 5, 7, 4, 11


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        yield


VARIANTS = [
    (RNN, {"activation": "tanh"}),
    (RNN, {"activation": "relu"}),
    (UGRNN, {}),
    *((FastRNN, {"activation": a, "form": f})
      for a in ("tanh", "sigmoid", "relu") for f in ("scalar", "vector")),
    (FastGRNN, {"gate": "sigmoid"}),
    (FastGRNN, {"gate": "tanh"}),
]  # fmt: skip
RANKS = [{}, {"rank_w": 2, "rank_u": 3}, {"rank_u": 3}]
ids = {"ids": lambda v: "-".join(map(str, v.values())) if isinstance(v, dict) else v.__name__}


def moved(kind, **options):
    """A cell whose parameters are not where they started."""
    cell = kind(D, H, **options)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return cell


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_rnn_is_torchs(activation):
    cell, x = moved(RNN, activation=activation), torch.randn(N, T, D)
    other = torch.nn.RNN(D, H, nonlinearity=activation, batch_first=True)
    with torch.no_grad():
        other.weight_ih_l0.copy_(cell.W)
        other.weight_hh_l0.copy_(cell.U)
        other.bias_ih_l0.copy_(cell.b)
        other.bias_hh_l0.zero_()
    expected = other(x)[0][:, -1]
    assert (cell(x) - expected).abs().max() < 1e-6
    assert (plain_forward(cell, x) - expected).abs().max() < 1e-6


@pytest.mark.parametrize("ranks", RANKS, **ids)
@pytest.mark.parametrize(("kind", "options"), VARIANTS, **ids)
def test_torch_cell_equals_the_numpy_step(kind, options, ranks):
    network = Network(moved(kind, **options, **ranks), 3)
    x = torch.randn(N, T, D)
    floats = Floats(network.export(), network.cell.scalars(), options)
    state = {"h": np.zeros((N, H), np.float32)}
    for t in range(T):
        state = INTEGER[kind.name].float_step(floats, x[:, t].numpy(), state)
    assert state["h"].dtype == np.float32
    np.testing.assert_allclose(state["h"], network.cell(x).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize(("kind", "options"), VARIANTS, **ids)
def test_gradcheck(kind, options):
    cell = kind(2, 3, rank_u=2, **options).double()
    x = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *_: cell(x), (x, *cell.parameters()))


# -- the equations, written out one unit at a time -------------------------------------------------


def by_hand(cell, x, update):
    """h_T of every window by `update(a [H], h [H]) -> h [H]`, in float64."""
    w, u = (cell.matrix(name).detach().double().numpy() for name in ("W", "U"))
    result = np.zeros((len(x), cell.hidden))
    for n, window in enumerate(x.double().numpy()):
        for sample in window:
            result[n] = update(w @ sample + u @ result[n], result[n])
    return result


def parameters_of(cell):
    return {k: v.detach().double().numpy() for k, v in cell.named_parameters()}


ACTIVATIONS = {"tanh": np.tanh, "sigmoid": sigmoid, "relu": lambda a: np.maximum(a, 0)}


@pytest.mark.parametrize("ranks", RANKS, **ids)
@pytest.mark.parametrize("form", ["scalar", "vector"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_fastrnn_is_equation_2(activation, form, ranks):
    cell, x = moved(FastRNN, activation=activation, form=form, **ranks), torch.randn(N, T, D)
    p = parameters_of(cell)
    alpha = sigmoid(p["alpha_raw"])
    if form == "vector":
        beta = sigmoid(p["zeta_raw"]) * (1 - alpha) + sigmoid(p["nu_raw"])
    else:
        beta = sigmoid(p["beta_raw"])

    def update(a, h):
        return alpha * ACTIVATIONS[activation](a + p["b"]) + beta * h

    np.testing.assert_allclose(cell(x).detach().numpy(), by_hand(cell, x, update), atol=1e-5)


@pytest.mark.parametrize("ranks", RANKS, **ids)
@pytest.mark.parametrize("gate", ["sigmoid", "tanh"])
def test_fastgrnn_is_equation_6(gate, ranks):
    cell, x = moved(FastGRNN, gate=gate, **ranks), torch.randn(N, T, D)
    p = parameters_of(cell)
    zeta, nu = sigmoid(p["zeta_raw"]), sigmoid(p["nu_raw"])

    def update(a, h):
        z = ACTIVATIONS[gate](a + p["b_z"])
        return (zeta * (1 - z) + nu) * np.tanh(a + p["b_h"]) + z * h

    np.testing.assert_allclose(cell(x).detach().numpy(), by_hand(cell, x, update), atol=1e-5)


def test_ugrnn_is_a_gru_whose_reset_gate_is_open():
    cell, x = moved(UGRNN), torch.randn(N, T, D)
    gru = torch.nn.GRU(D, H, batch_first=True)
    w, u, b = cell.W.detach(), cell.U.detach(), cell.b.detach()
    with torch.no_grad():
        gru.weight_ih_l0.copy_(torch.cat([torch.zeros(H, D), w]))
        gru.weight_hh_l0.copy_(torch.cat([torch.zeros(H, H), u]))
        gru.bias_ih_l0.copy_(torch.cat([torch.full((H,), 40.0), b]))
        gru.bias_hh_l0.zero_()
    torch.testing.assert_close(cell(x), gru(x)[0][:, -1], rtol=1e-5, atol=1e-6)


# -- where training starts, and what bounds the state ----------------------------------------------


def test_fastrnn_starts_as_edgeml_and_both_forms_alike():
    scalar, vector = FastRNN(D, H), FastRNN(D, H, form="vector")
    assert float(scalar.alpha.detach()) == pytest.approx(0.0474, abs=1e-4)
    assert float(scalar.beta.detach()) == pytest.approx(0.9526, abs=1e-4)
    torch.testing.assert_close(vector.alpha, scalar.alpha.expand(H))
    torch.testing.assert_close(vector.beta, scalar.beta.expand(H), atol=2e-3, rtol=0)
    s = vector.scalars()
    assert s["zeta"] + s["nu"] == pytest.approx(1.0)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize("form", ["scalar", "vector"])
def test_fastrnn_stays_within_its_bound_and_reaches_it(activation, form):
    options = {"activation": activation, "form": form}
    cell, steps = FastRNN(1, H, **options), 200
    with torch.no_grad():
        cell.matrix("W").fill_(100.0)
        cell.matrix("U").fill_(0.0)
    bound = INTEGER["fastrnn"].state_bound(cell.scalars(), steps, options)
    h = cell(torch.ones(1, steps, 1)).abs().max().item()
    assert h <= bound * (1 + 1e-5)
    if form == "scalar":  # alpha (1 - beta^T) / (1 - beta) is met where c is always 1
        alpha, beta = float(cell.alpha.detach()), float(cell.beta.detach())
        assert bound == pytest.approx(alpha * (1 - beta**steps) / (1 - beta), rel=1e-5)
        assert h == pytest.approx(bound, rel=1e-4)


def test_relu_and_tanh_gate_and_growing_vectors_have_no_bound():
    bound = INTEGER["fastrnn"].state_bound
    grows = {"zeta": 0.99, "nu": 0.02}
    assert bound(grows, 9, {"activation": "tanh", "form": "vector"}) is None
    assert bound({"alpha": 0.1, "beta": 0.9}, 9, {"activation": "relu", "form": "scalar"}) is None
    assert INTEGER["fastgrnn"].state_bound({"zeta": 0.7, "nu": 0.01}, 9, {"gate": "tanh"}) is None


def test_options_come_from_the_hyper_parameters():
    h = Hyper(hidden=4, options={"activation": "relu", "form": "vector"})
    cell = FastRNN.build(3, 8, h)
    assert (cell.activation, cell.form, cell.hidden) == ("relu", "vector", 4)
    assert FastGRNN.build(3, 8, Hyper(options={"gate": "tanh"})).gate == "tanh"
    assert RNN.build(3, 8, hyper("smoke", "digits", "rnn")).activation == "tanh"


# -- the integer forms -----------------------------------------------------------------------------


def test_signed_gate_tables():
    a = (np.arange(256) - 127.5) / 32
    g = ops.wide_candidate_gate_table("tanh", 1.0, 1.0) / 2.0**13
    z = ops.tanh_table(ops.WIDE_GATE_FRAC) / 2.0**13
    assert np.abs(z - np.tanh(a)).max() <= 2.0**-14
    assert np.abs(g - (2 - np.tanh(a))).max() <= 2.0**-14
    assert g.max() < 3


def test_signed_gates_that_could_overflow_are_refused():
    model = random_qmodel("fastgrnn", options={"gate": "tanh"})
    assert model.acc_bounds["update"] < 1 << 31
    tables = dict(model.tables) | {"g": np.full(256, -32768, np.int16)}
    tables |= {name: tables["g"] for name in ("z", "c")}
    values = {name: getattr(model, name) for name in type(model).__dataclass_fields__}
    with pytest.raises(ModelFileError, match="update accumulator"):
        type(model)(**(values | {"tables": tables}))


@pytest.mark.parametrize(
    "options",
    [{"activation": a, "form": f} for a in ("tanh", "relu") for f in ("scalar", "vector")],
    **ids,
)
@pytest.mark.parametrize("alpha", [0.005, 0.05, 0.6])
@pytest.mark.parametrize("beta", [0.4, 0.965, 0.9999])
def test_fastrnn_weighs_as_exactly_as_16_bits_can(options, alpha, beta):
    model = random_float("fastrnn", options=options)
    given = {"alpha": alpha, "beta": beta}
    tensors = {n: np.full_like(v, given[n]) if n in given else v for n, v in model.tensors.items()}
    kind = INTEGER["fastrnn"]
    fracs = {"h": 12, "c": 10}
    shifts, coefficients = kind.coefficients(fracs, tensors, options)
    assert coefficients["beta"][0] / 2.0 ** shifts["mix"] == pytest.approx(beta, abs=2.0**-14)
    if "alpha" in coefficients:
        lift = fracs["h"] - fracs["c"] if options["activation"] == "relu" else 0
        real = coefficients["alpha"][0] / 2.0 ** (shifts["mix"] + lift)
        assert real == pytest.approx(alpha, abs=2.0**-14)
    else:
        _, tables = kind.plan(20, fracs, given, options)
        assert tables["c"].max() / 2.0**12 == pytest.approx(alpha * np.tanh(4), abs=2.0**-12)


def test_fastrnn_update_is_exact_arithmetic():
    model = random_qmodel("fastrnn", 5, options={"form": "vector"}, hidden=3)
    raw = random_raw(model, 2)
    hidden = run(model, raw, trace=True).hidden
    beta, alpha = (model.tensors[n].astype(int) for n in ("beta", "alpha"))
    mix = model.shifts["mix"]
    table = set(model.tables["c"].tolist())
    for before, after in zip(hidden[0, :-1], hidden[0, 1:], strict=True):
        for j in range(3):
            reachable = {
                int((Fraction(int(alpha[j]) * c + int(beta[j]) * int(before[j]), 2**mix)
                     + Fraction(1, 2)) // 1)
                for c in table
            }  # fmt: skip
            assert int(after[j]) in {min(32767, max(-32768, v)) for v in reachable}


@pytest.mark.parametrize("ranks", RANKS[:2], **ids)
@pytest.mark.parametrize(("kind", "options"), VARIANTS, **ids)
def test_states_of_the_integer_form_follow_the_floats_over_a_long_window(kind, options, ranks):
    scale = 0.3 if options.get("activation") == "relu" else 0.6
    model = random_float(kind.name, steps=128, scale=scale, nu=0.01, options=options, **ranks)
    x, raw = inputs(model, n=16)
    q = quantise(model, x)
    logits = run(q, raw).logits / 2.0 ** (q.fracs["F"] + q.fracs["h"])
    floats = model.run(x).logits
    assert np.abs(logits - floats).max() < 0.1 * max(1.0, np.abs(floats).max())
