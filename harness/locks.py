"""One board, one user: a lock for every physical board, and who holds it.

The lock is the kernel's (flock), so it is free again when its holder ends in whatever way, and no
file has to be cleared away. What the file says of the holder is for people to read.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import re
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import LabError, UsageError

SHARED = Path("/run/lock")  # of all users of a Debian-like machine
POLL_S = 0.2
RECORD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a board: user, process, since when (UTC), what for."""

    user: str
    pid: int
    since: str
    command: str

    @classmethod
    def ourselves(cls) -> Holder:
        """This process."""
        words = [Path(sys.argv[0]).name, *sys.argv[1:]]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(_user(), os.getpid(), now, " ".join(words)[:200])

    def __str__(self) -> str:
        return f"{self.user}, process {self.pid}, since {self.since}: {self.command}"


class BoardBusy(LabError):
    """Somebody else has the board."""


@contextmanager
def board_lock(
    board_id: str, *, wait_s: float, on_wait: Callable[[str], None] = lambda holder: None
) -> Iterator[None]:
    """Hold the lock of the board `board_id` (its serial number, place on the hub, or port).

    Waits at most `wait_s` seconds for another holder; `on_wait` is told once who that is. Raises
    BoardBusy when the wait was in vain, LabError when no lock can be made.
    """
    descriptor = _open(lock_path(board_id))
    try:
        _acquire(descriptor, board_id, wait_s, on_wait)
        _write(descriptor, json.dumps(asdict(Holder.ourselves())))
        try:
            yield
        finally:
            _write(descriptor, "")
    finally:
        os.close(descriptor)


def holder_of(board_id: str) -> Holder | None:
    """Who holds the board's lock now; None when it is free."""
    path = lock_path(board_id)
    if not path.exists():
        return None
    descriptor = _open(path)
    try:
        if _try(descriptor):
            return None
        return _read(descriptor)
    finally:
        os.close(descriptor)


def lock_path(board_id: str) -> Path:
    """The lock file: in $HARNESS_LOCK_DIR, else one folder for all users of the machine."""
    name = re.sub(r"[^A-Za-z0-9._:-]+", "-", board_id).strip("-.")
    if not name:
        raise UsageError(f"{board_id!r} names no board")
    return _folder() / f"{name[:120]}.lock"


def _folder() -> Path:
    chosen = os.environ.get("HARNESS_LOCK_DIR")
    base = SHARED if os.access(SHARED, os.W_OK) else Path(tempfile.gettempdir())
    folder = Path(chosen) if chosen else base / "harness"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"{folder}: cannot keep the boards' locks there: {error.strerror}",
            hint="name another folder in HARNESS_LOCK_DIR",
        ) from error
    with suppress(OSError):  # another user's: it has the mode already
        folder.chmod(0o1777)
    return folder


def _open(path: Path) -> int:
    """The lock file, made if it is not there; any user may lock it, a link is not followed."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            descriptor = os.open(path, flags | os.O_CREAT, 0o666)
            os.fchmod(descriptor, 0o666)
    except OSError as error:
        raise LabError(f"{path}: cannot open the board's lock: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LabError(f"{path}: is not a file, so it cannot be the board's lock")
    return descriptor


def _acquire(descriptor: int, board_id: str, wait_s: float, on_wait: Callable[[str], None]) -> None:
    end = time.monotonic() + wait_s
    told = False
    while not _try(descriptor):
        holder = _read(descriptor)
        who = str(holder) if holder else "somebody who has just come or gone"
        if time.monotonic() >= end:
            raise BoardBusy(
                f"the board {board_id} is in use by {who}; waited {wait_s:.0f} s",
                hint="wait longer with --wait SECONDS, or ask them",
            )
        if not told:
            on_wait(who)
            told = True
        time.sleep(min(POLL_S, max(0.0, end - time.monotonic())))


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _read(descriptor: int) -> Holder | None:
    """The holder's record; None while it is being written, or when it is not one."""
    try:
        return Holder(**json.loads(os.pread(descriptor, RECORD_BYTES, 0)))
    except (ValueError, TypeError):
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
