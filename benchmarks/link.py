"""How much of a serial wire carries samples, by dialect, baud rate and round trip (docs/link.md).

    python benchmarks/link.py [--json] [--board NAME ...]

A shaped line (benchmarks/line.py) lies between the host and a peer that computes nearly nothing, so
that the wire is what limits. `windowed` is docs/link.md against our firmware as a process, with the
credit of a board that has RAM; `windowed-uno` with an Uno's; `stop-and-wait` is the first without
overlap; `ascii` is a dialogue like MLPerf Tiny's: hexadecimal digits, 31 bytes a command, each
answered by m-ready before the next.

efficiency: bytes of samples over what the wire carries one way in that time. Results go the other
way, at the same time, and are not counted.

With --board, windows of a model are streamed to a virtual board too: which share of the board's own
time (its emulator's cycles) was not spent in measured stretches.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from common import VIRTUAL, emit, on_board, running
from line import Shape, ShapedLine
from numpy.typing import NDArray

from harness.firmware.host import build_host
from harness.link.base import Deadline
from harness.link.dut import Dut
from harness.link.serial import SerialLink
from harness.reference.model import bench_window, run
from tests.models import random_qmodel, random_raw

LINES = ((115_200, 1), (115_200, 4), (115_200, 16), (921_600, 4), (921_600, 16))  # baud, ms
STEPS, FEATURES, CLASSES = 128, 9, 6  # a window of the human activity data
WINDOW_BYTES = 2 * STEPS * FEATURES
SECONDS = 2.5  # about what a measurement takes
COMMAND_BYTES = 31  # of samples in a `db` command
READY = b"m-ready\r\n"
MODEL = random_qmodel("fastgrnn", 1, hidden=4, features=FEATURES, classes=CLASSES, steps=STEPS)
BOARD_WINDOWS = 16


@dataclass(frozen=True)
class Row:
    """What one dialect made of one line. host_cpu_ms: of this process, for each window."""

    dialect: str
    baud: int
    round_trip_ms: float
    efficiency: float
    host_cpu_ms: float
    windows: int


# ---- docs/link.md ------------------------------------------------------------------------------


@contextlib.contextmanager
def firmware_on(path: str, *, max_payload: int, window: int) -> Iterator[None]:
    """Our firmware, serving a tty."""
    program = build_host(
        MODEL, bench_window(MODEL), max_payload=max_payload, defines=(f"POSIX_WINDOW={window}u",)
    )
    process = subprocess.Popen([program, path], stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def stream(line: ShapedLine, raw: NDArray[np.int16], *, overlap: bool) -> None:
    """All windows, and every outcome as the reference has it."""
    expected = run(MODEL, raw)
    dut = Dut(SerialLink(line.near, 115_200))
    try:
        dut.overlap = overlap
        dut.connect(boot_wait_s=5, banner=True)
        with timed():
            outcomes = list(dut.infer_all(raw))
    finally:
        dut.close()
    if not all(np.array_equal(o.logits, e) for o, e in zip(outcomes, expected.logits, strict=True)):
        raise SystemExit("a window differs from the reference")


def windowed(line: ShapedLine, raw: NDArray[np.int16]) -> None:
    with firmware_on(line.far, max_payload=1024, window=2048):
        stream(line, raw, overlap=True)


def windowed_uno(line: ShapedLine, raw: NDArray[np.int16]) -> None:
    with firmware_on(line.far, max_payload=128, window=255):
        stream(line, raw, overlap=True)


def stop_and_wait(line: ShapedLine, raw: NDArray[np.int16]) -> None:
    with firmware_on(line.far, max_payload=1024, window=2048):
        stream(line, raw, overlap=False)


# ---- the ASCII dialogue ------------------------------------------------------------------------


def serve_ascii(path: str) -> None:
    """A peer that takes samples as hexadecimal digits and answers every command."""
    port = SerialLink(path, 115_200)
    forever, text, buffered, expected = Deadline.after(3600), b"", b"", 0
    port.write(READY, forever)  # it has booted
    while True:
        *commands, text = (text + port.read(forever)).split(b"%")
        for command in commands:
            answer = b""
            if command.startswith(b"db load "):
                buffered, expected = b"", int(command.split()[-1])
                answer = b"m-[Expecting %d bytes]\r\n" % expected
            elif command.startswith(b"db "):
                buffered += bytes.fromhex(command[3:].decode())
                answer = b"m-load-done\r\n" if len(buffered) == expected else b""
            elif command.startswith(b"infer "):
                shares = b",".join(b"0.000" for _ in range(CLASSES))
                answer = b"m-warmup-start-0\r\nm-warmup-done\r\nm-infer-start-1\r\n"
                answer += b"m-lap-us-1\r\nm-lap-us-2\r\nm-infer-done\r\nm-results-[%b]\r\n" % shares
            port.write(answer + READY, Deadline.after(10))


def ascii_dialogue(line: ShapedLine, raw: NDArray[np.int16]) -> None:
    peer = multiprocessing.get_context("fork").Process(target=serve_ascii, args=(line.far,))
    peer.start()
    port = SerialLink(line.near, 115_200)

    def ask(command: bytes) -> None:
        port.write(command, Deadline.after(10))
        answer, deadline = b"", Deadline.after(10)
        while not answer.endswith(READY):
            if deadline.expired:
                raise SystemExit(f"no answer to {command!r}")
            answer += port.read(deadline)

    try:
        ask(b"")  # the first m-ready comes unasked
        with timed():
            for window in raw:
                data = window.astype("<i2").tobytes()
                ask(b"db load %d%%" % len(data))
                for start in range(0, len(data), COMMAND_BYTES):
                    ask(b"db " + data[start : start + COMMAND_BYTES].hex().encode() + b"%")
                ask(b"infer 1 0%")
    finally:
        port.close()
        peer.terminate()
        peer.join(10)


# ---- measuring ---------------------------------------------------------------------------------

clock: dict[str, float] = {}


@contextlib.contextmanager
def timed() -> Iterator[None]:
    """Wall and processor seconds of the block, in `clock`."""
    wall_s, cpu_s = time.monotonic(), time.process_time()
    yield
    clock.update(wall_s=time.monotonic() - wall_s, cpu_s=time.process_time() - cpu_s)


@dataclass(frozen=True)
class Dialect:
    """How to use a line; and for how many samples' bytes it waits a round trip, in how many."""

    use: Callable[[ShapedLine, NDArray[np.int16]], None]
    sample_bytes: int
    wire_bytes: int

    def window_s(self, baud: int, round_trip_s: float) -> float:
        """About what a window takes: so many are sent that a measurement takes SECONDS."""
        exchanges = WINDOW_BYTES / self.sample_bytes
        return exchanges * (self.wire_bytes * 10 / baud + round_trip_s)


