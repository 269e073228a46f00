"""Bench a stored QModel on a virtual board from Python, without torch.

Usage: python examples/bench_stored_model.py MODEL.npz [BOARD]
Make a model with: harness train fastgrnn --preset smoke --out models
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from harness import bench, datasets, lab
from harness.boards import find_kind
from harness.firmware.build import build_firmware
from harness.qmodel import QModel
from harness.reference.model import bench_window
from harness.results import Journal


def main(model_file: Path, board_name: str) -> None:
    """Stream ten test windows and print what came back."""
    model = QModel.load(model_file)
    board = find_kind(board_name).virtual()
    data = datasets.load(model.dataset)
    index = bench.draw_windows(len(data.test), 10, seed=0)
    windows = bench.Windows(datasets.raw(data, "test")[index], data.test.y[index], index)
    firmware = build_firmware(model, board, bench_raw=bench_window(model))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with lab.attached(board, port=None, state_dir=folder / "board") as attachment:
            dut, _ = lab.ensure_firmware(attachment, model, firmware, log=folder / "flash.log")
            measured = bench.measure(
                dut,
                model,
                windows,
                bench_window(model),
                Journal(folder / "journal.jsonl"),
                witness=attachment.witness,
            )
            dut.close()
    cycles = np.array([row.cycles for row in measured.rows])
    print(f"{model.name} on a virtual {board.title}: {measured.mismatches} mismatches")
    print(f"median {np.median(cycles):,.0f} emulated cycles, {firmware.memory.flash_bytes:,} B")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "mkr1000")
