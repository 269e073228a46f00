"""The training kernel against plain loops in float64, cell by cell.

Tolerance: 1e-5 of the largest entry of each output and gradient. A float32 has 6e-8, and a few
hundred roundings lie between input and result. A bias's or a scalar's gradient sums products of
dL/dh over windows, steps and perhaps units, and they may cancel; there the norm of dL/dh counts.
"""

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness import fused
from harness.errors import BuildError, LabError
from harness.fused import build, library
from harness.models import CELLS as MODELS
from harness.models.cell import plain_forward
from harness.models.plain import SLOPE
from harness.presets import Hyper, parse_model_name
from harness.reference import CELLS as INTEGER

TOLERANCE = 1e-5
F = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "leaky": lambda a: torch.nn.functional.leaky_relu(a, SLOPE),
}


def plain_fastgrnn(gate):
    def run(x, w, u, b_z, b_h, zeta, nu):
        h = x.new_zeros(len(x), len(b_z))
        for x_t in x.unbind(1):
            a = x_t @ w.t() + h @ u.t()
            z = F[gate](a + b_z)
            h = (zeta * (1 - z) + nu) * torch.tanh(a + b_h) + z * h
        return h

    return run


def plain_fastrnn(f):
    def run(x, w, u, b, alpha, beta):
        h = x.new_zeros(len(x), len(b))
        for x_t in x.unbind(1):
            h = alpha * F[f](x_t @ w.t() + h @ u.t() + b) + beta * h
        return h

    return run


def plain_rnn(f):
    def run(x, w, u, b):
        h = x.new_zeros(len(x), len(b))
        for x_t in x.unbind(1):
            h = F[f](x_t @ w.t() + h @ u.t() + b)
        return h

    return run


def plain_ugrnn(x, w, u, b):
    h = x.new_zeros(len(x), u.shape[1])
    for x_t in x.unbind(1):
        a_z, a_c = (x_t @ w.t() + h @ u.t() + b).chunk(2, 1)
        z = torch.sigmoid(a_z)
        h = z * h + (1 - z) * torch.tanh(a_c)
    return h


def plain_gru(x, w, u, b, b_hn):
    h = x.new_zeros(len(x), u.shape[1])
    for x_t in x.unbind(1):
        x_r, x_z, x_n = (x_t @ w.t() + b).chunk(3, 1)
        h_r, h_z, h_n = (h @ u.t()).chunk(3, 1)
        r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * (h_n + b_hn))
        h = (1 - z) * n + z * h
    return h


def plain_lstm(x, w, u, b):
    h = c = x.new_zeros(len(x), u.shape[1])
    for x_t in x.unbind(1):
        i, f, g, o = (x_t @ w.t() + h @ u.t() + b).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return h


