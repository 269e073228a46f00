"""Boards are data: boards.yaml -> frozen `BoardKind` -> a `Board`, real or virtual, to measure on.

A kind is what a board is (MCU, memories, uploader). `BoardKind.silicon()` and `.virtual()` resolve
it to one `Board`: the virtual twin takes everything from the kind except what its `virtual:`
section overrides. Unknown keys are errors with a near-miss hint.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from harness import paths
from harness.errors import UsageError, near_miss
from harness.yamlfile import read_yaml

SCHEMA = 1
SECTIONS = ("schema", "boards", "instances")


@dataclass(frozen=True, slots=True)
class Build:
    """PlatformIO environment: platform, board, framework ('' = bare metal)."""

    platform: str
    board: str
    framework: str = ""


@dataclass(frozen=True, slots=True)
class Flash:
    """Uploader and what it has to be told.

    Fields
        programmer  avrdude's protocol, openocd's board file
        baud        of avrdude and stm32flash
        offset      address at which bossac writes, at which stm32flash and openocd start
        touch_baud  opening and closing the port at this rate asks for the bootloader
        over_uart   bossac: the monitor is behind a UART, and chooses by a bit what to start
        mode        stm32flash: bits, parity and stop bits of a character
        boot_pin    a pin held over a reset starts the bootloader: by hand, or the twin's control
        usb_ids     of the bootloader, where it is a USB device of its own
    """

    tool: str
    timeout_s: float
    programmer: str = ""
    baud: int = 0
    offset: int = 0
    touch_baud: int = 0
    over_uart: bool = False
    mode: str = ""
    boot_pin: bool = False
    usb_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """The serial line: its rate, whether opening it resets the board, how long a boot may take.

    usb_ids: `vid:pid` (hex, lower case) of what runs the program, or of the adaptor before it.
    """

    baud: int
    resets_on_open: bool
    boot_wait_s: float
    usb_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Board:
    """One board to measure on. `kind` is its name in boards.yaml; sizes in bytes, clock in Hz."""

    kind: str
    title: str
    mcu: str
    core: str
    clock_hz: int
    flash_bytes: int
    flash_reserved_bytes: int
    ram_bytes: int
    stack_reserve_bytes: int
    cycle_counter: str
    hal: str
    max_payload_bytes: int
    build: Build
    flash: Flash
    link: Link
    emulator: str = ""  # name of the virtual board, '' on silicon
    emulated_cycles: str = "exact"  # what the emulator counts: `exact` cycles or a `bracket`

    @property
    def is_virtual(self) -> bool:
        """True for an emulated twin."""
        return bool(self.emulator)

    @property
    def board_kind(self) -> str:
        """The results column: `silicon` or `virtual`."""
        return "virtual" if self.is_virtual else "silicon"

    @property
    def timing_source(self) -> str:
        """What a figure of time from this board is.

        Its counter; on a virtual board `emulated-cycles`, `estimated-bracket` (least and most
        cycles, no figure between them), or `none`.
        """
        if self.cycle_counter == "none":
            return "none"
        if not self.is_virtual:
            return self.cycle_counter
        return "emulated-cycles" if self.emulated_cycles == "exact" else "estimated-bracket"

    @property
    def time_unit(self) -> str:
        """What a window is measured in: `cycles`, `bracket`, `ns`; '' when it means nothing."""
        if self.timing_source == "estimated-bracket":
            return "bracket"
        units = {"none": "", "board-clock": "ns"}
        return units.get(self.cycle_counter, "cycles")

    @property
    def usb_ids(self) -> tuple[str, ...]:
        """`vid:pid` by which such a board may be attached: its program's, its bootloader's."""
        return self.link.usb_ids + self.flash.usb_ids

    @property
    def flash_free_bytes(self) -> int:
        """Flash that a firmware image may take."""
        return self.flash_bytes - self.flash_reserved_bytes


@dataclass(frozen=True, slots=True)
class BoardKind:
    """An entry of boards.yaml."""

    name: str
    board: Board
    overrides: Mapping[str, Any]  # of the virtual twin; empty when there is none

    @property
    def has_virtual_twin(self) -> bool:
        """True when an emulator can stand in for this kind."""
        return bool(self.overrides)

    def silicon(self) -> Board:
        """The board on the desk."""
        return self.board

    def virtual(self) -> Board:
        """Its emulated twin. Raises UsageError when there is none."""
        if not self.overrides:
            raise UsageError(f"{self.name} has no virtual twin", hint="attach the board")
        changes = dict(self.overrides)
        if "build" in changes:
            changes["build"] = _read(Build, changes["build"], f"{self.name}: virtual: build")
        for part in ("flash", "link"):
            if part in changes:
                current = getattr(self.board, part)
                _check_keys(type(current), changes[part], f"{self.name}: virtual: {part}", set())
                changes[part] = replace(current, **changes[part])
        return replace(self.board, **changes)


def load_kinds(path: Path | None = None) -> dict[str, BoardKind]:
    """All kinds by name: those of `path`, else the shipped ones and those of the lab's own file.

    Raises UsageError for a mistake, or when the lab's file gives a shipped kind other facts.
    """
    if path is not None:
        return _kinds(_document(path).get("boards"), path)
    kinds = load_kinds(paths.shipped("boards.yaml"))
    own = _kinds(lab_section(lab_file(), "boards"), lab_file())
    for name in own.keys() & kinds:
        raise UsageError(
            f"{lab_file()}: the kind {name!r} is shipped with the harness", hint="call it otherwise"
        )
    return kinds | own


def lab_file() -> Path:
    """Where a lab describes its own boards: $HARNESS_BOARDS, else boards.yaml in this folder.

    The file need not be there.
    """
    return Path(os.environ.get("HARNESS_BOARDS") or "boards.yaml")


def is_shipped(path: Path) -> bool:
    """True for the file that comes with the harness, which is no lab's own."""
    shipped = paths.shipped("boards.yaml")
    return path.exists() and path.samefile(shipped)


