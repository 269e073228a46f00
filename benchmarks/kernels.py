"""Cycles and bytes of a step of each model on a virtual board. Emulated: exact and repeatable.

Example: python benchmarks/kernels.py --board mkr1000 --optimise speed --json
A step is rnn_model_step, the input stage and the cell; its cycles are those of one window, the
classifier included, divided by the window's steps. `cell_cycles_per_step` leaves the input stage
out. `floor_cycles_per_step` is derived in docs/kernels.md. `kernel_code_bytes` is the network's own
code in flash, without weights, tables, link and HAL; `stack_peak_bytes` the deepest stack of the
whole firmware. Where an emulator counts a bracket, its ends and the instructions stand for cycles,
beside those of the portable C (`portable_`) built for the same board; ratios are of its middle.
`--csv FILE` writes the table that results/reference/ holds.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import VIRTUAL, emit

from benchmarks.floors import FLOORS
from benchmarks.shapes import SHAPES, Shape
from harness import lab
from harness.bench import Span
from harness.boards import Board, find_kind
from harness.errors import DoesNotFit
from harness.firmware.build import Firmware, build_firmware
from harness.firmware.plan import OPTIMISE
from harness.qmodel import QModel
from harness.reference.model import bench_window
from harness.virtual.process import VirtualBoard

MODES = {"mkr1000": ("zero-wait", "rws1")}


def rows_of(
    board: Board, shape: Shape, optimise: str, modes: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """The rows of one model: one for each flash mode."""
    model = shape.model()
    facts: dict[str, Any] = {
        "board": board.kind,
        "model": shape.name,
        "optimise": optimise,
        "dtype": f"s8_s{model.state_bits}",
        "hidden": model.dims.hidden,
        "rank_w": model.dims.rank_w,
        "rank_u": model.dims.rank_u,
        "density_w": round(model.density("W"), 3),
        "density_u": round(model.density("U"), 3),
        "steps": model.steps,
        "features": model.dims.features,
    }
    try:
        firmware = _built(model, board, optimise)
    except DoesNotFit as error:
        yield facts | {"does_not_fit": error.message}
        return
    for mode in modes:
        yield facts | _measured(board, shape, model, firmware, mode)


def _window(board: Board, model: QModel, firmware: Firmware, mode: str) -> tuple[Span, int]:
    """Cycles of a window of the model's length, and the peak of the stack in bytes."""
    window = bench_window(model)
    raw = window[[t % len(window) for t in range(model.steps)]]
    with (
        tempfile.TemporaryDirectory() as state,
        VirtualBoard.start(board.emulator, Path(state), flash_mode=mode) as emulator,
    ):
        attachment = lab.Attachment(board, str(emulator.port), emulator)
        dut, _ = lab.ensure_firmware(attachment, model, firmware, log=Path(state) / "flash.log")
        try:
            before = lab.EmulatorWitness(emulator).marked()
            cycles = dut.infer(raw).cycles
            span = lab.EmulatorWitness(emulator).marked().since(before)
            return replace(span, cycles=cycles), dut.stats().stack_peak_bytes
        finally:
            dut.close()


def _measured(
    board: Board, shape: Shape, model: QModel, firmware: Firmware, mode: str
) -> dict[str, Any]:
    whole, stack_peak_bytes = _window(board, model, firmware, mode)
    cell_only = _built(model, board, firmware.optimise, measure_cell=True)
    cell, _ = _window(board, model, cell_only, mode)
    floors = FLOORS.get(board.core)
    floor = floors.step(model, firmware.optimise == "speed") if floors else None
    if board.time_unit == "bracket":
        portable_board = replace(board, core="")
        portable = _built(model, portable_board, firmware.optimise)
        plain, _ = _window(portable_board, model, portable, mode)
        cycles = _bracket(model.steps, whole, cell, plain)
    else:
        cycles = {
            "cycles_per_step": round(whole.cycles / model.steps, 1),
            "cell_cycles_per_step": round(cell.cycles / model.steps, 1),
        }
    per_step = (whole.cycles + max(whole.cycles, whole.cycles_hi)) / 2 / model.steps
    weights = sum(int((m != 0).sum()) for m in model.matrices.values())
    memory = firmware.memory
    exact = board.time_unit == "cycles"
    return {
        "flash_mode": mode,
        **cycles,
        "cycles_per_weight": round(per_step / weights, 2),
        "floor_cycles_per_step": round(floor) if floor else None,
        "ratio_to_floor": round(per_step / floor, 2) if floor else None,
        "latency_ms": round(whole.cycles / board.clock_hz * 1e3, 2) if exact else None,
        "paper_ms": shape.paper_ms.get(board.kind),
        "storage": " ".join(f"{k}={v}" for k, v in sorted(firmware.storage.items())),
        "kernel_code_bytes": memory.parts["kernel"],
        "model_flash_bytes": memory.model_flash_bytes,
        "flash_bytes": memory.flash_bytes,
        "ram_static_bytes": memory.ram_static_bytes,
        "stack_peak_bytes": stack_peak_bytes,
    }


def _bracket(steps: int, whole: Span, cell: Span, portable: Span) -> dict[str, float]:
    """Where an emulator counts instructions and both ends of an estimate of cycles."""
    spans = {"": whole, "cell_": cell, "portable_": portable}
    return {
        f"{prefix}{what}_per_step": round(count / steps, 1)
        for prefix, span in spans.items()
        for what, count in (
            ("instructions", span.instructions),
            ("cycles_lo", span.cycles),
            ("cycles_hi", span.cycles_hi),
        )
    }


def _built(model: QModel, board: Board, optimise: str, measure_cell: bool = False) -> Firmware:
    window = bench_window(model)
    return build_firmware(
        model, board, bench_raw=window, optimise=optimise, measure_cell=measure_cell
    )


def table(
    board: Board, optimise: tuple[str, ...], shapes: tuple[Shape, ...]
) -> list[dict[str, Any]]:
    """All rows."""
    modes = MODES.get(board.kind, ("zero-wait",))
    shapes = tuple(s for s in shapes if not s.boards or board.kind in s.boards)
    return [
        row for shape in shapes for way in optimise for row in rows_of(board, shape, way, modes)
    ]


def write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    """The table as results/reference/ keeps it: every column, empty where there is nothing."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--board", choices=VIRTUAL, required=True)
    parser.add_argument("--optimise", choices=OPTIMISE, help="one of them; default: all three")
    parser.add_argument("--models", help="comma-separated names of rows; default: all")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--csv", type=Path, help="also write the table to this file")
    return parser.parse_args()


def main() -> None:
    """Print the table of one board."""
    options = arguments()
    wanted = options.models.split(",") if options.models else [s.name for s in SHAPES]
    shapes = tuple(s for s in SHAPES if s.name in wanted)
    optimise = (options.optimise,) if options.optimise else OPTIMISE
    rows = table(find_kind(options.board).virtual(), optimise, shapes)
    if options.csv:
        write_csv(rows, options.csv)
    emit({"rows": rows}, options.json)


if __name__ == "__main__":
    main()
