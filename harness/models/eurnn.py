"""EURNN: a complex state and a unitary recurrent matrix made of layers of rotations.

Ref: Jing, Shen, Dubcek, Peurifoy, Skirlo, LeCun, Tegmark, Soljacic, ICML 2017, arXiv:1612.05231,
sections 3 (rotations, diagonal, tunable and FFT-style layers) and 4 (the layer of a network);
modReLU: Arjovsky, Shah, Bengio, ICML 2016, arXiv:1511.06464, eq. (8).

A rotation of units i and j is [[e^{i phi} cos t, -e^{i phi} sin t], [sin t, cos t]]; a layer
rotates disjoint pairs. U = D F_1 F_2 ... F_L, D a diagonal of phases. `tunable`: neighbours, from
unit 0 and from unit 1 in turn, L = 4. `fft`: partners 1, 2, 4, ... apart, L = log2 of the units.
Integer twin: harness/reference/eurnn.py.

U is multiplied out once a pass, as a real matrix on [re; im]. The gradient over the sequence is
written out: with p = U h + W x, u = p / |p|, g = b / |p| and the gain s = 1 + g in (0, 8),

    dL/dp = s d - g u (u . d),  dL/db = sum of u . d

and s d alone where s is 0 or 8.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from harness.errors import UsageError
from harness.models.cell import Cell, State, as_bytes
from harness.presets import Hyper
from harness.reference.eurnn import EURNN as Integer
from harness.reference.eurnn import MAX_GAIN, TINY

CAPACITY = 4  # layers of the tunable style: each unit is reached by 8 others


def layer_pairs(units: int, style: str, capacity: int = CAPACITY) -> list[tuple[Tensor, Tensor]]:
    """Of each layer, the first and the second units of its rotations."""
    if style == "fft":
        if units & (units - 1):
            raise UsageError(
                f"{units} complex units; style fft needs a power of two",
                hint="choose hidden = 4, 8, 16, 32, ...: twice the number of units",
            )
        every = torch.arange(units)
        firsts = [every[every & (1 << k) == 0] for k in range(units.bit_length() - 1)]
        return [(first, first + (1 << k)) for k, first in enumerate(firsts)]
    starts = [torch.arange(k % 2, max(units - 1, k % 2), 2) for k in range(capacity)]
    return [(first, first + 1) for first in starts]


def rotations(v: Tensor, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """D F_1 ... F_L for angles v [L + 1, Hc]: complex [Hc, Hc].

    Row k of v holds the t of layer k's rotations, then their phi; the last row D's phases.
    """
    units, half = v.shape[1], v.shape[1] // 2
    product = torch.diag(torch.polar(torch.ones_like(v[-1]), v[-1]))
    for angles, (first, second) in zip(v[:-1], pairs, strict=True):
        t, phi = angles[: len(first)], angles[half : half + len(first)]
        phase = torch.polar(torch.ones_like(phi), phi)
        layer = torch.eye(units, dtype=product.dtype, device=v.device)
        layer[first, first] = phase * torch.cos(t)
        layer[first, second] = -phase * torch.sin(t)
        layer[second, first] = torch.sin(t).to(product.dtype)
        layer[second, second] = torch.cos(t).to(product.dtype)
        product = product @ layer
    return product


def as_real(u: Tensor) -> Tensor:
    """Complex A + iB [Hc, Hc] -> [[A, -B], [B, A]] [2 Hc, 2 Hc], the same map on [re; im]."""
    a, b = u.real, u.imag
    return torch.cat([torch.cat([a, -b], dim=1), torch.cat([b, a], dim=1)])


def modrelu(p: Tensor, b: Tensor) -> Tensor:
    """p / |p| relu(|p| + b) with a gain of at most MAX_GAIN: p [N, 2 Hc] as [re; im], b [Hc]."""
    pairs = p.reshape(len(p), 2, -1)
    size = pairs.square().sum(1, keepdim=True).clamp_min(TINY).sqrt()
    gain = (1.0 + b / size).clamp(0.0, MAX_GAIN)
    h: Tensor = (pairs * gain).reshape(p.shape)
    return h


class _Sequence(torch.autograd.Function):
    """(a_x [T, N, 2 Hc] = W x, U [2 Hc, 2 Hc], b [Hc]) -> h_T [N, 2 Hc]."""

    @staticmethod
    def forward(ctx: Any, a_x: Tensor, u: Tensor, b: Tensor) -> Tensor:
        steps, n, hidden = a_x.shape
        h, p = a_x.new_zeros(steps + 1, n, hidden), torch.empty_like(a_x)
        u_t = u.t().contiguous()
        units = hidden // 2
        h_steps, p_pairs = h.unbind(0), p.view(steps, n, 2, units)
        square, gain = p.new_empty(n, 2, units), p.new_empty(n, 1, units)
        for t, (a_x_t, p_t) in enumerate(zip(a_x.unbind(0), p.unbind(0), strict=True)):
            torch.addmm(a_x_t, h_steps[t], u_t, out=p_t)
            torch.mul(p_pairs[t], p_pairs[t], out=square)
            torch.sum(square, 1, keepdim=True, out=gain)
            torch.addcmul(torch.ones_like(gain), b, gain.clamp_min_(TINY).rsqrt_(), out=gain)
            gain.clamp_(0.0, MAX_GAIN)
            torch.mul(p_pairs[t], gain, out=h_steps[t + 1].view(n, 2, units))
        ctx.save_for_backward(h, p, u, b)
        return h[steps].clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        h, p, u, b = ctx.saved_tensors
        steps, n, hidden = p.shape
        units = hidden // 2
        pairs = p.view(steps, n, 2, units)
        reciprocal = pairs.square().sum(2, keepdim=True).clamp_min_(TINY).rsqrt_()
        gain = 1.0 + b * reciprocal
        inside = (gain > 0.0) & (gain < MAX_GAIN)
        gain.clamp_(0.0, MAX_GAIN)
        unit = (pairs * reciprocal).mul_(inside)  # zero where b does nothing
        turned = unit * (b * reciprocal)
        e = torch.empty_like(pairs)
        along = p.new_empty(steps, n, 1, units)
        d, product = grads[0].reshape(n, 2, units), torch.empty_like(e[0])
        for t in range(steps - 1, -1, -1):
            torch.mul(unit[t], d, out=product)
            torch.sum(product, 1, keepdim=True, out=along[t])
            torch.mul(gain[t], d, out=e[t])
            e[t].addcmul_(turned[t], along[t], value=-1.0)
            if t:
                d = (e[t].view(n, hidden) @ u).view(n, 2, units)
        e = e.view(steps, n, hidden)
        d_u = e.reshape(-1, hidden).t() @ h[:-1].reshape(-1, hidden)
        return e, d_u, along.sum((0, 1, 2))


class EURNN(Cell):
    """h' = modReLU(U h + W x; b), h = [re; im]. W [H, D], U [H, H] from angles V, b [H / 2].

    The state keeps its norm over a long window, so the rounding of U to bytes may add up:
    the `rounded` stage trains on with U as rounded (docs/cells/eurnn.md: how much).
    """

    name = "eurnn"

    def __init__(
        self, features: int, hidden: int, style: str = "tunable", capacity: int = CAPACITY
    ) -> None:
        super().__init__(features, hidden)
        if hidden % 2:
            raise UsageError(
                f"hidden is {hidden}; a complex unit takes two numbers of the state",
                hint="choose an even number",
            )
        units = hidden // 2
        self.pairs = layer_pairs(units, style, capacity)
        self.add_matrix("W", hidden, features, None, 3**0.5)
        self.V = nn.Parameter((2.0 * torch.rand(len(self.pairs) + 1, units) - 1.0) * math.pi)
        self.b = nn.Parameter(torch.zeros(units))

    @classmethod
    def build(cls, features: int, steps: int, h: Hyper) -> EURNN:
        return cls(features, h.hidden, Integer.choices(h.options)["style"])

    @property
    def unitary(self) -> Tensor:
        """The product of the rotations, complex [H / 2, H / 2]."""
        return rotations(self.V, self.pairs)

    @property
    def U(self) -> Tensor:
        """The recurrent matrix on [re; im], [H, H]: orthogonal, or its rounding to bytes."""
        u = as_real(self.unitary)
        return as_bytes(u) if self.rounded else u

    def forward(self, x: Tensor) -> Tensor:
        a_x = x.transpose(0, 1) @ self.matrix("W").t()
        result: Tensor = _Sequence.apply(a_x, self.U, self.b)  # type: ignore[no-untyped-call]
        return result

    def step(self, x: Tensor, state: State) -> State:
        return {"h": modrelu(x @ self.matrix("W").t() + state["h"] @ self.U.t(), self.b)}

    def states(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """With U multiplied out once."""
        h = (self.start(len(x)) if state is None else state)["h"]
        a_x, u_t = x @ self.matrix("W").t(), self.U.t()
        hidden: list[Tensor] = []
        for a_x_t in a_x.unbind(1):
            h = modrelu(a_x_t + h @ u_t, self.b)
            hidden.append(h)
        return torch.stack(hidden, 1), {"h": h}

    def undecayed(self) -> list[nn.Parameter]:
        return [self.V]

    def export(self) -> dict[str, Tensor]:
        return {**dict(self.named_parameters()), "U": self.U}
