"""Cycles and bytes of one step of each cell on a virtual board. Emulated: exact and repeatable.

Example: python benchmarks/kernels.py --board mkr1000 --json
Weights are random (seed 0); cycles are those of the firmware's stored window of eight steps, the
classifier included, divided by its steps.
"""

from __future__ import annotations

from typing import Any

from common import arguments, emit, on_board, running

from harness.errors import DoesNotFit
from harness.lab import Attachment
from tests.models import random_qmodel

SHAPES: list[dict[str, Any]] = [
    {"cell": "fastgrnn", "hidden": 16},
    {"cell": "fastgrnn", "hidden": 16, "rank_w": 2, "rank_u": 8},
    {"cell": "fastgrnn", "hidden": 32, "density": 0.3},
    {"cell": "lstm", "hidden": 16},
    {"cell": "gru", "hidden": 16},
    {"cell": "ornn", "hidden": 16},
    {"cell": "lstm", "hidden": 32},
    {"cell": "gru", "hidden": 32},
]


def measure(attachment: Attachment, shape: dict[str, Any]) -> dict[str, Any]:
    """One row of the table."""
    model = random_qmodel(**shape, features=9, classes=6)
    board = attachment.board
    row: dict[str, Any] = {
        "board": board.kind,
        "model": model.cell,
        "dtype": f"s8_s{model.state_bits}",
        "hidden": model.dims.hidden,
        "rank_w": model.dims.rank_w,
        "rank_u": model.dims.rank_u,
        "density_w": round(model.density("W"), 3),
        "density_u": round(model.density("U"), 3),
        "steps": model.steps,
        "features": model.dims.features,
        "flash_mode": "zero-wait",
    }
    try:
        with running(attachment, model) as (dut, firmware):
            bench = dut.bench(3)
            per_step = bench.cycles_min / bench.steps
            weights = sum(int((m != 0).sum()) for m in model.matrices.values())
            return row | {
                "cycles_per_step": round(per_step, 1),
                "cycles_per_weight": round(per_step / weights, 2),
                "latency_ms": bench.cycles_min / board.clock_hz * 1e3,
                "model_flash_bytes": firmware.memory.model_flash_bytes,
                "flash_bytes": firmware.memory.flash_bytes,
                "ram_static_bytes": firmware.memory.ram_static_bytes,
                "stack_peak_bytes": dut.stats().stack_peak_bytes,
            }
    except DoesNotFit as error:
        return row | {"does_not_fit": error.message}


def main() -> None:
    """Print the table of one board."""
    options = arguments(__doc__ or "", one_board=True)
    with on_board(options.board) as attachment:
        rows = [measure(attachment, shape) for shape in SHAPES]
    emit({"rows": rows}, options.json)


if __name__ == "__main__":
    main()
