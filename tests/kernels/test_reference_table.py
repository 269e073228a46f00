"""The committed tables of benchmarks/kernels.py against a few rows measured now, to the cycle."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

from harness.boards import find_kind
from harness.firmware.cores import core_of
from harness.firmware.plan import make_plan

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from benchmarks.kernels import MODES, rows_of  # noqa: E402
from benchmarks.shapes import SHAPES  # noqa: E402

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

MEASURED = [
    ("mkr1000", "fastgrnn-16-lr", "speed"),
    ("mkr1000", "fastgrnn-16", "balanced"),
    ("mkr1000", "lstm-16", "balanced"),
    ("uno", "fastgrnn-16-lr", "balanced"),
    ("uno", "fastgrnn-16-lr-s8-t8", "speed"),
    ("uno", "fastgrnn-16-lr-narrow", "balanced"),
    ("uno", "fastgrnn-16-lr-narrow", "speed"),
    ("uno", "lstm-16", "balanced"),
    ("nano33ble", "fastgrnn-16", "balanced"),
    ("due", "lstm-16", "balanced"),
]


def committed(board):
    with (ROOT / "results" / "reference" / f"kernels-{board}.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("board", "name", "optimise"), MEASURED)
def test_a_row_is_what_the_table_says(board, name, optimise, tmp_path, monkeypatch):
    """After a wanted change: python benchmarks/kernels.py --board B --csv results/reference/..."""
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path))
    shape = next(s for s in SHAPES if s.name == name)
    modes = MODES.get(board, ("zero-wait",))
    known = [r for r in committed(board) if (r["model"], r["optimise"]) == (name, optimise)]
    rows = list(rows_of(find_kind(board).virtual(), shape, optimise, modes))
    now = [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
    assert now == [{k: v for k, v in r.items() if k in now[0]} for r in known]
    assert all(int(row["kernel_code_bytes"]) > 0 < int(row["stack_peak_bytes"]) for row in now)


@pytest.mark.parametrize("name", ["har2-paper-narrow", "fastgrnn-16-lr-narrow"])
@pytest.mark.parametrize("optimise", ["balanced", "speed"])
def test_costs_of_narrow_sums_are_those_of_the_table(name, optimise):
    """What forms are chosen by, and what is left for each unit: within a tenth of the cell."""
    model = next(s for s in SHAPES if s.name == name).model()
    kept = make_plan(model, core_of("avr"), optimise).kept
    products = sum(form.cycles(product) for product, form in kept if product.name != "F")
    row = next(r for r in committed("uno") if (r["model"], r["optimise"]) == (name, optimise))
    measured = float(row["cell_cycles_per_step"])
    planned = products + NARROW_UNIT_CYCLES * model.dims.hidden + NARROW_FRAME_CYCLES
    assert abs(planned - measured) < 0.1 * measured, (planned, measured)


NARROW_UNIT_CYCLES = 56  # of an update
NARROW_FRAME_CYCLES = 110  # registers saved, the call, the classifier's share


@pytest.mark.parametrize("board", ["mkr1000", "uno"])
def test_the_table_meets_the_bars(board):
    """Cycles of the cell, of a step with the input stage, and milliseconds of a window that a user
    may rely on."""
    rows = {
        (r["model"], r["optimise"]): r for r in committed(board) if r["flash_mode"] == "zero-wait"
    }
    for (name, optimise), cycles in CELL_CYCLES[board].items():
        assert float(rows[name, optimise]["cell_cycles_per_step"]) <= cycles
    for (name, optimise), cycles in STEP_CYCLES[board].items():
        assert float(rows[name, optimise]["cycles_per_step"]) <= cycles
    for (name, optimise), latency_ms in LATENCY_MS[board].items():
        assert float(rows[name, optimise]["latency_ms"]) <= latency_ms


CELL_CYCLES = {
    "mkr1000": {
        ("fastgrnn-16-lr", "balanced"): 2_400,
        ("fastgrnn-16-lr", "speed"): 1_900,
        ("fastgrnn-16", "balanced"): 2_400,
        ("fastgrnn-16", "speed"): 2_100,
        ("lstm-16", "balanced"): 7_500,
    },
    "uno": {},
}
STEP_CYCLES = {
    "mkr1000": {},
    "uno": {
        ("fastgrnn-16-lr-narrow", "balanced"): 4_000,
        ("fastgrnn-16-lr-narrow", "speed"): 3_100,
    },
}
LATENCY_MS = {
    "mkr1000": {
        ("har2-paper", "balanced"): 54,
        ("har2-paper", "speed"): 30,
        ("google12-paper", "balanced"): 46,
        ("google12-paper", "speed"): 26,
    },
    "uno": {
        ("har2-paper-narrow", "balanced"): 300,
        ("har2-paper-narrow", "speed"): 160,
    },
}
