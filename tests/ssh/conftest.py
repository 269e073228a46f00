"""A board behind ssh: a real sshd on this machine, and qemu in place of the board's processor."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
SHELL = """\
#!/bin/bash
# What the board does with a command: in its own home folder, on its own kind of processor.
cd {home} || exit 1
uname() {{ echo {machine}; }}
if [ "$SSH_ORIGINAL_COMMAND" = "exec ./rnn-firmware" ] && [ -e rnn-firmware ]; then
  exec qemu-aarch64 ./rnn-firmware
fi
eval "$SSH_ORIGINAL_COMMAND"
"""
SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/key.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
ForceCommand {folder}/shell
"""
CLIENT = """\
Host *
  IdentityFile {folder}/{key}
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking yes
"""


@dataclass
class Board:
    """A board that runs Linux: its address, the home folder there, and how to break it."""

    folder: Path
    port: int
    server: subprocess.Popen

    @property
    def address(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def program(self) -> Path:
        return self.home / "rnn-firmware"

    def become(self, machine: str) -> None:
        """The processor that `uname -m` tells there from now on."""
        shell = self.folder / "shell"
        shell.write_text(SHELL.format(home=self.home, machine=machine))
        shell.chmod(0o755)

    def trust_client(self, trust: bool) -> None:
        """Whether our key opens the board."""
        key = "key" if trust else "other_key"
        (self.folder / "client").write_text(CLIENT.format(folder=self.folder, key=key))

    def sessions(self) -> list[int]:
        """Processes of sshd that serve one connection."""
        return _children(self.server.pid)

    def programs(self) -> list[int]:
        """Processes of the firmware that are alive."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                here = (process / "cwd").readlink() == self.home
                alive = (process / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
            except OSError:  # it has just ended
                continue
            if alive and here and b"./rnn-firmware" in words:
                found.append(int(process.name))
        return found


def _children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_keys(folder: Path, port: int) -> None:
    for name in ("host_key", "key", "other_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True, timeout=60)
    public = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")


@pytest.fixture
def linux_board(tmp_path, monkeypatch):
    """A board that serves ssh on this machine, known to the harness's ssh."""
    if not Path(SSHD).is_file():
        pytest.skip("no sshd here (apt-get install openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd of root will not start without
    folder, port = tmp_path / "ssh", _free_port()
    (folder / "home").mkdir(parents=True)
    _make_keys(folder, port)
    (folder / "server").write_text(SERVER.format(folder=folder, port=port))
    log = (folder / "log").open("wb")
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "server")], stderr=log)
    board = Board(folder, port, server)
    board.become("aarch64")
    board.trust_client(True)
    monkeypatch.setenv("HARNESS_SSH_CONFIG", str(folder / "client"))
    try:
        _await_server(board)
        yield board
    finally:
        for session in board.sessions() if server.poll() is None else []:
            subprocess.run(["kill", str(session)], check=False)
        server.terminate()
        server.wait(10)
        log.close()


def _await_server(board: Board) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        assert board.server.poll() is None, (board.folder / "log").read_text()
        try:
            socket.create_connection(("127.0.0.1", board.port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError((board.folder / "log").read_text())
