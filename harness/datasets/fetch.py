"""Fetch a file over HTTP: resumable, checked, put in place atomically."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.datasets.npz import file_sha256
from harness.datasets.registry import SOURCES, Source
from harness.errors import DataError, near_miss

CHUNK_BYTES = 1 << 16
MAX_BYTES = 2 << 30
TIMEOUT_S = 30.0

Progress = Callable[[int, int | None], None]  # bytes here, bytes in all or None


def _ignore(done: int, total: int | None) -> None:
    pass


def fetch(name: str, dest: Path, url: str | None = None, progress: Progress | None = None) -> Path:
    """Download data set `name` into folder `dest`; returns the file. A file already there is kept.

    An interrupted download leaves `<file>.part` and goes on from there next time (HTTP Range). The
    file gets its name only when complete and, where a checksum is known, right.
    """
    if name not in SOURCES:
        raise near_miss("data set", name, SOURCES)
    source = SOURCES[name]
    if url is not None:
        source = replace(source, url=url)
    if source.url is None:
        raise DataError(f"{name}: {source.note or 'cannot be fetched'}")
    path = dest / source.filename
    if path.is_file():
        _check(path, source)
        return path
    dest.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        _download(source.url, part, progress or _ignore)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        kept = f"; {part.stat().st_size:,} bytes are kept in {part}" if part.is_file() else ""
        raise DataError(
            f"{name}: download from {source.url} failed: {reason}{kept}",
            hint=f"try again to resume, or download {source.url} by hand and put it at {path}",
        ) from error
    _check(part, source)
    part.replace(path)
    if source.sha256 is None:
        path.with_name(path.name + ".sha256").write_text(f"{file_sha256(path)}  {path.name}\n")
    return path


def _check(path: Path, source: Source) -> None:
    """Compare the checksum with the source's where that is known, else only test the archive."""
    if source.sha256 is None:
        _check_archive(path, source)
        return
    found = file_sha256(path)
    if found != source.sha256:
        size = path.stat().st_size
        if path.suffix == ".part":
            path.unlink()
        raise DataError(
            f"{path.name}: sha256 is {found} ({size:,} bytes), expected {source.sha256}",
            hint=f"download {source.url} again; the source or the transfer is damaged",
        )


def _check_archive(path: Path, source: Source) -> None:
    """Every member's CRC. A damaged partial file is removed, so that the next try starts afresh."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        problem = f"member {damaged} is damaged" if damaged else ""
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zlib.error) as error:
        problem = str(error)
    if problem:
        if path.suffix == ".part":
            path.unlink()
        raise DataError(
            f"{path.name}: not a whole zip archive: {problem}",
            hint=f"remove {path.name} and download {source.url} again",
        )


def _download(url: str, part: Path, progress: Progress) -> None:
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise DataError(f"{url}: only http and https are fetched")
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "harness"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with error:
            complete = error.headers.get("Content-Range", "") == f"bytes */{have}"
            if have and error.code == 416 and complete:
                return
            if have and error.code == 416:
                part.unlink()
        raise
    with response:
        resumed = response.status == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise http.client.HTTPException("the server resumed at another place than asked")
        have = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length is not None else None
        if (total or 0) > MAX_BYTES:
            raise DataError(f"{url}: {total:,} bytes, at most {MAX_BYTES:,} are fetched")
        with part.open("ab" if resumed else "wb") as out:
            while chunk := response.read(CHUNK_BYTES):
                out.write(chunk)
                have += len(chunk)
                if have > MAX_BYTES:
                    raise DataError(f"{url}: more than {MAX_BYTES:,} bytes")
                progress(have, total)
    if total is not None and have != total:
        raise http.client.HTTPException(f"connection closed after {have:,} of {total:,} bytes")
