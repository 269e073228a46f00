"""A model and a board to a firmware image, through PlatformIO, cached by everything that goes in.

The project built here is an ordinary PlatformIO project: its platformio.ini is what a user with
internet would write, and `pio run` in `Firmware.project` builds it again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform as host_platform
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import jinja2
import numpy as np
from numpy.typing import NDArray

from harness import paths, tools
from harness.boards import Board
from harness.errors import BuildError
from harness.files import put_in_place, workshop
from harness.firmware.elf import MemoryUse, avr_constants_end, compiler_comment, measure
from harness.firmware.failures import check_data_fit, check_fit, check_lpm_reach, explain
from harness.firmware.render import firmware_id_flag, render_sources
from harness.firmware.toolchain import LOCAL_PLATFORMS, Toolchain, find_toolchain
from harness.qmodel import QModel

CACHE_SCHEMA = 1  # raise it when the meaning of a cached build changes
LOCAL_DEADLINE_S = 180.0
REGISTRY_DEADLINE_S = 1200.0  # the first build downloads a compiler

LINKER_MAP = "firmware.map"
BUILD_FLAGS = (
    "-Os",
    "-std=gnu99",
    "-ffunction-sections",
    "-fdata-sections",
    "-Wl,--gc-sections",
    f"-Wl,-Map=$BUILD_DIR/{LINKER_MAP}",
)
# Link-time optimisation would lose whose the bytes are that the size columns add up.
BUILD_UNFLAGS = ("-flto", "-fuse-linker-plugin", "-fno-fat-lto-objects", "-std=gnu11")
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")
LENIENT = ("-Wall", "-Wextra")  # beside the headers of an Arduino core of any version

# PlatformIO's build_flags have no way to say this to the linker alone.
LINK_SCRIPT = """\
# The firmware brings its own start-up code and vector table.
Import("env")
env.Append(LINKFLAGS=["-nostartfiles"])
"""

Progress = Callable[[str], None]
Render = Callable[[Path], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Firmware:
    """A firmware as built.

    Fields
        elf, image      the linked ELF and what the uploader writes (.hex or .bin)
        project         PlatformIO project it was built from
        log             what PlatformIO and the compiler said
        firmware_id     8 bytes over everything that went into the build; the firmware reports it
        elf_sha256      hash of the ELF
        compiler        e.g. `avr-gcc 5.4.0 (Debian)`, the version as the ELF tells it
        compiler_flags  flags of the compiler as it was called, without -D and -I
        memory          bytes of flash and RAM
        optimise        what storage was chosen for: size, balanced or speed
        storage         how each weight tensor is stored
        cached          True when nothing had to be compiled
    """

    elf: Path
    image: Path
    project: Path
    log: Path
    firmware_id: bytes
    elf_sha256: str
    compiler: str
    compiler_flags: str
    memory: MemoryUse
    storage: Mapping[str, str]
    cached: bool
    optimise: str = "size"


def build_firmware(
    model: QModel,
    board: Board,
    *,
    bench_raw: NDArray[np.int16],
    optimise: str = "size",
    measure_cell: bool = False,
    progress: Progress | None = None,
) -> Firmware:
    """Firmware of `model` for `board`.

    bench_raw  int16 [S, D], the window that BENCH runs
    optimise   how kernels and storage are chosen: 'size', 'balanced' or 'speed'
    measure_cell  leave the input stage out of what the firmware measures as a step
    progress   is told what is going on, in a line of text; silent when the cache has it

    Raises DoesNotFit when flash or RAM is too small, BuildError when a compiler is missing or
    refuses the sources.
    """

    def render(destination: Path) -> Mapping[str, str]:
        rendered = render_sources(
            model,
            board_name=board.kind,
            hal=board.hal,
            clock_hz=board.clock_hz,
            baud=board.link.baud,
            max_payload=board.max_payload_bytes,
            bench_raw=bench_raw,
            destination=destination,
            core=board.core,
            optimise=optimise,
            flash_bytes=board.flash_free_bytes,
            measure_cell=measure_cell,
        )
        data_bytes = rendered.model_bytes + rendered.table_bytes + rendered.bench_bytes
        check_data_fit(data_bytes, board, model.name)
        return rendered.storage

    built = build_tree(render, board, name=model.name, progress=progress)
    return replace(built, optimise=optimise)


def build_tree(
    render: Render, board: Board, *, name: str, progress: Progress | None = None
) -> Firmware:
    """Firmware from the sources that `render` writes into the folder it is given.

    `name` is whom to blame when it does not fit.
    """
    say = progress or (lambda _: None)
    toolchain = find_toolchain(board)
    shelf = paths.cache_dir("firmware")
    with workshop(shelf) as staging:
        project = staging / "project"
        (project / "src").mkdir(parents=True)
        storage = dict(render(project / "src"))
        key = _key(project, board, toolchain, storage)
        firmware_id = bytes.fromhex(key)[:8]
        _write_project(project, board, firmware_id)
        folder = shelf / key[:32]
        with tools.file_lock(f"firmware-{key[:2]}"):
            found = _load(folder)
            if found is not None:
                check_fit(found.memory, board, name)
                return found
            say(f"compiling {name} for {board.kind}")
            _build(staging, board, toolchain, name, firmware_id, storage)
            shutil.rmtree(folder, ignore_errors=True)
            put_in_place(staging, folder)
    built = _load(folder)
    if built is None:
        raise BuildError(
            f"{folder}: damaged just after it was built", hint="is the disk full? harness doctor"
        )
    return replace(built, cached=False)


# --- the project ---------------------------------------------------------------------------------


def _key(project: Path, board: Board, toolchain: Toolchain, storage: Mapping[str, str]) -> str:
    """Hash of all that decides the image: sources, platformio.ini, compiler, platform files."""
    from platformio import __version__ as platformio_version

    digest = hashlib.sha256()
    head = [
        f"firmware {CACHE_SCHEMA} {platformio_version} {toolchain.source} {toolchain.fingerprint}",
        json.dumps(dict(storage), sort_keys=True),
        _platformio_ini(project, board, bytes(8)),
        LINK_SCRIPT,
    ]
    for text in head:
        digest.update(hashlib.sha256(text.encode()).digest())
    for path in sorted(p for p in project.rglob("*") if p.is_file()):
        digest.update(hashlib.sha256(path.relative_to(project).as_posix().encode()).digest())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _write_project(project: Path, board: Board, firmware_id: bytes) -> None:
    (project / "platformio.ini").write_text(_platformio_ini(project, board, firmware_id))
    if _linker_script(project):
        (project / "link.py").write_text(LINK_SCRIPT)


def _platformio_ini(project: Path, board: Board, firmware_id: bytes) -> str:
    script = _linker_script(project)
    bare = not board.build.framework
    return _template().render(
        env=board.build.board,
        platform=board.build.platform,
        board=board.build.board,
        framework=board.build.framework,
        clock_hz=board.clock_hz,
        linker_script=script,
        link_script="pre:link.py" if script else "",
        upload_speed=board.flash.baud if board.flash.tool == "avrdude" else 0,
        unflags=BUILD_UNFLAGS,
        flags=BUILD_FLAGS,
        source_flags=[*(STRICT if bare else LENIENT), firmware_id_flag(firmware_id)],
    )


def _template() -> jinja2.Template:
    folder = paths.shipped("firmware_templates", "generated")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("platformio.ini.j2")


def _linker_script(project: Path) -> str:
    """The project's own linker script, relative to it; empty when the board's default serves."""
    scripts = sorted(project.glob("src/*.ld"))
    return scripts[0].relative_to(project).as_posix() if scripts else ""


# --- one run of PlatformIO -----------------------------------------------------------------------


def _build(
    staging: Path,
    board: Board,
    toolchain: Toolchain,
    name: str,
    firmware_id: bytes,
    storage: Mapping[str, str],
) -> None:
    """Compile staging/project; leaves firmware.elf, the image, build.log and firmware.json."""
    project = staging / "project"
    log = _run_platformio(project, board, toolchain)
    (staging / "build.log").write_text(log.output)
    output = project / ".pio" / "build" / board.build.board
    elf = output / "firmware.elf"
    if elf.is_file():
        check_fit(measure(elf), board, name)
        check_lpm_reach(avr_constants_end(elf), board, name)
    image = _find_image(output)
    if not log.ok or image is None:
        kept = paths.cache_dir("firmware") / "last-failure.log"
        kept.write_text(log.output)
        raise explain(log, board, name, kept)
    shutil.copyfile(elf, staging / "firmware.elf")
    shutil.copyfile(image, staging / f"firmware{image.suffix}")
    shutil.copyfile(output / LINKER_MAP, staging / LINKER_MAP)
    shutil.rmtree(project / ".pio")
    record = {
        "elf": "firmware.elf",
        "image": f"firmware{image.suffix}",
        "firmware_id": firmware_id.hex(),
        "elf_sha256": _sha256(staging / "firmware.elf"),
        "image_sha256": _sha256(staging / f"firmware{image.suffix}"),
        "compiler": _compiler(board, toolchain, staging / "firmware.elf"),
        "compiler_flags": compiler_flags(log.output),
        "storage": dict(storage),
    }
    (staging / "firmware.json").write_text(json.dumps(record, indent=2) + "\n")


def _run_platformio(project: Path, board: Board, toolchain: Toolchain) -> tools.Finished:
    deadline_s = LOCAL_DEADLINE_S if toolchain.source == "local" else REGISTRY_DEADLINE_S
    environment = toolchain.environment()
    if board.build.framework:  # the same core for every model: keep its object files
        objects = paths.cache_dir("objects", toolchain.fingerprint[:16])
        environment["PLATFORMIO_BUILD_CACHE_DIR"] = str(objects)
    command = [sys.executable, "-m", "platformio", "run", "-v", "-d", str(project)]
    return tools.run_tool(command, deadline_s=deadline_s, environment=environment, folder=project)


def _find_image(output: Path) -> Path | None:
    for suffix in (".hex", ".bin"):
        if (output / f"firmware{suffix}").is_file():
            return output / f"firmware{suffix}"
    return None


def _compiler(board: Board, toolchain: Toolchain, elf: Path) -> str:
    """Name, version and origin of the compiler, the version read from the ELF."""
    known = LOCAL_PLATFORMS.get(board.build.platform)
    name = known.compiler if known else "gcc"
    origin = "PlatformIO"
    if toolchain.source == "local":
        origin = "PATH"
        if (shutil.which(name) or "").startswith("/usr/bin/"):
            with suppress(OSError, KeyError):
                origin = host_platform.freedesktop_os_release()["NAME"].split()[0]
    return f"{name} {compiler_comment(elf) or 'of unknown version'} ({origin})"


def compiler_flags(log: str) -> str:
    """Flags of the first C file of the project in PlatformIO's verbose output, without -D, -I."""
    for line in log.splitlines():
        if re.match(r"\S*gcc(\.exe)? .* src/\S+\.c$", line.replace(os.sep, "/")):
            words = shlex.split(line)[1:]
            pairs = zip(words, ["", *words], strict=False)
            kept = [w for w, before in pairs if w.startswith("-") or before == "--param"]
            flags = [w for w in kept if not re.match(r"-(D|I|o$|c$)", w)]
            return " ".join(dict.fromkeys(flags))
    return ""


# --- the cache -----------------------------------------------------------------------------------


def _load(folder: Path) -> Firmware | None:
    """A cached build; None when there is none or a file of it is not what was written."""
    try:
        record = json.loads((folder / "firmware.json").read_text())
        elf, image = folder / record["elf"], folder / record["image"]
        if _sha256(elf) != record["elf_sha256"] or _sha256(image) != record["image_sha256"]:
            return None
        return Firmware(
            elf=elf,
            image=image,
            project=folder / "project",
            log=folder / "build.log",
            firmware_id=bytes.fromhex(record["firmware_id"]),
            elf_sha256=record["elf_sha256"],
            compiler=record["compiler"],
            compiler_flags=record["compiler_flags"],
            memory=measure(elf, folder / LINKER_MAP),
            storage=record["storage"],
            cached=True,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
