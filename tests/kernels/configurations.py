"""Every combination the firmware knows: cell, rank, state width, storage; small odd shapes."""

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

    def __str__(self) -> str:
        rank = "low" if self.low_rank else "full"
        return f"{self.cell}-{rank}-s{self.state_bits}-{self.storage}"

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
        )
        return wild(tame, self.number) if self.number % 2 else tame


def wild(model: QModel, seed: int) -> QModel:
    """The same network with random tables and shifts: nothing is smooth, much is clamped."""
    rng = np.random.default_rng(seed)
    tables = dict(model.tables)
    for name, dtype in CELLS[model.cell].tables.items():
        info = np.iinfo(dtype)
        tables[name] = rng.integers(info.min, info.max + 1, 256).astype(dtype)
    while True:
        shifts = {name: int(rng.integers(0, 12)) for name in model.shifts}
        shifts["pre"] = int(rng.integers(6, 16))
        try:
            return replace(model, tables=tables, shifts=shifts)
        except ModelFileError:  # an accumulator might overflow
            continue


CONFIGURATIONS = [
    Configuration(number, cell, low_rank, bits, storage)
    for number, (cell, low_rank, bits, storage) in enumerate(
        product(sorted(CELLS), (False, True), (8, 16), STORAGES)
    )
]
