"""The firmware as a process of this machine: the same C with the POSIX HAL, built by gcc."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import BuildError
from harness.files import put_in_place, workshop
from harness.firmware.render import firmware_id_flag, render_sources
from harness.paths import cache_dir
from harness.qmodel import QModel

BOARD_NAME = "host"
CLOCK_HZ = 1_000_000_000  # the POSIX HAL counts nanoseconds
MAX_PAYLOAD = 4096
COMPILE_TIMEOUT_S = 120
FLAGS = ("-std=c99", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def build_host(
    model: QModel,
    bench_raw: NDArray[np.int16],
    *,
    sanitize: bool = False,
    optimise: str = "size",
    max_payload: int = MAX_PAYLOAD,
    defines: tuple[str, ...] = (),
) -> Path:
    """The executable of `model`, compiled once per content and kept in the cache.

    It speaks docs/link.md on stdin and stdout, or on the tty given as its argument. `sanitize` adds
    the address and undefined-behaviour sanitizers: an error ends the process. `defines` are
    macros of the POSIX HAL, NAME=VALUE.
    """
    compiler = os.environ.get("CC", "gcc")
    flags = [*FLAGS, *(SANITIZERS if sanitize else ()), *(f"-D{d}" for d in defines)]
    with workshop(cache_dir("host")) as work:
        rendered = render_sources(
            model,
            board_name=BOARD_NAME,
            hal="posix",
            clock_hz=CLOCK_HZ,
            baud=115_200,
            max_payload=max_payload,
            bench_raw=bench_raw,
            destination=work / "tree",
            optimise=optimise,
        )
        recipe = " ".join([compiler, *flags, rendered.digest])
        key = hashlib.sha256(recipe.encode()).digest()
        executable = cache_dir("host", key.hex()[:32]) / "firmware"
        if not executable.exists():
            sources = [str(path) for path in rendered.sources]
            built = work / "firmware"
            command = [compiler, *flags, firmware_id_flag(key[:8]), *sources, "-o", str(built)]
            _compile(command)
            put_in_place(built, executable)
        return executable


def _compile(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False
        )
    except FileNotFoundError as error:
        raise BuildError(
            f"no C compiler {command[0]!r}", hint="install gcc, or name one in $CC"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{command[0]} took over {COMPILE_TIMEOUT_S} s") from error
    if done.returncode:
        raise BuildError(f"{' '.join(command)} failed ({done.returncode}):\n{done.stderr.strip()}")
