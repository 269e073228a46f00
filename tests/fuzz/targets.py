"""The C fuzz targets: built with sanitizers, and run for a while.

    python -m tests.fuzz.targets --seconds 60

With clang: libFuzzer, which looks for inputs that reach new code. Without: replay.c, which mutates
the corpus blindly. What crashed is left in the folder that the last line names.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.firmware.render import render_sources
from harness.reference.model import bench_window
from tests.models import random_qmodel

HERE = Path(__file__).parent
NATIVE, CORPUS = HERE / "native", HERE / "corpus"
TEMPLATES = HERE.parents[1] / "firmware_templates"
TARGETS = ("frame", "app")
SANITIZE = ("-g", "-O1", "-std=c99", "-fno-sanitize-recover=all")
GCC = ("gcc", *SANITIZE, "-fsanitize=address,undefined")
CLANG = ("clang", *SANITIZE, "-fsanitize=fuzzer,address,undefined")
MAX_PAYLOAD = 64
BUILD_TIMEOUT_S = 300.0


def sources(target: str, folder: Path) -> list[Path]:
    """C files of a target without its driver; the app's firmware is rendered into `folder`."""
    own = NATIVE / f"{target}_target.c"
    if target == "frame":
        return [own, *sorted((TEMPLATES / "wire").glob("*.c"))]
    model = random_qmodel("fastgrnn", hidden=2, features=2, classes=2, steps=3)
    rendered = render_sources(
        model,
        board_name="fuzz",
        hal="posix",
        clock_hz=1_000_000,
        baud=115_200,
        max_payload=MAX_PAYLOAD,
        bench_raw=bench_window(model),
        destination=folder / "tree",
    )
    return [own, *(p for p in rendered.sources if not p.name.startswith(("hal_", "main")))]


def build(target: str, folder: Path, *, libfuzzer: bool) -> Path:
    """The program of a target."""
    files = sources(target, folder)
    tree = [TEMPLATES / "wire", TEMPLATES / "kernels"] if target == "frame" else [folder / "tree"]
    driver = [] if libfuzzer else [NATIVE / "replay.c"]
    program = folder / f"{target}-{'libfuzzer' if libfuzzer else 'replay'}"
    compiler = CLANG if libfuzzer else GCC
    command = [*compiler, *(f"-I{path}" for path in tree), *files, *driver, "-o", program]
    subprocess.run(command, check=True, timeout=BUILD_TIMEOUT_S)
    return program


def corpus(target: str) -> list[Path]:
    return sorted((CORPUS / target).iterdir())


def replay(target: str, folder: Path, *, seconds: int, runs: int) -> subprocess.CompletedProcess:
    """The corpus, then mutations of it, by gcc's sanitizers."""
    program = build(target, folder, libfuzzer=False)
    command = [program, str(seconds), str(runs), *corpus(target)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def fuzz(target: str, folder: Path, *, seconds: int) -> int:
    """libFuzzer for so many seconds, on a copy of the corpus; its exit status."""
    program = build(target, folder, libfuzzer=True)
    found = shutil.copytree(CORPUS / target, folder / "found")
    command = [program, found, f"-max_total_time={seconds}", "-max_len=1024"]
    return subprocess.run(command, cwd=folder, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    seconds = max(1, parser.parse_args().seconds // len(TARGETS))
    for target in TARGETS:
        folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{target}-"))
        if shutil.which("clang"):
            status = fuzz(target, folder, seconds=seconds)
        else:
            done = replay(target, folder, seconds=seconds, runs=0)
            status = done.returncode
            print(f"{target}, without clang: {done.stdout}{done.stderr}", file=sys.stderr)
        if status:
            print(f"{target}: ended with {status}; what it was given is in {folder}")
            return 1
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
