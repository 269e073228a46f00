"""Run a tool of somebody else's under a deadline, and find it.

A tool that runs past its deadline is killed with all its children; what it said is kept.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness import paths
from harness.errors import LabError

KILL_GRACE_S = 0.5  # between SIGTERM and SIGKILL


@dataclass(frozen=True, slots=True)
class Finished:
    """How a tool ended: exit status, everything it said, seconds it took."""

    status: int
    output: str
    seconds: float
    timed_out: bool

    @property
    def ok(self) -> bool:
        """True when the tool ended by itself with status 0."""
        return self.status == 0 and not self.timed_out


def run_tool(
    command: Sequence[str],
    *,
    deadline_s: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    stdin: Path | None = None,
) -> Finished:
    """Run `command` to its end, at most `deadline_s` seconds. stdout and stderr come as one text.

    stdin: a file to read from; nothing by default. The tool ends with us, even when we are killed,
    where util-linux's setpriv can see to that.

    Raises LabError when the tool cannot be started.
    """
    start = time.monotonic()
    if shutil.which(command[0], path=(environment or os.environ).get("PATH")) is None:
        raise LabError(f"cannot start {command[0]}: no such program, or it may not be run")
    # A file, not a pipe: a forgotten grandchild that holds it cannot keep us waiting.
    with tempfile.TemporaryFile() as said, (stdin or Path(os.devnull)).open("rb") as given:
        try:
            process = subprocess.Popen(
                [*_ending_with_us(), *command],
                stdin=given,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            raise LabError(f"cannot start {command[0]}: {error.strerror}") from error
        timed_out = False
        try:
            process.wait(max(0.0, deadline_s))
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            _kill_group(process)
        said.seek(0)
        output = said.read().decode(errors="replace")
    return Finished(process.returncode, output, time.monotonic() - start, timed_out)


@lru_cache
def _ending_with_us() -> tuple[str, ...]:
    """What stands before a command that the kernel is to end (SIGTERM) when we are gone."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End whatever is left of the tool and of everything it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
        until = time.monotonic() + KILL_GRACE_S
        while time.monotonic() < until:
            process.poll()
            os.killpg(process.pid, 0)  # raises once nobody is left
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def find_tool(name: str, package: str = "", *, on_path: bool = True) -> Path | None:
    """`name` on PATH, else in PlatformIO's `package` of the user; None when it is nowhere."""
    found = shutil.which(name) if on_path else None
    if found:
        return Path(found)
    if package:
        for folder in sorted((user_platformio_dir() / "packages").glob(f"{package}*")):
            for candidate in (folder / "bin" / name, folder / name):
                if os.access(candidate, os.X_OK) and candidate.is_file():
                    return candidate
    return None


def user_platformio_dir() -> Path:
    """The user's own PlatformIO folder, where `pio` keeps what it downloads."""
    return Path(os.environ.get("PLATFORMIO_CORE_DIR") or Path.home() / ".platformio")


@contextmanager
def file_lock(name: str) -> Iterator[None]:
    """Hold a lock shared by all processes with this cache; the kernel frees it on a crash."""
    import fcntl

    path = paths.cache_dir("locks") / f"{name}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
