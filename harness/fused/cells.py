"""The fused cells as differentiable torch functions: windows x [N, T, D] -> h_T [N, H].

The equations are in src/cells.h. float32 on the CPU. Matrices and biases may be any tensors, so
low rank, masks and rounding stay outside. Scalars may be [], [1] or, one for each unit, [H].
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterable
from ctypes import c_int64, c_void_p
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.fused import build, library
from harness.fused.library import KINDS, MAX_UNITS, Kind, Shape


def supports(x: Tensor, hidden: int) -> bool:
    """Whether the functions below take these windows [N, T, D].

    Compiles at the first call. Without a kernel the log says so, once.
    """
    return (
        x.dtype == torch.float32
        and x.is_cpu
        and x.dim() == 3
        and x.numel() > 0
        and x.shape[2] <= MAX_UNITS
        and 0 < hidden <= MAX_UNITS
        and (build.available() or _say_why_not())
    )


@cache
def _say_why_not() -> bool:
    logging.getLogger(__name__).warning(
        "training without the compiled kernel, which takes many times as long: %s", build.why_not()
    )
    return False


class _Memory:
    """Floats that the kernel works in; given back for the next one to use when nobody holds them.

    A sequence needs megabytes, and to have the system hand out fresh pages for them every time is
    felt in a small network. Pieces outlive a backward pass that retains the graph.
    """

    _free: ClassVar[dict[int, Tensor]] = {}
    _MOST = 6  # sizes kept: forward, backward, saved; for whole batches and for the last one
    _LARGEST = 1 << 24  # floats; beyond, the arithmetic takes so long that pages do not matter

    def __init__(self, floats: int) -> None:
        kept = self._free.pop(floats, None)
        if kept is None:
            kept = torch.empty(floats, dtype=torch.float32, device="cpu")
        self.floats = kept

    def __del__(self) -> None:
        free = self._free
        if len(self.floats) <= self._LARGEST:
            free[len(self.floats)] = self.floats
        while len(free) > self._MOST:
            free.pop(next(iter(free)), None)


class _Sequence(torch.autograd.Function):
    """(x [N, T + window - 1, D], W [G H, window D], U [G H, H], params) -> h_T [N, H].

    The params are vectors over the units, some of several blocks of H, or scalars of one entry.
    """

    @staticmethod
    def forward(
        ctx: Any, kind: Kind, window: int, keep: bool, x: Tensor, w: Tensor, u: Tensor, *p: Tensor
    ) -> Tensor:
        x, w, u = x.contiguous(), w.contiguous(), u.contiguous()
        p = tuple([v.contiguous() for v in p])
        batch, length, features = x.shape
        hidden = len(w) // kind.gates
        shape = Shape(
            batch, length - window + 1, window * features, hidden, length * features, features
        )
        sizes, h = library.sizes(kind, shape, keep), x.new_empty(batch, hidden)
        saved, scratch = _Memory(sizes.saved), _Memory(sizes.forward_scratch)
        one = (c_int64 * kind.params)(*[v.numel() == 1 for v in p for _ in _blocks(v, hidden)])
        pointers = [x.data_ptr(), w.data_ptr(), u.data_ptr(), _addresses(p, hidden), one]
        pointers += [h.data_ptr(), saved.floats.data_ptr(), scratch.floats.data_ptr()]
        library.loaded().fused_forward(kind.number, shape, keep, *pointers)
        if keep:
            ctx.save_for_backward(x, w, u, *p)
            ctx.kind, ctx.shape, ctx.one, ctx.saved, ctx.sizes = kind, shape, one, saved, sizes
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_h: Tensor) -> tuple[Tensor | None, ...]:
        x, w, u, *p = ctx.saved_tensors
        d_h, hidden = d_h.contiguous(), d_h.shape[1]
        d_w, d_u, *d_p = [torch.empty_like(v) for v in (w, u, *p)]
        d_x = torch.zeros_like(x) if ctx.needs_input_grad[3] else None
        scratch = _Memory(ctx.sizes.backward_scratch)
        pointers = [x.data_ptr(), w.data_ptr(), u.data_ptr(), _addresses(p, hidden), ctx.one]
        pointers += [v.data_ptr() for v in (ctx.saved.floats, d_h, d_w, d_u)]
        pointers += [_addresses(d_p, hidden), d_x if d_x is None else d_x.data_ptr()]
        pointers.append(scratch.floats.data_ptr())
        library.loaded().fused_backward(ctx.kind.number, ctx.shape, *pointers)
        return None, None, None, d_x, d_w, d_u, *d_p


def _blocks(param: Tensor, hidden: int) -> range:
    """Where in a param its vectors of H start."""
    return range(0, param.numel(), hidden)


def _addresses(params: Iterable[Tensor], hidden: int) -> ctypes.Array[c_void_p]:
    """One for each block."""
    values = [v.data_ptr() + 4 * start for v in params for start in _blocks(v, hidden)]
    return (c_void_p * len(values))(*values)


def _run(cell: str, x: Tensor, w: Tensor, u: Tensor, *params: Tensor, window: int = 1) -> Tensor:
    kind = KINDS[cell]
    hidden = len(w) // kind.gates
    # the kernel trusts its pointers, so nothing of a wrong shape or type may reach it
    _check("x", x, (x.shape[0], x.shape[1], x.shape[-1]))
    _check("W", w, (kind.gates * hidden, window * x.shape[2]))
    _check("U", u, (kind.gates * hidden, hidden) if kind.recurrent else (0,))
    blocks = 0
    for p in params:
        size = p.numel()
        _check("a bias", p, p.shape if size == 1 and p.dim() < 2 else (size // hidden * hidden,))
        blocks += len(_blocks(p, hidden))
    if blocks != kind.params:
        raise ValueError(f"{cell} takes {kind.params} biases and scalars, got {blocks}")
    keep = torch.is_grad_enabled() and any(v.requires_grad for v in (x, w, u, *params))
    result: Tensor = _Sequence.apply(kind, window, keep, x, w, u, *params)  # type: ignore[no-untyped-call]
    return result


def _check(name: str, value: Tensor, shape: tuple[int, ...]) -> None:
    if value.dtype != torch.float32 or not value.is_cpu or value.shape != shape:
        found = f"{value.dtype} {list(value.shape)} on {value.device}"
        raise ValueError(f"{name} must be float32 {list(shape)} on the CPU, is {found}")


def fastgrnn(
    x: Tensor,
    w: Tensor,
    u: Tensor,
    b_z: Tensor,
    b_h: Tensor,
    zeta: Tensor,
    nu: Tensor,
    gate: str = "sigmoid",
) -> Tensor:
    """z = gate(a + b_z), c = tanh(a + b_h), h' = (zeta (1 - z) + nu) c + z h; sigmoid or tanh."""
    return _run(f"fastgrnn-{gate}", x, w, u, b_z, b_h, zeta, nu)


