"""The catalogue of faults: what becomes of a run when the board misbehaves (docs/faults.md).

    python benchmarks/faults.py --board uno --board mkr1000 [--csv FILE] [--json]

Every cell is a whole `harness run` on a virtual board with one fault. It must end within its
deadline, either with the results of an undisturbed run or in lab trouble with a named cause, and
what was measured must be right in both cases. Exit code 1 when a cell does not.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

DEADLINE_S = 240  # of a cell; all of the harness's own deadlines together are below it
WINDOWS = 40
MODEL, OTHER_MODEL = "fastgrnn", "rnn"
OK, LAB = "ok", "lab-error"


@dataclass(frozen=True)
class Fault:
    """One row of the catalogue: at which stage it strikes, its words, how the run must end.

    cause: a regular expression, found in the message of lab trouble. OTHER in the words stands for
    the flash of a board that runs another model.
    """

    stage: str
    spec: str
    outcome: str = OK
    cause: str = ""


CATALOGUE = (
    Fault("stream", "flip=3e-4,seed=7"),
    Fault("stream", "drop=3e-4,seed=7"),
    Fault("stream", "dup=1e-3,seed=7"),
    Fault("stream", "flip=1e-3,drop=1e-3,dup=1e-3,seed=3"),
    Fault("stream", "delay=16"),
    Fault("stream", "hang=2500"),
    Fault("stream", "hang=1500+", LAB, "no reply"),
    Fault("stream", "deaf=2500"),
    Fault("stream", "reset=2500"),
    Fault("stream", "reset=900+"),
    Fault("stream", "reset=100+", LAB, "restarted"),
    Fault("stream", "brown-out=2500"),
    Fault("stream", "vanish=2500:800"),
    Fault("stream", "vanish=2500:8000"),
    Fault("boot", "slow-boot=1500"),
    Fault("boot", "slow-boot=60000", LAB, "no answer"),
    Fault("boot", "hang=1", OK),
    Fault("boot", "stuck=1"),
    Fault("boot", "stuck", LAB, "no answer|did not start its application"),
    Fault("boot", "firmware=OTHER", LAB, "the board answers with"),
    Fault("flash", "bad-uploads=1"),
    Fault("flash", "bad-uploads=odd"),
    Fault("flash", "bad-uploads=1000", LAB, "flash"),
    Fault("flash", "boot-drop=0.05,seed=1", LAB, "flash"),
)


@dataclass(frozen=True)
class Cell:
    """What became of one fault on one board. `seconds` is wall time."""

    board: str
    stage: str
    fault: str
    outcome: str
    attempts: int
    uploads: int | None
    restarts: int | None
    link_retries: int | None
    seconds: float
    message: str
    wrong: str  # '' when the cell is as the catalogue has it


def run_board(
    board: str, fault: str, out: Path, model: str = MODEL
) -> tuple[int, pd.DataFrame, pd.DataFrame]:
    """Exit code, summary and windows of a run. Raises subprocess.TimeoutExpired."""
    command = [sys.executable, "-m", "harness.cli", "run", "--board", board, "--virtual"]
    command += ["--preset", "smoke", "--models", model, "--windows", str(WINDOWS)]
    command += ["--out", str(out), *(["--fault", fault] if fault else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    folder = out / "latest"
    if not folder.is_dir():
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    summary = pd.read_csv(folder / "summary.csv")
    return done.returncode, summary, pd.read_parquet(folder / "windows.parquet")


def judge(fault: Fault, code: int, row: Any, windows: pd.DataFrame, expected: pd.DataFrame) -> str:
    """What is wrong with how a run ended; '' when nothing is."""
    message = "" if pd.isna(row["message"]) else str(row["message"])
    if row["status"] != fault.outcome:
        return f"ended in {row['status']}, not {fault.outcome}"
    if code != (0 if fault.outcome == OK else 3):
        return f"exit code {code}"
    if not re.search(fault.cause, message):
        return f"the cause is not named: {message}"
    measured = expected[expected["window"].isin(windows["window"])]
    columns = ["window", "label_board", "cycles"]
    if windows[columns].to_dict("records") != measured[columns].to_dict("records"):
        return "windows differ from those of an undisturbed run"
    if fault.outcome == OK and len(windows) != len(expected):
        return f"{len(expected) - len(windows)} windows are lost"
    return ""


def try_fault(board: str, fault: Fault, expected: pd.DataFrame) -> Cell:
    """One cell of the catalogue."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as out:
        try:
            spec = _with_other_firmware(board, fault.spec, Path(out) / "other")
            code, summary, windows = run_board(board, spec, Path(out))
        except subprocess.TimeoutExpired:
            return _cell(board, fault, pd.Series(), started, f"not over after {DEADLINE_S} s")
    row = summary.iloc[0]
    return _cell(board, fault, row, started, judge(fault, code, row, windows, expected))


def _with_other_firmware(board: str, spec: str, out: Path) -> str:
    """The words with OTHER replaced by the flash of a board that ran another model."""
    if "OTHER" not in spec:
        return spec
    run_board(board, "", out, OTHER_MODEL)
    return spec.replace("OTHER", str((out / "latest" / "board" / "flash.bin").resolve()))


def _cell(board: str, fault: Fault, row: Any, started: float, wrong: str) -> Cell:
    def count(name: str) -> int | None:
        value = row.get(name)
        return None if value is None or pd.isna(value) else int(value)

    message = row.get("message")
    return Cell(
        board=board,
        stage=fault.stage,
        fault=fault.spec,
        outcome=str(row.get("status", "none")),
        attempts=count("attempts") or 0,
        uploads=count("uploads"),
        restarts=count("restarts"),
        link_retries=count("link_retries"),
        seconds=round(time.monotonic() - started, 1),
        message="" if message is None or pd.isna(message) else _without_paths(str(message)),
        wrong=wrong,
    )


def _without_paths(message: str) -> str:
    """The first words, without the temporary folder's name: the table is committed."""
    words = ("PORT" if "/" in word and len(word) > 12 else word for word in message.split())
    return " ".join(words)[:100]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--board", action="append", help="default: uno and mkr1000")
    parser.add_argument("--only", help="faults whose words contain this")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chosen = [f for f in CATALOGUE if not options.only or options.only in f.spec]
    cells: list[Cell] = []
    for board in options.board or ("uno", "mkr1000"):
        with tempfile.TemporaryDirectory() as out:
            _, _, expected = run_board(board, "", Path(out))
        for fault in chosen:
            cell = try_fault(board, fault, expected)
            cells.append(cell)
            verdict = f"WRONG: {cell.wrong}" if cell.wrong else cell.outcome
            print(
                f"{board} {cell.stage:6} {cell.fault:40} {cell.seconds:6.1f} s {verdict}",
                file=sys.stderr,
            )
    table = pd.DataFrame([asdict(cell) for cell in cells]).convert_dtypes()
    if options.csv:
        table.drop(columns="wrong").to_csv(options.csv, index=False)
    if options.json:
        print(json.dumps([asdict(cell) for cell in cells], indent=1))
    return int(any(cell.wrong for cell in cells))


if __name__ == "__main__":
    raise SystemExit(main())
