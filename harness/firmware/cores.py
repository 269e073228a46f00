"""Cores: the kernels each has beside the portable ones, and what they cost.

`boards.yaml` names a board's core; `core_of` finds its entry here. A core that has none runs the
portable C.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.firmware import armv6m, armv7m, avr, avr_code, avr_narrow
from harness.firmware.ascode import CodeForm
from harness.firmware.storage import Cost, Form, portable

# Cycles of the portable C where nothing better is known: a MAC of a Cortex-M0+ at -Os.
UNKNOWN = Cost(call=30, row=15, entry=11), Cost(call=30, row=20, nonzero=20)
SPARSE_SCAN = Cost(call=30, row=20, entry=6, nonzero=12)
TYPES = ("s8", "s16", "s32")
PORTABLE_COSTS = {
    "dense": dict.fromkeys(TYPES, UNKNOWN[0]),
    "index": dict.fromkeys(TYPES, UNKNOWN[1]),
    "bitmap": dict.fromkeys(TYPES, SPARSE_SCAN),
}


@dataclass(frozen=True, slots=True)
class Vectors:
    """Types of the elements in RAM of the state h, the input x and low rank's inner values t.

    '' = the narrowest that holds the values.
    """

    h: str = ""
    x: str = ""
    t: str = ""


@dataclass(frozen=True, slots=True)
class Core:
    """What the build knows of an instruction set.

    Fields
        folders  its kernels, firmware_templates/kernels/<folder>; of files of one name the first
                 folder's counts; () = the portable ones only
        forms    storages that its kernels can read, the fastest first: it wins a tie
        vectors  the element types to choose from
        joins    whether [U | W] [h; x] may be one product (docs/kernels.md, "Joint products")
        fused    forms whose kernels are part of its rnn_products
        wide_biases  whether its updates take FastGRNN's biases as words, for speed
        narrow_step  whether it has a whole step of FastGRNN for sums of 16 bits
        code     weights as code, where the core has a back end for it
        rest_bytes  of flash, for all that is not a matrix, when weights are made code
    """

    folders: tuple[str, ...] = ()
    forms: tuple[Form, ...] = portable(PORTABLE_COSTS)
    vectors: tuple[Vectors, ...] = (Vectors(),)
    joins: bool = False
    fused: tuple[str, ...] = ()
    wide_biases: bool = False
    narrow_step: bool = False
    code: CodeForm | None = None
    rest_bytes: int = 12_000


PORTABLE = Core()
HALFWORDS = Vectors("s16", "s16", "s16")
CORES: Mapping[str, Core] = {
    "avr": Core(
        ("avr",),
        (*avr.FORMS, *avr_narrow.FORMS),
        fused=tuple(form.name for form in avr.FORMS),
        narrow_step=True,
        code=avr_code.CODE,
        rest_bytes=9_000,
    ),
    "cortex-m0plus": Core(
        ("armv6m",),
        armv6m.FORMS,
        vectors=(Vectors("s32", "s32", "s32"), Vectors("s16", "s16", "s32")),
        joins=True,
        fused=("block", "pairs", "bitmap"),
        wide_biases=True,
        code=armv6m.CODE,
    ),
    "cortex-m3": Core(("armv7m",), armv7m.M3_FORMS, vectors=(HALFWORDS,)),
    "cortex-m4f": Core(("armv7em", "armv7m"), armv7m.M4_FORMS, vectors=(HALFWORDS,)),
}


def core_of(name: str) -> Core:
    """The core that boards.yaml calls `name`; the portable one where none is known."""
    return CORES.get(name, PORTABLE)
