"""One cache for all tests, beside the checkout: emulators are built once, models trained once."""

import os
from pathlib import Path

import pytest

from tests.usb_tree import UsbTree

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "tests"
os.environ["HARNESS_CACHE_DIR"] = str(CACHE)
os.environ["HARNESS_STATE_DIR"] = str(CACHE / "state")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A USB tree of the test's own, and a lab's own boards.yaml that is not there yet."""
    built = UsbTree(tmp_path / "usb")
    for name, value in built.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HARNESS_BOARDS", str(tmp_path / "lab.yaml"))
    return built
