"""EURNN in integers: a complex state, a unitary recurrent matrix, modReLU.

Ref: Jing, Shen, Dubcek, Peurifoy, Skirlo, LeCun, Tegmark, Soljacic, ICML 2017, arXiv:1612.05231,
sections 3 and 4; modReLU: Arjovsky, Shah, Bengio, ICML 2016, arXiv:1511.06464, eq. (8).
The rotations are multiplied out: U = A + iB becomes the int8 matrix [[A, -B], [B, A]], with zeros
where no rotation reaches, which storage leaves out (docs/cells/eurnn.md has the costs).
Twins: harness/models/eurnn.py (float), firmware_templates/cells/rnn_cell_eurnn.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.reference.cell import Dims, ReferenceCell, State
from harness.reference.floats import Array, Floats, FloatState
from harness.reference.ops import TABLE_SIZE, IntArray, Saturations, rshift, saturate

GAIN_FRAC = 13  # of the factor that modReLU multiplies with, uint16: [0, 8)
GAIN_MAX = (1 << 16) - 1
MAX_GAIN = GAIN_MAX / (1 << GAIN_FRAC)  # 7.9999
RECIPROCAL_FRAC = 14
TINY = 1e-12  # least |z|^2 that floats divide by


def reciprocal_table() -> NDArray[np.int16]:
    """2^14 / sqrt(i): exact i below 64, the middle of the bucket [i, i + 1) from there on."""
    i = np.arange(TABLE_SIZE, dtype=np.float64)
    i[TABLE_SIZE // 4 :] += 0.5
    i[0] = 1.0
    table = np.floor(2.0**RECIPROCAL_FRAC / np.sqrt(i) + 0.5)
    table[0] = 0.0
    return table.astype(np.int16)


def halvings(n: IntArray) -> IntArray:
    """How often n in 0 .. 2^31 must be divided by 4 to be below 256: 0 .. 12."""
    bits = np.frexp(n.astype(np.float64))[1]
    return np.asarray(np.maximum(bits - 7, 0) // 2, np.int64)


def modrelu_gain(n: IntArray, bias: IntArray, table: IntArray) -> IntArray:
    """(1 + bias / sqrt(n)) 2^13, clamped to 0 .. 65535. n in 0 .. 2^31, bias int16."""
    k = halvings(n)
    quotient = (bias * table[n >> (2 * k)]) >> (k + RECIPROCAL_FRAC - GAIN_FRAC)
    return np.asarray(np.clip((1 << GAIN_FRAC) + quotient, 0, GAIN_MAX), np.int64)


class EURNN(ReferenceCell):
    """h' = modReLU(U h + W x; b): p = U h + W x, h' = p / |p| relu(|p| + b), unit by unit.

    A unit is complex: of the H real numbers of h, the first half are the real parts, the second the
    imaginary ones, and the classifier reads them all. W [H, D] is [Re W; Im W], b has H / 2 values.
    The gain |h'| / |p| is below 8: that differs from modReLU only where |p| < b / 7.
    How the rotations were arranged (`style`) matters in training only.
    """

    name = "eurnn"
    gates = 1
    multiple = 2
    biases = {"b": 1}
    tables = {"r": "int16"}
    shifts = ("out",)
    options = {"style": ("tunable", "fft")}
    training = ("style",)

    @classmethod
    def bias_sizes(cls, dims: Dims) -> Mapping[str, int]:
        return {"b": dims.hidden // 2}

    @classmethod
    def plan(
        cls,
        acc_frac: int,
        fracs: Mapping[str, int],
        scalars: Mapping[str, float],
        options: Mapping[str, str],
    ) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
        return {"out": acc_frac - fracs["h"]}, {"r": reciprocal_table()}

    def step(self, x: IntArray, state: State, sat: Saturations) -> State:
        a = self.acc_w(x, sat) + self.acc_u(state["h"], sat)
        p = saturate(rshift(a, self.shift["out"]), 16, sat.mid)
        re, im = np.split(p, 2, axis=1)
        bias = np.clip(rshift(self.bias("b"), self.shift["out"]), -32768, 32767)
        gain = modrelu_gain(re * re + im * im, bias, self.table["r"])
        h = rshift(p * np.concatenate([gain, gain], axis=1), GAIN_FRAC)
        return {"h": self.to_state(h, sat)}

    @classmethod
    def float_step(cls, f: Floats, x: Array, state: FloatState) -> FloatState:
        p = f.w(x) + f.u(state["h"])
        f.peak("h", p)  # both must fit the format of h
        re, im = np.split(p, 2, axis=1)
        size = np.sqrt(np.maximum(re * re + im * im, np.float32(TINY)))
        gain = np.clip(1 + f.t["b"] / size, np.float32(0), np.float32(MAX_GAIN))
        return {"h": p * np.concatenate([gain, gain], axis=1)}
