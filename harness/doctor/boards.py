"""The boards of this lab: may their ports be opened, does anybody else open them, are they known.

Ref: ModemManager Reference Manual, "Common udev tags" and "Modem filter"; udev keeps what its rules
set for a device in /run/udev/data/cMAJOR:MINOR.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.boards import Board, lab_file, load_kinds
from harness.discovery import UsbPort, attached_ports, matching, may_open
from harness.doctor.check import Check
from harness.errors import FlashError, UsageError
from harness.flash.uploaders import find_uploader, tool_version
from harness.instances import Instance, load_instances

PROC = Path("/proc")
UDEV_DATA = Path("/run/udev/data")
PURPOSE = "boards on the desk"
RULES_FIX = "harness doctor --udev | sudo tee /etc/udev/rules.d/60-harness.rules; it says what next"
GROUP = "dialout"
RARE_UPLOADERS = ("openocd", "bossac-nrf52")  # of one board each


def checks() -> Iterator[Check]:
    """Everything about boards: the lab's file, ports, uploaders that they need, power switches."""
    boards = [kind.silicon() for kind in load_kinds().values()]
    attached = attached_ports()
    try:
        instances = list(load_instances().values())
    except UsageError as error:
        yield Check("lab's boards", False, str(error), error.hint or f"correct {lab_file()}")
        instances = []
    else:
        yield _lab_file(instances)
    told = [i for i in instances if i.is_told_apart]
    wanted: list[Instance | Board] = [*told, *boards]
    ports = [p for p in attached if any(matching(board, [p]) for board in wanted)]
    yield from _ports(ports, instances)
    yield _modem_manager(ports)
    yield from _rare_uploaders(ports, instances)
    for instance in instances:
        yield from _instance(instance)


def _lab_file(instances: Sequence[Instance]) -> Check:
    chosen = os.environ.get("HARNESS_BOARDS")
    if chosen and not Path(chosen).exists():
        detail = f"HARNESS_BOARDS names {chosen}, which is not there"
        return Check("lab's boards", True, detail, "harness boards --scan makes it", warning=True)
    names = ", ".join(i.name for i in instances)
    none = "none described; harness boards --scan describes those that are attached"
    return Check("lab's boards", True, f"{lab_file()}: {names}" if names else none)


# -- ports ----------------------------------------------------------------------------------------


def _ports(ports: Sequence[UsbPort], instances: Sequence[Instance]) -> Iterator[Check]:
    """May we open each port that is a board's? No port is no fault."""
    devices = {port.device: _whose(port, instances) for port in ports}
    devices |= {i.port: i.name for i in instances if i.port and Path(i.port).exists()}
    for device, whose in devices.items():
        yield _rights(device, whose)
    if not devices:
        detail = "none attached"
        if os.geteuid() != 0 and GROUP not in _our_groups() and _group_exists():
            detail += f"; to open one you will need: {_join()}"
        yield Check("serial ports", True, detail, needed_for=PURPOSE)


def _whose(port: UsbPort, instances: Sequence[Instance]) -> str:
    for instance in instances:
        if instance.is_told_apart and port in matching(instance, [port]):
            return instance.name
    return f"{port.usb_id} {port.product}".strip()


def _rights(device: str, whose: str) -> Check:
    try:
        status = Path(device).stat()
    except OSError as error:
        detail = f"{whose}: {error.strerror}"
        return Check(f"port {device}", False, detail, "unplug it and plug it in again", PURPOSE)
    owner, group = _user_name(status.st_uid), _group_name(status.st_gid)
    mode = stat.filemode(status.st_mode)
    detail = f"{whose}: {owner}:{group} {mode}"
    return Check(f"port {device}", may_open(device), detail, _how_to_open(status), PURPOSE)


