"""Boards that run Linux, over ssh: `ssh://[USER@]HOST[:PORT]` stands where a port's name would.

The firmware is a program in the user's home folder there. Opening the link starts it over ssh, and
the link is its stdin and stdout; when either end of the connection goes, its input ends and so does
it. Flashing copies it there, checks its hash and renames it, so it is never half there.

`$HARNESS_SSH_CONFIG` names a file for ssh's -F, for accounts that keep none in ~/.ssh.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

SCHEME = "ssh://"
PROGRAM = "rnn-firmware"
MACHINE = "aarch64"  # as `uname -m` tells it
CONNECT_S = 10
ALIVE_S = 5  # a connection that is silent so long is asked for a sign of life, at most
ALIVE_TRIES = 3  # so often
_ADDRESS = re.compile(
    r"ssh://(?:(?P<user>\w[\w.-]*)@)?(?P<host>\w[\w.-]*)(?::(?P<port>\d{1,5}))?/?"
)


@dataclass(frozen=True, slots=True)
class Host:
    """A board's address; without user and port, those of ssh's own configuration."""

    name: str
    user: str = ""
    port: int | None = None


def is_address(port: str) -> bool:
    """Whether `port` is meant for ssh rather than a serial port."""
    return port.startswith(SCHEME)


def parse(address: str) -> Host:
    """`ssh://[USER@]HOST[:PORT]`. Raises UsageError for anything else."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise UsageError(
            f"{address!r} is no address of a board", hint="ssh://USER@HOST or ssh://USER@HOST:PORT"
        )
    return Host(found["host"], found["user"] or "", int(found["port"]) if found["port"] else None)


def start_command(address: str) -> list[str]:
    """The command whose stdin and stdout are the link to the firmware at `address`."""
    return [*_ssh("ssh", parse(address)), f"exec ./{PROGRAM}"]


def upload_command(ssh: Path, image: Path, address: str) -> list[str]:
    """The command that takes `image` on its stdin and leaves it, whole, as the firmware there."""
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    new = f".{PROGRAM}.new"
    wrong = f'echo "the board is $(uname -m), the firmware is for {MACHINE}" >&2'
    steps = (
        f'{{ [ "$(uname -m)" = {MACHINE} ] || {{ {wrong}; false; }}; }}',
        f"cat > {new}",
        f"echo '{digest}  {new}' | sha256sum -c - > /dev/null",
        f"chmod 755 {new}",
        f"mv {new} {PROGRAM}",
    )
    return [*_ssh(str(ssh), parse(address)), " && ".join(steps)]


def _ssh(ssh: str, host: Host) -> list[str]:
    config = os.environ.get("HARNESS_SSH_CONFIG")
    return [
        ssh,
        *(["-F", config] if config else []),
        "-T",  # no terminal: it would change bytes
        *("-o", "BatchMode=yes"),  # never ask; nobody may be there
        *("-o", f"ConnectTimeout={CONNECT_S}"),
        *("-o", f"ServerAliveInterval={ALIVE_S}"),
        *("-o", f"ServerAliveCountMax={ALIVE_TRIES}"),
        *(["-p", str(host.port)] if host.port else []),
        *(["-l", host.user] if host.user else []),
        host.name,
    ]


_ADVICE = (
    (
        "exec format error|cannot execute binary|the firmware is for",
        "the board's system cannot run AArch64 programs: `uname -m` there must say aarch64 "
        "(a 64-bit Raspberry Pi OS)",
    ),
    (
        "host key verification|host identification",
        "log in once by hand (ssh USER@HOST) and accept the board's key",
    ),
    (
        "permission denied \\(",
        "the board must take your key without asking: ssh-copy-id USER@HOST",
    ),
    ("permission denied|read-only|no space", "may USER write and run programs in its home there?"),
    ("not found|no such file", "the firmware is not there: `harness flash` puts it there"),
    ("resolve|name or service", "is the name right? ping it, or give its number"),
    (
        "timed out|no route|refused|unreachable",
        "is the board up, on this network, and does it serve ssh (sudo raspi-config)?",
    ),
    ("sha256sum|failed", "the copy was damaged or the board's disk is full; flash again"),
    ("closed|reset|broken pipe|not responding", "did the board lose power or its network?"),
)


def advice(words: str) -> str:
    """What to try when ssh, or the program it ran, ended with `words`."""
    for pattern, hint in _ADVICE:
        if re.search(pattern, words, re.IGNORECASE):
            return hint
    return "try by hand: ssh USER@HOST ./rnn-firmware"
