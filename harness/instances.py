"""Boards of a lab: which board is which, among several of a kind.

A kind (boards.py) is what a board is; an instance is this one: by its USB serial number, its place
on a hub, or its port; or an emulated one, which the harness starts itself. They are described in
the lab's own file (`boards.lab_file`), under `instances:` (docs/lab.md).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from harness.boards import Board, BoardKind, lab_file, lab_section, load_kinds
from harness.errors import UsageError, near_miss

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
RENUMBERED = re.compile(r"(/dev/)?tty(ACM|USB)\d+")
HUB_PATH = re.compile(r"\d+-\d+(\.\d+)*(:\d+\.\d+)?")


@dataclass(frozen=True, slots=True)
class Instance:
    """One board of the lab.

    name           what the lab calls it: letters, digits, `.`, `_`, `-`; '' = any of its kind
    kind           its entry in boards.yaml
    virtual        an emulated twin, started and stopped by the harness
    serial_number  of its USB device; survives the change into the bootloader
    hub_path       where it is plugged in (bus-port.port), for boards without a serial number
    port           a device name or ssh://USER@HOST, for boards that USB does not tell apart
    power_off, power_on  commands that switch its power, as words; no shell is between
    fault          what a virtual one does wrong (docs/faults.md)
    notes          for people
    """

    name: str
    kind: str
    virtual: bool = False
    serial_number: str = ""
    hub_path: str = ""
    port: str = ""
    power_off: tuple[str, ...] = ()
    power_on: tuple[str, ...] = ()
    fault: str = ""
    notes: str = ""

    @property
    def board(self) -> Board:
        """What it is. Raises UsageError for an unknown kind, or one without a twin."""
        return _board(self, load_kinds())

    @property
    def is_told_apart(self) -> bool:
        """True when more than its kind is known of a board on the desk."""
        return bool(self.told_by)

    @property
    def told_by(self) -> str:
        """What tells it from others, in words; '' where nothing does."""
        if self.serial_number:
            return f"serial number {self.serial_number}"
        return f"hub path {self.hub_path}" if self.hub_path else self.port

    @property
    def warning(self) -> str:
        """Why its description will fail some day; '' where it will not."""
        if self.told_by != self.port or not RENUMBERED.fullmatch(self.port):
            return ""
        return (
            f"told by {self.port}, which is whatever board was attached first; "
            "give its serial_number or hub_path instead"
        )

    @property
    def board_id(self) -> str:
        """What results and locks call it; '' where nothing tells it from others."""
        if self.virtual:
            return f"virtual-{self.name}" if self.name else ""
        if self.serial_number:
            return f"serial-{self.serial_number}"
        return f"hub-{self.hub_path}" if self.hub_path else self.port


def load_instances(path: Path | None = None) -> dict[str, Instance]:
    """The described boards of the lab by name: those of `path`, else of the lab's own file.

    None where there is no such file. Raises UsageError for a mistake in it.
    """
    path = path or lab_file()
    entries = lab_section(path, "instances")
    kinds = load_kinds()
    instances: dict[str, Instance] = {}
    for name, values in entries.items():
        instance = read_instance(str(name), values, path.name)
        if instance.name in kinds:
            raise UsageError(
                f"{path.name}: {name!r} is a kind, so no board of the lab can be called that",
                hint=f"call it {name}-1",
            )
        _board(instance, kinds)
        same = next((i for i in instances.values() if i.board_id == instance.board_id != ""), None)
        if same:
            raise UsageError(f"{path.name}: {instance.name} is the same board as {same.name}")
        instances[instance.name] = instance
    return instances


def resolve(name: str, virtual: bool = False) -> Instance:
    """The board that `--board NAME` means: an instance of the lab, or any board of a kind.

    virtual: its emulated twin instead. Raises UsageError with the nearest names otherwise.
    """
    kinds, instances = load_kinds(), load_instances()
    if name in kinds:
        return Instance(name="", kind=name, virtual=virtual)
    if name not in instances:
        raise near_miss("board", name, [*kinds, *instances])
    instance = instances[name]
    if virtual and not instance.virtual:
        return Instance(name=name, kind=instance.kind, virtual=True)
    return instance


def from_json(values: Any) -> Instance:
    """An instance that was written with `dataclasses.asdict`. Raises UsageError when it is none."""
    if not isinstance(values, dict):
        raise UsageError(f"{str(values)[:80]!r} is no board of a lab")
    given = {key: value for key, value in values.items() if key != "name"}
    return read_instance(str(values.get("name")), given, "run.json")


def read_instance(name: str, values: Any, where: str) -> Instance:
    """An instance from a mapping of YAML. Raises UsageError for what is unknown or ill-typed."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{where}: {name!r} is no name for a board", hint="like mkr1000-2")
    if not isinstance(values, dict):
        raise UsageError(f"{where}: {name}: must be a mapping, not {str(values)[:80]!r}")
    types = {f.name: str(f.type) for f in fields(Instance) if f.name != "name"}
    given: dict[str, Any] = {}
    for key, value in values.items():
        if key not in types:
            error = near_miss("key", str(key), types)
            raise UsageError(f"{where}: {name}: {error.message}", hint=error.hint)
        given[key] = _read(value, types[key], f"{where}: {name}: {key}")
    if "kind" not in values:
        raise UsageError(f"{where}: {name}: missing kind")
    instance = Instance(name=name, **given)
    if instance.virtual and (instance.serial_number or instance.hub_path):
        raise UsageError(f"{where}: {name}: a virtual board has no place on USB")
    if instance.hub_path and not HUB_PATH.fullmatch(instance.hub_path):
        raise UsageError(
            f"{where}: {name}: {instance.hub_path!r} is no place on USB",
            hint="like 1-2.3 (bus 1, port 3 of the hub at port 2); `harness boards` shows them",
        )
    return instance


def _board(instance: Instance, kinds: dict[str, BoardKind]) -> Board:
    if instance.kind not in kinds:
        raise near_miss("board", instance.kind, kinds)
    kind = kinds[instance.kind]
    return kind.virtual() if instance.virtual else kind.silicon()


def _read(value: Any, kind: str, where: str) -> Any:
    """A value of its field's type: commands may be one line of text."""
    if kind.startswith("tuple"):
        return _words(value, where)
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "str" and isinstance(value, str):
        return value
    what = "true or false" if kind == "bool" else "text; put it in quotes"
    raise UsageError(f"{where} is {str(value)[:80]!r}, must be {what}")


def _words(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
        return tuple(value)
    try:
        if isinstance(value, str):
            return tuple(shlex.split(value))
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error
    # YAML takes the bare words on and off for true and false.
    raise UsageError(
        f"{where} is {str(value)[:80]!r}, must be a command", hint='"uhubctl -l 1-2 -p 3 -a off"'
    )