def _how_to_open(status: os.stat_result) -> str:
    """What to type so that we may open a device of this group and mode."""
    both = stat.S_IRGRP | stat.S_IWGRP
    group = _group_name(status.st_gid)
    if status.st_gid == 0 or status.st_mode & both != both:
        return RULES_FIX
    if _is_member(group) and group not in _our_groups():
        return f"you are in {group}, but not since this login: log in again, or: newgrp {group}"
    return _join(group)


def _join(group: str = GROUP) -> str:
    return f"sudo usermod -aG {group} $USER, then log in again"


def _our_groups() -> set[str]:
    return {_group_name(number) for number in (*os.getgroups(), os.getegid())}


def _is_member(group: str) -> bool:
    try:
        return _user_name(os.geteuid()) in grp.getgrnam(group).gr_mem
    except KeyError:
        return False


def _group_exists() -> bool:
    """A system without that group grants access otherwise."""
    return any(entry.gr_name == GROUP for entry in grp.getgrall())


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


# -- ModemManager ---------------------------------------------------------------------------------


def _modem_manager(ports: Sequence[UsbPort]) -> Check:
    """It may open a port that has just appeared, and send to it, just when a board is flashed."""
    if not _runs("ModemManager"):
        return Check("ModemManager", True, "does not run", needed_for=PURPOSE)
    bare = [port.device for port in ports if not _is_told_off(port.device)]
    if ports and not bare:
        return Check("ModemManager", True, "runs, and leaves our ports alone", needed_for=PURPOSE)
    detail = f"runs, and nothing keeps it from {', '.join(bare) or 'the ports of boards'}"
    return Check("ModemManager", True, detail, RULES_FIX, PURPOSE, warning=True)


def _runs(program: str) -> bool:
    """The kernel keeps 15 characters of a process's name."""
    for comm in PROC.glob("[0-9]*/comm"):
        try:
            if comm.read_text().strip() == program[:15]:
                return True
        except OSError:
            continue
    return False


def _is_told_off(device: str) -> bool:
    """True when udev's rules have tagged this port as none of ModemManager's."""
    try:
        number = Path(device).stat().st_rdev
        record = UDEV_DATA / f"c{os.major(number)}:{os.minor(number)}"
        lines = record.read_text().splitlines()
    except OSError:
        return False
    return bool({"E:ID_MM_DEVICE_IGNORE=1", "E:ID_MM_PORT_IGNORE=1"} & set(lines))


# -- what single boards need ----------------------------------------------------------------------


def _rare_uploaders(ports: Sequence[UsbPort], instances: Sequence[Instance]) -> Iterator[Check]:
    """Their absence is a fault only where such a board is."""
    kinds = {name: kind.silicon() for name, kind in load_kinds().items()}
    here = {i.kind for i in instances if not i.virtual}
    here |= {name for name, board in kinds.items() if matching(board, ports)}
    for tool in RARE_UPLOADERS:
        users = {name: board for name, board in kinds.items() if board.flash.tool == tool}
        purpose = f"flashing {', '.join(users)}"
        try:
            _, path = find_uploader(next(iter(users.values())))
            yield Check(tool, True, f"{tool_version(path)} ({path})", needed_for=purpose)
        except FlashError as error:
            detail = f"{error.message}; only for {purpose} on the desk"
            yield Check(tool, not here & users.keys(), detail, error.hint, purpose)


def _instance(instance: Instance) -> Iterator[Check]:
    if instance.warning:
        yield Check(instance.name, True, instance.warning, "harness boards", PURPOSE, warning=True)
    commands = {words[0] for words in (instance.power_off, instance.power_on) if words}
    for command in sorted(commands):
        where = shutil.which(command)
        yield Check(
            f"{instance.name}: power",
            where is not None,
            where or f"{command} is not on PATH",
            f"apt-get install {command}" if command == "uhubctl" else "correct the command",
            "switching a board's power",
        )
    if bool(instance.power_off) != bool(instance.power_on):
        given = "power_off" if instance.power_off else "power_on"
        detail = f"has {given} only; switching its power needs both"
        yield Check(instance.name, True, detail, f"complete it in {lab_file()}", warning=True)
