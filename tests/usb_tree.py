"""A sysfs of our own: USB serial ports as the kernel shows them, plugged in and out by tests.

The layout is that of Linux 6.1 for cdc_acm (tty below the interface) and usb-serial (a folder
between them); HARNESS_SYSFS and HARNESS_DEV point to it.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.virtual.control import Control

AWAY_S = 0.15  # a board that re-enumerates


class UsbTree:
    """`sys` and `dev` below a folder. Places are the kernel's: `1-2.3` is port 3 of hub 1-2."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.controller = root / "sys/devices/pci0000:00/0000:00:14.0/usb1"
        self.classes = root / "sys/class/tty"
        self.dev = root / "dev"
        for folder in (self.controller, self.classes, self.dev):
            folder.mkdir(parents=True)
        self._device(self.controller, "1d6b:0002", serial="0000:00:14.0", product="root hub")
        console = root / "sys/devices/virtual/tty/console"
        uart = root / "sys/devices/pnp0/00:01"
        console.mkdir(parents=True)
        (uart / "tty/ttyS0").mkdir(parents=True)
        (uart / "tty/ttyS0/device").symlink_to("../..")
        (self.classes / "console").symlink_to(console)
        (self.classes / "ttyS0").symlink_to(uart / "tty/ttyS0")

    @property
    def environment(self) -> dict[str, str]:
        """What leads the harness here."""
        return {"HARNESS_SYSFS": str(self.root / "sys"), "HARNESS_DEV": str(self.dev)}

    def plug(
        self,
        place: str,
        usb_id: str,
        *,
        serial: str | None = None,
        product: str = "",
        interfaces: tuple[int, ...] = (0,),
        adaptor: bool = False,
        leads_to: Path | None = None,
    ) -> str:
        """Attach a device with a port for each of `interfaces`; the first port's device name.

        As the kernel does, take the lowest free number. leads_to: what the port really is, a pty.
        """
        device = self._folder(place)
        assert not device.exists(), f"something is plugged in at {place}"
        self._device(device, usb_id, serial=serial, product=product)
        names = [self._port(device, number, adaptor, leads_to) for number in interfaces]
        return names[0]

    def unplug(self, place: str) -> None:
        """The device and its ports are gone, their names free."""
        device = self._folder(place)
        for tty in list(self.classes.iterdir()):
            if tty.resolve().is_relative_to(device):
                tty.unlink()
                (self.dev / tty.name).unlink()
        shutil.rmtree(device)

    def _folder(self, place: str) -> Path:
        """1-2.3 lies in the folder of its hub, 1-2."""
        bus, _, ports = place.partition("-")
        numbers = ports.split(".")
        hubs = [f"{bus}-{'.'.join(numbers[:n])}" for n in range(1, len(numbers))]
        return self.controller.joinpath(*hubs, place)

    def _device(self, folder: Path, usb_id: str, *, serial: str | None, product: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        vendor, _, number = usb_id.partition(":")
        attributes = {"idVendor": vendor, "idProduct": number, "product": product}
        if serial is not None:
            attributes["serial"] = serial
        for name, value in attributes.items():
            (folder / name).write_text(f"{value}\n")

    def _port(self, device: Path, number: int, adaptor: bool, leads_to: Path | None) -> str:
        kind = "ttyUSB" if adaptor else "ttyACM"
        taken = {tty.name for tty in self.classes.iterdir()}
        name = next(n for i in range(len(taken) + 1) if (n := f"{kind}{i}") not in taken)
        interface = device / f"{device.name}:1.{number}"
        parent = interface / name if adaptor else interface
        tty = parent / "tty" / name
        tty.mkdir(parents=True)
        (interface / "bInterfaceNumber").write_text(f"{number:02x}\n")
        (tty / "device").symlink_to("../..")
        (self.classes / name).symlink_to(os.path.relpath(tty, self.classes))
        node = self.dev / name
        if leads_to is not None:
            node.symlink_to(leads_to)
        else:
            node.write_text("")
        return name


@contextmanager
def re_enumerating(
    tree: UsbTree, emulator: Control, port: Path, place: str, usb_ids: tuple[str, str], serial: str
) -> Iterator[None]:
    """A running virtual board at `place`, as a USB board of two faces: program and bootloader.

    Whenever the emulated MCU goes from one to the other, the device leaves and comes back with its
    other id, under whichever name is free then, as a board with native USB does.
    """
    stop = threading.Event()

    def face() -> str:
        return usb_ids[emulator.status().state == "bootloader"]

    def watch(shown: str) -> None:
        while not stop.wait(0.02):
            if face() != shown:
                tree.unplug(place)
                time.sleep(AWAY_S)
                shown = face()
                tree.plug(place, shown, serial=serial, leads_to=port)

    shown = face()
    tree.plug(place, shown, serial=serial, leads_to=port)
    thread = threading.Thread(target=watch, args=(shown,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        tree.unplug(place)
