"""Whole firmware with the AVR's kernels on the virtual Uno against the reference: tolerance 0.

The configurations are those of test_cells.py; every second one with its weights as code.
"""

from __future__ import annotations

import pytest

from tests.models import random_raw

from .configurations import CONFIGURATIONS
from .uno import compare_traces

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

STRIDE = 5  # prime to the number of widths, ranks and storages: all occur


@pytest.mark.parametrize("configuration", CONFIGURATIONS[3::STRIDE], ids=str)
def test_bit_exact(configuration, tmp_path):
    model = configuration.model()
    raw = random_raw(model, 2, configuration.number)
    optimise = "speed" if configuration.number % 2 else configuration.storage
    compare_traces(model, raw, optimise, tmp_path)
