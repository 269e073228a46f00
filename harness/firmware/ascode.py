"""Weights as code: a matrix becomes a function that knows its weights.

The one place where the build writes code from a model. A core's back end turns a product into
straight-line assembly, so its bytes and cycles are known without running it; its function counts as
part of the model (`rnn_model_code_<matrix>`, elf.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from harness.firmware.storage import Product

PREFIX = "rnn_model_code_"


@dataclass(frozen=True, slots=True)
class Routine:
    """A function in assembly.

    Fields
        text        the whole source file
        code_bytes  its size in flash; on an AVR about, within a tenth
        cycles      of a call, from its first instruction to its return
    """

    text: str
    code_bytes: int
    cycles: int


@dataclass(frozen=True, slots=True)
class CodeForm:
    """The form `code` of a core: like storage.Form, but a function instead of an array.

    Fields
        write    back end: the routine of a product, to be called <PREFIX><its name>
        vectors  types of vector that it can read
    """

    write: Callable[[Product], Routine]
    vectors: tuple[str, ...]
    name: str = "code"
    pad: int = 0

    def usable(self, product: Product) -> bool:
        """Can the back end write this product?"""
        return product.vector in self.vectors

    def macros(self, product: Product) -> dict[str, object]:
        """Nothing has to be known beside the function."""
        return {}

    def routine(self, product: Product) -> Routine:
        """Its function; remembered, as writing one takes a search."""
        return _written(self.write, _Hashed(product))

    def size(self, product: Product) -> int:
        """Bytes in flash."""
        return self.routine(product).code_bytes

    def cycles(self, product: Product) -> float:
        """Cycles of a call."""
        return self.routine(product).cycles


class _Hashed:
    """A product as a key: equal where all that its function knows is."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.key = (
            product.name,
            product.matrix.shape,
            product.matrix.tobytes(),
            product.vector,
            product.adds,
            product.place,
            None if product.starts is None else product.starts.tobytes(),
        )

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and self.key == other.key


@lru_cache(maxsize=64)
def _written(write: Callable[[Product], Routine], hashed: _Hashed) -> Routine:
    return write(hashed.product)
