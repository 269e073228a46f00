"""Small firmware on virtual boards, each test with a lab of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.boards import find_kind
from harness.firmware.build import Firmware, build_firmware
from harness.qmodel import QModel
from harness.reference.model import bench_window
from tests.models import random_qmodel

FirmwareFor = Callable[[str, QModel], Firmware]
MODEL, OTHER = (
    random_qmodel("fastgrnn", seed, features=3, hidden=8, classes=3, steps=4) for seed in (0, 1)
)


@pytest.fixture(autouse=True)
def lab_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No record and no lock of another test, or of the person who runs them."""
    monkeypatch.setenv("HARNESS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HARNESS_LOCK_DIR", str(tmp_path / "locks"))


@pytest.fixture(scope="session")
def firmware_for() -> FirmwareFor:
    """A model's firmware for the twin of a kind; from the cache after the first time."""
    return lambda kind, model: build_firmware(
        model, find_kind(kind).virtual(), bench_raw=bench_window(model)
    )
