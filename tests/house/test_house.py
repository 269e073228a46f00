"""The habits of the house that a machine can check."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def tracked():
    done = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True)
    return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).is_file()]


def test_every_dependency_has_a_reason():
    text = (ROOT / "pyproject.toml").read_text()
    lines = re.findall(r'^  "[a-zA-Z0-9-]+[=<>~].*$', text, re.MULTILINE)
    assert len(lines) >= 15
    for line in lines:
        assert re.search(r"# .{5,}", line), line


def test_every_pinned_dependency_is_in_the_constraints():
    pinned = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    names = {name.lower() for name in pinned}
    text = (ROOT / "pyproject.toml").read_text()
    for name in re.findall(r'^  "([a-zA-Z0-9-]+)[=<>~]', text, re.MULTILINE):
        assert name.lower() in names, name


def test_what_links_gpl_code_says_so():
    avr = ROOT / "harness" / "virtual" / "src" / "avr"
    assert "GNU GENERAL PUBLIC LICENSE" in (avr / "LICENSE").read_text()
    for source in avr.glob("*.[ch]"):
        assert "SPDX-License-Identifier: GPL-3.0-or-later" in source.read_text(), source.name
    for source in (ROOT / "harness" / "virtual" / "src").rglob("*.[ch]"):
        if source.parent != avr:
            assert "simavr/" not in source.read_text(), source.name


def test_nothing_large_or_generated_is_tracked():
    for path in tracked():
        assert path.stat().st_size < 400_000, path
        assert path.suffix not in {".npz", ".hex", ".elf", ".bin", ".so", ".o", ".pyc"}, path
