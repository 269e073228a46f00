"""What the harness needs on this computer, what of it is here, and how to get the rest."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from harness import flash, paths, tools
from harness.doctor import boards, storage
from harness.doctor.check import Check
from harness.errors import HarnessError
from harness.firmware import toolchain
from harness.fused import build as kernel

MIN_PYTHON = (3, 11)


def checks() -> list[Check]:
    """Everything `harness doctor` reports. Changes nothing apart from creating the cache folder."""
    return list(_checks())


def _checks() -> Iterator[Check]:
    yield _python()
    compilers = {platform.compiler: platform for platform in toolchain.LOCAL_PLATFORMS.values()}
    for platform in compilers.values():
        yield _compiler(platform)
    yield _uploader("avrdude", "avrdude", "flashing AVR boards")
    yield _uploader("bossac", "bossa-cli", "flashing SAM D21 and SAM3X boards")
    yield _uploader("stm32flash", "stm32flash", "flashing STM32 boards")
    yield _uploader("ssh", "openssh-client", "boards that run Linux")
    yield _platformio()
    yield from _virtual()
    yield from storage.checks()
    yield from boards.checks()
    yield _torch()
    yield _kernel()


def prepare(progress: Callable[[str], None] | None = None) -> None:
    """Build ahead all that is built once: PlatformIO's core folder, emulators, Optiboot, kernel.

    Raises LabError or BuildError when a compiler is missing; training does without its kernel.
    """
    say = progress or (lambda _: None)
    say("PlatformIO core folder")
    toolchain.prepare_core_dir()
    say("training kernel")
    kernel.available()
    if importlib.util.find_spec("harness.virtual.build") is None:
        return
    from harness.virtual import build

    for name in build.RECIPES:
        say(f"emulator of {name}")
        build.emulator_binary(name)
    say("Optiboot")
    build.optiboot_hex()


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, MIN_PYTHON))
    return Check(
        "python", sys.version_info >= MIN_PYTHON, version, f"install Python {wanted} or newer"
    )


def _compiler(platform: toolchain.LocalPlatform) -> Check:
    words = toolchain.compiler_words(platform.compiler)
    otherwise = " (PlatformIO would download one)" if platform.registry else ""
    return Check(
        platform.compiler,
        bool(words),
        words or f"not on PATH{otherwise}",
        f"apt-get install {platform.packages}",
        "building offline",
    )


def _uploader(tool: str, package: str, needed_for: str) -> Check:
    executable = flash.uploader_path(tool)
    detail = f"{flash.tool_version(executable)} ({executable})" if executable else "not found"
    return Check(tool, executable is not None, detail, f"apt-get install {package}", needed_for)


def _platformio() -> Check:
    fix = "install the harness with its dependencies, then: make setup"
    if importlib.util.find_spec("platformio") is None or importlib.util.find_spec("SCons") is None:
        return Check("platformio", False, "PlatformIO or SCons is not installed", fix, "building")
    from platformio import __version__ as version

    try:
        core = toolchain.prepare_core_dir()
    except (HarnessError, OSError) as error:
        return Check("platformio", False, f"{version}: {error}", fix, "building")
    shim = toolchain.wanted_scons()
    return Check(
        "platformio", True, f"{version}, tool-scons shim {shim} in {core}", fix, "building"
    )


def _virtual() -> Iterator[Check]:
    """The parts of the virtual boards: libraries, Optiboot's source, the emulators themselves."""
    purpose = "virtual boards"
    if importlib.util.find_spec("harness.virtual.build") is None:
        yield Check("emulators", False, "this installation has none", "reinstall", purpose)
        return
    from harness.virtual import build

    for header in build.AVR.headers[:1]:
        yield _file("libsimavr headers", header, "libsimavr-dev libelf-dev", purpose)
    yield _file("optiboot source", build.OPTIBOOT_DIR / "optiboot.c", "arduino-core-avr", purpose)
    yield _file("stk500v2 bootloader", build.STK500V2_HEX, "arduino-core-avr", purpose)
    qemu = tools.find_tool(build.QEMU)
    where = str(qemu or "not on PATH")
    yield Check(build.QEMU, qemu is not None, where, "apt-get install qemu-user", purpose)
    yield Check(
        "host compiler",
        (compiler := tools.find_tool(os.environ.get("CC", "gcc"))) is not None,
        str(compiler or "not on PATH"),
        "apt-get install gcc libc6-dev",
        purpose,
    )
    built = {p.name for p in paths.cache_dir("emulators").glob("*/vboard-*")}
    missing = [name for name, recipe in build.RECIPES.items() if recipe.program not in built]
    detail = f"not compiled yet: {', '.join(missing)}" if missing else ", ".join(build.RECIPES)
    yield Check("emulators", not missing, detail, "make setup", purpose)


def _file(name: str, path: Path, package: str, needed_for: str) -> Check:
    found = path.is_file()
    detail = str(path) if found else f"{path} is missing"
    return Check(name, found, detail, f"apt-get install {package}", needed_for)


def _torch() -> Check:
    """Its absence is no fault: a lab PC benches stored models without it."""
    found = importlib.util.find_spec("torch") is not None
    fix = "pip install 'harness[train]'"
    detail = "installed" if found else f"not installed; only training needs it: {fix}"
    return Check("torch", True, detail, fix, "training")


def _kernel() -> Check:
    """Its absence is no fault either: training takes longer without it."""
    try:
        library = kernel.place()
        detail = str(library) if library.is_file() else "compiled at the first training"
    except HarnessError as error:
        detail = f"{error}; training takes many times as long without"
    return Check("training kernel", True, detail, "apt-get install g++", "training")
