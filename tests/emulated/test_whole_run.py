"""The main job on the virtual boards, as a user runs it."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from harness import presets, run
from harness.boards import find_kind, load_kinds
from harness.results import SUMMARY_COLUMNS, TIME_COLUMNS
from tests.emulated.conftest import BRIEF, Run, models_of

pytestmark = pytest.mark.emulated
BOARDS = ("uno", "mkr1000")  # one of each core
ALL_BOARDS = tuple(name for name, kind in load_kinds().items() if kind.has_virtual_twin)
TIMED_BOARDS = tuple(b for b in ALL_BOARDS if find_kind(b).virtual().time_unit == "cycles")
TIMING = (
    "cycles_median", "cycles_p95", "cycles_max", "cycles_per_step", "latency_ms",
    "bench_cycles_min", "bench_cycles_max", "emulator_cycles_delta",
)  # fmt: skip
ALWAYS_FILLED = (
    "flash_bytes", "model_flash_bytes", "table_flash_bytes", "ram_static_bytes",
    "stack_peak_bytes", "compiler",
    "compiler_flags", "model_sha256", "elf_sha256", "link_bytes_per_s", "accuracy_float_test",
    "accuracy_host_test",
)  # fmt: skip


def emulators_of(folder):
    """Processes whose command line names a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:  # it has just ended
            continue
        if "vboard-" in words and str(folder) in words:
            found.append(int(process.name))
    return found


def wait_gone(folder, seconds=10):
    until = time.monotonic() + seconds
    while emulators_of(folder) and time.monotonic() < until:
        time.sleep(0.1)
    return emulators_of(folder)


@pytest.mark.parametrize("board", ALL_BOARDS)
def test_every_model_agrees_and_every_figure_is_there(whole_runs, board):
    done = whole_runs(board)
    summary = done.summary()
    assert summary.index.tolist() == models_of(board)
    assert (summary["status"] == "ok").all(), summary["message"].tolist()
    assert (summary["mismatches"] == 0).all()
    assert (summary["trace_mismatches"] == 0).all()
    assert (summary["accuracy_board"] == summary["accuracy_host"]).all()
    assert (summary["board_kind"] == "virtual").all()
    for column in ALWAYS_FILLED:
        assert summary[column].notna().all(), column
    assert (summary["model_flash_bytes"] < summary["flash_bytes"]).all()
    assert (summary["accuracy_host_test"] > 0.85).all()


@pytest.mark.parametrize("board", TIMED_BOARDS)
def test_cycles_are_emulated_and_exact(whole_runs, board):
    summary = whole_runs(board).summary()
    assert (summary["timing_source"] == "emulated-cycles").all()
    for column in TIMING:
        assert summary[column].notna().all(), column
    assert (summary["emulator_cycles_delta"] == 0).all()
    assert (summary["bench_cycles_min"] == summary["bench_cycles_max"]).all()
    latency = summary["cycles_median"] / summary["clock_hz"] * 1e3
    assert all(map(math.isclose, latency, summary["latency_ms"]))


@pytest.mark.parametrize("board", BRIEF)
def test_a_bracket_stands_in_no_exact_column(whole_runs, board):
    done = whole_runs(board)
    summary = done.summary()
    assert (summary["timing_source"] == "estimated-bracket").all()
    for column in (*TIMING, "latency_median_ms"):
        if column != "emulator_cycles_delta":
            assert summary[column].isna().all(), column
    assert (summary["emulator_cycles_delta"] == 0).all()  # the firmware's DWT is the lower end
    # no instruction of these takes less than a cycle but a folded IT, and refills add
    assert (summary["instructions"] < summary["cycles_lo"]).all()
    assert (summary["cycles_lo"] < summary["cycles_hi"]).all()
    assert (summary["cycles_hi"] < 2.5 * summary["cycles_lo"]).all()
    windows = pd.read_parquet(done.results / "windows.parquet")
    assert (windows["cycles"] == -1).all()
    assert (windows["cycles_lo"] > 0).all() and (windows["cycles_lo"] < windows["cycles_hi"]).all()
    report = (done.results / "report.html").read_text()
    assert "cycles estimated as a bracket" in report
    names = {p.stem for p in (done.results / "plots").iterdir()}
    assert "cycle_brackets" in names and not {"latency", "accuracy_vs_latency"} & names


