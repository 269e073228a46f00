"""How fast the virtual boards are: emulated MHz per second of host CPU, and windows a second.

Example: python benchmarks/emulation.py --json
         python benchmarks/emulation.py --flags="-O3 -flto"
The emulators and a native loop (native_loop.c) take turns, a turn of each a round; a figure is the
median over the rounds, `spread` the lowest and highest. Boards that share an emulator are measured
once, boards without emulated cycles not at all.

    mhz_per_cpu_s  as this machine does it, while computing
    normalised     the same on a machine whose native loop does `reference_mrounds_per_cpu_s`: each
                   turn divided by the loop's turns before and after it, times the reference
    windows_per_s  over the link, by the wall clock
    bars           the least normalised MHz that is asked for, and whether it is met

`--flags` compares two builds of the boards with a bar instead, the usual one and one with these
flags of the compiler after its own: medians of the ratio of two turns, above 1 where it is faster.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import VIRTUAL, emit, on_board, running

from harness.boards import find_kind
from harness.link.dut import Dut
from harness.qmodel import QModel
from harness.virtual import build
from harness.virtual.process import VirtualBoard
from tests.models import random_qmodel, random_raw

ROUNDS = 7
TURN_CYCLES = 40_000_000  # below a second, after which a board falls back to real time
WINDOWS = 10
LOOP_ROUNDS = 20_000_000
# The loop on the machine that the bars were judged on: a VM of two cores of a Xeon, gcc 12 -O2.
REFERENCE_MROUNDS_PER_CPU_S = 600.0
BARS_MHZ = {"uno": 100, "mkr1000": 200}


def measured_boards() -> list[str]:
    """The first kind of each emulator that counts cycles."""
    kinds = {name: find_kind(name).virtual() for name in VIRTUAL}
    counted = {name: kind for name, kind in kinds.items() if kind.timing_source != "none"}
    emulators = [kind.emulator for kind in counted.values()]
    return [name for name, e in zip(counted, emulators, strict=True) if e == name or e not in kinds]


def native_loop() -> Callable[[], float]:
    """Compiles the loop; what is returned takes a turn, in million rounds per CPU second."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "loop.so"
        source = Path(__file__).with_name("native_loop.c")
        compiler = os.environ.get("CC", "gcc")
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
        subprocess.run(command, check=True, timeout=60)
        run = ctypes.CDLL(str(library)).native_loop

    def turn() -> float:
        started = time.thread_time()
        run(LOOP_ROUNDS)
        return LOOP_ROUNDS / 1e6 / (time.thread_time() - started)

    return turn


def cpu_s(pid: int) -> float:
    """CPU seconds of a process with one thread. Ref: Linux, sched-stats, /proc/PID/schedstat."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


@dataclass
class Runner:
    """A virtual board with a model, and what its turns gave."""

    dut: Dut
    emulator: VirtualBoard
    model: QModel
    mhz: list[float] = field(default_factory=list)
    normalised: list[float] = field(default_factory=list)
    windows_per_s: list[float] = field(default_factory=list)

    def turn(self, loop: Callable[[], float]) -> float:
        """A turn of the board between two of the loop; returns the loop's mean."""
        before, mhz, after = loop(), self.compute(), loop()
        mrounds_per_s = (before + after) / 2
        self.mhz.append(mhz)
        self.normalised.append(mhz * REFERENCE_MROUNDS_PER_CPU_S / mrounds_per_s)
        self.windows_per_s.append(self._stream())
        return mrounds_per_s

    def compute(self) -> float:
        """MHz of a turn. Cycles of marked stretches only: those asleep cost the host nothing."""
        start = self.emulator.status().marks_cycles
        self.dut.bench(1, timeout_s=60)
        cycles, cpu = self.emulator.status().marks_cycles, cpu_s(self.emulator.pid)
        self.dut.bench(TURN_CYCLES // (cycles - start), timeout_s=60)
        used_s = cpu_s(self.emulator.pid) - cpu
        return (self.emulator.status().marks_cycles - cycles) / 1e6 / used_s

    def _stream(self) -> float:
        started = time.monotonic()
        for window in random_raw(self.model, WINDOWS):
            self.dut.infer(window)
        return WINDOWS / (time.monotonic() - started)


@contextlib.contextmanager
def started(board: str, flags: tuple[str, ...] = ()) -> Iterator[Runner]:
    """A board with the model, its emulator compiled with these flags besides."""
    usual = build.CFLAGS
    build.CFLAGS = (*usual, *flags)
    model = random_qmodel("fastgrnn", hidden=32, features=9, steps=16)
    try:
        with on_board(board) as attachment, running(attachment, model) as (dut, _):
            build.CFLAGS = usual
            assert isinstance(attachment.emulator, VirtualBoard)
            yield Runner(dut, attachment.emulator, model)
    finally:
        build.CFLAGS = usual


def measure(boards: list[str]) -> tuple[dict[str, Runner], list[float]]:
    """The boards after ROUNDS turns each, and the loop's turns."""
    loop = native_loop()
    with contextlib.ExitStack() as stack:
        runners = {board: stack.enter_context(started(board)) for board in boards}
        loops = [runner.turn(loop) for _ in range(ROUNDS) for runner in runners.values()]
    return runners, loops


def compare(boards: list[str], flags: str) -> dict[str, float]:
    """By board, the speed of an emulator built with `flags` over that of the usual one."""
    ratios = {}
    for board in boards:
        with started(board) as usual, started(board, tuple(flags.split())) as other:
            turns = [(usual.compute(), other.compute()) for _ in range(ROUNDS)]
            cycles = {r.emulator.status().marks_last_cycles for r in (usual, other)}
            assert len(cycles) == 1, "the flags change what is emulated"
        ratios[board] = round(statistics.median(b / a for a, b in turns), 3)
    return ratios


def summary(runners: dict[str, Runner], loops: list[float]) -> dict[str, Any]:
    """Medians, spreads and the bars."""

    def of(figure: Callable[[Runner], Any]) -> dict[str, Any]:
        return {board: figure(runner) for board, runner in runners.items()}

    normalised = of(lambda r: middle(r.normalised))
    return {
        "mhz_per_cpu_s": of(lambda r: middle(r.mhz)),
        "normalised": normalised,
        "windows_per_s": of(lambda r: middle(r.windows_per_s)),
        "native_loop": {
            "mrounds_per_cpu_s": middle(loops),
            "reference_mrounds_per_cpu_s": REFERENCE_MROUNDS_PER_CPU_S,
            "spread": spread(loops),
        },
        "spread": {
            "mhz_per_cpu_s": of(lambda r: spread(r.mhz)),
            "normalised": of(lambda r: spread(r.normalised)),
            "windows_per_s": of(lambda r: spread(r.windows_per_s)),
        },
        "bars": {
            board: {"least_mhz": least, "met": normalised[board] >= least}
            for board, least in BARS_MHZ.items()
        },
    }


def middle(values: list[float]) -> float:
    """Median."""
    return round(statistics.median(values), 1)


def spread(values: list[float]) -> list[float]:
    """Lowest and highest."""
    return [round(min(values), 1), round(max(values), 1)]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--flags", help="compare a build with these flags of the compiler")
    options = parser.parse_args()
    if options.flags:
        emit({"speed_ratio": compare(list(BARS_MHZ), options.flags)}, options.json)
    else:
        emit(summary(*measure(measured_boards())), options.json)


if __name__ == "__main__":
    main()
