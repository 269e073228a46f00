"""`harness doctor` about boards: rights, ModemManager, the lab's file, power, udev rules."""

import os
import pty
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.boards import lab_file
from harness.cli import cli
from harness.discovery import attached_ports
from harness.doctor import boards, storage
from harness.doctor.udev import rules
from tests.usb_tree import UsbTree


@pytest.fixture
def tree(tmp_path, monkeypatch):
    built = UsbTree(tmp_path / "usb")
    for name, value in built.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HARNESS_BOARDS", str(tmp_path / "lab.yaml"))
    monkeypatch.setattr(boards, "PROC", tmp_path / "proc")
    monkeypatch.setattr(boards, "UDEV_DATA", tmp_path / "udev")
    return built


@pytest.fixture
def terminal():
    """A character device, as a port is one."""
    master, slave = pty.openpty()
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


def found():
    return {check.name: check for check in boards.checks()}


def describe(*entries):
    lab_file().write_text("schema: 1\ninstances:\n" + "".join(f"  {e}\n" for e in entries))


# -- rights ----------------------------------------------------------------------


def test_each_port_is_named_with_its_owner_group_and_mode(tree):
    name = tree.plug("1-1", "2341:0043", serial="U1")
    tree.plug("1-2", "2341:0043", serial="U2", product="Arduino Uno")
    tree.plug("1-3", "ffff:0001", product="a lamp")
    describe("uno-1: {kind: uno, serial_number: U1}")
    (tree.dev / name).chmod(0o640)
    check = found()[f"port {tree.dev}/{name}"]
    assert check.ok
    assert check.detail.startswith("uno-1: ")
    assert check.detail.endswith("-rw-r-----")
    assert "2341:0043 Arduino Uno" in found()[f"port {tree.dev}/ttyACM1"].detail
    assert f"port {tree.dev}/ttyACM2" not in found()  # no board


def test_a_port_that_may_not_be_opened_is_a_fault_with_what_to_type(tree, monkeypatch):
    name = tree.plug("1-1", "2341:0043", serial="U1")
    monkeypatch.setattr(boards, "may_open", lambda device: False)  # we may be root
    node = tree.dev / name
    node.chmod(0o600)
    check = found()[f"port {node}"]
    assert not check.ok
    assert "--udev" in check.fix


def status(mode, group):
    """What stat says of a device with this mode and group, which only root could make."""
    return os.stat_result((mode, 0, 0, 1, 0, group, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "member", "words"),
    [
        (0o20660, False, "sudo usermod -aG operators $USER"),
        (0o20660, True, "log in again, or: newgrp operators"),
        (0o20600, True, "--udev"),
    ],
)
def test_the_advice_fits_the_group_and_the_mode(monkeypatch, mode, member, words):
    monkeypatch.setattr(boards, "_group_name", lambda number: {4711: "operators"}.get(number, "us"))
    monkeypatch.setattr(boards, "_is_member", lambda group: member)
    assert words in boards._how_to_open(status(mode, 4711))


def test_a_port_of_root_s_group_is_given_away_by_rules_not_by_joining_root():
    assert "--udev" in boards._how_to_open(status(0o20660, 0))


def test_a_described_port_of_no_usb_is_looked_at_too(tree, terminal):
    describe(f"due-1: {{kind: due, port: {terminal}}}")
    assert found()[f"port {terminal}"].detail.startswith("due-1: ")


# -- ModemManager ----------------------------------------------------------------------


def run_modem_manager():
    (boards.PROC / "812").mkdir(parents=True)
    (boards.PROC / "812" / "comm").write_text("ModemManager\n")
    (boards.PROC / "self").mkdir()


def test_no_modem_manager_is_well(tree):
    tree.plug("1-1", "2341:0043", serial="U1")
    assert found()["ModemManager"].detail == "does not run"


