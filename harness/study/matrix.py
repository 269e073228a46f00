"""Many runs in parallel processes, each in its own folder: resumable, and never done twice.

The folder's name follows from the options, so a study that is started again finds what is there:
finished runs are kept, begun ones go on. See `pool` for the processes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from harness import run
from harness.errors import HarnessError
from harness.events import Listener, ignore
from harness.run import RunOptions
from harness.study import pool

WHERE = ("port", "data_dir", "instance", "sessions")  # options that say where, not what


def cell_folder(out: Path, options: RunOptions) -> Path:
    """Where the run with these options lies: named for people, made unique by a hash."""
    what = {k: v for k, v in asdict(options).items() if k not in WHERE}
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:10]
    names = f"{options.board}-{options.dataset}-seed{options.seed}"
    return out / f"{names}-{'' if options.compand else 'plain-'}{digest}"


def is_finished(folder: Path) -> bool:
    """True when the run in this folder came to its end."""
    path = folder / "run.json"
    return path.is_file() and json.loads(path.read_text()).get("finished") is not None


def run_all(
    cells: Sequence[RunOptions], out: Path, *, workers: int = 2, listen: Listener = ignore
) -> list[Path]:
    """Run every cell that is not finished yet, `workers` at a time; the folders, in order.

    Raises LabError at the end, naming the cells that failed; the others are finished by then.
    """
    folders = [cell_folder(out, options) for options in cells]
    todo = {f: o for o, f in zip(cells, folders, strict=True) if not is_finished(f)}
    pool.work_off(_run_cell, todo, study=out.name, total=len(cells), workers=workers, listen=listen)
    return folders


def _run_cell(options: RunOptions, folder: Path) -> str:
    """Do or continue one run, in a worker process; what went wrong, or ''."""
    with pool.locked(folder):
        if is_finished(folder):
            return ""
        try:
            begun = (folder / "run.json").is_file()
            result = run.resume(folder) if begun else run.start_in(folder, options)
        except HarnessError as error:
            return error.message
        return "" if result.exit_code == 0 else f"exit code {result.exit_code}"
