"""Boards are told apart by what USB says of them, read from a sysfs that the tests build."""

import os
import threading
import time

import pytest

from harness import discovery
from harness.boards import find_kind
from harness.discovery import UsbPort, attached_ports, await_gone, await_port, find
from harness.errors import LabError
from harness.instances import Instance
from harness.link.base import Deadline

UNO = find_kind("uno").silicon()
MKR = find_kind("mkr1000").silicon()
CH340 = "1a86:7523"
LONG_S, SOON_S = 20.0, 0.2


def mkr(**told):
    return Instance(name="mkr1000-1", kind="mkr1000", **told)


def test_ports_of_usb_are_read_and_others_left_out(tree):
    assert attached_ports() == []
    tree.plug("1-2.3", "2341:804e", serial="A1B2", product="Arduino MKR1000")
    tree.plug("1-4", CH340, product="USB Serial", adaptor=True)
    assert attached_ports() == [
        UsbPort(f"{tree.dev}/ttyACM0", 0x2341, 0x804E, "A1B2", "1-2.3", "Arduino MKR1000"),
        UsbPort(f"{tree.dev}/ttyUSB0", 0x1A86, 0x7523, "", "1-4", "USB Serial"),
    ]


def test_without_sysfs_nothing_is_attached(monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_SYSFS", str(tmp_path / "none"))
    assert attached_ports() == []


def test_a_device_that_leaves_while_it_is_read_is_not_there(tree):
    tree.plug("1-1", "2341:0043", serial="AA01")
    tree.plug("1-2", "2341:0043", serial="AA02")
    (tree.controller / "1-1" / "idProduct").unlink()
    assert [p.serial_number for p in attached_ports()] == ["AA02"]


def test_the_serial_number_finds_a_board_under_any_name_and_anywhere(tree):
    tree.plug("1-1", "2341:804e", serial="FIRST")
    tree.plug("1-2", "2341:804e", serial="SECOND")
    assert find(mkr(serial_number="SECOND")).device.endswith("ttyACM1")
    tree.unplug("1-1")
    tree.unplug("1-2")
    tree.plug("1-3.1", "2341:004e", serial="SECOND")
    tree.plug("1-2", "2341:804e", serial="FIRST")
    found = find(mkr(serial_number="SECOND"))
    assert (found.device, found.hub_path) == (f"{tree.dev}/ttyACM0", "1-3.1")


def test_a_board_that_is_away_is_never_replaced_by_its_neighbour(tree):
    tree.plug("1-1", "2341:804e", serial="OTHER")
    with pytest.raises(LabError, match="no mkr1000-1 is attached.*MINE.*OTHER") as caught:
        find(mkr(serial_number="MINE"))
    assert "--virtual" in caught.value.hint
    with pytest.raises(LabError, match="hub path 1-2"):
        find(mkr(hub_path="1-2"))


def test_the_place_tells_adaptors_without_serial_numbers_apart(tree):
    for place in ("1-2.1", "1-2.2"):
        tree.plug(place, CH340, adaptor=True)
    uno = Instance(name="uno-1", kind="uno", hub_path="1-2.2")
    assert find(uno).device.endswith("ttyUSB1")
    tree.unplug("1-2.1")
    tree.unplug("1-2.2")
    tree.plug("1-2.2", CH340, adaptor=True)
    assert find(uno).device.endswith("ttyUSB0")


def test_a_place_where_another_kind_is_plugged_in_is_refused(tree):
    tree.plug("1-2", "2341:0043", serial="X1", product="Arduino Uno")
    with pytest.raises(LabError, match="1-2 is 2341:0043 .Arduino Uno., no Arduino MKR1000"):
        find(mkr(hub_path="1-2"))


def test_a_kind_is_found_if_it_is_the_only_one(tree):
    with pytest.raises(LabError, match="no Arduino Uno R3 is attached.*2341:0043"):
        find(UNO)
    tree.plug("1-1", "2341:0043", serial="X1")
    assert find(UNO).serial_number == "X1"
    assert find(Instance(name="", kind="uno")).serial_number == "X1"


def test_a_board_in_its_bootloader_is_found_too(tree):
    tree.plug("1-1", "2341:004e", serial="X1")
    assert find(MKR).usb_id in MKR.flash.usb_ids


def test_ambiguity_is_refused_with_all_candidates(tree):
    tree.plug("1-1", "2341:0043", serial="X1")
    tree.plug("1-2.4", "2341:0043", serial="X2")
    tree.plug("1-3", "2341:804e", serial="X3")
    with pytest.raises(LabError) as caught:
        find(UNO)
    assert caught.value.exit_code == 3
    for word in ("2 boards", "ttyACM0", "ttyACM1", "X1", "X2", "1-1", "1-2.4"):
        assert word in caught.value.message
    assert "X3" not in caught.value.message
    assert "--scan" in caught.value.hint


def test_a_serial_number_on_two_boards_is_refused_unless_the_place_tells(tree):
    tree.plug("1-1", "2341:0043", serial="CLONE1")
    tree.plug("1-2", "2341:0043", serial="CLONE1")
    clone = Instance(name="uno-1", kind="uno", serial_number="CLONE1")
    with pytest.raises(LabError, match="2 boards could be the uno-1.*CLONE1.*1-1.*1-2"):
        find(clone)
    placed = Instance(name="uno-1", kind="uno", serial_number="CLONE1", hub_path="1-2")
    assert find(placed).hub_path == "1-2"


@pytest.mark.parametrize("number", ["0", "00000000", ""])
def test_a_number_of_one_digit_is_no_serial_number(tree, number):
    tree.plug("1-1", CH340, serial=number, adaptor=True)
    (port,) = attached_ports()
    assert port.serial_number == ""
    assert port.board_id == "hub-1-1"


def test_ports_of_one_device_are_told_apart_by_interface(tree):
    tree.plug("1-2", "0403:6011", serial="FT4X", interfaces=(0, 1, 2), adaptor=True)
    ports = attached_ports()
    assert [p.hub_path for p in ports] == ["1-2:1.0", "1-2:1.1", "1-2:1.2"]
    assert len({p.board_id for p in ports}) == 3
    board = Instance(name="uno-2", kind="uno", serial_number="FT4X", hub_path="1-2:1.1")
    assert find(board).device.endswith("ttyUSB1")
    with pytest.raises(LabError, match="3 boards"):
        find(Instance(name="uno-2", kind="uno", serial_number="FT4X"))


def test_a_port_that_usb_does_not_know_is_taken_by_its_name(tree, tmp_path):
    uart = tmp_path / "ttyS0"
    named = Instance(name="due-1", kind="due", port=str(uart))
    with pytest.raises(LabError, match="looked for .*ttyS0"):
        find(named)
    uart.write_text("")
    assert find(named) == UsbPort(str(uart))
    far = Instance(name="pi", kind="rpi3", port="ssh://pi@shelf")
    assert find(far).device == "ssh://pi@shelf"


def test_a_link_to_a_port_is_that_port(tree, tmp_path):
    name = tree.plug("1-1", "2341:0043", serial="X1")
    link = tmp_path / "by-id"
    link.symlink_to(tree.dev / name)
    assert discovery.port_at(str(link)).serial_number == "X1"
    assert discovery.port_at("/dev/null") is None


def test_a_described_board_is_known_at_whatever_port(tree, tmp_path):
    """So that results carry its name and its power switch is found, also with --port."""
    name = tree.plug("1-1", "2341:0043", serial="X1")
    entries = (
        "any: {kind: uno}",
        "uno-1: {kind: uno, hub_path: 1-1}",
        "pi: {kind: rpi3, port: ssh://p}",
    )
    lines = "".join(f"  {entry}\n" for entry in entries)
    (tmp_path / "lab.yaml").write_text(f"schema: 1\ninstances:\n{lines}")
    assert discovery.instance_at(str(tree.dev / name)).name == "uno-1"
    assert discovery.instance_at("ssh://p").name == "pi"
    assert discovery.instance_at("/dev/null") is None
    tree.unplug("1-1")
    tree.plug("1-2", "2341:0043", serial="X1")
    assert discovery.instance_at(str(tree.dev / name)) is None


# -- waiting for a board that re-enumerates -------------------------------------------------------


def later(seconds, *steps):
    def run():
        for step in steps:
            time.sleep(seconds)
            step()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_the_bootloader_is_awaited_under_its_new_name(tree):
    tree.plug("1-2", "2341:804e", serial="MINE")
    tree.plug("1-3", "2341:804e", serial="NEIGHBOUR")
    was = find(mkr(serial_number="MINE"))
    thread = later(
        0.1,
        lambda: tree.unplug("1-2"),
        # Another board takes the name that is free now, in its bootloader, before ours is back.
        lambda: tree.plug("1-5", "2341:004e", serial="THIRD"),
        lambda: tree.plug("1-2", "2341:004e", serial="MINE"),
    )
    at = await_port(was, MKR.flash.usb_ids, Deadline.after(LONG_S))
    thread.join()
    assert (at.serial_number, at.usb_id) == ("MINE", "2341:004e")
    assert at.device.endswith("ttyACM2")


@pytest.mark.parametrize("serial", [None, "BOOT-1"], ids=["no number", "another number"])
def test_a_bootloader_with_no_number_or_its_own_is_known_by_its_place(tree, serial):
    tree.plug("1-2", "2341:804e", serial="MINE")
    was = find(MKR)
    tree.unplug("1-2")
    tree.plug("1-3", "2341:004e", serial=serial)
    with pytest.raises(LabError, match="did not come back as 2341:004e.*nothing is there"):
        await_port(was, ("2341:004e",), Deadline.after(SOON_S))
    tree.plug("1-2", "2341:004e", serial=serial)
    assert await_port(was, ("2341:004e",), Deadline.after(LONG_S)).hub_path == "1-2"


def test_of_two_boards_with_one_number_the_right_one_is_awaited(tree):
    for place in ("1-1", "1-2"):
        tree.plug(place, "2341:804e", serial="CLONE1")
    was = next(p for p in attached_ports() if p.hub_path == "1-1")
    tree.unplug("1-1")
    with pytest.raises(LabError, match="1-1.*did not come back"):
        await_port(was, (), Deadline.after(SOON_S))


def test_a_board_that_stays_in_its_program_is_said_to(tree):
    tree.plug("1-2", "2341:804e", serial="MINE")
    with pytest.raises(LabError, match="did not come back as 2341:004e.*there is .*2341:804e"):
        await_port(find(MKR), ("2341:004e",), Deadline.after(SOON_S))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_port_counts_once_it_may_be_opened(tree):
    name = tree.plug("1-2", "2341:804e", serial="MINE")
    was = find(MKR)
    (tree.dev / name).chmod(0)
    with pytest.raises(LabError, match="may not be opened"):
        await_port(was, (), Deadline.after(SOON_S))
    thread = later(0.1, lambda: (tree.dev / name).chmod(0o660))
    assert await_port(was, (), Deadline.after(LONG_S)) == was
    thread.join()


def test_a_port_without_a_node_is_not_back_yet(tree):
    name = tree.plug("1-2", "2341:804e", serial="MINE")
    was = find(MKR)
    (tree.dev / name).unlink()
    with pytest.raises(LabError, match="may not be opened"):
        await_port(was, (), Deadline.after(SOON_S))


def test_leaving_is_noticed(tree):
    tree.plug("1-2", "2341:804e", serial="MINE")
    was = find(MKR)
    assert not await_gone(was, Deadline.after(SOON_S))
    tree.unplug("1-2")
    tree.plug("1-2", "2341:004e", serial="MINE")  # the same name, another device
    assert await_gone(was, Deadline.after(SOON_S))


def test_a_port_of_no_usb_is_awaited_by_its_name(tree, tmp_path):
    pty = tmp_path / "ttyACM-mkr1000"
    with pytest.raises(LabError, match="did not come back"):
        await_port(UsbPort(str(pty)), MKR.flash.usb_ids, Deadline.after(SOON_S))
    pty.write_text("")
    assert await_port(UsbPort(str(pty)), MKR.flash.usb_ids, Deadline.after(SOON_S)).device