def test_cores_of_one_architecture_have_the_same_bracket(whole_runs):
    """Cortex-M4 both; the HAL is outside the measured stretches."""
    nano, nucleo = (whole_runs(board).summary() for board in ("nano33ble", "nucleo_l4r5zi"))
    for column in ("cycles_lo", "cycles_hi", "instructions"):
        assert (nano[column] == nucleo[column]).all()


@pytest.mark.parametrize("board", [b for b in ALL_BOARDS if find_kind(b).virtual().time_unit == ""])
def test_no_time_of_an_emulator_without_a_clock_gets_into_a_column(whole_runs, board):
    done = whole_runs(board)
    summary = done.summary()
    assert (summary["timing_source"] == "none").all()
    for column in (*TIMING, "latency_median_ms", "latency_repeats"):
        assert summary[column].isna().all(), column
    windows = pd.read_parquet(done.results / "windows.parquet")
    assert (windows["cycles"] == -1).all()
    assert windows["latency_ns"].map(len).eq(0).all()


@pytest.mark.parametrize("board", ALL_BOARDS)
def test_the_results_folder_is_whole(whole_runs, board):
    done = whole_runs(board)
    folder = done.results
    assert (done.folder / "latest").resolve() == folder
    facts = done.run_json()
    assert facts["finished"] is not None
    assert facts["options"]["models"] == models_of(board)
    assert set(facts["stages"]) == set(models_of(board))
    header = (folder / "summary.csv").read_text().splitlines()[0]
    assert header == ",".join(SUMMARY_COLUMNS)
    windows = pd.read_parquet(folder / "windows.parquet")
    assert len(windows) == len(models_of(board)) * 12
    assert (windows["label_host"] == windows["label_board"]).all()
    assert windows.groupby("model")["window"].nunique().eq(12).all()
    report = (folder / "report.html").read_text()
    assert "VIRTUAL" in report
    assert {p.suffix for p in (folder / "plots").iterdir()} == {".png", ".svg"}
    assert wait_gone(folder) == []


@pytest.mark.parametrize("board", BOARDS)
def test_json_on_stdout_is_the_table_and_nothing_else(whole_runs, board):
    done = whole_runs(board)
    rows = json.loads(done.stdout)
    assert [row["model"] for row in rows] == models_of(board)
    assert rows[0]["cycles_median"] == done.summary()["cycles_median"]["fastgrnn"]


def test_the_same_integers_on_all_boards(whole_runs):
    first, *others = (whole_runs(board).summary() for board in ALL_BOARDS)
    for other in others:
        same = first.loc[other.index]
        assert (same["model_sha256"] == other["model_sha256"]).all()
        assert (same["accuracy_board"] == other["accuracy_board"]).all()


def test_boards_with_the_same_chip_take_the_same_cycles(whole_runs):
    """Only the entry in boards.yaml tells them apart, and the name in the banner."""
    mkr, zero, feather = (
        whole_runs(board).summary() for board in ("mkr1000", "zero", "feather_m0")
    )
    for other in (zero, feather):
        assert (mkr["cycles_median"] == other["cycles_median"]).all()
        assert (mkr["model_flash_bytes"] == other["model_flash_bytes"]).all()


def test_a_second_run_trains_and_builds_nothing(whole_runs, tmp_path):
    first = whole_runs("uno").summary()
    again = Run(
        tmp_path,
        *["--board", "uno", "--virtual", "--preset", "smoke"],
        *["--models", "fastgrnn", "--windows", "12"],
    )
    assert again.finish() == 0, again.stderr
    lines = [
        line for line in again.stderr.splitlines() if line.split()[:1] in (["train"], ["build"])
    ]
    assert len(lines) == 2
    assert all("cached" in line for line in lines), again.stderr
    second = again.summary()
    stable = [c for c in SUMMARY_COLUMNS if c not in TIME_COLUMNS]
    pd.testing.assert_series_equal(first.loc["fastgrnn", stable], second.loc["fastgrnn", stable])


