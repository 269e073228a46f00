"""Room on the disks, and how much of the cache nobody has used for long."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from harness import paths
from harness.doctor.check import Check

MIN_CACHE_BYTES = 500 << 20  # PlatformIO's packages, emulators, some trained models
MIN_RESULTS_BYTES = 100 << 20  # a night of full test sets takes some ten megabytes
STALE_DAYS = 30
MAX_STALE_BYTES = 2 << 30


def checks() -> Iterator[Check]:
    """Room for the cache and for results, and what of the cache is stale."""
    cache = paths.cache_dir()
    yield _room(
        "disk space: cache",
        cache,
        MIN_CACHE_BYTES,
        "or set HARNESS_CACHE_DIR; the cache may be deleted",
    )
    results = Path("results") if Path("results").is_dir() else Path()
    yield _room("disk space: results", results.resolve(), MIN_RESULTS_BYTES, "or give --out FOLDER")
    yield _stale(cache)


def _room(name: str, folder: Path, least_bytes: int, otherwise: str) -> Check:
    free = shutil.disk_usage(folder).free
    return Check(
        name,
        free >= least_bytes,
        f"{free / 1e9:.1f} GB free in {folder}, wanted {least_bytes / 1e9:.1f} GB",
        f"free {(least_bytes - free) / 1e6:.0f} MB, {otherwise}",
    )


def _stale(cache: Path) -> Check:
    """How much of the cache was not used for a month; all of it is made again when needed."""
    since = time.time() - STALE_DAYS * 86_400
    total = stale = 0
    for entry in _files(cache):
        status = entry.stat(follow_symlinks=False)
        total += status.st_size
        stale += status.st_size * (max(status.st_atime, status.st_mtime) < since)
    return Check(
        "cache",
        True,
        f"{total / 1e9:.2f} GB, of which {stale / 1e9:.2f} GB unused for {STALE_DAYS} days",
        f"find {cache} -type f -atime +{STALE_DAYS} -mtime +{STALE_DAYS} -delete",
        warning=stale > MAX_STALE_BYTES,
    )


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """All files below a folder; what vanishes meanwhile or may not be read is left out."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield entry
    except OSError:
        return
