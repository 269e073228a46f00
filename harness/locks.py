"""One board, one user: a lock for every physical board, and who holds it; flash permits for hubs.

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
from contextlib import ExitStack, contextmanager, suppress
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


OnWait = Callable[[str], None]


@contextmanager
def board_lock(
    board_id: str, *, wait_s: float, on_wait: OnWait = lambda holder: None
) -> Iterator[None]:
    """Hold the lock of the board `board_id` (its serial number, place on the hub, or port).

    Waits at most `wait_s` seconds for another holder; `on_wait` is told once who that is. Raises
    BoardBusy when the wait was in vain, LabError when no lock can be made.
    """
    with _one_of([lock_path(board_id)], f"the board {board_id}", wait_s, on_wait):
        yield


@contextmanager
def flash_permit(
    hub: str, *, wait_s: float, on_wait: OnWait = lambda holder: None, permits: int | None = None
) -> Iterator[None]:
    """Be one of the few who flash at the USB hub `hub` (see `hub_of`); '' is no hub and free.

    permits: how many, the same number for all; default $HARNESS_FLASHES_PER_HUB, else 1. Waits and
    raises as `board_lock` does.
    """
    if not hub:
        yield
        return
    many = _permits() if permits is None else permits
    paths = [lock_path(f"flash-at-hub-{hub}-{n}") for n in range(many)]
    with _one_of(paths, f"the flash permit of USB hub {hub}", wait_s, on_wait):
        yield


def _permits() -> int:
    given = os.environ.get("HARNESS_FLASHES_PER_HUB") or "1"
    if not re.fullmatch("[1-9][0-9]?", given):
        raise UsageError(f"HARNESS_FLASHES_PER_HUB is {given!r}, must be from 1 to 99")
    return int(given)


def hub_of(hub_path: str) -> str:
    """The hub into which a device at `bus-port.port` is plugged: `1-2` of `1-2.3`, `usb1` of `1-2`.

    The interface (`:1.0`) does not matter.
    """
    device = hub_path.partition(":")[0]
    hub, dot, _ = device.rpartition(".")
    if dot:
        return hub
    return f"usb{device.partition('-')[0]}" if device else ""


@contextmanager
def _one_of(paths: list[Path], what: str, wait_s: float, on_wait: OnWait) -> Iterator[None]:
    """Hold the first of these files that is free."""
    with ExitStack() as opened:
        descriptors = []
        for path in paths:
            descriptors.append(_open(path))
            opened.callback(os.close, descriptors[-1])
        descriptor = _acquire(descriptors, what, wait_s, on_wait)
        _write(descriptor, json.dumps(asdict(Holder.ourselves())))
        try:
            yield
        finally:
            _write(descriptor, "")


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


def _acquire(descriptors: list[int], what: str, wait_s: float, on_wait: OnWait) -> int:
    """The one that became ours."""
    end = time.monotonic() + wait_s
    told = False
    while True:
        for descriptor in descriptors:
            if _try(descriptor):
                return descriptor
        holders = [str(holder) for d in descriptors if (holder := _read(d))]
        who = "; ".join(holders) or "somebody who has just come or gone"
        if time.monotonic() >= end:
            raise BoardBusy(
                f"{what} is in use by {who}; waited {wait_s:.0f} s",
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
