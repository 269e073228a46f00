"""Which compiler builds for a board, and where PlatformIO finds it.

Debian's cross compilers on PATH are used through small PlatformIO platforms of our own, which need
no download; otherwise PlatformIO's registry serves the user's own PlatformIO folder.
`HARNESS_TOOLCHAIN=local|platformio` forces one of them. docs/building.md tells the whole story.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness import paths, tools
from harness.boards import Board
from harness.errors import BuildError
from harness.files import put_in_place, workshop

PLATFORMS_DIR = Path(__file__).resolve().parent / "platforms"
DEBIAN_ARDUINO_AVR = Path("/usr/share/arduino/hardware/arduino/avr")
REGISTRY = ("api.registry.platformio.org", 443)
REGISTRY_TIMEOUT_S = 3.0
VERSION_TIMEOUT_S = 20.0

FORCE_HINT = "see docs/building.md; HARNESS_TOOLCHAIN=local|platformio chooses one"

SCONS_SHIM = """\
\"\"\"PlatformIO's tool-scons, served by the SCons package of this Python environment.\"\"\"

from SCons.Script import main

if __name__ == "__main__":
    main()
"""


@dataclass(frozen=True, slots=True)
class LocalPlatform:
    """A PlatformIO platform shipped here: its compiler on PATH and the Debian packages with it.

    builder: the SCons script in PLATFORMS_DIR that it shares with others; '' = it has its own.
    registry: PlatformIO's platform of that name can build the same on this computer.
    """

    name: str
    compiler: str
    packages: str
    frameworks: tuple[str, ...]
    builder: str = ""
    registry: bool = True


def _bare_arm(name: str) -> LocalPlatform:
    packages = "gcc-arm-none-eabi libnewlib-arm-none-eabi"
    return LocalPlatform(name, "arm-none-eabi-gcc", packages, ("",), "bare_arm.py")


LOCAL_PLATFORMS = {
    "atmelavr": LocalPlatform(
        "atmelavr", "avr-gcc", "gcc-avr binutils-avr avr-libc", ("", "arduino")
    ),
    **{name: _bare_arm(name) for name in ("atmelsam", "nordicnrf52", "ststm32")},
    # PlatformIO's own linux_arm compiles only on the board itself, with the board's compiler.
    "linux_arm": LocalPlatform(
        "linux_arm",
        "aarch64-linux-gnu-gcc",
        "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
        ("",),
        registry=False,
    ),
}


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A way to build for one board.

    Fields
        source       `local` (compiler on PATH) or `platformio` (packages of its registry)
        fingerprint  hash of all that is known to shape the output: versions, platform files
        core_dir     PLATFORMIO_CORE_DIR of our own; None leaves the user's
    """

    source: str
    fingerprint: str
    core_dir: Path | None

    def environment(self) -> dict[str, str]:
        """Environment for PlatformIO: this core folder, no telemetry, no look for upgrades."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PLATFORMIO_")}
        if self.core_dir is not None:
            kept["PLATFORMIO_CORE_DIR"] = str(self.core_dir)
        elif "PLATFORMIO_CORE_DIR" in os.environ:
            kept["PLATFORMIO_CORE_DIR"] = os.environ["PLATFORMIO_CORE_DIR"]
        return kept | {
            "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "false",
            "PLATFORMIO_SETTING_CHECK_PLATFORMIO_INTERVAL": "3650",
            "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
            "PLATFORMIO_NO_ANSI": "true",
            "LC_ALL": "C",  # plain quotes in what the compiler says
        }


def find_toolchain(board: Board) -> Toolchain:
    """The toolchain for `board`. Raises BuildError, which says what to install, when none is."""
    forced = os.environ.get("HARNESS_TOOLCHAIN", "")
    if forced not in ("", "local", "platformio"):
        raise BuildError(
            f"HARNESS_TOOLCHAIN is {forced!r}, must be 'local' or 'platformio'", hint=FORCE_HINT
        )
    obstacle = local_obstacle(board)
    if forced == "local" and obstacle:
        raise BuildError(f"no local toolchain for {board.kind}: {obstacle}", hint=FORCE_HINT)
    platform = LOCAL_PLATFORMS.get(board.build.platform)
    here_only = platform is not None and not platform.registry
    if here_only and obstacle:
        raise BuildError(
            f"cannot build for {board.kind}: {obstacle}",
            hint=f"PlatformIO's {board.build.platform} has no compiler for this computer",
        )
    if here_only or (forced != "platformio" and not obstacle):
        return _local(board)
    return _registry(board, obstacle)


def local_obstacle(board: Board) -> str:
    """Why the compilers on PATH cannot build for `board`; empty when they can."""
    build = board.build
    platform = LOCAL_PLATFORMS.get(build.platform)
    if platform is None:
        known = ", ".join(sorted(LOCAL_PLATFORMS))
        return f"platform {build.platform!r} is not among those shipped here ({known})"
    if not (PLATFORMS_DIR / platform.name / "boards" / f"{build.board}.json").is_file():
        return f"our platform {platform.name!r} does not describe the board {build.board!r}"
    if build.framework not in platform.frameworks:
        return f"our platform {platform.name!r} has no framework {build.framework!r}"
    if build.framework == "arduino" and not DEBIAN_ARDUINO_AVR.is_dir():
        return "no Arduino core on this computer (apt-get install arduino-core-avr)"
    if shutil.which(platform.compiler) is None:
        return f"no {platform.compiler} on PATH (apt-get install {platform.packages})"
    return ""


def _local(board: Board) -> Toolchain:
    platform = LOCAL_PLATFORMS[board.build.platform]
    parts = [_core_key(core_files()), compiler_words(platform.compiler)]
    if board.build.framework == "arduino":
        parts.append((DEBIAN_ARDUINO_AVR / "platform.txt").read_text(errors="replace"))
    return Toolchain("local", _digest(*parts), prepare_core_dir())


def _registry(board: Board, obstacle: str) -> Toolchain:
    """PlatformIO's own packages, which must be installed or within reach."""
    user = tools.user_platformio_dir()
    platform = user / "platforms" / board.build.platform
    if not platform.is_dir() and not registry_in_reach():
        why = f" ({obstacle})" if obstacle else ""
        raise BuildError(
            f"cannot build for {board.kind} ({board.build.platform}"
            f"{', ' + board.build.framework if board.build.framework else ''}): "
            f"PlatformIO's registry is out of reach and {platform} does not exist{why}",
            hint="with internet: pio pkg install -g -p "
            + board.build.platform
            + "; a virtual board (--virtual) builds without internet",
        )
    # What is installed now; versions that PlatformIO downloads during the build are not known yet.
    manifests = [platform / "platform.json"]
    manifests += sorted((user / "packages").glob("toolchain-*/package.json"))
    manifests += sorted((user / "packages").glob("framework-*/package.json"))
    words = [m.read_text(errors="replace") for m in manifests if m.is_file()]
    return Toolchain("platformio", _digest("registry", *words), None)


