"""What the flash procedure does on a virtual board, step by step, and how long it takes.

    python benchmarks/flashing.py [--board mkr1000] [--fault SPEC] [--json]

Without --fault: the table of docs/flashing.md, every fault on every board. With one: the steps of
that procedure. Times are wall time on this machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness import lab
from harness.boards import find_kind
from harness.errors import FlashError
from harness.firmware.build import build_firmware
from harness.flash import FlashResult
from harness.prove import known_model
from harness.reference.model import bench_window

BOARDS = ("uno", "mkr1000")
FAULTS = ("", "bad-uploads=1", "bad-uploads=2", "stuck=1", "hang=1", "slow-boot=1500", "stuck")


@dataclass(frozen=True)
class Case:
    """One procedure: what was done, and '' or why it was in vain."""

    board: str
    fault: str
    result: FlashResult
    failure: str


def flash(board: str, fault: str) -> Case:
    """A known model onto a board with erased flash that misbehaves."""
    kind, model = find_kind(board).virtual(), known_model(0)
    firmware = build_firmware(model, kind, bench_raw=bench_window(model))
    told: list[FlashResult] = []
    failure = ""
    with tempfile.TemporaryDirectory() as folder:
        attached = lab.attached(kind, port=None, state_dir=Path(folder) / "board", faults=fault)
        with attached as attachment:
            try:
                dut, _ = lab.ensure_firmware(
                    attachment, model, firmware, log=Path(folder) / "log", on_flash=told.append
                )
                dut.close()
            except FlashError as error:
                failure = error.message.replace(folder, "FOLDER")
    return Case(board, fault, told[0], failure)


def show_steps(case: Case) -> None:
    """As the flash log has them, without the emulator's folder."""
    for step in case.result.steps:
        words = " ".join(w if "/" not in w else "PORT" for w in step.words.split())
        print(f"{step.seconds:6.2f} s  {step.state:<12} {step.event:<14} {words[:70]}".rstrip())


def show_row(case: Case) -> None:
    """A row of the table: board, fault, end, uploads, resets, seconds."""
    end = "given up" if case.failure else "ready"
    result = case.result
    fault = f"`{case.fault}`" if case.fault else "none"
    print(
        f"| {case.board} | {fault} | {end} | {result.attempts} | {result.recoveries} "
        f"| {result.seconds:.1f} |"
    )


def as_json(case: Case) -> dict[str, object]:
    """One case for --json."""
    return {
        "board": case.board,
        "fault": case.fault,
        "failure": case.failure,
        "uploads": case.result.attempts,
        "recoveries": case.result.recoveries,
        "seconds": round(case.result.seconds, 2),
        "steps": [[round(s.seconds, 2), s.state, s.event] for s in case.result.steps],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--board", action="append", choices=BOARDS)
    parser.add_argument("--fault")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    faults = FAULTS if options.fault is None else (options.fault,)
    cases = [flash(board, fault) for board in options.board or BOARDS for fault in faults]
    if options.json:
        print(json.dumps([as_json(case) for case in cases], indent=1))
    else:
        for case in cases:
            show_row(case) if options.fault is None else show_steps(case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
