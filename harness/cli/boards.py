"""`harness boards`: kinds, the boards of the lab, and describing those that are attached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import click

from harness import health, scan
from harness.boards import lab_file, load_kinds
from harness.cli.tables import echo_json, echo_table
from harness.discovery import UsbPort, attached_ports, matching
from harness.instances import Instance, load_instances
from harness.lab import lock_name
from harness.locks import holder_of
from harness.paths import state_dir

Row = dict[str, Any]


@click.command("boards")
@click.option("--scan", "add", is_flag=True, help="Describe what is attached in the lab's file.")
@click.option("--prove", metavar="NAME", help="Put a board to the proof; ends its quarantine.")
@click.option("--json", "as_json", is_flag=True)
def boards_command(add: bool, prove: str | None, as_json: bool) -> None:
    """Kinds of boards, the lab's own boards, what is attached, and who has it.

    The lab's boards are described in $HARNESS_BOARDS, else ./boards.yaml. --scan adds those that
    are attached and of one certain kind; comments and hand edits stay as they are.

    \b
    Example:
      harness boards --scan
    """
    if prove:
        _prove(prove, as_json)
        return
    if add:
        _scan(as_json)
        return
    ports, instances = attached_ports(), load_instances()
    boards = [_board_row(instance, ports) for instance in instances.values()]
    others = [_port_row(port) for port in _undescribed(ports, instances.values())]
    if as_json:
        echo_json({"kinds": _kind_rows(ports), "boards": boards, "undescribed": others})
        return
    _table("kinds", _kind_rows(ports))
    _table(f"boards of {lab_file()}", boards)
    _table("attached, not described (harness boards --scan)", others)
    for instance in instances.values():
        if instance.warning:
            click.echo(f"warning: {instance.name} is {instance.warning}", err=True)


# -- the list -------------------------------------------------------------------------------------


def _kind_rows(ports: Sequence[UsbPort]) -> list[Row]:
    rows = []
    for name, kind in load_kinds().items():
        board = kind.silicon()
        rows.append(
            {
                "kind": name,
                "title": board.title,
                "mcu": board.mcu,
                "core": board.core,
                "clock_hz": board.clock_hz,
                "flash_bytes": board.flash_bytes,
                "ram_bytes": board.ram_bytes,
                "uploader": board.flash.tool,
                "virtual": kind.has_virtual_twin,
                "attached": ", ".join(p.device for p in matching(board, ports)) or None,
            }
        )
    return rows


def _board_row(instance: Instance, ports: Sequence[UsbPort]) -> Row:
    found = [] if instance.virtual else matching(instance, ports)
    port = found[0] if len(found) == 1 else None
    quarantine = health.quarantined(instance.board_id)
    return {
        "board": instance.name,
        "kind": instance.kind,
        "told by": "virtual" if instance.virtual else instance.told_by or "its kind",
        "attached": _attached(instance, found),
        "runs": _runs(instance, port),
        "held by": _holder(instance, port),
        "quarantine": f"since {quarantine.since}: {quarantine.why}" if quarantine else None,
        "power": "switched" if instance.power_off and instance.power_on else None,
        "notes": instance.notes or None,
    }


def _attached(instance: Instance, found: Sequence[UsbPort]) -> str | None:
    if instance.virtual:
        return "when used"
    if len(found) > 1:
        return f"ambiguous: {', '.join(p.device for p in found)}"
    return found[0].device if found else None


def _runs(instance: Instance, port: UsbPort | None) -> str | None:
    """Whether it runs a program or its bootloader, where USB tells."""
    if port is None or not port.hub_path:
        return None
    if port.usb_id in instance.board.flash.usb_ids:
        return "bootloader"
    return "program" if instance.board.flash.usb_ids else None


def _holder(instance: Instance, port: UsbPort | None) -> str | None:
    device = port.device if port else instance.port
    name = lock_name(instance.board, device, port) if device else instance.board_id
    holder = holder_of(name) if name else None
    return str(holder) if holder else None


def _undescribed(ports: Sequence[UsbPort], instances: Iterable[Instance]) -> list[UsbPort]:
    told = [i for i in instances if i.is_told_apart]
    return [p for p in ports if not any(p in matching(i, ports) for i in told)]


def _port_row(port: UsbPort) -> Row:
    kinds = [n for n, k in load_kinds().items() if port.usb_id in k.silicon().usb_ids]
    return {
        "port": port.device,
        "usb id": port.usb_id,
        "serial number": port.serial_number or None,
        "hub path": port.hub_path,
        "product": port.product or None,
        "could be": " or ".join(kinds) or None,
    }


def _table(title: str, rows: Sequence[Row]) -> None:
    if rows:
        echo_table(title, tuple(rows[0]), [tuple(row.values()) for row in rows])


# -- the proof ------------------------------------------------------------------------------------


def _prove(name: str, as_json: bool) -> None:
    from harness.prove import instance_called, prove

    instance = instance_called(name)
    proof = prove(
        instance,
        state_dir("proofs", instance.name or name),
        tell=lambda what, how: click.echo(f"{what:<6} {how}", err=as_json),
    )
    if as_json:
        echo_json(asdict(proof))
    else:
        click.echo(f"{name} has proved itself and may be used")


# -- the scan -------------------------------------------------------------------------------------


def _scan(as_json: bool) -> None:
    found, path = scan.scan(), lab_file()
    scan.write(path, found.new)
    if as_json:
        echo_json(
            {
                "file": str(path),
                "added": [
                    {"board": i.name, "kind": i.kind, "told by": i.told_by} for i in found.new
                ],
                "known": [i.name for i in found.known],
                "undecided": [_port_row(d.port) | {"why": d.why} for d in found.doubts],
            }
        )
        return
    for instance in found.new:
        click.echo(f"{path}: added {instance.name}, a {instance.kind}, by its {instance.told_by}")
    for instance in found.known:
        click.echo(f"{path}: has {instance.name} already")
    for doubt in found.doubts:
        _say(doubt)
    if not (found.new or found.known or found.doubts):
        click.echo("no board is attached; every kind with a twin runs with --virtual")


def _say(doubt: scan.Doubt) -> None:
    """What was not written, and the lines to write if one knows better."""
    click.echo(f"not added: {doubt.port}: {doubt.why}")
    for number, instance in enumerate(doubt.could_be):
        click.echo("  or:" if number else "  add one of these by hand:")
        for line in scan.entry(instance):
            click.echo(f"  {line}")