def registry_in_reach() -> bool:
    """True when PlatformIO's registry takes a connection within seconds, or a proxy is set."""
    if any(os.environ.get(k) for k in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    try:
        socket.create_connection(REGISTRY, REGISTRY_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def compiler_words(compiler: str) -> str:
    """First line of `compiler --version`, as `avr-gcc (GCC) 5.4.0`; empty if there is none."""
    executable = shutil.which(compiler)
    return _version_line(executable) if executable else ""


@lru_cache
def _version_line(executable: str) -> str:
    said = tools.run_tool([executable, "--version"], deadline_s=VERSION_TIMEOUT_S)
    return said.output.splitlines()[0].strip() if said.ok and said.output else ""


def prepare_core_dir() -> Path:
    """Our PLATFORMIO_CORE_DIR: the platforms and the tool-scons shim. Made when missing.

    The folder's name is the hash of its contents, and it appears complete or not at all.
    """
    files = core_files()
    folder = paths.cache_dir("platformio") / _core_key(files)
    if _is_whole(folder, files):
        return folder
    with tools.file_lock("platformio"):
        if _is_whole(folder, files):
            return folder
        with workshop(folder.parent) as staging:
            for name, content in files.items():
                path = staging / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            if folder.exists():  # damaged: put it aside, then away
                folder.rename(staging / "damaged")
            staging.chmod(0o755)
            put_in_place(staging, folder)
            shutil.rmtree(folder / "damaged", ignore_errors=True)
    return folder


def core_files() -> dict[str, bytes]:
    """Everything that we put into a PlatformIO core folder: relative path -> content."""
    files = {}
    for path in sorted(PLATFORMS_DIR.glob("*/**/*")):
        if path.suffix in (".py", ".json") and path.name != "__init__.py":
            files[f"platforms/{path.relative_to(PLATFORMS_DIR).as_posix()}"] = path.read_bytes()
    for platform in LOCAL_PLATFORMS.values():
        if platform.builder:
            script = (PLATFORMS_DIR / platform.builder).read_bytes()
            files[f"platforms/{platform.name}/builder/main.py"] = script
    shim = {k: v.encode() for k, v in scons_shim(wanted_scons()).items()}
    return files | {f"packages/tool-scons/{name}": content for name, content in shim.items()}


def wanted_scons() -> str:
    """The tool-scons requirement of the installed PlatformIO, as `~4.41101.0`."""
    from platformio.dependencies import get_core_dependencies

    return str(get_core_dependencies()["tool-scons"])


def scons_shim(requirement: str) -> dict[str, str]:
    """A tool-scons package that runs the SCons of this Python. Its version meets `requirement`.

    `.piopm` carries the owner, without which PlatformIO would not take it for its own.
    """
    found = re.search(r"\d+\.\d+\.\d+", requirement)
    if found is None:
        raise BuildError(
            f"PlatformIO wants tool-scons {requirement!r}, in which we find no version",
            hint="install the PlatformIO version of pyproject.toml",
        )
    version = found.group()
    spec = {
        "owner": "platformio",
        "id": None,
        "name": "tool-scons",
        "requirements": None,
        "uri": None,
    }
    about = {
        "name": "tool-scons",
        "version": version,
        "description": "SCons of this Python",
        "system": "*",
    }
    mark = {"type": "tool", "name": "tool-scons", "version": version, "spec": spec}
    return {
        "package.json": json.dumps(about, indent=2) + "\n",
        ".piopm": json.dumps(mark),
        "scons.py": SCONS_SHIM,
    }


def _is_whole(folder: Path, files: dict[str, bytes]) -> bool:
    try:
        return all((folder / name).read_bytes() == content for name, content in files.items())
    except OSError:
        return False


def _core_key(files: dict[str, bytes]) -> str:
    return _digest(*(part for name, content in files.items() for part in (name, content)))[:16]


def _digest(*parts: str | bytes) -> str:
    """sha256 over the parts with their lengths, so that no two lists hash alike."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()
