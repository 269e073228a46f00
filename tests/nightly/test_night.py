"""Whole nights, started as a user starts them, on virtual boards of which two are out of order."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from tests.nightly.nights import processes

pytestmark = [pytest.mark.emulated, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "nightly.yaml"
HEALTHY = """
boards:
  uno-1: {kind: uno, virtual: true}
  mkr1000-1: {kind: mkr1000, virtual: true}
models: [fastgrnn, gru]
datasets: [digits]
preset: smoke
"""
STEP = "void rnn_cell_step(void)\n{\n"
SLOWER_BY = 467  # cycles a step: 2 % of what fastgrnn takes on the Uno under the smoke preset
STEPS = 8  # of a window of digits


class Night:
    """`harness nightly ...` to its end."""

    def __init__(self, *arguments: str, checkout: Path = ROOT) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "harness.cli", "nightly", *arguments, "--json"],
            capture_output=True,
            text=True,
            timeout=900,
            cwd=checkout,
            env=os.environ | {"PYTHONPATH": str(checkout)},
        )
        self.exit_code, self.stderr = done.returncode, done.stderr
        self.verdict = json.loads(done.stdout) if done.stdout else {}

    def cells(self) -> pd.DataFrame:
        """What became of every cell."""
        return pd.DataFrame(self.verdict["cells"])


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("nights")


@pytest.fixture(scope="module")
def plan(out):
    path = out / "healthy.yaml"
    path.write_text(HEALTHY)
    return str(path)


@pytest.fixture(scope="module")
def first(out):
    return Night(str(EXAMPLE), "--out", str(out))


def folder_of(out, night):
    return out / night.verdict["night"]


def test_the_example_ends_by_itself_with_every_other_cell_measured(first):
    assert first.exit_code == 3, first.stderr
    cells = first.cells()
    healthy = cells[cells["instance"].isin(["uno-1", "mkr1000-1"])]
    assert len(healthy) == 8
    assert (healthy["status"] == "ok").all()
    assert (healthy["mismatches"] == 0).all()
    assert (healthy["windows"] == healthy["test_windows"]).all()
    assert set(cells[cells["instance"] == "uno-2"]["status"]) == {"lab-error", "skipped"}


def test_the_verdict_names_both_boards_with_their_cause(first):
    trouble = {board["name"]: board for board in first.verdict["lab_trouble"]}
    assert set(trouble) == {"uno-2", "mkr1000-2"}
    assert "no reply" in trouble["uno-2"]["cause"]
    assert trouble["mkr1000-2"]["cause"]
    assert "LAB TROUBLE on 2 of 4 boards: uno-2, mkr1000-2" in first.verdict["headline"]
    assert first.verdict["regressions"] == []
    assert len(first.verdict["new"]) == 4


def test_everything_is_written(first, out):
    folder = folder_of(out, first)
    assert (out / "latest-night").resolve() == folder
    assert json.loads((folder / "night.json").read_text())["finished"]
    assert "uno-2" in (folder / "verdict.md").read_text()
    assert "mkr1000-2" in (folder / "verdict.html").read_text()
    assert json.loads((folder / "verdict.json").read_text()) == first.verdict
    suites = ET.parse(folder / "junit.xml").getroot()
    assert [(s.get("name"), s.get("errors")) for s in suites] == [
        ("uno-1", "0"), ("uno-2", "2"), ("mkr1000-1", "0"), ("mkr1000-2", "2"),
    ]  # fmt: skip
    assert "LAB TROUBLE" in (folder / "site" / "index.html").read_text()


def test_models_take_turns_forth_and_back(first, out):
    begun = {}
    for folder in sorted((folder_of(out, first) / "uno-1").glob("*-digits-*")):
        for log in (folder / "journal").iterdir():
            begun[folder.name[-1], log.stem] = log.stat().st_mtime_ns
    order = sorted(begun, key=begun.__getitem__)
    assert order == [("1", "fastgrnn"), ("1", "gru"), ("2", "gru"), ("2", "fastgrnn")]


def test_no_process_is_left(first, out):
    assert processes(folder_of(out, first)) == {}


def test_what_is_measured_is_not_measured_again(first, out):
    folder = folder_of(out, first)
    journals = {
        path: path.stat().st_mtime_ns
        for board in ("uno-1", "mkr1000-1")
        for path in folder.glob(f"{board}/*-digits-*/journal/*.jsonl")
    }
    assert len(journals) == 8
    again = Night("--resume", str(folder))
    assert again.exit_code == 3
    assert {path: path.stat().st_mtime_ns for path in journals} == journals
    names = ["instance", "repeat", "model", "status", "cycles_median", "accuracy_board"]
    pd.testing.assert_frame_equal(first.cells()[names], again.cells()[names])
    attempts = [night.cells().set_index("instance")["attempts"] for night in (first, again)]
    assert attempts[1]["uno-1"].sum() == attempts[0]["uno-1"].sum() == 4
    assert attempts[1]["uno-2"].sum() > attempts[0]["uno-2"].sum()  # trouble is tried again


def test_a_second_night_on_the_same_commit_has_no_regression(first, out, plan):
    second = Night(plan, "--out", str(out))
    assert second.exit_code == 0, second.stderr
    assert second.verdict["headline"] == "nothing regressed"
    assert second.verdict["new"] == []


def checkout_with(first_of_step: str, checkout: Path) -> Path:
    """A copy of what the harness needs, whose fastgrnn does something else at each step."""
    for name in ("harness", "firmware_templates"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "boards.yaml", checkout)
    cell = checkout / "firmware_templates" / "cells" / "rnn_cell_fastgrnn.c"
    source = cell.read_text()
    assert source.count(STEP) == 1
    cell.write_text(source.replace(STEP, STEP + first_of_step))
    return checkout


def test_a_kernel_made_slower_is_reported_and_nothing_else(first, out, plan, tmp_path):
    """By 2 %, on an AVR only."""
    wait = f"#ifdef __AVR__\n    __builtin_avr_delay_cycles({SLOWER_BY});\n#endif\n"
    slower = Night(plan, "--out", str(out), checkout=checkout_with(wait, tmp_path / "slower"))
    assert slower.exit_code == 1, slower.stderr
    (regression,) = slower.verdict["regressions"]
    assert "fastgrnn on uno" in regression["label"]
    figures = {d["metric"]: d for d in regression["differences"]}
    assert figures["cycles_median"]["change"] == SLOWER_BY * STEPS
    assert 0.015 < figures["cycles_median"]["change"] / figures["cycles_median"]["before"] < 0.025
    assert set(figures) <= {"cycles_median", "cycles_max", "flash_bytes"}
    assert figures["cycles_median"]["changed"][0] == "firmware_id"
    assert slower.verdict["failed"] == slower.verdict["lab_trouble"] == []
    suite = ET.parse(folder_of(out, slower) / "junit.xml").getroot()
    assert suite.get("failures") == "2"  # both repeats of that cell


def test_a_model_that_does_not_compile_fails_alone(tmp_path):
    path = tmp_path / "plan.yaml"
    only_uno = HEALTHY.replace("  mkr1000-1: {kind: mkr1000, virtual: true}\n", "")
    path.write_text(only_uno + "windows: 5\n")  # on an MKR1000 the step is not in C
    checkout = checkout_with("    this is no C;\n", tmp_path / "broken")
    night = Night(str(path), "--out", str(tmp_path / "out"), checkout=checkout)
    assert night.exit_code == 1, night.stderr
    assert {cell["model"] for cell in night.verdict["failed"]} == {"fastgrnn"}
    assert "rnn_cell_fastgrnn.c" in night.verdict["failed"][0]["message"]
    cells = night.cells().set_index("model")["status"]
    assert set(cells["gru"]) == {"ok"}
    assert set(cells["fastgrnn"]) == {"error"}


def test_the_ceiling_is_kept_and_the_report_written(out, tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text(HEALTHY + "ceiling_minutes: 0.05\n")
    night = Night(str(path), "--out", str(tmp_path / "out"))
    assert night.exit_code == 3, night.stderr
    assert {cell["message"] for cell in night.verdict["skipped"]} == {"out of time"}
    assert night.verdict["lab_trouble"] == []
    folder = tmp_path / "out" / night.verdict["night"]
    assert ET.parse(folder / "junit.xml").getroot().get("skipped") == "8"


def test_a_dry_run_knows_how_long_it_took(first, out, plan):
    dry = Night(str(EXAMPLE), "--out", str(out), "--dry-run")
    assert dry.exit_code == 0, dry.stderr
    times = pd.DataFrame(dry.verdict["cells"])
    assert times["lab_seconds"].notna().sum() >= 12  # of what was tried in the first night
    assert (times["lab_seconds"].dropna() > 0).all()
    assert len(list(out.glob("*-night-*"))) >= 1


def test_a_night_with_a_bad_plan_is_not_begun(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(HEALTHY.replace("gru", "grru"))
    night = Night(str(path), "--out", str(tmp_path / "out"))
    assert night.exit_code == 2
    assert "did you mean" in night.stderr
    assert not (tmp_path / "out").exists()
