"""The float twin of a cell in numpy: what training left behind, evaluated without torch.

A cell's `float_step` works on a `Floats`, which gives it its two products under the integer cell's
names and remembers the largest magnitudes on the way, which the quantiser needs for its formats.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
FloatState = dict[str, Array]


class Floats:
    """Float tensors and scalars of one model, and the peaks seen so far.

    tensors   named as the integer cell's; float32
    scalars   FastGRNN's zeta and nu, and the like
    options   the cell's variants
    peaks     name -> largest |value|; `w_mid` and `u_mid` are low rank's inner products
    """

    def __init__(
        self,
        tensors: Mapping[str, Array],
        scalars: Mapping[str, float],
        options: Mapping[str, str],
    ) -> None:
        self.t = tensors
        self.options = options
        self.scalars = {name: np.float32(value) for name, value in scalars.items()}
        self.peaks: dict[str, float] = {}

    def w(self, x: Array) -> Array:
        """W x for each row of x [N, D]."""
        return self._product("W", x)

    def u(self, h: Array) -> Array:
        """U h for each row of h [N, H]."""
        return self._product("U", h)

    def peak(self, name: str, value: Array) -> None:
        """Remember the largest magnitude of a value."""
        largest = float(np.abs(value).max(initial=0.0))
        self.peaks[name] = max(self.peaks.get(name, 0.0), largest)

    def _product(self, name: str, v: Array) -> Array:
        if name in self.t:
            return matmul(v, self.t[name])
        inner = matmul(v, self.t[f"{name}2T"])
        self.peak(f"{name.lower()}_mid", inner)
        return matmul(inner, self.t[f"{name}1"])


def matmul(v: Array, matrix: Array) -> Array:
    """matrix [R, K] times each row of v [N, K] -> [N, R]."""
    return np.asarray(v @ matrix.T, np.float32)


def sigmoid(a: Array) -> Array:
    """By tanh, which cannot overflow."""
    half = np.float32(0.5)
    return np.asarray(half * np.tanh(half * a) + half, np.float32)
