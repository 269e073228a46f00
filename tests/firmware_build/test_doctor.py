"""`harness doctor` as a library: what it finds, and what it says when something is missing."""

import pytest

from harness import doctor
from harness.doctor import boards, storage
from harness.firmware import toolchain


def by_name():
    return {check.name: check for check in doctor.checks()}


def test_every_check_that_fails_says_what_to_do(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path))
    found = by_name()
    for name in (
        *("avr-gcc", "arm-none-eabi-gcc", "aarch64-linux-gnu-gcc"),
        *("avrdude", "bossac", "ssh", "qemu-aarch64"),
    ):
        assert not found[name].ok
        assert found[name].fix.startswith("apt-get install ")
    for check in found.values():
        assert check.ok or check.fix
        assert check.detail


@pytest.mark.emulated
def test_tools_are_found_with_their_versions(cache):
    found = by_name()
    for name in (
        *("python", "avr-gcc", "arm-none-eabi-gcc", "aarch64-linux-gnu-gcc"),
        *("avrdude", "bossac", "ssh", "platformio"),
    ):
        assert found[name].ok, found[name]
        assert any(c.isdigit() for c in found[name].detail)


def test_emulators_are_missing_until_they_are_built(cache):
    check = by_name()["emulators"]
    assert not check.ok
    assert "uno" in check.detail
    assert check.fix == "make setup"


@pytest.mark.parametrize(
    ("what", "limit", "words"),
    [
        ("cache", "MIN_CACHE_BYTES", "HARNESS_CACHE_DIR"),
        ("results", "MIN_RESULTS_BYTES", "--out"),
    ],
)
def test_a_full_disk_is_noticed(cache, monkeypatch, what, limit, words):
    monkeypatch.setattr(storage, limit, 1 << 62)
    check = by_name()[f"disk space: {what}"]
    assert not check.ok
    assert words in check.fix


def test_a_computer_without_torch_is_healthy_but_told(cache, monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    check = doctor._torch()
    assert check.ok
    assert "harness[train]" in check.detail


def test_no_board_and_no_dialout_group_is_healthy_but_told(cache, monkeypatch):
    monkeypatch.setenv("HARNESS_SYSFS", str(cache / "none"))
    monkeypatch.setattr(boards.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(boards, "_our_groups", lambda: {"users"})
    monkeypatch.setattr(boards, "_group_exists", lambda: True)
    check = by_name()["serial ports"]
    assert check.ok
    assert "dialout" in check.detail


@pytest.mark.emulated
@pytest.mark.slow
def test_prepare_builds_everything_ahead(cache):
    said = []
    doctor.prepare(said.append)
    assert said[0] == "PlatformIO core folder"
    assert toolchain.prepare_core_dir().is_dir()
    found = by_name()
    assert found["emulators"].ok, found["emulators"]
    assert list((cache / "optiboot").glob("*/optiboot.hex"))