def fastrnn(
    x: Tensor, w: Tensor, u: Tensor, b: Tensor, alpha: Tensor, beta: Tensor, f: str = "tanh"
) -> Tensor:
    """h' = alpha f(a + b) + beta h, f one of tanh, sigmoid, relu."""
    return _run(f"fastrnn-{f}", x, w, u, b, alpha, beta)


def rnn(x: Tensor, w: Tensor, u: Tensor, b: Tensor, f: str = "tanh") -> Tensor:
    """h' = f(a + b), f one of tanh, relu, leaky (slope 26/256 below 0)."""
    return _run(f"rnn-{f}", x, w, u, b)


def ugrnn(x: Tensor, w: Tensor, u: Tensor, b: Tensor) -> Tensor:
    """z = sigmoid(a_0), c = tanh(a_1), h' = z h + (1 - z) c. W [2H, D], U [2H, H], b [2H]."""
    return _run("ugrnn", x, w, u, b)


def gru(x: Tensor, w: Tensor, u: Tensor, b: Tensor, b_hn: Tensor) -> Tensor:
    """torch.nn.GRU's cell, W [3H, D], U [3H, H], b [3H] and b_hn [H] as in harness.models.gru."""
    return _run("gru", x, w, u, b, b_hn)


def lstm(x: Tensor, w: Tensor, u: Tensor, b: Tensor) -> Tensor:
    """torch.nn.LSTM's cell, W [4H, D], U [4H, H], b [4H]."""
    return _run("lstm", x, w, u, b)


def qrnn(x: Tensor, w: Tensor, b: Tensor, window: int = 2) -> Tensor:
    """z, f, o = tanh, sigmoid, sigmoid of W [x_{t-window+1} .. x_t] + b; fo-pooling.

    W [3H, window D], b [3H]; before the first step x is zero.
    """
    padded = torch.nn.functional.pad(x, (0, 0, window - 1, 0)) if window > 1 else x
    return _run("qrnn", padded, w, x.new_empty(0), b, window=window)
