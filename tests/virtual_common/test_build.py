"""Building the emulators and Optiboot into the cache."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import BuildError, LabError, UsageError
from harness.virtual import BOARDS, build

STRICT = ("-Werror", "-Wconversion")

pytestmark = pytest.mark.emulated


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def compile_quickly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str) -> None:
    """Makes "uno" a small program."""
    folder = tmp_path / "src" / "small"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.c").write_text(source)
    monkeypatch.setattr(build, "SOURCES", tmp_path / "src")
    monkeypatch.setattr(build, "RECIPES", {"uno": build.Recipe(("small",), packages="gcc cake")})


@pytest.mark.parametrize("name", BOARDS)
def test_the_sources_compile_without_warnings(name: str, tmp_path: Path) -> None:
    recipe = build.RECIPES[name]
    files = [p for p in build._sources(recipe) if p.suffix == ".c"]
    assert files
    command = ["gcc", *recipe.flags, *STRICT, "-o", tmp_path / "out", *files, *recipe.libraries]
    subprocess.run([str(word) for word in command], check=True, timeout=120)


def test_the_licence_travels_with_the_sources() -> None:
    text = (build.SOURCES / "avr" / "LICENSE").read_text()
    assert "GNU GENERAL PUBLIC LICENSE" in text and "Version 3" in text
    for path in build._sources(build.Recipe(("avr",))):
        assert "SPDX-License-Identifier: GPL-3.0-or-later" in path.read_text(), path
    for path in build._sources(build.Recipe(("common", "machine", "armv6m", "armv7m", "sam3x"))):
        assert "SPDX-License-Identifier: MIT" in path.read_text(), path


def test_a_binary_is_built_once_and_again_when_a_source_changes(
    fresh_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_quickly(monkeypatch, tmp_path, "int main(void) { return 0; }")
    first = build.emulator_binary("uno")
    assert first.is_relative_to(fresh_cache)
    made = first.stat().st_mtime_ns
    assert build.emulator_binary("uno") == first
    assert first.stat().st_mtime_ns == made
    compile_quickly(monkeypatch, tmp_path, "int main(void) { return 1; }")
    assert build.emulator_binary("uno") != first


def test_two_processes_may_build_at_once(fresh_cache: Path) -> None:
    code = "from harness.virtual.build import optiboot_hex; print(optiboot_hex())"
    command = [sys.executable, "-c", code]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    paths = {process.communicate(timeout=60)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(paths) == 1
    assert Path(paths.pop()).is_relative_to(fresh_cache)


def test_optiboot_fits_its_section() -> None:
    lines = build.optiboot_hex().read_text().split()
    records = [bytes.fromhex(line[1:]) for line in lines]
    data = [(int.from_bytes(r[1:3], "big"), r[0]) for r in records if r[3] == 0]
    assert min(address for address, _ in data) == 0x7E00
    assert max(address + size for address, size in data) == 0x8000  # the version word is last


def test_the_megas_bootloader_fits_its_section() -> None:
    """8 KB from 0x3E000 on (DS40002211, "Boot Size Configuration": BOOTSZ = 0)."""
    lines = build.stk500v2_hex().read_text().split()
    base, places = 0, []
    for record in (bytes.fromhex(line[1:]) for line in lines):
        value = int.from_bytes(record[4:6], "big")
        if record[3] == 2:
            base = value << 4
        elif record[3] == 0:
            at = base + int.from_bytes(record[1:3], "big")
            places += [at, at + record[0]]
    assert min(places) == 0x3E000
    assert max(places) <= 0x40000


def test_boards_of_one_core_share_a_program() -> None:
    assert build.emulator_binary("uno") == build.emulator_binary("mega2560")


def test_the_compiler_speaks_for_itself(
    fresh_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_quickly(monkeypatch, tmp_path, "int main(void) { return nonsense; }")
    with pytest.raises(BuildError, match="nonsense"):
        build.emulator_binary("uno")
    assert list(fresh_cache.rglob("vboard-*")) == []
    assert list(fresh_cache.rglob("building")) == []


@pytest.mark.parametrize("line", ["#include <no_such_header.h>", ""])
def test_a_missing_header_or_library_names_the_packages(
    fresh_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    compile_quickly(monkeypatch, tmp_path, f"{line}\nint main(void) {{ return 0; }}")
    recipe = build.Recipe(("small",), ("-lno_such_library",), packages="gcc cake")
    monkeypatch.setattr(build, "RECIPES", {"uno": recipe})
    with pytest.raises(LabError) as caught:
        build.emulator_binary("uno")
    assert caught.value.hint == "apt-get install gcc cake"


def test_a_missing_compiler_names_the_packages(
    fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(LabError, match="no-such-compiler is not installed") as caught:
        build.emulator_binary("uno")
    assert "libsimavr-dev" in caught.value.hint


def test_an_unknown_board_is_refused() -> None:
    with pytest.raises(UsageError, match="nano"):
        build.emulator_binary("nano")
