"""Boards of a lab: which board is which, among several of a kind.

A kind (boards.py) is what a board is; an instance is this one: by its USB serial number, its place
on a hub, or its port; or an emulated one, which the harness starts itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from harness.boards import Board, BoardKind, find_kind
from harness.errors import UsageError, near_miss

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Instance:
    """One board of the lab.

    name           what the lab calls it: letters, digits, `.`, `_`, `-`
    kind           its entry in boards.yaml
    virtual        an emulated twin, started and stopped by the harness
    serial_number  of its USB device; survives the change into the bootloader
    hub_path       where it is plugged in (bus-port.port), for boards without a serial number
    port           a device name or ssh://USER@HOST, for boards that USB does not tell apart
    power_off, power_on  commands that switch its power, as lists of words
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
        kind: BoardKind = find_kind(self.kind)
        return kind.virtual() if self.virtual else kind.silicon()

    @property
    def board_id(self) -> str:
        """What results and locks call it; '' where nothing tells it from others."""
        if self.virtual:
            return f"virtual-{self.name}"
        if self.serial_number:
            return f"serial-{self.serial_number}"
        return f"hub-{self.hub_path}" if self.hub_path else self.port


def read_instance(name: str, values: Any, where: str) -> Instance:
    """An instance from a mapping of YAML. Raises UsageError for what is unknown or ill-typed."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{where}: {name!r} is no name for a board", hint="like mkr1000-2")
    if not isinstance(values, dict):
        raise UsageError(f"{where}: {name}: must be a mapping, not {values!r}")
    types = {f.name: str(f.type) for f in fields(Instance) if f.name != "name"}
    for key, value in values.items():
        if key not in types:
            error = near_miss("key", str(key), types)
            raise UsageError(f"{where}: {name}: {error.message}", hint=error.hint)
        if not _fits(value, types[key]):
            raise UsageError(f"{where}: {name}: {key} is {value!r}, must be {types[key]}")
    if "kind" not in values:
        raise UsageError(f"{where}: {name}: missing kind")
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return Instance(name=name, **given)


def _fits(value: Any, kind: str) -> bool:
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "str":
        return isinstance(value, str)
    return isinstance(value, list) and all(isinstance(word, str) for word in value)
