"""Compiles the emulators and the Uno's bootloader, on demand, into the cache; finds the Mega's.

What is built is found again by a digest of everything that went into it: sources, compiler, flags.
Two processes may ask at once; one builds, the other waits for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BuildError, LabError, near_miss
from harness.files import put_in_place
from harness.paths import PACKAGE_DIR, cache_dir

SOURCES = PACKAGE_DIR / "virtual" / "src"
CFLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wshadow", "-D_GNU_SOURCE")
BUILD_TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one emulator is built: its folders under `src`, its libraries, what they come from.

    Each folder is on the include path, so that what several boards share finds their `board.h`.
    """

    folders: tuple[str, ...]
    libraries: tuple[str, ...] = ()
    headers: tuple[Path, ...] = ()  # of the libraries: a new version means a new build
    packages: str = "gcc libc6-dev"  # what to install when something is missing

    @property
    def program(self) -> str:
        """Name of the executable."""
        return f"vboard-{self.folders[-1]}"

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags of the compiler."""
        return (*CFLAGS, *(f"-I{SOURCES / folder}" for folder in self.folders))


AVR = Recipe(
    folders=("common", "avr"),
    libraries=("-lsimavr", "-lelf"),
    headers=(
        Path("/usr/include/simavr/sim_avr.h"),
        Path("/usr/include/simavr/avr_uart.h"),
    ),
    packages="gcc libc6-dev libsimavr-dev libelf-dev",
)
ARMV6M = Recipe(folders=("common", "machine", "cortexm", "armv6m"))


def _armv7m(folder: str) -> Recipe:
    return Recipe(("common", "machine", "cortexm", "armv7m", folder), libraries=("-lm",))


LINUX = Recipe(folders=("common", "linux"))
RECIPES = {
    "uno": AVR,
    "mega2560": AVR,
    "mkr1000": ARMV6M,
    "due": _armv7m("sam3x"),
    "nano33ble": _armv7m("nrf52840"),
    "nucleo_l4r5zi": _armv7m("stm32l4r5"),
    "rpi3": LINUX,
}
# Cores without main() and pty, for armv6m_core.py and armv7m_core.py.
LIBRARIES = {
    "armv6m": Recipe(("machine", "cortexm", "armv6m", "armv6m/library")),
    "armv7m": Recipe(("cortexm", "armv7m", "armv7m/library"), libraries=("-lm",)),
}
QEMU = "qemu-aarch64"  # runs the programs of boards with Linux

ARDUINO_BOOTLOADERS = Path("/usr/share/arduino/hardware/arduino/avr/bootloaders")

# Debian ships this bootloader also as .hex, but built too large: it runs past the end of flash.
OPTIBOOT_DIR = ARDUINO_BOOTLOADERS / "optiboot"
OPTIBOOT_COMPILE = (
    "-Os",
    "-w",
    "-fno-split-wide-types",
    "-mmcu=atmega328p",
    "-DF_CPU=16000000L",
    "-DBAUD_RATE=115200",
    "-DLED_START_FLASHES=0",
)
OPTIBOOT_LINK = (
    "-Os",
    "-mmcu=atmega328p",
    "-Wl,--relax",
    "-Wl,--section-start=.text=0x7e00",
    "-Wl,--section-start=.version=0x7ffe",
    "-nostartfiles",
)
OPTIBOOT_BYTES = 512
STK500V2_HEX = ARDUINO_BOOTLOADERS / "stk500v2" / "stk500boot_v2_mega2560.hex"
AVR_PACKAGES = "gcc-avr avr-libc binutils-avr arduino-core-avr"


def emulator_binary(name: str) -> Path:
    """The emulator of board `name` (a key of RECIPES), compiled if it is not in the cache.

    Raises LabError when the compiler or a library is missing, BuildError when compiling fails.
    """
    recipe = RECIPES.get(name)
    if recipe is None:
        raise near_miss("virtual board", name, RECIPES)
    compiler = os.environ.get("CC", "gcc")
    sources = _sources(recipe)
    digest = _digest(
        [_version(compiler, recipe.packages), *CFLAGS, *recipe.libraries],
        [*sources, *recipe.headers],
    )

    def build(target: Path) -> None:
        files = [str(path) for path in sources if path.suffix == ".c"]
        command = [compiler, *recipe.flags, "-o", str(target), *files, *recipe.libraries]
        _run(command, what=recipe.program, packages=recipe.packages)

    return _cached("emulators", digest, recipe.program, build)


def core_library(name: str = "armv6m") -> Path:
    """A simulated core without process and pty as a shared library; `name` is a key of LIBRARIES.

    armv6m comes with its board (armv6m_core.py), armv7m alone (armv7m_core.py). Raises as
    `emulator_binary` does.
    """
    recipe = LIBRARIES.get(name)
    if recipe is None:
        raise near_miss("simulated core", name, LIBRARIES)
    compiler = os.environ.get("CC", "gcc")
    sources = [path for path in _sources(recipe) if path.name != "main.c"]

    def build(target: Path) -> None:
        files = [str(path) for path in sources if path.suffix == ".c"]
        command = [compiler, *recipe.flags, "-shared", "-fPIC", "-o", str(target), *files]
        _run([*command, *recipe.libraries], what=f"lib{name}", packages=recipe.packages)

    digest = _digest([_version(compiler, recipe.packages), *CFLAGS, "-shared"], sources)
    return _cached("emulators", digest, f"lib{name}.so", build)


def optiboot_hex() -> Path:
    """Optiboot for the Uno in Intel HEX, built from the source in Debian's arduino-core-avr."""
    source = OPTIBOOT_DIR / "optiboot.c"
    if not source.is_file():
        raise LabError(f"the source of Optiboot is missing ({source})", hint=_install(AVR_PACKAGES))
    inputs = sorted(path for path in OPTIBOOT_DIR.iterdir() if path.suffix in {".c", ".h"})
    digest = _digest([_version("avr-gcc", AVR_PACKAGES), *OPTIBOOT_COMPILE, *OPTIBOOT_LINK], inputs)
    return _cached("optiboot", digest, "optiboot.hex", _build_optiboot)


