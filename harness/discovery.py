"""Which serial port is which board: what the kernel tells of USB, read from sysfs.

A device name (`ttyACM0`) says only who came first. What a board is known by is its USB serial
number, else the place it is plugged in at, else its vendor and product, if only one such board is
attached. Where that leaves a choice, the answer is an error that lists the candidates.

Ref: Linux, Documentation/ABI/stable/sysfs-bus-usb and testing/sysfs-class-tty; the place of a USB
device, `bus-port.port`, is the name of its folder in /sys/bus/usb/devices.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.boards import Board
from harness.errors import LabError
from harness.instances import Instance, load_instances
from harness.link.base import Deadline

POLL_S = 0.05
ATTRIBUTE_BYTES = 512  # of a USB string: 126 characters at most


@dataclass(frozen=True, slots=True)
class UsbPort:
    """One serial port of a USB device.

    device         its name in /dev now
    vendor_id, product_id  of the USB device; 0 for a port that is none (a UART, a pty)
    serial_number  of the USB device; '' where it has none, as with a CH340
    hub_path       where it is plugged in, `bus-port.port`; with its interface, `1-2.3:1.2`, where
                   one USB device has several ports
    product        what the device calls itself
    """

    device: str
    vendor_id: int = 0
    product_id: int = 0
    serial_number: str = ""
    hub_path: str = ""
    product: str = ""

    @property
    def usb_id(self) -> str:
        """`vid:pid` in hex, lower case, as boards.yaml has it."""
        return f"{self.vendor_id:04x}:{self.product_id:04x}"

    @property
    def is_shared(self) -> bool:
        """True for one of several ports of a USB device: its serial number does not tell them."""
        return ":" in self.hub_path

    @property
    def board_id(self) -> str:
        """What the board here is known by wherever it is plugged in; '' where nothing tells."""
        if self.serial_number and not self.is_shared:
            return f"serial-{self.serial_number}"
        return f"hub-{self.hub_path}" if self.hub_path else ""

    def __str__(self) -> str:
        if not self.hub_path:
            return self.device
        number = f"serial number {self.serial_number}" if self.serial_number else "no serial number"
        return f"{self.device} ({self.usb_id}, {number}, at hub path {self.hub_path})"


def attached_ports() -> list[UsbPort]:
    """The serial ports of all USB devices that are attached now, by device name.

    Read from $HARNESS_SYSFS (default /sys); device names are those of $HARNESS_DEV (default /dev).
    """
    found = [port for tty in _ttys() if (port := _read_port(tty)) is not None]
    places = [_place(port) for port in found]
    return [
        port if places.count(_place(port)) > 1 else replace(port, hub_path=_place(port))
        for port in found
    ]


def port_at(device: str) -> UsbPort | None:
    """The USB port of this name, which may be a link to it; None when it is no USB port."""
    return next(iter(_called(device, attached_ports())), None)


def find(wanted: Instance | Board) -> UsbPort:
    """The one port where this board is; see `matching`.

    Raises LabError when there is none, or when there are several, which it lists.
    """
    ports = attached_ports()
    found = matching(wanted, ports)
    if len(found) == 1:
        _check_kind(wanted, found[0])
        return found[0]
    raise _ambiguous(wanted, found) if found else _missing(wanted, ports)


def matching(wanted: Instance | Board, ports: Sequence[UsbPort]) -> list[UsbPort]:
    """Those of `ports` that could be this board.

    An instance by its serial number (and place, where a number is not unique), else its place,
    else its port's name; one that names nothing of these, or a kind, by vendor and product.
    """
    if isinstance(wanted, Board):
        return [p for p in ports if p.usb_id in wanted.usb_ids]
    if wanted.serial_number:
        found = [p for p in ports if p.serial_number == wanted.serial_number]
        here = [p for p in found if _is_at(p, wanted.hub_path)]
        return here or found
    if wanted.hub_path:
        return [p for p in ports if _is_at(p, wanted.hub_path)]
    if wanted.port:
        return _called(wanted.port, ports) or [UsbPort(wanted.port)] * _is_there(wanted.port)
    return matching(wanted.board, ports)


def instance_at(port: str) -> Instance | None:
    """The described board at this port, which is a device's name or an address; None: unknown."""
    here = port_at(port) or UsbPort(port)
    for instance in load_instances().values():
        if instance.is_told_apart and not instance.virtual and here in matching(instance, [here]):
            return instance
    return None


def await_port(board: UsbPort, usb_ids: Sequence[str], deadline: Deadline) -> UsbPort:
    """Where the board that was at `board` is now, as one of `usb_ids` (empty: any).

    It may have another device name and, in its bootloader, another product, another serial number
    or none. Only its place is the same in any case: a board that re-enumerates is not replugged.
    Where the place is unknown, the serial number decides; where that is, too, the name. It counts
    once it may be opened: udev sets the rights a moment after the device appears. Raises LabError
    at the deadline.
    """
    while True:
        ports = attached_ports()
        found = [p for p in ports if _same_board(p, board) and (not usb_ids or p.usb_id in usb_ids)]
        if not (board.hub_path or board.serial_number):
            found = [board]
        if len(found) == 1 and may_open(found[0].device):
            return found[0]
        if deadline.expired:
            raise _not_back(board, usb_ids, ports)
        time.sleep(min(POLL_S, deadline.remaining_s))


def await_gone(board: UsbPort, deadline: Deadline) -> bool:
    """Wait until what is at `board` has left or become another device; False if it stays."""
    while port_at(board.device) == board:
        if deadline.expired:
            return False
        time.sleep(min(POLL_S, deadline.remaining_s))
    return True


