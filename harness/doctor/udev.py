"""udev rules for the described boards: rights, names that stay, and no ModemManager.

Ref: udev(7); ModemManager Reference Manual, "Common udev tags". TAG+="uaccess" works only in a file
that is read before 73-seat-late.rules, hence the 60.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.boards import BoardKind, load_kinds
from harness.instances import Instance, load_instances

FILE = "/etc/udev/rules.d/60-harness.rules"
HEADER = f"""\
# Rights to the boards that the harness knows, and names for those of this lab. To install:
#   harness doctor --udev | sudo tee {FILE}
#   sudo udevadm control --reload
#   sudo udevadm trigger
"""
IGNORE = 'ENV{ID_MM_DEVICE_IGNORE}="1", ENV{ID_MM_PORT_IGNORE}="1"'
RIGHTS = 'MODE="0660", GROUP="dialout", TAG+="uaccess"'


def rules() -> str:
    """The text of a rules file: every kind with USB ids, every board told by USB."""
    lines = [HEADER]
    for kind in load_kinds().values():
        lines += _kind(kind)
    for instance in load_instances().values():
        lines += _instance(instance)
    return "\n".join(dict.fromkeys(lines)) + "\n"  # kinds may share an adaptor


def _kind(kind: BoardKind) -> Iterator[str]:
    board = kind.silicon()
    if board.usb_ids:
        yield f"# {board.title}"
    for usb_id in board.usb_ids:
        vendor, _, product = usb_id.partition(":")
        ours = f'ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}"'
        yield f"{ours}, {IGNORE}"
        yield f'SUBSYSTEM=="tty|usb", {ours}, {RIGHTS}'


def _instance(instance: Instance) -> Iterator[str]:
    """A link under /dev/harness to the port, whatever its name is today."""
    told = []
    if instance.hub_path:
        told.append(f'KERNELS=="{instance.hub_path}"')
    if instance.serial_number and ":" not in instance.hub_path:  # both are of the device
        told.append(f'ATTRS{{serial}}=="{_pattern(instance.serial_number)}"')
    if told and not instance.virtual:
        link = f'SYMLINK+="harness/{instance.name}"'
        yield ", ".join(['SUBSYSTEM=="tty"', *told, link])


def _pattern(text: str) -> str:
    """As udev compares: what it would take for a pattern or a quote stands for any character."""
    return re.sub(r'["\\*?\[\]|]', "?", text)
