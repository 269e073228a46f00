"""Commands on a file system that runs full: what they say, what they keep, how they go on.

    unshare --user --map-root-user --mount python -m tests.durability.full_disk CASE FOLDER

Mounts a small tmpfs in FOLDER/disk, which only this process and its children see (so it needs a new
user namespace, but no privilege). Each case runs a command that fails there, makes room, goes on,
and compares. Ends with status 0, or with a traceback.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.kills import HARNESS, difference, run_job, tables
from tests.durability.scenarios import leftovers, run_folder

ROOT = Path(__file__).resolve().parents[2]
ROOM = "256m"
RUN = run_job(windows=12)


def mount(disk: Path, *options: str) -> None:
    disk.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(disk)], check=True)


def harness(*words: str, **environment: str) -> tuple[int, str]:
    """Exit code and everything said."""
    done = subprocess.run(
        [*HARNESS, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
        timeout=400,
        check=False,
    )
    return done.returncode, done.stdout


def check_refusal(status: int, said: str, disk: Path) -> None:
    assert status == 3, said
    assert "Traceback" not in said, said
    assert "No space left on device" in said or "disk is full" in said, said
    assert str(disk) in said, said


def results_folder(home: Path, sizes: tuple[str, ...]) -> None:
    """A run whose results have no room: told, nothing half there, resumed to the same tables."""
    status, said = harness(*RUN.begin(home / "undisturbed"))
    assert status == 0, said
    expected = tables(home / "undisturbed")
    for size in sizes:
        disk = home / f"disk-{size}"
        mount(disk, "-o", f"size={size}")
        status, said = harness(*RUN.begin(disk))
        check_refusal(status, said, disk)
        finished = tables(disk)  # where only the report found no room
        assert not finished or difference(finished, expected) == ""
        mount(disk, "-o", f"remount,size={ROOM}")
        status, said = harness(*RUN.resume(disk))
        assert status == 0, said
        assert difference(tables(disk), expected) == ""
        assert leftovers(disk) == []


def cache(home: Path, sizes: tuple[str, ...]) -> None:
    """Training and building with no room in the cache; then with room: the same firmware."""
    for size in sizes:
        disk = home / f"disk-{size}"
        mount(disk, "-o", f"size={size}")
        there = {"HARNESS_CACHE_DIR": str(disk)}
        command = ["train", "fastgrnn", "--preset", "smoke", "--out", str(home / "models")]
        status, said = harness(*command, **there)
        check_refusal(status, said, disk)
        mount(disk, "-o", f"remount,size={ROOM}")
        status, said = harness(*command, **there)
        assert status == 0, said
        assert leftovers(disk) == []


def history(home: Path, sizes: tuple[str, ...]) -> None:
    """A history with no room for another run keeps what it had; then takes it."""
    first, second = run_folder(home, "first", 2), run_folder(home, "second", 800)
    for size in sizes:
        disk = home / f"disk-{size}"
        mount(disk, "-o", f"size={size}")
        db = ["history", "--db", str(disk / "history.db")]
        status, said = harness(*db, "--add", str(first))
        assert status == 0, said
        status, said = harness(*db, "--add", str(second))
        check_refusal(status, said, disk)
        status, said = harness(*db, "--json")
        assert status == 0 and "first" in said and "second" not in said, said
        mount(disk, "-o", f"remount,size={ROOM}")
        status, said = harness(*db, "--add", str(second))
        assert status == 0, said


CASES = {"results": results_folder, "cache": cache, "history": history}

if __name__ == "__main__":
    CASES[sys.argv[1]](Path(sys.argv[2]), tuple(sys.argv[3:]))
