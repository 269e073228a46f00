"""Every combination the firmware knows: cell, rank, state width, storage; small odd shapes.

A cell's variants come in every rank and width, but in one storage each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from harness.errors import ModelFileError
from harness.firmware.storage import STORAGES
from harness.qmodel import QModel
from harness.reference import CELLS
from tests.models import random_qmodel

# D, H, C
SHAPES = ((1, 1, 1), (3, 7, 2), (9, 16, 6), (5, 13, 3), (2, 9, 4), (17, 11, 12), (8, 8, 5))
DENSITIES = (0.35, 0.0, 1.0, 0.6)
STEPS = 5


@dataclass(frozen=True)
class Configuration:
    """One firmware to build; `number` decides shape, density and whether its numbers are wild."""

    number: int
    cell: str
    low_rank: bool
    state_bits: int
    storage: str
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        rank = "low" if self.low_rank else "full"
        name = "+".join([self.cell, *(value for _, value in self.options)])
        return f"{name}-{rank}-s{self.state_bits}-{self.storage}"

    def model(self) -> QModel:
        features, hidden, classes = SHAPES[self.number % len(SHAPES)]
        tame = random_qmodel(
            self.cell,
            self.number,
            features=features,
            hidden=hidden,
            classes=classes,
            rank_w=1 + self.number % 3 if self.low_rank else None,
            rank_u=1 + self.number % 5 if self.low_rank else None,
            state_bits=self.state_bits,
            steps=STEPS,
            density=DENSITIES[self.number // 3 % len(DENSITIES)],
            companded=self.number % 3 != 0,
            options=dict(self.options),
        )
        return wild(tame, self.number) if self.number % 2 else tame


def wild(model: QModel, seed: int) -> QModel:
    """The same network with random tables and shifts: nothing is smooth, much is clamped."""
    rng = np.random.default_rng(seed)
    while True:
        tables = dict(model.tables)
        for name, dtype in model.cell_class.table_spec(model.dims).items():
            info = np.iinfo(dtype)
            tables[name] = rng.integers(info.min, info.max + 1, 256).astype(dtype)
        shifts = {name: int(rng.integers(0, 12)) for name in model.shifts}
        shifts["pre"] = int(rng.integers(6, 16))
        if "u_align" in shifts:  # each side comes first in every second one
            sides = sorted((shifts["w_align"], shifts["u_align"]), reverse=bool(seed // 2 % 2))
            shifts["w_align"], shifts["u_align"] = sides
        try:
            return replace(model, tables=tables, shifts=shifts)
        except ModelFileError:  # an accumulator might overflow
            continue


def variants(cell: str) -> list[tuple[tuple[str, str], ...]]:
    """Every choice of the options that the integer form has, but the default one."""
    kind = CELLS[cell]
    options = {k: v[:1] if k in kind.training else v for k, v in kind.options.items()}
    return [tuple(zip(options, values, strict=True)) for values in product(*options.values())][1:]


PLAIN = product(sorted(CELLS), (False, True), (8, 16), STORAGES)
VARIED = [(cell, o, *rest) for cell in sorted(CELLS) for o in variants(cell)
          for rest in product((False, True), (8, 16))]  # fmt: skip

CONFIGURATIONS = [
    Configuration(number, cell, low_rank, bits, storage)
    for number, (cell, low_rank, bits, storage) in enumerate(PLAIN)
]
CONFIGURATIONS += [
    Configuration(number, cell, low_rank, bits, STORAGES[number % len(STORAGES)], options)
    for number, (cell, options, low_rank, bits) in enumerate(VARIED, len(CONFIGURATIONS))
]
