"""Compiles the training kernel, once, into the cache. Imports no torch.

The library is found again by a digest of its sources, the flags, and all the compiler predefines
for this machine under them: its version and the instruction sets that -march=native stands for.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

from harness import paths, tools
from harness.errors import BuildError, HarnessError, LabError
from harness.files import put_in_place, workshop

SOURCES = paths.PACKAGE_DIR / "fused" / "src"
PORTABLE = (
    "-std=c++17",
    "-O3",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-Wno-psabi",
    "-shared",
    "-fPIC",
)
NATIVE = (*PORTABLE, "-march=native")
COMPILERS = ("g++", "clang++", "c++")
FILENAME = "libfused.so"
PROBE_TIMEOUT_S = 30.0
BUILD_TIMEOUT_S = 300.0


def build(flags: tuple[str, ...] = NATIVE) -> Path:
    """The library compiled under these flags, from the cache or now.

    Raises LabError when there is no C++ compiler, BuildError when compiling fails.
    """
    target = place(flags)
    if target.is_file():
        return target
    with tools.file_lock("fused"), workshop(target.parent) as place_to_work:
        if not target.is_file():
            made = place_to_work / FILENAME
            source = SOURCES / "kernel.cpp"
            _run([find_compiler(), *flags, "-o", str(made), str(source)], BUILD_TIMEOUT_S)
            put_in_place(made, target)
    return target


def place(flags: tuple[str, ...] = NATIVE) -> Path:
    """Where `build` puts the library, whether or not it is there already. Raises as it does."""
    probe = [find_compiler(), *flags, "-dM", "-E", "-x", "c++", os.devnull]
    predefined = _run(probe, PROBE_TIMEOUT_S)
    digest = hashlib.sha256("\0".join([*flags, predefined]).encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return paths.cache_dir("fused", digest.hexdigest()[:16]) / FILENAME


def find_compiler() -> str:
    """The C++ compiler: $CXX, or the first of COMPILERS on PATH."""
    wanted = (os.environ["CXX"],) if os.environ.get("CXX") else COMPILERS
    for name in wanted:
        if (found := tools.find_tool(name)) is not None:
            return str(found)
    raise LabError(f"no C++ compiler: {', '.join(wanted)} not on PATH", hint="apt-get install g++")


def _run(command: list[str], deadline_s: float) -> str:
    done = tools.run_tool(command, deadline_s=deadline_s)
    if not done.ok:
        what = "took too long" if done.timed_out else f"failed:\n{done.output.strip()}"
        raise BuildError(f"compiling the training kernel {what}", hint=" ".join(command))
    return done.output


@cache
def _library() -> tuple[Path | None, str]:
    """The library and why there is none; with -march=native if the compiler knows it."""
    try:
        try:
            return build(NATIVE), ""
        except BuildError:
            return build(PORTABLE), ""
    except (HarnessError, OSError) as error:
        return None, str(error)


def library() -> Path:
    """The library for this machine. Raises LabError where `available` is False."""
    path, why = _library()
    if path is None:
        raise LabError(f"there is no training kernel: {why}", hint="apt-get install g++")
    return path


def available() -> bool:
    """Whether there is a training kernel; compiles it at the first call."""
    return _library()[0] is not None


def why_not() -> str:
    """Why there is no training kernel, in a line or more; empty if there is one."""
    return _library()[1]


def identifier() -> str:
    """Which form training uses: `fused-<digest>`, other digest other last bits, or `torch`."""
    path, _ = _library()
    return "torch" if path is None else f"fused-{path.parent.name}"
