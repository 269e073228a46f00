"""The `dut` fixture, as a firmware team uses it: pytest in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = "examples/pytest_sketch"


def run_pytest(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs"]
    command += [f"--basetemp={tmp_path / 'base'}", *arguments]
    environment = os.environ | {"HARNESS_LOCK_DIR": str(tmp_path / "locks")}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, env=environment
    )


@pytest.mark.emulated
def test_the_example_passes_on_a_virtual_board(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, EXAMPLE, "--harness-board", "uno", "--harness-virtual")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.emulated
def test_a_board_that_says_nothing_fails_the_test_and_names_the_reason(tmp_path: Path) -> None:
    arguments = ["--harness-board", "uno", "--harness-virtual", "--harness-fault", "hang=5"]
    done = run_pytest(tmp_path, f"{EXAMPLE}/test_echo.py::test_digits_stay_digits", *arguments)
    assert done.returncode == 1
    assert "LinkTimeout: no b'\\n' within 5 s; got b'" in done.stdout


def test_without_a_board_the_tests_are_skipped(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, EXAMPLE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no board: give --harness-board NAME" in done.stdout


def test_an_unknown_board_is_named(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, EXAMPLE, "--harness-board", "unno")
    assert done.returncode == 1
    assert "unknown board 'unno'" in done.stdout