def plain_qrnn(window):
    def run(x, w, b):
        c = x.new_zeros(len(x), len(b) // 3)
        for t in range(x.shape[1]):
            steps = [x[:, k] if k >= 0 else 0 * x[:, 0] for k in range(t - window + 1, t + 1)]
            z, f, o = (torch.cat(steps, 1) @ w.t() + b).chunk(3, 1)
            c = torch.sigmoid(f) * c + (1 - torch.sigmoid(f)) * torch.tanh(z)
        return torch.sigmoid(o) * c

    return run


def uniform(generator, shape, low=-1.0, high=1.0):
    return torch.empty(shape, dtype=torch.float64).uniform_(low, high, generator=generator)


def matrices(generator, gates, features, hidden):
    """W and U, neither of which makes the state explode."""
    w = torch.randn(gates * hidden, features, dtype=torch.float64, generator=generator)
    u = torch.randn(gates * hidden, hidden, dtype=torch.float64, generator=generator)
    return w / features**0.5, 0.5 * u / hidden**0.5


def for_fastgrnn(generator, features, hidden):
    biases = uniform(generator, hidden), uniform(generator, hidden)
    scalars = uniform(generator, (), 0.2, 1.0), uniform(generator, (), 0.0, 0.2)
    return *matrices(generator, 1, features, hidden), *biases, *scalars


def for_fastrnn(form):
    def make(generator, features, hidden):
        shape = {"scalar": (), "one": (1,), "vector": (hidden,)}[form]
        scalars = uniform(generator, shape, 0.0, 0.3), uniform(generator, shape, 0.5, 0.9)
        return *matrices(generator, 1, features, hidden), uniform(generator, hidden), *scalars

    return make


def for_gates(gates, extra=0):
    def make(generator, features, hidden):
        biases = [uniform(generator, n * hidden) for n in (gates, *[1] * extra)]
        return *matrices(generator, gates, features, hidden), *biases

    return make


def for_qrnn(window):
    def make(generator, features, hidden):
        w, _ = matrices(generator, 3, window * features, hidden)
        return w, uniform(generator, 3 * hidden)

    return make


# name -> (kernel, plain form, what makes the arguments after x)
CELLS = {
    "fastgrnn": (fused.fastgrnn, plain_fastgrnn("sigmoid"), for_fastgrnn),
    "fastgrnn-tanh": (lambda *a: fused.fastgrnn(*a, "tanh"), plain_fastgrnn("tanh"), for_fastgrnn),
    "fastrnn": (fused.fastrnn, plain_fastrnn("tanh"), for_fastrnn("scalar")),
    "fastrnn-one": (fused.fastrnn, plain_fastrnn("tanh"), for_fastrnn("one")),
    "fastrnn-vector": (fused.fastrnn, plain_fastrnn("tanh"), for_fastrnn("vector")),
    "fastrnn-sigmoid": (
        lambda *a: fused.fastrnn(*a, "sigmoid"),
        plain_fastrnn("sigmoid"),
        for_fastrnn("scalar"),
    ),
    "fastrnn-relu": (
        lambda *a: fused.fastrnn(*a, "relu"),
        plain_fastrnn("relu"),
        for_fastrnn("scalar"),
    ),
    "rnn": (fused.rnn, plain_rnn("tanh"), for_gates(1)),
    "rnn-relu": (lambda *a: fused.rnn(*a, "relu"), plain_rnn("relu"), for_gates(1)),
    "rnn-leaky": (lambda *a: fused.rnn(*a, "leaky"), plain_rnn("leaky"), for_gates(1)),
    "ugrnn": (fused.ugrnn, plain_ugrnn, for_gates(2)),
    "gru": (fused.gru, plain_gru, for_gates(3, extra=1)),
    "lstm": (fused.lstm, plain_lstm, for_gates(4)),
    "qrnn-1": (lambda x, w, b: fused.qrnn(x, w, b, 1), plain_qrnn(1), for_qrnn(1)),
    "qrnn-2": (fused.qrnn, plain_qrnn(2), for_qrnn(2)),
    "qrnn-3": (lambda x, w, b: fused.qrnn(x, w, b, 3), plain_qrnn(3), for_qrnn(3)),
}


def case(name, n, t, d, h, seed=0):
    """x, the cell's arguments, dL/dh_T: float32 numbers, kept in float64."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, t, d, dtype=torch.float64, generator=generator)
    args = CELLS[name][2](generator, d, h)
    d_h = torch.randn(n, h, dtype=torch.float64, generator=generator)
    return [v.float().double() for v in (x, *args)], d_h.float().double()


def single(inputs):
    return [v.float() for v in inputs]


def results(function, inputs, d_h):
    """h_T, and the gradient of sum(d_h * h_T) by every input."""
    leaves = [v.clone().requires_grad_() for v in inputs]
    h = function(*leaves)
    return [h.detach(), *torch.autograd.grad(h, leaves, d_h.to(h.dtype))]


def assert_equal_to_plain(name, inputs, d_h):
    kernel, plain, _ = CELLS[name]
    wanted = results(plain, inputs, d_h)
    got = results(kernel, single(inputs), d_h)
    largest = [w.abs().max() for w in wanted]
    for i, (g, w, scale) in enumerate(zip(got, wanted, largest, strict=True)):
        assert g.dtype == torch.float32 and g.shape == w.shape
        error = (g - w).abs().max()
        if i and w.dim() < 2:
            scale = max(scale, d_h.norm())
        assert error <= TOLERANCE * scale, f"result {i}: {error / scale:.1e}"


def same_bits(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", CELLS)
@given(
    n=st.integers(1, 70),
    t=st.integers(1, 20),
    d=st.integers(1, 20),
    h=st.integers(1, 50),
    seed=st.integers(0, 1 << 30),
)
@example(n=1, t=1, d=1, h=1, seed=0)
@example(n=33, t=3, d=1, h=16, seed=0)
@example(n=2, t=9, d=5, h=81, seed=0)
@example(n=1, t=140, d=2, h=3, seed=0)  # more steps than a chunk of the weights' gradient has rows
@settings(max_examples=12, deadline=None)
def test_outputs_and_gradients_equal_the_plain_form(name, n, t, d, h, seed):
    assert_equal_to_plain(name, *case(name, n, t, d, h, seed))


@pytest.mark.parametrize("name", ["fastgrnn", "lstm", "gru"])
def test_equal_at_the_shape_of_a_training(name):
    assert_equal_to_plain(name, *case(name, 100, 128, 9, 32))


def test_equal_at_the_largest_shape():
    assert_equal_to_plain("fastgrnn", *case("fastgrnn", 3, 2, 512, 512))


FULL, LOW, MIXED = {}, {"rank_w": 2, "rank_u": 8}, {"rank_u": 3}


@pytest.mark.parametrize(
    ("name", "ranks"),
    [
        (name, ranks)
        for name in MODELS
        for ranks in ((FULL, LOW, MIXED) if INTEGER[name].low_rank else (FULL,))
        if name != "eurnn"  # complex units: no kernel
    ],
)
def test_a_model_trains_in_the_kernel_as_in_its_plain_form(name, ranks):
    torch.manual_seed(0)
    x, d_h = torch.randn(50, 40, 9), torch.randn(50, 16)
    cell = MODELS[name].build(
        9, 40, Hyper(hidden=16, options=parse_model_name(name).options, **ranks)
    )
    exact = copy.deepcopy(cell).double()
    h, h_exact = cell(x), plain_forward(exact, x.double())
    h.backward(d_h)
    h_exact.backward(d_h.double())
    assert "_Sequence" in type(h.grad_fn).__name__
    assert (h - h_exact).abs().max() <= TOLERANCE * h_exact.abs().max()
    for p, q in zip(cell.parameters(), exact.parameters(), strict=True):
        assert (p.grad - q.grad).abs().max() <= TOLERANCE * q.grad.abs().max()


@pytest.mark.parametrize("name", CELLS)
def test_the_same_bits_every_time(name):
    inputs, d_h = case(name, 37, 15, 6, 21)
    first = results(CELLS[name][0], single(inputs), d_h)
    other_inputs, other_d_h = case(name, 37, 15, 6, 21, seed=1)
    results(CELLS[name][0], single(other_inputs), other_d_h)  # leaves its numbers in the memory
    assert same_bits(first, results(CELLS[name][0], single(inputs), d_h))


@pytest.mark.parametrize("name", CELLS)
def test_a_window_has_the_same_bits_alone_and_without_gradients(name):
    inputs, _ = case(name, 40, 10, 6, 21)
    x, *args = single(inputs)
    kernel = CELLS[name][0]
    whole = kernel(x, *[v.requires_grad_() for v in args])
    with torch.no_grad():
        for i in (0, 17, 39):
            assert torch.equal(kernel(x[i : i + 1], *args)[0], whole[i])


def test_two_graphs_at_once_do_not_share_memory():
    inputs, d_h = case("fastgrnn", 9, 5, 4, 8)
    x, *args = [v.requires_grad_() for v in single(inputs)]
    kernel, d = fused.fastgrnn, d_h.float()
    wanted = torch.autograd.grad(kernel(x, *args), args, d)
    first = kernel(x, *args)
    second = kernel(2 * x, *args)
    torch.autograd.grad(second, args, d)
    assert same_bits(wanted, torch.autograd.grad(first, args, d, retain_graph=True))
    assert same_bits(wanted, torch.autograd.grad(first, args, d))  # and again


def test_inputs_need_not_be_contiguous():
    inputs, d_h = case("fastgrnn", 6, 5, 4, 8)
    x, w, *rest = single(inputs)
    strided = [x.transpose(0, 1).contiguous().transpose(0, 1), w.t().contiguous().t(), *rest]
    assert not strided[0].is_contiguous() and not strided[1].is_contiguous()
    want = results(fused.fastgrnn, [x, w, *rest], d_h)
    assert same_bits(want, results(fused.fastgrnn, strided, d_h))
    x, w, *rest = [v.requires_grad_() for v in single(inputs)]
    fused.fastgrnn(x, w, *rest).sum().backward()  # the gradient is one number, expanded
    ones = torch.ones_like(d_h)
    assert same_bits(
        results(fused.fastgrnn, single(inputs), ones)[1:], [x.grad, w.grad, *[v.grad for v in rest]]
    )


def test_a_nan_comes_out_as_a_nan():
    inputs, _ = case("fastgrnn", 3, 4, 2, 5)
    x, *args = single(inputs)
    x[1, 2, 0] = torch.nan
    h = fused.fastgrnn(x, *args)
    assert h[1].isnan().all() and not h[0].isnan().any() and not h[2].isnan().any()


@pytest.mark.parametrize("scale", [1e4, 1e30])
def test_large_pre_activations_saturate(scale):
    inputs, d_h = case("lstm", 5, 4, 3, 6)
    x, *args = single(inputs)
    for value in results(fused.lstm, [scale * x, *args], d_h):
        assert value.isfinite().all()


@pytest.mark.parametrize(("name", "exact"), [("sigmoid", None), ("tanh", np.tanh)])
def test_the_non_linearities_are_within_two_and_a_half_ulp(name, exact):
    rng = np.random.default_rng(0)
    sizes = 10.0 ** rng.uniform(-12, 0, 1 << 19)
    x = np.concatenate([rng.uniform(-80, 80, 1 << 19), rng.uniform(-9, 9, 1 << 20), sizes, -sizes])
    x = x.astype(np.float32)
    y = np.empty_like(x)
    library.loaded().fused_map(int(name == "tanh"), len(x), x.ctypes.data, y.ctypes.data)
    want = exact(x.astype(float)) if exact else 1.0 / (1.0 + np.exp(-x.astype(float)))
    ulp = np.spacing(np.abs(want).astype(np.float32)).astype(float)
    assert (np.abs(y - want) / ulp).max() <= 2.5


@pytest.mark.parametrize(
    "wrong",
    [
        {"w": torch.zeros(5, 4)},  # another D
        {"u": torch.zeros(5, 6)},
        {"b_z": torch.zeros(6)},
        {"b_h": torch.zeros(10)},
        {"zeta": torch.zeros(5, 5)},
        {"nu": torch.zeros((), dtype=torch.float64)},
        {"x": torch.zeros(2, 3)},
        {"x": torch.zeros(0, 2, 3)},
        {"x": torch.zeros(2, 0, 3)},
    ],
)
def test_wrong_shapes_and_types_never_reach_the_kernel(wrong):
    x, w, u, b_z, b_h, zeta, nu = single(case("fastgrnn", 2, 2, 3, 5)[0])
    right = {"x": x, "w": w, "u": u, "b_z": b_z, "b_h": b_h, "zeta": zeta, "nu": nu}
    fused.fastgrnn(**right)
    with pytest.raises(ValueError, match="must be|does not take|takes 4"):
        fused.fastgrnn(**{**right, **wrong})


def test_supports_float32_windows_of_moderate_size():
    assert fused.supports(torch.zeros(1, 1, 1), 1)
    assert not fused.supports(torch.zeros(1, 1, 1, dtype=torch.float64), 1)
    assert not fused.supports(torch.zeros(1, 1, 1), 513)
    assert not fused.supports(torch.zeros(1, 1, 513), 1)
    assert not fused.supports(torch.zeros(0, 1, 1), 1)


# -- building ------------------------------------------------------------------------------------


def test_the_portable_build_agrees(monkeypatch):
    dll = library.opened(build.build(build.PORTABLE))
    monkeypatch.setattr(library, "loaded", lambda: dll)
    for name in CELLS:
        assert_equal_to_plain(name, *case(name, 35, 7, 5, 19))


def test_it_is_compiled_once():
    first = build.build()
    stamp = first.stat().st_mtime_ns
    assert build.build() == first and first.stat().st_mtime_ns == stamp
    assert fused.identifier() == f"fused-{first.parent.name}"
    assert fused.why_not() == ""


def compiler(folder: Path, script: str) -> Path:
    path = folder / "cxx"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_compilers_words_are_in_the_error(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", str(compiler(tmp_path, "echo out of cheese >&2; exit 1")))
    with pytest.raises(BuildError, match="out of cheese"):
        build.build()
    library_path, why = build._library.__wrapped__()
    assert library_path is None and "out of cheese" in why


def test_a_compiler_without_march_native_builds_the_portable_form(monkeypatch, tmp_path):
    refuse = 'case "$*" in *native*) echo unknown flag; exit 1;; esac; exec g++ "$@"'
    monkeypatch.setenv("CXX", str(compiler(tmp_path, refuse)))
    assert build._library.__wrapped__() == (build.build(build.PORTABLE), "")


def test_no_compiler_is_an_error_with_a_hint(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(LabError, match="no-such-compiler not on PATH") as caught:
        build.build()
    assert "g++" in caught.value.hint


WITHOUT = """
import torch
from harness import fused
from harness.models.cell import plain_forward
from harness.models.fastgrnn import FastGRNN
cell, x = FastGRNN(3, 5), torch.randn(4, 6, 3)
assert not fused.available() and fused.identifier() == "torch"
assert torch.equal(cell(x), plain_forward(cell, x))
cell(x).sum().backward()
print(fused.why_not())
"""


def test_without_a_compiler_training_falls_back_and_says_so(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "CXX"}
    environment |= {"PATH": str(tmp_path), "HARNESS_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env=environment,
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "no C++ compiler" in done.stdout
    assert done.stderr.count("training without the compiled kernel") == 1


def test_neither_availability_nor_identifier_needs_torch():
    code = "import sys; from harness.fused import identifier; identifier()"
    check = "; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code + check], check=True)
