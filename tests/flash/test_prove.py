"""`harness boards --prove NAME` as a lab's owner uses it, on virtual boards."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import health
from harness.errors import LabError, UsageError
from harness.flash import FlashResult
from harness.instances import Instance
from harness.prove import (
    BENCHES,
    LINK_WINDOWS,
    STEPS,
    _check_last_upload,
    instance_called,
    known_model,
    prove,
)
from harness.virtual.process import VirtualBoard
from tests.usb_tree import UsbTree

LAB = """schema: 1
instances:
  well: {kind: mkr1000, virtual: true}
  sick: {kind: mkr1000, virtual: true, fault: stuck}
  noisy: {kind: mkr1000, virtual: true, fault: "flip=3e-3,seed=5"}
"""


@pytest.fixture(autouse=True)
def lab_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "boards.yaml"
    path.write_text(LAB)
    monkeypatch.setenv("HARNESS_BOARDS", str(path))


def boards_prove(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.cli", "boards", "--prove", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.emulated
def test_a_board_that_is_well_again_is_released() -> None:
    health.quarantine("virtual-well", "no answer")
    done = boards_prove("well", "--json")
    assert done.returncode == 0, done.stderr
    proof = json.loads(done.stdout)
    assert proof["uploads"] >= 2 and proof["recoveries"] == 0
    assert proof["benches"] == 2 * BENCHES and proof["frames"] >= 2 * LINK_WINDOWS * STEPS
    assert health.quarantined("virtual-well") is None
    assert health.health_of("virtual-well").counters.sessions == 2


@pytest.mark.emulated
def test_a_board_that_is_still_sick_stays_in_quarantine() -> None:
    before = health.quarantine("virtual-sick", "no answer")
    done = boards_prove("sick")
    assert done.returncode == 3
    assert "did not start its application" in done.stderr
    assert health.quarantined("virtual-sick") == before  # with its first cause


@pytest.mark.emulated
def test_a_run_refuses_a_board_in_quarantine(tmp_path: Path) -> None:
    health.quarantine("virtual-desk", "no answer")
    with VirtualBoard.start("mkr1000", tmp_path / "b") as board:
        desk = f"  desk: {{kind: mkr1000, virtual: true, port: {board.port}}}\n"
        (tmp_path / "boards.yaml").write_text(LAB + desk)
        command = [sys.executable, "-m", "harness.cli", "run", "--board", "desk"]
        command += ["--preset", "smoke", "--models", "fastgrnn", "--windows", "2"]
        command += ["--out", str(tmp_path / "out")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 3, done.stderr
        assert board.status().rx_bytes == 0
    (row,) = json_rows(tmp_path / "out" / "latest")
    assert row["status"] == "lab-error"
    assert "until `harness boards --prove desk`" in str(row["message"])


def json_rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in (folder / "rows").iterdir()]


@pytest.mark.emulated
def test_a_line_that_is_not_clean_is_no_proof() -> None:
    """Every answer is right in the end, and yet the board is put into quarantine."""
    done = boards_prove("noisy")
    assert done.returncode == 3
    record = health.quarantined("virtual-noisy")
    assert record is not None and "the line is not clean" in record.why


@pytest.mark.emulated
def test_the_first_upload_may_need_the_ladder(tmp_path: Path) -> None:
    tired = Instance("tired", "mkr1000", virtual=True, fault="bad-uploads=2")
    told: list[str] = []
    proof = prove(tired, tmp_path, tell=lambda what, how: told.append(what))
    assert proof.recoveries == 1 and proof.uploads == 4
    assert told == ["flash", "bench", "line"] * 2


def test_the_last_upload_may_not() -> None:
    needed_help = FlashResult("bossac", "1.9.1", 9.0, attempts=3, recoveries=1)
    with pytest.raises(LabError, match="only after 1 resets or power cycles"):
        _check_last_upload(needed_help)
    with pytest.raises(LabError, match="not uploaded to"):
        _check_last_upload(None)
    _check_last_upload(replace(needed_help, attempts=2, recoveries=0))


def test_the_known_models_are_the_same_every_time_and_two() -> None:
    first, again, other = known_model(0), known_model(0), known_model(1)
    assert first.sha256 == again.sha256 != other.sha256
    assert all(np.abs(t).max() > 0 for t in first.tensors.values() if t.dtype == np.int8)


def test_a_board_without_a_name_is_proved_by_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the refusal has it: harness boards --prove serial-..."""
    tree = UsbTree(tmp_path / "usb")
    for name, value in tree.environment.items():
        monkeypatch.setenv(name, value)
    tree.plug("1-2.3", "2341:0043", serial="75123")
    found = instance_called("serial-75123")
    assert (found.kind, found.port, found.virtual) == ("uno", str(tree.dev / "ttyACM0"), False)
    tree.plug("1-2.4", "1a86:7523", adaptor=True)  # a CH340: which board is behind it?
    with pytest.raises(UsageError, match="could be"):
        instance_called("hub-1-2.4")
    with pytest.raises(LabError, match="no board serial-1 is attached"):
        instance_called("serial-1")
    assert instance_called("sick").fault == "stuck"
