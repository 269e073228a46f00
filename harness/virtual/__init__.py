"""Virtual boards: emulated MCUs behind a real pty. See docs/virtual-boards.md."""

from __future__ import annotations

BOARDS: tuple[str, ...] = (
    "uno",
    "mega2560",
    "mkr1000",
    "due",
    "nano33ble",
    "nucleo_l4r5zi",
    "rpi3",
)
