"""Kill a scenario at every call that changes a file, one after the other, and read what is left.

    python -m tests.durability.crash_points SCENARIO FOLDER

A forked child counts the calls of C functions that reach the file system and ends itself by
SIGKILL before (or after) the k-th; k grows until the child gets to its end. Prints one JSON object:
the number of kills, and what was wrong.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.durability.scenarios import SCENARIOS, Scenario, as_json, leftovers

CALLS = frozenset(
    {
        *("open", "write", "close", "fsync", "flock", "replace", "rename", "unlink", "rmdir"),
        *("mkdir", "symlink", "execute"),
    }
)
MAX_POINTS = 2000


def fork_and(work: Callable[[], None]) -> int:
    """The wait status of a child that does the work; its own errors end it with status 70."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(70)
    return os.waitpid(child, 0)[1]


def killed_at(point: int, act: Callable[[Path], None], folder: Path) -> int:
    """The status of a child that acts, and kills itself at this point if it gets there."""
    left = point

    def watch(frame: Any, event: str, function: Any) -> None:
        nonlocal left
        if event in ("c_call", "c_return") and function.__name__ in CALLS:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        sys.setprofile(watch)
        try:
            act(folder)
        finally:
            sys.setprofile(None)

    return fork_and(work)


def one_kill(scenario: Scenario, folder: Path, point: int, allowed: list[str]) -> tuple[bool, str]:
    """(whether the child was killed, what is wrong)."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scenario.prepare(folder)
    status = killed_at(point, scenario.act, folder)
    killed = os.WIFSIGNALED(status)
    if not killed and status != 0:
        return False, f"point {point}: ended with status {status}"
    found = as_json(scenario.state(folder))
    if found not in allowed:
        return killed, f"point {point}: neither old nor new: {found[:200]}"
    scenario.act(folder)  # the same again, undisturbed
    if as_json(scenario.state(folder)) != allowed[-1]:
        return killed, f"point {point}: a second try does not get there"
    if leftovers(folder):
        return killed, f"point {point}: left behind: {leftovers(folder)}"
    return killed, ""


def allowed_states(scenario: Scenario, folder: Path) -> list[str]:
    """Old and new, found without trouble."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scenario.prepare(folder)
    old = as_json(scenario.state(folder))
    scenario.act(folder)
    new = as_json(scenario.state(folder))
    assert old != new
    return [old, new]


def main(name: str, folder: Path) -> None:
    scenario = SCENARIOS[name]
    allowed = allowed_states(scenario, folder / "undisturbed")
    wrong, killed = [], 0
    for point in range(MAX_POINTS):
        was_killed, problem = one_kill(scenario, folder / "killed", point, allowed)
        wrong += [problem] if problem else []
        if not was_killed:
            break
        killed += 1
    else:
        wrong.append(f"no end after {MAX_POINTS} kills")
    print(json.dumps({"kills": killed, "wrong": wrong}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