def may_open(device: str) -> bool:
    """True when this device is there and we may read and write it."""
    return os.access(device, os.R_OK | os.W_OK)


# -- who is meant ---------------------------------------------------------------------------------


def _called(device: str, ports: Sequence[UsbPort]) -> list[UsbPort]:
    real = os.path.realpath(device)
    return [p for p in ports if os.path.realpath(p.device) == real]


def _is_there(port: str) -> bool:
    return "://" in port or Path(port).exists()


def _is_at(port: UsbPort, hub_path: str) -> bool:
    """An interface may be left out where it does not matter, and given where it did once."""
    place, _, interface = hub_path.partition(":")
    here, _, shared = port.hub_path.partition(":")
    return place == here and (not interface or not shared or interface == shared)


def _same_board(port: UsbPort, board: UsbPort) -> bool:
    if board.hub_path:
        return _is_at(port, board.hub_path)
    return bool(board.serial_number) and port.serial_number == board.serial_number


def _check_kind(wanted: Instance | Board, port: UsbPort) -> None:
    """A place says nothing of what is plugged in there. Raises LabError for another kind."""
    if isinstance(wanted, Board) or wanted.serial_number or not wanted.hub_path:
        return
    usb_ids = wanted.board.usb_ids
    if usb_ids and port.usb_id not in usb_ids:
        raise LabError(
            f"{wanted.name}: at hub path {wanted.hub_path} is {port.usb_id} ({port.product}), no "
            f"{wanted.board.title} ({', '.join(usb_ids)})",
            hint="what is plugged in there? `harness boards` shows it",
        )


def _missing(wanted: Instance | Board, ports: Sequence[UsbPort]) -> LabError:
    name, what = _words(wanted)
    others = f"; attached: {_listing(ports)}" if ports else ""
    asked = wanted.kind if isinstance(wanted, Board) else wanted.name or wanted.kind
    return LabError(
        f"no {name} is attached (looked for {what}){others}",
        hint="attach it, name its port with --port, or use the emulated twin: "
        f"--board {asked} --virtual",
    )


def _ambiguous(wanted: Instance | Board, found: Sequence[UsbPort]) -> LabError:
    name, what = _words(wanted)
    return LabError(
        f"{len(found)} boards could be the {name} (looked for {what}): {_listing(found)}",
        hint="name one with --port, or with --board INSTANCE once it is described by its "
        "serial_number or hub_path: harness boards --scan",
    )


def _not_back(board: UsbPort, usb_ids: Sequence[str], ports: Sequence[UsbPort]) -> LabError:
    wanted = f" as {' or '.join(usb_ids)}" if usb_ids else ""
    here = next((p for p in ports if _same_board(p, board)), None)
    now = f"there is {here} now" if here else "nothing is there now"
    if here and not may_open(here.device):
        now += ", which may not be opened"
    return LabError(
        f"the board that was at {board} did not come back{wanted}; {now}",
        hint="is its cable firm, does its hub have power, may you open it? `harness boards` shows "
        "what is attached, `harness doctor` the rights",
    )


def _words(wanted: Instance | Board) -> tuple[str, str]:
    """What the board is called, and what it is looked for by."""
    if isinstance(wanted, Instance) and wanted.is_told_apart:
        return wanted.name, wanted.told_by
    board = wanted if isinstance(wanted, Board) else wanted.board
    return board.title, f"USB {', '.join(board.usb_ids) or 'id, of which its kind has none'}"


def _listing(ports: Iterable[UsbPort]) -> str:
    return "; ".join(map(str, ports))


# -- sysfs ----------------------------------------------------------------------------------------


def _ttys() -> list[Path]:
    folder = Path(os.environ.get("HARNESS_SYSFS") or "/sys") / "class" / "tty"
    try:
        return sorted(tty for tty in folder.iterdir() if (tty / "device").exists())
    except OSError:  # no sysfs on this system
        return []


def _read_port(tty: Path) -> UsbPort | None:
    """What sysfs tells of a tty; None when it is none of USB, or has just left."""
    try:
        above = (tty / "device").resolve()
        interface = _nearest(above, "bInterfaceNumber")
        device = _nearest(above, "idVendor")
        if interface is None or device is None:
            return None
        return UsbPort(
            device=str(Path(os.environ.get("HARNESS_DEV") or "/dev") / tty.name),
            vendor_id=int(_attribute(device, "idVendor"), 16),
            product_id=int(_attribute(device, "idProduct"), 16),
            serial_number=_serial_number(device),
            hub_path=interface.name,
            product=_attribute(device, "product"),
        )
    except (OSError, ValueError):
        return None


def _place(port: UsbPort) -> str:
    """The place of the USB device; of its only port, that is enough."""
    return port.hub_path.partition(":")[0]


def _nearest(folder: Path, attribute: str) -> Path | None:
    """The nearest folder, from here upwards, that has this attribute."""
    return next((f for f in (folder, *folder.parents) if (f / attribute).is_file()), None)


def _serial_number(device: Path) -> str:
    """'' also for a number of one digit over and over, which every adaptor of a series has."""
    number = _attribute(device, "serial")
    return number if len(set(number)) > 1 else ""


def _attribute(folder: Path, name: str) -> str:
    """One line of sysfs; '' where the device has no such string."""
    try:
        data = (folder / name).read_bytes()[:ATTRIBUTE_BYTES]
    except FileNotFoundError:
        return ""
    return "".join(c for c in data.decode(errors="replace").strip() if c.isprintable())
