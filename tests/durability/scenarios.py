"""What the harness writes, as scenarios: an old state, the step to a new one, and how to read it.

Each is tried under kills at every call (crash_points.py) and under writes that fail at every size
(short_writes.py): what is read afterwards must be the old state or the new one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import files, results
from harness.history import store
from harness.qmodel import QModel
from harness.results import Journal, WindowRow
from tests.models import random_qmodel


@dataclass(frozen=True)
class Scenario:
    """prepare and act write below a folder; state reads it, and is called after any trouble."""

    prepare: Callable[[Path], None]
    act: Callable[[Path], None]
    state: Callable[[Path], Any]


def window(index: int) -> WindowRow:
    return WindowRow("gru", index, 1, 1, 1, [index, -6], [index, -6], 1234, [0, 0, 0], [0, 0, 0], 0)


# -- single files ---------------------------------------------------------------------------------


def _json(folder: Path) -> Any:
    return results.read_json(folder / "run.json")["value"]


def _write_summary(folder: Path, model: str) -> None:
    results.write_summary(folder, results.summary_frame([{"run_id": "r", "model": model}] * 30))


def _write_windows(folder: Path, count: int) -> None:
    results.write_windows(folder, results.windows_frame([window(i) for i in range(count)]))


def _save_model(folder: Path, seed: int) -> None:
    random_qmodel("gru", seed, hidden=4, features=3, classes=2).save(folder / "model.npz")


# -- the journal ----------------------------------------------------------------------------------


def _journal(folder: Path) -> Journal:
    return Journal(folder / "journal" / "gru.jsonl")


def _begin_journal(folder: Path) -> None:
    journal = _journal(folder)
    journal.repair()
    for index in (1, 2):
        journal.append(window(index))
    with journal.path.open("ab") as file:
        file.write(b'{"model": "gru", "win')  # cut short by an earlier kill


def _go_on(folder: Path) -> None:
    """As `measure` does: read, repair, append what is missing."""
    journal = _journal(folder)
    done = {row.window for row in journal.read()}
    journal.repair()
    for index in (1, 2, 3):
        if index not in done:
            journal.append(window(index))
    journal.sync()


def _journalled(folder: Path) -> list[int]:
    return [row.window for row in _journal(folder).read()]


# -- folders and links ----------------------------------------------------------------------------


def _keep_build(folder: Path) -> None:
    """As the firmware cache does."""
    with files.workshop(folder / "cache") as staging:
        (staging / "src").mkdir()
        for name in ("src/a.c", "firmware.elf", "firmware.json"):
            (staging / name).write_text(name * 100)
        shutil.rmtree(folder / "cache" / "0123", ignore_errors=True)
        files.put_in_place(staging, folder / "cache" / "0123")


def _kept_build(folder: Path) -> list[str]:
    kept = folder / "cache" / "0123"
    return sorted(p.read_text() for p in kept.rglob("*") if p.is_file())


def _two_runs(folder: Path) -> None:
    for name in ("one", "two"):
        (folder / name).mkdir()
    results.point_latest(folder / "one")


# -- the history ----------------------------------------------------------------------------------


def run_folder(folder: Path, run_id: str, models: int) -> Path:
    """A results folder of a finished run, with these many rows."""
    started = "2026-01-02T03:04:05+00:00"
    options = {"board": "uno", "virtual": True, "preset": "smoke", "windows": 5}
    facts = {"run_id": run_id, "started": started, "finished": started, "options": options}
    row = {"run_id": run_id, "board": "uno", "board_kind": "virtual", "dataset": "digits"}
    rows = [row | {"model": f"m{i}", "status": "ok", "windows": 5} for i in range(models)]
    results.write_json(folder / run_id / "run.json", facts)
    results.write_summary(folder / run_id, results.summary_frame(rows))
    return folder / run_id


def _begin_history(folder: Path) -> None:
    run_folder(folder, "second", 40)
    store.add_folder(folder / "history.db", run_folder(folder, "first", 2))


def _add_run(folder: Path) -> None:
    store.add_folder(folder / "history.db", folder / "second")


def _recorded(folder: Path) -> dict[str, int]:
    entries = store.read(folder / "history.db")
    return {run: sum(e.run_id == run for e in entries) for run in ("first", "second")}


SCENARIOS = {
    "json": Scenario(
        lambda folder: results.write_json(folder / "run.json", {"value": "old"}),
        lambda folder: results.write_json(folder / "run.json", {"value": "new" * 3000}),
        _json,
    ),
    "summary": Scenario(
        lambda folder: _write_summary(folder, "old"),
        lambda folder: _write_summary(folder, "new"),
        lambda folder: set(results.read_summary(folder)["model"]),
    ),
    "windows": Scenario(
        lambda folder: _write_windows(folder, 3),
        lambda folder: _write_windows(folder, 300),
        lambda folder: len(results.read_windows(folder)),
    ),
    "model": Scenario(
        lambda folder: _save_model(folder, 1),
        lambda folder: _save_model(folder, 2),
        lambda folder: QModel.load(folder / "model.npz").sha256,
    ),
    "journal": Scenario(_begin_journal, _go_on, _journalled),
    "link": Scenario(
        _two_runs,
        lambda folder: results.point_latest(folder / "two"),
        lambda folder: (folder / "latest").resolve().name,
    ),
    "first-build": Scenario(lambda folder: None, _keep_build, _kept_build),
    "history": Scenario(_begin_history, _add_run, _recorded),
}


def leftovers(folder: Path) -> list[str]:
    """Temporary files and folders that nobody would ever clear away."""
    return sorted(
        str(p.relative_to(folder))
        for p in folder.rglob("*")
        if p.name.endswith(".tmp") or p.name.startswith("work-")
    )


def as_json(value: Any) -> str:
    """For comparison, and for people."""
    return json.dumps(sorted(value) if isinstance(value, set) else value)
