"""The training kernel (src/kernel.cpp) through ctypes; pointers are plain addresses."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_int, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.fused import build

MAX_UNITS = 512  # kMaxUnits in src/sequence.h, for features and hidden units


@dataclass(frozen=True, slots=True)
class Kind:
    """A cell: its number in the kernel, its blocks of rows in W and U, and its params' rows."""

    number: int
    gates: int
    params: int
    recurrent: bool = True


KINDS = {
    "fastgrnn-sigmoid": Kind(0, 1, 4),
    "fastrnn-tanh": Kind(1, 1, 3),
    "fastrnn-sigmoid": Kind(2, 1, 3),
    "fastrnn-relu": Kind(3, 1, 3),
    "rnn-tanh": Kind(4, 1, 1),
    "rnn-relu": Kind(5, 1, 1),
    "ugrnn": Kind(6, 2, 2),
    "gru": Kind(7, 3, 4),
    "lstm": Kind(8, 4, 4),
    "qrnn": Kind(9, 3, 3, recurrent=False),
    "fastgrnn-tanh": Kind(10, 1, 4),
    "rnn-leaky": Kind(11, 1, 1),
}

Shape = c_int64 * 6


class Sizes(Structure):
    """How many floats the caller must lend."""

    _fields_ = [("saved", c_int64), ("forward_scratch", c_int64), ("backward_scratch", c_int64)]


_SIGNATURES = {
    "fused_sizes": ([c_int64, POINTER(c_int64), c_int64, POINTER(Sizes)], c_int),
    "fused_forward": ([c_int64, POINTER(c_int64), c_int64, *[c_void_p] * 8], c_int),
    "fused_backward": ([c_int64, POINTER(c_int64), *[c_void_p] * 12], c_int),
    "fused_map": ([c_int64, c_int64, c_void_p, c_void_p], None),
}


def opened(path: Path) -> ctypes.CDLL:
    """A library with the signatures of its functions set."""
    dll = ctypes.CDLL(str(path))
    for name, (arguments, result) in _SIGNATURES.items():
        function = getattr(dll, name)
        function.argtypes, function.restype = arguments, result
    return dll


@cache
def loaded() -> ctypes.CDLL:
    """The library for this machine."""
    return opened(build.library())


def sizes(kind: Kind, shape: ctypes.Array[c_int64], keep: bool) -> Sizes:
    """What `fused_forward` and `fused_backward` need for this shape."""
    result = Sizes()
    if loaded().fused_sizes(kind.number, shape, keep, result) != 0:
        raise ValueError(f"the training kernel does not take the shape {list(shape)}")
    return result
