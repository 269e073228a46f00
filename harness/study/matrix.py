"""Many runs in parallel processes, each in its own folder: resumable, and never done twice.

The folder's name follows from the options, so a study that is started again finds what is there:
finished runs are kept, begun ones go on. A lock that the kernel frees keeps two processes, of this
study or another, from working on one run at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from harness import run
from harness.errors import HarnessError, LabError
from harness.events import Event, Listener, ignore
from harness.run import RunOptions

WHERE = ("port", "data_dir")  # options that say where, not what


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
    todo = [(o, f) for o, f in zip(cells, folders, strict=True) if not is_finished(f)]
    done, failures = len(cells) - len(todo), []
    listen(Event("study", out.name, done, len(cells)))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=workers, mp_context=context) as pool:
        pending: dict[Future[str], Path] = {pool.submit(_run_cell, o, f): f for o, f in todo}
        while pending:
            ended, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in ended:
                folder = pending.pop(future)
                failure = _failure(future)
                failures += [f"{folder.name}: {failure}"] if failure else []
                done += 1
                listen(Event("study", out.name, done, len(cells), failure or folder.name))
    listen(Event("study", out.name, done, len(cells), f"{done} runs", finished=True))
    if failures:
        raise LabError(
            f"{len(failures)} of {len(cells)} runs failed: " + "; ".join(failures),
            hint="start the study again: it does only what is missing",
        )
    return folders


def _failure(future: Future[str]) -> str:
    error = future.exception()
    return str(error) if error is not None else future.result()


def _run_cell(options: RunOptions, folder: Path) -> str:
    """Do or continue one run, in a worker process; what went wrong, or ''."""
    with _lock(folder):
        if is_finished(folder):
            return ""
        try:
            begun = (folder / "run.json").is_file()
            result = run.resume(folder) if begun else run.start_in(folder, options)
        except HarnessError as error:
            return error.message
        return "" if result.exit_code == 0 else f"exit code {result.exit_code}"


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One process at a time; freed by the kernel when its holder dies."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
