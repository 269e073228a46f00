"""Work in parallel processes, a folder a piece: what is missing is done, and nothing twice.

A lock that the kernel frees keeps two processes, of this study or another, from working on one
folder at once; who waited for it finds the work done.
"""

from __future__ import annotations

import fcntl
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from harness.errors import LabError
from harness.events import Event, Listener

Piece = TypeVar("Piece")
Watch = Callable[[Path, bool], None]
"""(a piece's folder, whether it has ended) about once a second, for who shows how far it is."""
WATCH_S = 1.0


def no_watch(folder: Path, ended: bool) -> None:
    """The watch of who shows nothing."""


def work_off(
    work: Callable[[Piece, Path], str],
    todo: Mapping[Path, Piece],
    *,
    study: str,
    total: int,
    workers: int,
    listen: Listener,
    watch: Watch = no_watch,
) -> None:
    """Call `work(piece, folder)`, which says what went wrong or '', for every folder of `todo`.

    `total` counts the pieces that were done before, too. Raises LabError at the end, naming the
    pieces that failed; the others are finished by then.
    """
    done, failures = total - len(todo), []
    listen(Event("study", study, done, total))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=workers, mp_context=context) as pool:
        pending: dict[Future[str], Path] = {pool.submit(work, p, f): f for f, p in todo.items()}
        while pending:
            ended, _ = wait(pending, timeout=WATCH_S, return_when=FIRST_COMPLETED)
            for folder in pending.values():
                watch(folder, False)
            for future in ended:
                folder = pending.pop(future)
                failure = _failure(future)
                failures += [f"{folder.name}: {failure}"] if failure else []
                done += 1
                watch(folder, True)
                listen(Event("study", study, done, total, failure or folder.name))
    listen(Event("study", study, done, total, f"{done} runs", finished=True))
    if failures:
        raise LabError(
            f"{len(failures)} of {total} runs failed: " + "; ".join(failures),
            hint="start the study again: it does only what is missing",
        )


def _failure(future: Future[str]) -> str:
    error = future.exception()
    return str(error) if error is not None else future.result()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time; freed by the kernel when its holder dies."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
