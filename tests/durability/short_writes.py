"""Let every write of a scenario fail in its middle, and read what is left.

    python -m tests.durability.short_writes SCENARIO FOLDER

The kernel refuses to let files of a forked child grow beyond a limit (RLIMIT_FSIZE, error EFBIG):
as on a full disk, a write may stop at any byte. Prints one JSON object: how many limits stopped the
scenario, and what was wrong.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from harness.errors import StorageError
from tests.durability.crash_points import allowed_states, fork_and
from tests.durability.scenarios import SCENARIOS, Scenario, as_json, leftovers

STORAGE = StorageError.exit_code
LIMITS = [0, 1, 2, 30, 100, 300, *range(500, 4000, 500), *range(4096, 300_000, 12_288)]


def limited(act: Callable[[Path], None], folder: Path, most_bytes: int) -> int:
    """The exit status of a child that acts while no file may grow beyond this."""

    def work() -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
        try:
            act(folder)
        except StorageError as error:
            assert str(folder) in error.message and error.hint, error.message
            os._exit(STORAGE)

    return os.waitstatus_to_exitcode(fork_and(work))


def one_limit(scenario: Scenario, folder: Path, most: int, allowed: list[str]) -> tuple[bool, str]:
    """(whether the limit stopped it, what is wrong)."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scenario.prepare(folder)
    status = limited(scenario.act, folder, most)
    if status not in (0, STORAGE):
        return False, f"limit {most}: ended with status {status}"
    found = as_json(scenario.state(folder))
    if found not in (allowed if status else allowed[-1:]):
        return True, f"limit {most}: neither old nor new: {found[:200]}"
    scenario.act(folder)  # the same again, with room
    if as_json(scenario.state(folder)) != allowed[-1]:
        return True, f"limit {most}: a second try does not get there"
    if leftovers(folder):
        return True, f"limit {most}: left behind: {leftovers(folder)}"
    return status == STORAGE, ""


def main(name: str, folder: Path) -> None:
    scenario = SCENARIOS[name]
    allowed = allowed_states(scenario, folder / "undisturbed")
    done = [one_limit(scenario, folder / "limited", most, allowed) for most in LIMITS]
    wrong = [problem for _, problem in done if problem]
    print(json.dumps({"stopped": sum(stopped for stopped, _ in done), "wrong": wrong}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
