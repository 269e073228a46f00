"""Files that are whole or absent, and reading no more of a file than is expected.

What is written goes to a temporary name beside its target, then to the disk, then is renamed: a
kill, a full disk or a power cut leaves the old file or all of the new one (docs/durability.md).
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import StorageError, UsageError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def atomic_path(path: Path, size: int | None = None) -> Iterator[Path]:
    """A temporary path beside `path`; what is written there becomes `path` when the block ends.

    size: how many bytes that will be, if known. When the block raises, the temporary file is
    removed and `path` stays as it was; what a killed writer left is removed by the next one.
    Raises StorageError when the file system has no room or refuses.
    """
    with storage_errors(path, size):
        make_folder(path.parent)
        descriptor, partial = _reserve(path)
        try:
            yield partial
            sync(partial)
            partial.replace(path)
            sync(path.parent)
        finally:
            partial.unlink(missing_ok=True)
            os.close(descriptor)


def write_atomic(path: Path, data: bytes | memoryview | str) -> None:
    """Write a whole file; see `atomic_path`."""
    content = memoryview(data.encode() if isinstance(data, str) else data)
    with atomic_path(path, content.nbytes) as partial:
        partial.write_bytes(content)


@contextmanager
def workshop(folder: Path, prefix: str = "work-") -> Iterator[Path]:
    """A new folder in `folder` to make things in; gone afterwards, unless it was renamed.

    Those that killed makers left there are removed first. Raises StorageError.
    """
    with storage_errors(folder):
        make_folder(folder)
        descriptor, made = reserve_folder(folder, prefix)
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
            os.close(descriptor)


def put_in_place(made: Path, target: Path) -> None:
    """Rename a finished file, or a folder with all in it, to `target` on the same file system.

    All of it is on the disk before the name is. Raises StorageError.
    """
    with storage_errors(target):
        for path in [*made.rglob("*"), made]:
            if not path.is_symlink():
                sync(path)
        made.replace(target)
        sync(target.parent)


def put_link(link: Path, target: str) -> None:
    """Make `link` a symbolic link to `target`, at once; of several writers one wins."""
    partial = link.with_name(f".{link.name}.tmp")
    with storage_errors(link):
        while True:
            with suppress(FileExistsError):
                partial.symlink_to(target)
                break
            partial.unlink(missing_ok=True)  # of a killed writer, or of one that loses
        with suppress(FileNotFoundError):  # another writer was quicker, and its link stands
            partial.replace(link)
        sync(link.parent)


def make_folder(folder: Path) -> None:
    """The folder with its parents, on the disk when this returns."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Bring what a file holds, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system whose folders cannot be synced
            raise
    finally:
        os.close(descriptor)


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """The file's bytes. Raises UsageError when it cannot be read, or has more than `most_bytes`."""
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot read: {error.strerror}") from error
    if len(data) > most_bytes:
        size = path.stat().st_size
        raise UsageError(f"{path}: {size:,} bytes, at most {most_bytes:,} are read")
    return data


# -- errors ---------------------------------------------------------------------------------------


@contextmanager
def storage_errors(path: Path, size: int | None = None) -> Iterator[None]:
    """What the file system says while `path` (of `size` bytes) is written, as a StorageError."""
    try:
        yield
    except OSError as error:
        found = storage_error(error, path, size)
        if found is None:
            raise
        raise found from error


def storage_error(
    error: OSError, path: Path | None = None, size: int | None = None
) -> StorageError | None:
    """A full disk, or one that refuses, in words; None for errors that are something else's."""
    if error.errno not in (*_NO_SPACE, *_REFUSED, errno.EIO):
        return None
    where = path or (Path(os.fsdecode(error.filename)) if error.filename else None)
    what = f"{where}: cannot write" if where else "cannot write"
    amount = f" {size:,} bytes" if size is not None else ""
    message = f"{what}{amount}: {error.strerror}"
    if error.errno in _NO_SPACE:
        return StorageError(message + _room(where), hint="make room there, then do the same again")
    if error.errno in _REFUSED:
        return StorageError(message, hint="may you write there? choose another folder")
    return StorageError(message, hint="is the disk or card failing? `dmesg` says more")


def _room(where: Path | None) -> str:
    folder = where
    while folder and not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    if folder is None:
        return ""
    return f"; {shutil.disk_usage(folder).free:,} bytes are free there"


# -- temporary files ------------------------------------------------------------------------------


def _reserve(path: Path) -> tuple[int, Path]:
    """A new, empty temporary file for `path`, open and locked: the lock says its writer lives."""
    _sweep(path)
    while True:
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        if _lock(descriptor) and partial.exists():
            return descriptor, partial
        os.close(descriptor)  # somebody sweeps just now, and takes it for a dead writer's


def reserve_folder(folder: Path, prefix: str) -> tuple[int, Path]:
    """A new private folder `<prefix>...` in `folder`; the descriptor returned keeps it alive.

    Folders of that name whose makers have died, or closed it, are removed first.
    """
    for leftover in folder.glob(f"{prefix}*"):
        _remove_if_dead(leftover)
    while True:
        made = folder / f"{prefix}{secrets.token_hex(4)}"
        made.mkdir(mode=0o700)
        with suppress(FileNotFoundError):
            descriptor = os.open(made, os.O_RDONLY | os.O_CLOEXEC)
            if _lock(descriptor) and made.exists():
                return descriptor, made
            os.close(descriptor)


def _sweep(path: Path) -> None:
    """Remove the temporary files that killed writers of `path` left."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        _remove_if_dead(leftover)


def _remove_if_dead(leftover: Path) -> None:
    with suppress(FileNotFoundError, PermissionError):  # gone by now; another user's
        descriptor = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not _lock(descriptor):
                return
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink()
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
