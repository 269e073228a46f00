"""Fetch a file over HTTP: resumable, checked, put in place atomically."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from harness.datasets.base import Progress, ignore_progress
from harness.datasets.npz import file_sha256
from harness.datasets.registry import SOURCES, Source
from harness.errors import DataError, near_miss
from harness.files import make_folder, put_in_place, storage_errors, write_atomic

CHUNK_BYTES = 1 << 16
MAX_BYTES = 2 << 30
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class _Target:
    """One file to fetch: where from, where to, and the checksum it must have, if one is known."""

    url: str
    path: Path
    algorithm: str = "sha256"
    checksum: str | None = None


def fetch(name: str, dest: Path, url: str | None = None, progress: Progress | None = None) -> Path:
    """Download data set `name` into folder `dest`; returns the file, or the folder of its files.

    A file already there is kept. An interrupted download leaves `<file>.part` and goes on from
    there next time (HTTP Range). The file gets its name only when complete and, where a checksum is
    known, right. `url` is another address of the file, or of the folder of a set of several files.
    """
    if name not in SOURCES:
        raise near_miss("data set", name, SOURCES)
    source = SOURCES[name]
    for target in _targets(source, dest, url):
        _fetch_one(name, target, progress or ignore_progress)
    return dest / source.filename


def _targets(source: Source, dest: Path, url: str | None) -> list[_Target]:
    """The files of a source; DataError when it cannot be fetched."""
    if source.files:
        return [
            _Target(
                f"{url.rstrip('/')}/{Path(file.filename).name}" if url else file.url,
                dest / file.filename,
                "md5",
                file.md5,
            )
            for file in source.files
        ]
    address = url or source.url
    if address is None:
        raise DataError(f"{source.name}: {source.note or 'cannot be fetched'}")
    return [_Target(address, dest / source.filename, checksum=source.sha256)]


def _fetch_one(name: str, target: _Target, progress: Progress) -> None:
    """One file, unless it is there already."""
    path = target.path
    if path.is_file():
        _check(path, target)
        return
    part = path.with_name(path.name + ".part")
    try:
        with storage_errors(part):
            make_folder(path.parent)
            _download(target.url, part, progress)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        kept = f"; {part.stat().st_size:,} bytes are kept in {part}" if part.is_file() else ""
        raise DataError(
            f"{name}: download from {target.url} failed: {reason}{kept}",
            hint=f"try again to resume, or download {target.url} by hand and put it at {path}",
        ) from error
    _check(part, target)
    put_in_place(part, path)
    if target.checksum is None:
        sums = path.with_name(path.name + ".sha256")
        write_atomic(sums, f"{file_sha256(path)}  {path.name}\n")


def _check(path: Path, target: _Target) -> None:
    """Compare the checksum with the source's where that is known, else only test the archive."""
    if target.checksum is None:
        _check_archive(path, target)
        return
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, target.algorithm).hexdigest()
    if found != target.checksum:
        size = path.stat().st_size
        if path.suffix == ".part":
            path.unlink()
        raise DataError(
            f"{path.name}: {target.algorithm} is {found} ({size:,} bytes), expected "
            f"{target.checksum}",
            hint=f"download {target.url} again; the source or the transfer is damaged",
        )


def _check_archive(path: Path, target: _Target) -> None:
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
            hint=f"remove {path.name} and download {target.url} again",
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