def test_modem_manager_is_warned_of_unless_udev_told_it_off(tree, terminal):
    tree.plug("1-1", "2341:804e", serial="M1", leads_to=terminal)
    run_modem_manager()
    check = found()["ModemManager"]
    assert check.state == "warning"
    assert f"{tree.dev}/ttyACM0" in check.detail
    assert "--udev" in check.fix
    number = Path(terminal).stat().st_rdev
    boards.UDEV_DATA.mkdir()
    record = boards.UDEV_DATA / f"c{os.major(number)}:{os.minor(number)}"
    record.write_text("I:123\nE:ID_MM_DEVICE_IGNORE=1\nG:uaccess\n")
    assert found()["ModemManager"].state == "ok"
    record.write_text("I:123\nE:ID_MM_CANDIDATE=1\n")
    assert found()["ModemManager"].state == "warning"


def test_modem_manager_without_boards_is_a_warning(tree):
    run_modem_manager()
    check = found()["ModemManager"]
    assert (check.ok, check.state) == (True, "warning")


# -- what boards need ----------------------------------------------------------------------


def test_an_uploader_of_one_board_is_missed_only_where_that_board_is(tree, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path))
    assert found()["openocd"].ok
    tree.plug("1-1", "0483:374b", serial="ST1")
    check = found()["openocd"]
    assert not check.ok
    assert "apt-get install openocd" in check.fix
    assert found()["bossac-nrf52"].ok
    describe("nano-1: {kind: nano33ble, serial_number: N1}")  # not attached, but it will be
    assert not found()["bossac-nrf52"].ok


def test_a_power_switch_must_be_there_and_complete(tree, monkeypatch, tmp_path):
    switch = tmp_path / "switch"
    switch.write_text("#!/bin/sh\n")
    switch.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    describe(
        "a: {kind: uno, serial_number: A, power_off: uhubctl -a 0, power_on: uhubctl -a 1}",
        "b: {kind: uno, serial_number: B, power_off: switch 3 off, power_on: switch 3 on}",
        "c: {kind: uno, serial_number: C, power_off: switch 4 off}",
    )
    checks = found()
    assert (checks["a: power"].ok, checks["a: power"].fix) == (False, "apt-get install uhubctl")
    assert checks["b: power"].ok
    assert checks["c"].state == "warning"
    assert "needs both" in checks["c"].detail


def test_a_bare_device_name_is_a_warning(tree):
    describe(
        "due-1: {kind: due, port: /dev/ttyACM9}", "due-2: {kind: due, port: /dev/serial/by-id/x}"
    )
    checks = found()
    assert checks["due-1"].state == "warning"
    assert "due-2" not in checks


def test_a_mistake_in_the_labs_file_is_a_fault_and_nothing_else_is_lost(tree):
    describe("uno-1: {kind: unno}")
    checks = found()
    assert not checks["lab's boards"].ok
    assert "unno" in checks["lab's boards"].detail
    assert "ModemManager" in checks


def test_a_file_that_is_named_but_not_there_is_a_warning(tree):
    assert found()["lab's boards"].state == "warning"
    describe("uno-1: {kind: uno, serial_number: U1}")
    assert "uno-1" in found()["lab's boards"].detail


# -- room ----------------------------------------------------------------------


def test_the_cache_is_weighed_and_its_stale_part_told(cache, monkeypatch):
    (cache / "models").mkdir(parents=True, exist_ok=True)
    for name, days in (("old", 40), ("new", 1)):
        path = cache / "models" / name
        path.write_bytes(bytes(30_000_000))
        then = path.stat().st_mtime - days * 86_400
        os.utime(path, (then, then))
    (cache / "models" / "link").symlink_to("/dev/zero")
    check = storage._stale(cache)
    assert (check.detail, check.state) == (
        "0.06 GB, of which 0.03 GB unused for 30 days",
        "ok",
    )
    monkeypatch.setattr(storage, "MAX_STALE_BYTES", 1 << 20)
    check = storage._stale(cache)
    assert check.state == "warning"
    assert os.system(check.fix) == 0  # the advice does what it says
    assert sorted(p.name for p in (cache / "models").iterdir()) == ["link", "new"]


# -- udev rules ----------------------------------------------------------------------


