"""Some cells of the catalogue of faults, as whole runs; benchmarks/faults.py has them all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.faults import CATALOGUE, LAB, OK, Fault, run_board, try_fault
from harness.boards import find_kind
from harness.lab import lock_name
from harness.locks import board_lock
from harness.virtual.faults import WORDS
from harness.virtual.process import VirtualBoard

pytestmark = pytest.mark.emulated
CELLS = {
    "uno": ("hang=2500", "vanish=2500:800", "bad-uploads=1"),
    "mkr1000": ("flip=1e-3,drop=1e-3,dup=1e-3,seed=3", "reset=2500", "stuck"),
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    return {board: run_board(board, "", tmp_path_factory.mktemp(board))[2] for board in CELLS}


@pytest.mark.parametrize(
    ("board", "spec"), [(board, spec) for board, specs in CELLS.items() for spec in specs]
)
def test_a_fault_ends_as_the_catalogue_has_it(
    undisturbed: dict[str, pd.DataFrame], board: str, spec: str
) -> None:
    (fault,) = (f for f in CATALOGUE if f.spec == spec)
    cell = try_fault(board, fault, undisturbed[board])
    assert cell.wrong == ""
    if fault.stage == "stream" and fault.outcome == OK:
        assert cell.attempts > 1 or cell.link_retries or cell.restarts  # the retry shows


def test_the_catalogue_is_judged_not_believed(undisturbed: dict[str, pd.DataFrame]) -> None:
    """A cell that ends otherwise than the catalogue has it is called wrong."""
    cell = try_fault("uno", Fault("stream", "delay=1", LAB, "no reply"), undisturbed["uno"])
    assert cell.wrong == "ended in ok, not lab-error"


def test_every_word_of_the_language_that_a_board_can_show_is_in_the_catalogue() -> None:
    words = {item.partition("=")[0] for fault in CATALOGUE for item in fault.spec.split(",")}
    assert words >= set(WORDS) - {"boot-flip", "boot-dup"}  # as boot-drop, on the same bytes


def test_a_board_that_somebody_else_has_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_LOCK_DIR", str(tmp_path / "locks"))
    command = [sys.executable, "-m", "harness.cli", "run", "--board", "uno", "--virtual"]
    command += ["--preset", "smoke", "--models", "fastgrnn", "--windows", "2", "--wait", "1"]
    with VirtualBoard.start("uno", tmp_path / "board") as board:
        command += ["--port", str(board.port), "--out", str(tmp_path / "out")]
        name = lock_name(find_kind("uno").virtual(), str(board.port), None)
        with board_lock(name, wait_s=0):
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 3
        assert "is in use by" in done.stdout and "waited 1 s" in done.stdout
        assert board.status().rx_bytes == 0
