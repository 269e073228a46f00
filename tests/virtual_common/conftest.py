"""A fake board: the shared host code of the emulators with nothing behind it."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.virtual.build import SOURCES

STRICT = ("-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def eventually(condition: Callable[[], object], within: float = 5.0) -> bool:
    """Whether `condition()` becomes true in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture(scope="session")
def fake_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("fake") / "fake"
    common = SOURCES / "common"
    sources = [Path(__file__).parent / "fake_board.c", *sorted(common.glob("*.c"))]
    command = ["gcc", *STRICT, *SANITIZE, "-D_GNU_SOURCE", f"-I{common}", "-o", target, *sources]
    subprocess.run([str(word) for word in command], check=True, timeout=120)
    return target


class FakeBoard:
    """The running fake with its events and control socket."""

    def __init__(self, binary: Path, folder: Path, *extra: str) -> None:
        self.state = folder / "state"
        self.link = folder / "ttyACM-fake"
        self.socket_path = folder / "ctl"
        self.log = folder / "log"
        command = [str(binary), "--state-dir", str(self.state), "--port-link", str(self.link)]
        command += ["--control", str(self.socket_path), "--owner-stdin", *extra]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0
            )
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline() or b"null")

    def ask(self, word: str) -> Any:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            control.connect(str(self.socket_path))
            control.sendall(word.encode() + b"\n")
            with control.makefile("rb") as lines:
                return json.loads(lines.readline())

    def events(self, *names: str) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [event for event in found if event["event"] in names]

    def stop(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            status = self.process.wait(10)
        finally:
            self.process.kill()
            self.process.stdout.close()
        assert status == 0, self.log.read_text()  # also: no sanitizer has complained


@pytest.fixture
def fake(fake_binary: Path, tmp_path: Path) -> Iterator[FakeBoard]:
    board = FakeBoard(fake_binary, tmp_path)
    try:
        yield board
    finally:
        board.stop()
