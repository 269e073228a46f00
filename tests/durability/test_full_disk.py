"""A file system that runs full, for real: a small tmpfs in a mount namespace of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALONE = ("unshare", "--user", "--map-root-user", "--mount")

pytestmark = [pytest.mark.slow, pytest.mark.emulated]


@pytest.fixture(scope="module")
def can_mount(tmp_path_factory):
    """Skips where the kernel gives no user namespaces (test_writes.py needs none)."""
    folder = tmp_path_factory.mktemp("mount")
    command = [*ALONE, "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no tmpfs in a user namespace here: {done.stderr.strip()}")


@pytest.mark.parametrize(
    ("case", "sizes"),
    [("results", ("16k", "300k")), ("cache", ("40k",)), ("history", ("128k", "250k"))],
)
def test_a_full_disk_is_told_and_gone_on_from(can_mount, case, sizes, tmp_path):
    script = [sys.executable, "-m", "tests.durability.full_disk", case, str(tmp_path), *sizes]
    done = subprocess.run([*ALONE, *script], capture_output=True, text=True, cwd=ROOT, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