def run_rules(text, tree, tty):
    """What udev would set for a tty: keys of one line's ATTRS and KERNELS must hold for one device.

    A reader of the few words that we use; a word that it does not know fails.
    """
    result = {"links": [], "env": {}, "assigned": {}}
    real = (tree.classes / tty).resolve()
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        tokens = re.findall(r'([A-Z]+)(?:\{(\w+)\})?(==|\+=|=)"([^"]*)"(?:, |$)', line)
        assert "".join(f'{k}{{{a}}}{o}"{v}"' if a else f'{k}{o}"{v}"' for k, a, o, v in tokens) == (
            line.replace('", ', '"')
        ), line
        if not _matches(tokens, real, tty):
            continue
        for key, attribute, _, value in (t for t in tokens if t[2] != "=="):
            if key == "SYMLINK":
                result["links"].append(value)
            elif key == "ENV":
                result["env"][attribute] = value
            else:
                assert key in ("MODE", "GROUP", "TAG"), key
                result["assigned"][key] = value
    return result


def _matches(tokens, real, tty):
    asked = [t for t in tokens if t[2] == "=="]
    if any(k == "SUBSYSTEM" and "tty" not in v.split("|") for k, _, _, v in asked):
        return False
    chain = [real, *real.parents]

    def holds(folder, key, attribute, value):
        if key == "KERNELS":
            return folder.name == value
        path = folder / attribute
        return path.is_file() and _fits(value, path.read_text().strip())

    parents = [(k, a, v) for k, a, _, v in asked if k in ("ATTRS", "KERNELS")]
    return any(all(holds(folder, *t) for t in parents) for folder in chain)


def _fits(pattern, text):
    return re.fullmatch("".join("." if c == "?" else re.escape(c) for c in pattern), text)


def test_rules_give_rights_and_names_and_tell_modem_manager_off(tree):
    tree.plug("1-1", "2341:0043", serial="U1")
    tree.plug("1-2.1", "1a86:7523", adaptor=True)
    tree.plug("1-2.2", "1a86:7523", adaptor=True)
    tree.plug("1-3", "ffff:0001", serial="U1")
    describe(
        "uno-1: {kind: uno, serial_number: U1, hub_path: 1-1}",
        "uno-2: {kind: uno, hub_path: 1-2.2}",
        "twin: {kind: uno, virtual: true}",
    )
    text = rules()
    of = {port.hub_path: run_rules(text, tree, Path(port.device).name) for port in attached_ports()}
    for place in ("1-1", "1-2.1", "1-2.2"):
        assert of[place]["env"] == {"ID_MM_DEVICE_IGNORE": "1", "ID_MM_PORT_IGNORE": "1"}
        assert of[place]["assigned"] == {"MODE": "0660", "GROUP": "dialout", "TAG": "uaccess"}
    assert of["1-3"] == {"links": [], "env": {}, "assigned": {}}
    assert of["1-1"]["links"] == ["harness/uno-1"]
    assert of["1-2.1"]["links"] == []
    assert of["1-2.2"]["links"] == ["harness/uno-2"]
    assert "twin" not in text


def test_rules_hold_for_a_bootloader_and_for_one_port_of_several(tree):
    describe(
        "mkr: {kind: mkr1000, serial_number: M1}",
        "b: {kind: uno, serial_number: FT, hub_path: '1-4:1.1'}",
    )
    tree.plug("1-1", "2341:004e", serial="M1")
    tree.plug("1-4", "0403:6011", serial="FT", interfaces=(0, 1), adaptor=True)
    text = rules()
    assert run_rules(text, tree, "ttyACM0")["links"] == ["harness/mkr"]
    assert run_rules(text, tree, "ttyUSB0")["links"] == []
    assert run_rules(text, tree, "ttyUSB1")["links"] == ["harness/b"]


@pytest.mark.parametrize("serial", ['a"b', "a*b", "a[1]b|c"])
def test_a_strange_serial_number_makes_no_strange_rule(tree, serial):
    tree.plug("1-1", "2341:0043", serial=serial)
    tree.plug("1-2", "2341:0043", serial="other")
    assert CliRunner().invoke(cli, ["boards", "--scan"], catch_exceptions=False).exit_code == 0
    text = rules()
    assert run_rules(text, tree, "ttyACM0")["links"] == ["harness/uno-1"]
    assert run_rules(text, tree, "ttyACM1")["links"] == ["harness/uno-2"]


def test_the_command_prints_rules_and_nothing_else(tree):
    said = CliRunner().invoke(cli, ["doctor", "--udev"], catch_exceptions=False)
    assert said.stdout == rules()
    assert said.exit_code == 0
