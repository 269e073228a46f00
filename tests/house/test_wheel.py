"""The wheel in an empty environment: boards.yaml, templates and emulators travel with it."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.models import random_qmodel

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An environment with nothing but the wheel and what it depends on: no torch."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", ROOT / "constraints.txt", wheel], check=True, capture_output=True)
    return folder / "bin"


def test_the_wheel_carries_what_a_run_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "harness/_data/boards.yaml" in names
    for file in (ROOT / "firmware_templates").rglob("*.*"):
        assert f"harness/_data/{file.relative_to(ROOT)}" in names
    for file in (ROOT / "harness" / "virtual" / "src").rglob("*.[ch]"):
        assert str(file.relative_to(ROOT)) in names
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)


def test_an_installed_harness_benches_a_stored_model_from_any_folder(installed, tmp_path):
    environment = os.environ | {"PATH": f"{installed}:{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)

    def call(*arguments):
        done = subprocess.run(
            [installed / "harness", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    imports = subprocess.run([installed / "python", "-c", "import torch"], capture_output=True)
    assert imports.returncode != 0
    boards = json.loads(call("boards", "--json"))
    assert {"uno", "mkr1000"} <= {row["kind"] for row in boards["kinds"]}
    model = random_qmodel("gru", hidden=8, features=8, classes=10, companded=False)
    values = {name: getattr(model, name) for name in type(model).__dataclass_fields__}
    type(model)(**(values | {"dataset": "digits"})).save(tmp_path / "m.npz")
    up = subprocess.Popen(
        [installed / "harness", "virtual", "up", "mkr1000", "--state-dir", tmp_path / "board"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    try:
        port = up.stdout.readline().strip()
        board = ["--board", "mkr1000", "--virtual", "--port", port]
        row = json.loads(call("stream", "m.npz", *board, "--windows", "4", "--json"))
        assert (row["status"], row["mismatches"]) == ("ok", 0)
    finally:
        up.terminate()
        up.communicate(timeout=20)
