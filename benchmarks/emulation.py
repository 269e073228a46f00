"""How fast the virtual boards are: emulated MHz per second of host CPU, and windows a second.

Example: python benchmarks/emulation.py --json
Wall and CPU times depend on the machine; compare ratios taken in one run.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from common import VIRTUAL, arguments, emit, on_board, running

from tests.models import random_qmodel, random_raw

BENCH_REPEATS = 400
WINDOWS = 20
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def measure(board: str) -> tuple[float, float]:
    """(emulated MHz per CPU second while computing, windows a second over the link)."""
    model = random_qmodel("fastgrnn", hidden=32, features=9, steps=16)
    windows = random_raw(model, WINDOWS)
    with on_board(board) as attachment, running(attachment, model) as (dut, _):
        emulator = attachment.emulator
        assert emulator is not None
        cycles, cpu = emulator.status().cycles, cpu_s(emulator.pid)
        dut.bench(BENCH_REPEATS, timeout_s=120)
        cycles, cpu = emulator.status().cycles - cycles, cpu_s(emulator.pid) - cpu
        started = time.monotonic()
        for window in windows:
            dut.infer(window)
        return cycles / 1e6 / cpu, WINDOWS / (time.monotonic() - started)


def main() -> None:
    """Print one figure of each kind per virtual board."""
    options = arguments(__doc__ or "")
    figures = {board: measure(board) for board in VIRTUAL}
    result = {
        "mhz_per_cpu_s": {board: round(mhz, 1) for board, (mhz, _) in figures.items()},
        "windows_per_s": {board: round(rate, 2) for board, (_, rate) in figures.items()},
    }
    emit(result, options.json)


if __name__ == "__main__":
    main()