@pytest.mark.parametrize("board", BOARDS)
def test_a_run_killed_while_streaming_resumes_to_the_same_table(board, tmp_path):
    arguments = [
        *["--board", board, "--virtual", "--preset", "smoke"],
        *["--models", "fastgrnn,gru", "--windows", "40"],
    ]
    undisturbed = Run(tmp_path / "undisturbed", *arguments)
    assert undisturbed.finish() == 0, undisturbed.stderr
    killed = Run(tmp_path / "killed", *arguments)
    killed.wait_for_windows("gru", 5)
    killed.kill()
    folder = killed.results
    assert wait_gone(folder) == []
    assert killed.run_json()["finished"] is None
    flashed = {p: p.stat().st_mtime_ns for p in (folder / "logs").glob("flash-*.log")}
    streamed = (folder / "journal" / "gru.jsonl").read_text().splitlines()[:5]

    resumed = Run(tmp_path / "killed", "--resume", str(folder))
    assert resumed.finish() == 0, resumed.stderr
    assert "already on the board" in resumed.stderr
    assert {p: p.stat().st_mtime_ns for p in flashed} == flashed
    assert (folder / "journal" / "gru.jsonl").read_text().splitlines()[:5] == streamed
    stable = [c for c in SUMMARY_COLUMNS if c not in TIME_COLUMNS]
    pd.testing.assert_frame_equal(undisturbed.summary()[stable], resumed.summary()[stable])
    assert resumed.run_json()["finished"] is not None


def test_ctrl_c_stops_the_board_and_leaves_a_resumable_folder(tmp_path):
    stopped = Run(
        tmp_path,
        *["--board", "uno", "--virtual", "--preset", "smoke"],
        *["--models", "fastgrnn", "--windows", "all"],
    )
    stopped.wait_for_windows("fastgrnn", 3)
    stopped.process.send_signal(signal.SIGINT)
    assert stopped.finish() == 130
    assert "--resume" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert wait_gone(stopped.results) == []
    assert stopped.run_json()["finished"] is None


def test_a_model_that_does_not_fit_is_a_row(tmp_path, monkeypatch):
    rows = {"*": {"batch": 64, "epochs": 1}, "lstm": {"hidden": 96}}
    table = {"smoke": {"*": rows}}
    monkeypatch.setattr(presets, "TABLE", table)
    options = run.RunOptions(
        board="uno", virtual=True, models=("lstm", "gru-q"), preset="smoke", windows=5
    )
    result = run.start(options, tmp_path)
    row = result.summary.set_index("model").loc["lstm"]
    assert row["status"] == "does-not-fit"
    assert "over by" in row["message"]
    assert pd.isna(row["cycles_median"])
    assert result.summary.set_index("model").loc["gru-q"]["status"] == "host-only"
    assert result.exit_code == 0


def test_a_pty_never_passes_for_silicon(tmp_path):
    parent, child = os.openpty()
    done = Run(tmp_path, "--board", "uno", "--port", os.ttyname(child), "--models", "fastgrnn")
    assert done.finish() == 2
    assert "pseudo-terminal" in done.stderr
    assert "--virtual --port" in done.stderr
    os.close(parent)
    os.close(child)


def test_virtual_up_serves_any_tool(tmp_path, whole_runs):
    """avrdude by hand on the printed port, then flash and stream through the same port."""
    harness = [sys.executable, "-m", "harness.cli"]
    up = subprocess.Popen(
        [*harness, "virtual", "up", "uno", "--state-dir", str(tmp_path / "state")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        port = up.stdout.readline().strip()
        assert Path(port).exists()
        train = [*harness, "train", "fastgrnn", "--preset", "smoke", "--out", str(tmp_path)]
        assert subprocess.run(train, capture_output=True).returncode == 0
        model = str(tmp_path / "digits-fastgrnn-seed0.npz")
        board = ["--board", "uno", "--virtual"]
        build = [*harness, "build", model, *board, "--json"]
        image = json.loads(subprocess.run(build, capture_output=True, text=True).stdout)["image"]
        avrdude = ["avrdude", "-p", "m328p", "-c", "arduino", "-P", port, "-b", "115200", "-D"]
        by_hand = subprocess.run(
            [*avrdude, "-U", f"flash:w:{image}:i"], capture_output=True, text=True, timeout=120
        )
        assert by_hand.returncode == 0, by_hand.stderr
        flash = [*harness, "flash", model, *board, "--port", port]
        flashed = subprocess.run(flash, capture_output=True, text=True, timeout=120)
        assert "already runs there" in flashed.stdout, flashed.stderr
        stream = [*harness, "stream", model, *board, "--port", port, "--windows", "5", "--json"]
        streamed = subprocess.run(stream, capture_output=True, text=True, timeout=120)
        assert streamed.returncode == 0, streamed.stderr
        assert json.loads(streamed.stdout)["mismatches"] == 0
    finally:
        up.send_signal(signal.SIGINT)
        _, words = up.communicate(timeout=20)
    assert up.returncode == 0, words
    assert not Path(port).is_symlink()