DIALECTS = {
    "windowed": Dialect(windowed, 2048, 2100),
    "windowed-uno": Dialect(windowed_uno, 216, 255),
    "stop-and-wait": Dialect(stop_and_wait, 1022, 1050),
    "ascii": Dialect(ascii_dialogue, COMMAND_BYTES, 75),
}


def measure(dialect: str, baud: int, round_trip_ms: float) -> Row:
    """One dialect on one line."""
    chosen = DIALECTS[dialect]
    windows = max(2, round(SECONDS / chosen.window_s(baud, round_trip_ms / 1000)))
    with ShapedLine(Shape(baud, round_trip_ms / 1000)) as line:
        chosen.use(line, random_raw(MODEL, windows, 2))
    carried = baud / 10 * clock["wall_s"]
    return Row(
        dialect,
        baud,
        round_trip_ms,
        round(windows * WINDOW_BYTES / carried, 3),
        round(1000 * clock["cpu_s"] / windows, 2),
        windows,
    )


def measure_board(name: str) -> dict[str, Any]:
    """Windows of a model of the paper's size, streamed to a virtual board."""
    model = random_qmodel(
        "fastgrnn", 3, hidden=80, features=FEATURES, classes=CLASSES, steps=STEPS,
        rank_w=5, rank_u=40, density=0.3,
    )  # fmt: skip
    raw = random_raw(model, BOARD_WINDOWS, 4)
    expected = run(model, raw)
    with on_board(name) as attachment, running(attachment, model) as (dut, _):
        emulator = attachment.emulator
        assert emulator is not None
        before = emulator.status().cycles
        outcomes = list(dut.infer_all(raw))
        taken = emulator.status().cycles - before
        baud = dut.baud or attachment.board.link.baud
    if not all(np.array_equal(o.logits, e) for o, e in zip(outcomes, expected.logits, strict=True)):
        raise SystemExit("a window differs from the reference")
    measured = sum(o.cycles for o in outcomes)
    return {
        "board": name,
        "baud": baud,
        "window_ms": round(1000 * measured / BOARD_WINDOWS / attachment.board.clock_hz, 1),
        "not_the_boards_share": round(1 - measured / taken, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--board", action="append", choices=VIRTUAL, default=[])
    parser.add_argument("--dialect", action="append", choices=DIALECTS, help="default: all")
    options = parser.parse_args()
    rows = [
        measure(dialect, *line).__dict__
        for line in LINES
        for dialect in options.dialect or DIALECTS
    ]
    result: dict[str, Any] = {"rows": rows}
    if options.board:
        result["boards"] = [measure_board(name) for name in options.board]
    emit(result, options.json)


if __name__ == "__main__":
    main()
