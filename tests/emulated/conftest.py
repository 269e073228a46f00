"""Whole runs, started as a user starts them."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

MODELS = "fastgrnn,lstm,gru,ornn"
BRIEF = ("due", "nano33ble", "nucleo_l4r5zi")  # one model shows that such a board works


def models_of(board):
    """What `whole_runs` runs on a board."""
    return ["fastgrnn"] if board in BRIEF else MODELS.split(",")


def _obey_ctrl_c():
    """As at a terminal: what a script's `&` started ignores Ctrl-C, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Run:
    """`harness run ...` as a process in a folder of its own."""

    def __init__(self, folder, *arguments):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness.cli", "run", *arguments, "--out", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=os.environ,
            preexec_fn=_obey_ctrl_c,
        )

    def finish(self):
        """Exit code; stdout and stderr are kept."""
        self.stdout, self.stderr = self.process.communicate(timeout=400)
        return self.process.returncode

    @property
    def results(self):
        """The results folder."""
        (found,) = [
            p for p in self.folder.iterdir() if (p / "run.json").exists() and not p.is_symlink()
        ]
        return found

    def summary(self):
        return pd.read_csv(self.results / "summary.csv").set_index("model", drop=False)

    def run_json(self):
        return json.loads((self.results / "run.json").read_text())

    def wait_for_windows(self, model, count):
        """Until the journal of a model holds some windows."""
        until = time.monotonic() + 240
        while time.monotonic() < until:
            for path in self.folder.glob(f"*/journal/{model}.jsonl"):
                if path.read_bytes().count(b"\n") >= count:
                    return
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)
        raise AssertionError("no windows were streamed")

    def kill(self, number=signal.SIGKILL):
        os.kill(self.process.pid, number)
        self.process.communicate(timeout=30)


@pytest.fixture(scope="session")
def whole_runs(tmp_path_factory):
    """A finished smoke run on a virtual board."""
    runs = {}

    def get(board):
        if board not in runs:
            run = Run(
                tmp_path_factory.mktemp(board),
                *["--board", board, "--virtual", "--preset", "smoke"],
                *["--models", ",".join(models_of(board)), "--windows", "12", "--json"],
            )
            assert run.finish() == 0, run.stderr
            runs[board] = run
        return runs[board]

    return get