def qemu_path() -> Path:
    """qemu's user-mode emulation of AArch64. Raises LabError when it is not installed."""
    found = shutil.which(QEMU)
    if found is None:
        raise LabError(f"{QEMU} is not on PATH", hint=_install("qemu-user"))
    return Path(found)


def stk500v2_hex() -> Path:
    """The stk500v2 bootloader of the Mega 2560 as arduino-core-avr has it, in Intel HEX."""
    if not STK500V2_HEX.is_file():
        hint = _install("arduino-core-avr")
        raise LabError(f"the bootloader of the Mega is missing ({STK500V2_HEX})", hint=hint)
    return STK500V2_HEX


def _build_optiboot(target: Path) -> None:
    obj, elf = target.with_suffix(".o"), target.with_suffix(".elf")
    source = str(OPTIBOOT_DIR / "optiboot.c")
    sections = ("-j", ".text", "-j", ".data", "-j", ".version")
    loaded = ("--set-section-flags", ".version=alloc,load")
    commands = (
        ["avr-gcc", *OPTIBOOT_COMPILE, f"-I{OPTIBOOT_DIR}", "-c", "-o", str(obj), source],
        ["avr-gcc", *OPTIBOOT_LINK, "-o", str(elf), str(obj)],
        ["avr-objcopy", "-O", "ihex", *sections, *loaded, str(elf), str(target)],
    )
    for command in commands:
        _run(command, what="Optiboot", packages=AVR_PACKAGES)
    _check_optiboot_fits(elf, target.with_suffix(".bin"))


def _check_optiboot_fits(elf: Path, image: Path) -> None:
    command = ["avr-objcopy", "-O", "binary", "-j", ".text", str(elf), str(image)]
    _run(command, what="Optiboot", packages=AVR_PACKAGES)
    size = image.stat().st_size
    room = OPTIBOOT_BYTES - 2  # the version word is at the very end
    if size > room:
        raise BuildError(f"Optiboot came out at {size} bytes of code, the boot section has {room}")


def _sources(recipe: Recipe) -> list[Path]:
    folders = (SOURCES / folder for folder in recipe.folders)
    return sorted(p for folder in folders for p in folder.glob("*.[ch]"))


def _digest(words: Iterable[str], files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for word in words:
        digest.update(word.encode() + b"\0")
    for path in files:
        digest.update(path.name.encode() + b"\0")
        if path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _version(compiler: str, packages: str) -> str:
    return _run([compiler, "--version"], what=compiler, packages=packages).splitlines()[0]


def _cached(kind: str, digest: str, filename: str, build: Callable[[Path], None]) -> Path:
    """The file of that digest; `build` makes it under a name in a folder that goes away."""
    folder = cache_dir(kind, digest)
    target = folder / filename
    if target.is_file():
        return target
    with _locked(folder / ".lock"):
        if target.is_file():
            return target
        workshop = folder / "building"
        shutil.rmtree(workshop, ignore_errors=True)
        workshop.mkdir()
        try:
            build(workshop / filename)
            put_in_place(workshop / filename, target)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
    return target


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], *, what: str, packages: str) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=BUILD_TIMEOUT_S,
            env={**os.environ, "LC_ALL": "C"},  # the words below are looked for in English
            check=False,
        )
    except FileNotFoundError:
        raise LabError(f"{command[0]} is not installed", hint=_install(packages)) from None
    except subprocess.TimeoutExpired:
        raise BuildError(f"building {what} took more than {BUILD_TIMEOUT_S:.0f} s") from None
    if done.returncode == 0:
        return done.stdout
    words = (done.stderr or done.stdout).strip()
    if "No such file or directory" in words or "cannot find -l" in words:
        raise LabError(
            f"a header or library for {what} is missing:\n{words}", hint=_install(packages)
        )
    raise BuildError(f"building {what} failed:\n{words}", hint=f"the command was {command[0]}")


def _install(packages: str) -> str:
    return f"apt-get install {packages}"
