"""Describe the boards that are attached: entries for the lab's own file, added to its text.

Nothing that is there is touched: entries go below the last one, byte for byte the rest is kept.
What does not say for certain which kind it is, is shown and left to people.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from harness.boards import BoardKind, is_shipped, load_kinds
from harness.discovery import UsbPort, attached_ports, matching
from harness.errors import UsageError
from harness.files import atomic_path, read_bounded, write_atomic
from harness.instances import Instance, load_instances
from harness.yamlfile import MAX_BYTES, parse_yaml

HEADER = """\
# The boards of this lab: `harness boards --scan` adds those that are attached and not yet here.
# Everything may be edited by hand; docs/lab.md has the keys.
schema: 1
"""


@dataclass(frozen=True, slots=True)
class Doubt:
    """An attached port without an entry, why none was made for it, and what it could be."""

    port: UsbPort
    why: str
    could_be: tuple[Instance, ...] = ()


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found: new boards, described ones that are attached, and what is not certain."""

    new: tuple[Instance, ...]
    known: tuple[Instance, ...]
    doubts: tuple[Doubt, ...]


def scan() -> Scan:
    """Look at what is attached; writes nothing."""
    return _sort(attached_ports(), load_instances(), load_kinds())


def write(path: Path, new: Sequence[Instance]) -> None:
    """Add entries to the lab's own file, which is made if it is not there; whole or not at all.

    Raises UsageError, and leaves the file as it was, where they cannot be added by inserting text.
    """
    if not new:
        return
    if is_shipped(path):
        raise UsageError(
            f"{path} comes with the harness and describes kinds; a lab's boards need a file of "
            "their own",
            hint="name it: HARNESS_BOARDS=lab.yaml harness boards --scan",
        )
    if not path.exists():
        write_atomic(path, insert(HEADER, new, str(path)))
        return
    path = path.resolve()  # of a link, what it leads to is edited
    try:
        text = insert(read_bounded(path, MAX_BYTES).decode(), new, str(path))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8: {error}", hint="convert it") from error
    with atomic_path(path) as partial:
        partial.write_bytes(text.encode())
        partial.chmod(path.stat().st_mode)


def insert(text: str, new: Sequence[Instance], where: str) -> str:
    """The text of a lab's file with more instances below the last one.

    Raises UsageError with the lines to add by hand where the result would not be the old content
    plus the new.
    """
    document = parse_yaml(text, where)
    newline = "\r\n" if "\r\n" in text else "\n"
    at, indent, head = _place(text)
    lines = [line for instance in new for line in entry(instance, indent)]
    before, after = text[:at], text[at:]
    if not before.endswith("\n"):
        before += newline
    result = before + "".join(line + newline for line in [*head, *lines]) + after
    if not _adds(new, document, result, where):
        raise UsageError(
            f"{where}: cannot add to `instances:` as it is written there",
            hint="write it as a block, or add by hand:\n" + "\n".join(lines),
        )
    return result


def entry(instance: Instance, indent: str = "  ") -> list[str]:
    """An instance as lines of YAML."""
    values = [
        f"{indent * 2}{key}: {value if key == 'kind' else json.dumps(value, ensure_ascii=False)}"
        for key, value in _values(instance).items()
    ]
    return [f"{indent}{instance.name}:", *values]


# -- which is what --------------------------------------------------------------------------------


def _sort(
    ports: Sequence[UsbPort], instances: Mapping[str, Instance], kinds: Mapping[str, BoardKind]
) -> Scan:
    described = {i.name: matching(i, ports) for i in instances.values() if i.is_told_apart}
    taken = [port for found in described.values() for port in found]
    doubts = [
        Doubt(port, f"several boards are {name}: give them a hub_path")
        for name, found in described.items()
        if len(found) > 1
        for port in found
    ]
    new: list[Instance] = []
    for port in ports:
        if port in taken:
            continue
        names = {*kinds, *instances, *(i.name for i in new)}
        could_be = tuple(_instance(k, port, ports, names) for k in _kinds_of(port, kinds))
        doubt = _doubt(port, could_be)
        if doubt:
            doubts.append(doubt)
        else:
            new += could_be
    known = tuple(instances[name] for name, found in described.items() if len(found) == 1)
    return Scan(tuple(new), known, tuple(doubts))


def _kinds_of(port: UsbPort, kinds: Mapping[str, BoardKind]) -> list[str]:
    return [name for name, kind in kinds.items() if port.usb_id in kind.silicon().usb_ids]


def _doubt(port: UsbPort, could_be: tuple[Instance, ...]) -> Doubt | None:
    """None when it is certain what this is."""
    if not could_be:
        return Doubt(port, "no kind has its USB id")
    if len(could_be) > 1:
        return Doubt(port, f"could be {' or '.join(i.kind for i in could_be)}", could_be)
    if port.usb_id in could_be[0].board.flash.usb_ids:
        # There it may have no serial number, or another one.
        return Doubt(port, f"a {could_be[0].kind} in its bootloader: reset it and scan again")
    return None


def _instance(
    kind: str, port: UsbPort, ports: Sequence[UsbPort], names: Container[str]
) -> Instance:
    """A board by its serial number if no other here has the same, else by its place."""
    name = next(n for i in count(1) if (n := f"{kind}-{i}") not in names)
    numbers = [p.serial_number for p in ports]
    if port.serial_number and numbers.count(port.serial_number) == 1:
        return Instance(name=name, kind=kind, serial_number=port.serial_number)
    return Instance(name=name, kind=kind, hub_path=port.hub_path)


# -- the text -------------------------------------------------------------------------------------


def _values(instance: Instance) -> dict[str, str]:
    named = {
        "kind": instance.kind,
        "serial_number": instance.serial_number,
        "hub_path": instance.hub_path,
    }
    return {key: value for key, value in named.items() if value}


def _adds(new: Sequence[Instance], document: Any, result: str, where: str) -> bool:
    """True if the text `result` holds the document with these instances more, and nothing else."""
    try:
        wanted = document | {
            "instances": (document.get("instances") or {}) | {i.name: _values(i) for i in new}
        }
        return bool(parse_yaml(result, where) == wanted)
    except (UsageError, TypeError, AttributeError):  # also: no mapping where one belongs
        return False


def _place(text: str) -> tuple[int, str, list[str]]:
    """Where to insert, how deep, and the lines that must come first."""
    root = yaml.compose(text, yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    for key, section in pairs:
        if key.value == "instances":
            entries = section.value if isinstance(section, yaml.MappingNode) else []
            if not entries:
                return _line_end(text, key.end_mark.index), "  ", []
            return _end(text, entries[-1][1]), " " * section.start_mark.column, []
    return len(text), "  ", ["", "instances:"]


def _end(text: str, node: yaml.Node) -> int:
    """Where the line ends on which the content of a node does; comments below it come after."""
    while isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        node = node.value[-1][1]
    while isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        node = node.value[-1]
    mark = node.end_mark
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") and mark.index < len(text):
        return int(mark.index) - int(mark.column)  # a block of text ends where the next line begins
    return _line_end(text, mark.index)


def _line_end(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1
