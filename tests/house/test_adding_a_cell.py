"""The walk-through of docs/adding-a-cell.md lists every file that knows the cell it adds."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "adding-a-cell.md"
CELL = "ugrnn"
CODE = {".py", ".c", ".h", ".j2", ".yaml"}


def listed():
    """The files of the page's first table."""
    table = PAGE.read_text().split("## 1.")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([\w./-]+)`", row.split(" | ")[0])}


def knowing():
    """Code and templates that know the cell, but for the two places the page excepts."""
    for folder in ("harness", "firmware_templates"):
        for path in sorted((ROOT / folder).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            excepted = name.startswith(("harness/fused/", "harness/study/"))
            if path.suffix in CODE and not excepted and name != "harness/cli/study.py":
                text = path.read_text(encoding="utf-8", errors="replace")
                if CELL in text.lower() or CELL in path.name:
                    yield name


def test_nothing_else_knows_the_cell():
    assert set(knowing()) == {n for n in listed() if n.startswith(("harness/", "firmware_"))}


def test_every_listed_file_knows_it():
    for name in listed():
        assert CELL in (ROOT / name).read_text().lower(), name


def test_the_lengths_are_true():
    for name, lines in re.findall(r"`([\w./]+)` \|[^|]*?: (\d+) lines \|", PAGE.read_text()):
        text = (ROOT / name).read_text()
        found = sum(CELL in line for line in text.splitlines()) if "presets" in name else None
        assert int(lines) == (found or text.count("\n")), name