def lab_section(path: Path, section: str) -> dict[Any, Any]:
    """`boards` or `instances` of a lab's own file; empty where there is no such file."""
    if not path.exists() or is_shipped(path):
        return {}
    entries = _document(path).get(section) or {}
    if not isinstance(entries, dict):
        raise UsageError(f"{path}: {section}: must be a mapping of names")
    return entries


def find_kind(name: str, path: Path | None = None) -> BoardKind:
    """The kind called `name`; UsageError with the nearest names otherwise."""
    kinds = load_kinds(path)
    if name not in kinds:
        raise near_miss("board", name, kinds)
    return kinds[name]


_T = TypeVar("_T")


def _document(path: Path) -> dict[str, Any]:
    document = read_yaml(path)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError(f"{path}: must be a mapping with 'schema: {SCHEMA}'")
    for key in document:
        if key not in SECTIONS:
            error = near_miss("key", str(key), SECTIONS)
            raise UsageError(f"{path}: {error.message}", hint=error.hint)
    return document


def _kinds(entries: Any, path: Path) -> dict[str, BoardKind]:
    if not isinstance(entries, dict):
        raise UsageError(f"{path}: has no 'boards:' mapping")
    return {str(name): _kind(str(name), entry, path) for name, entry in entries.items()}


def _kind(name: str, entry: Any, path: Path) -> BoardKind:
    where = f"{path.name}: {name}"
    if not isinstance(entry, dict):
        raise UsageError(f"{where}: must be a mapping")
    entry = dict(entry)
    overrides = entry.pop("virtual", {})
    if overrides:
        _check_keys(Board, overrides, f"{where}: virtual", set())
        if "emulator" not in overrides:
            raise UsageError(f"{where}: virtual: needs the key 'emulator'")
    for part, kind in (("build", Build), ("flash", Flash), ("link", Link)):
        if part in entry:
            entry[part] = _read(kind, entry[part], f"{where}: {part}")
    board = _read(Board, entry | {"kind": name}, where)
    return BoardKind(name, board, overrides)


def _read(kind: type[_T], values: Any, where: str) -> _T:
    """A frozen dataclass from a mapping; unknown, missing and ill-typed keys are errors."""
    required = {f.name for f in fields(kind) if f.default is MISSING}  # type: ignore[arg-type]
    _check_keys(kind, values, where, required)
    converted = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return kind(**converted)


def _check_keys(kind: type[Any], values: Any, where: str, required: set[str]) -> None:
    if not isinstance(values, dict):
        raise UsageError(f"{where}: must be a mapping, not {values!r}")
    types = {f.name: str(f.type) for f in fields(kind)}
    for key, value in values.items():
        if key not in types:
            error = near_miss("key", str(key), types)
            raise UsageError(f"{where}: {error.message}", hint=error.hint)
        if types[key] == "int" and (
            isinstance(value, bool) or not isinstance(value, int) or value < 0
        ):
            raise UsageError(f"{where}: {key} is {value!r}, must be a whole number of at least 0")
        if types[key] == "float" and (
            isinstance(value, bool) or not isinstance(value, int | float)
        ):
            raise UsageError(f"{where}: {key} is {value!r}, must be a number")
        if types[key] == "str" and not isinstance(value, str):
            raise UsageError(f"{where}: {key} is {value!r}, must be text")
        if types[key] == "bool" and not isinstance(value, bool):
            raise UsageError(f"{where}: {key} is {value!r}, must be true or false")
        if key == "usb_ids" and not _are_usb_ids(value):
            raise UsageError(f"{where}: {key} is {value!r}, must be a list like ['2341:0043']")
    missing = required - values.keys()
    if missing:
        raise UsageError(f"{where}: missing {', '.join(sorted(missing))}")


def _are_usb_ids(value: Any) -> bool:
    pattern = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
    return isinstance(value, list | tuple) and all(
        isinstance(usb_id, str) and pattern.fullmatch(usb_id) for usb_id in value
    )
