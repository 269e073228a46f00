"""Other people's tools: they end with us, whatever happens to us."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import tools
from harness.errors import LabError

RUN = "import sys; from harness.tools import run_tool; run_tool(sys.argv[1:], deadline_s=60)"


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs util-linux's setpriv")
def test_a_tool_ends_when_we_are_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = tmp_path / "uploader"
    script.write_text(f"#!/bin/sh\necho $$ > {note}\nexec sleep 60\n")
    script.chmod(0o755)
    ours = subprocess.Popen([sys.executable, "-c", RUN, str(script)])
    try:
        for _ in range(400):
            if note.is_file() and note.read_text().strip():
                break
            time.sleep(0.05)
        uploader = int(note.read_text())
        assert is_alive(uploader)
    finally:
        os.kill(ours.pid, signal.SIGKILL)
        ours.wait(10)
    for _ in range(200):
        if not is_alive(uploader):
            return
        time.sleep(0.05)
    pytest.fail("the uploader outlived us")


def test_the_tools_own_status_and_words_come_back(tmp_path: Path) -> None:
    done = tools.run_tool(["sh", "-c", "echo one; echo two >&2; exit 7"], deadline_s=20)
    assert (done.status, done.output, done.timed_out) == (7, "one\ntwo\n", False)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot start /nowhere/avrdude"):
        tools.run_tool(["/nowhere/avrdude"], deadline_s=1)
    (tmp_path / "text").write_text("no program")
    with pytest.raises(LabError, match="may not be run"):
        tools.run_tool([str(tmp_path / "text")], deadline_s=1)
