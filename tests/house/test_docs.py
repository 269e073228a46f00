"""Documents are executed: every `sh` block of the README runs, every link leads somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")])
README = (ROOT / "README.md").read_text()


def runnable():
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_readme_has_commands_to_run():
    assert len(runnable()) >= 8


@pytest.mark.slow
@pytest.mark.emulated
def test_readme_commands_run_in_order(tmp_path):
    bin_dir = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{bin_dir}:{os.environ['PATH']}"}
    for line in ["harness doctor --prepare", *runnable()]:  # first, as `make setup` does
        done = subprocess.run(
            line, shell=True, capture_output=True, text=True, cwd=tmp_path, env=environment
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def test_every_command_in_a_document_exists():
    for page in PAGES:
        for command in re.findall(r"(?:^|`)harness ([a-z]+)", page.read_text(), re.MULTILINE):
            assert command in COMMANDS, f"{page.name}: harness {command}"


def test_every_make_target_in_a_document_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.MULTILINE):
            assert target in targets, f"{page.name}: make {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_that_a_document_names_exist(page):
    named = re.findall(
        r"`((?:harness|firmware_templates|tests|benchmarks|docs)/[\w./-]*)`", page.read_text()
    )
    for name in named:
        assert (ROOT / name).exists(), f"{page.name}: {name}"
