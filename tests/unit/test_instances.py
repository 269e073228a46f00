"""`--board NAME` means a kind or one board of the lab."""

from dataclasses import asdict

import pytest

from harness.errors import UsageError
from harness.instances import Instance, from_json, load_instances, resolve

LAB = """\
schema: 1
instances:
  uno-1: {kind: uno, serial_number: U1, power_off: "uhubctl -l 1-2 -p '3' -a off"}
  far: {kind: rpi3, port: ssh://pi@shelf}
  twin: {kind: uno, virtual: true, fault: hang=100}
"""


@pytest.fixture(autouse=True)
def lab(tmp_path, monkeypatch):
    path = tmp_path / "lab.yaml"
    path.write_text(LAB)
    monkeypatch.setenv("HARNESS_BOARDS", str(path))
    return path


def test_a_kind_is_any_board_of_it():
    assert resolve("uno") == Instance(name="", kind="uno")
    assert resolve("uno", virtual=True).board.is_virtual
    assert resolve("uno").board_id == resolve("uno", virtual=True).board_id == ""


def test_an_instance_is_that_board():
    assert resolve("uno-1").board_id == "serial-U1"
    assert resolve("uno-1").power_off == ("uhubctl", "-l", "1-2", "-p", "3", "-a", "off")
    assert resolve("far").board_id == "ssh://pi@shelf"
    assert resolve("twin").board.is_virtual
    assert resolve("twin").board_id == "virtual-twin"


def test_the_twin_of_an_instance_has_nothing_of_its_hardware():
    assert resolve("uno-1", virtual=True) == Instance("uno-1", "uno", virtual=True)
    assert resolve("twin", virtual=True).fault == "hang=100"


def test_an_unknown_name_gets_the_nearest_of_both():
    with pytest.raises(UsageError) as caught:
        resolve("uno1")
    assert "'uno-1'" in caught.value.hint
    assert "mkr1000" in caught.value.hint


def test_without_a_file_there_are_kinds_only(monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_BOARDS", str(tmp_path / "none.yaml"))
    assert load_instances() == {}
    monkeypatch.delenv("HARNESS_BOARDS")
    monkeypatch.chdir(tmp_path)
    assert load_instances() == {}
    (tmp_path / "boards.yaml").write_text(LAB)
    assert set(load_instances()) == {"uno-1", "far", "twin"}


def test_what_was_written_is_read_again():
    for instance in load_instances().values():
        assert from_json(asdict(instance)) == instance
    with pytest.raises(UsageError):
        from_json([])
    with pytest.raises(UsageError):
        from_json({"name": "uno-1", "kind": "uno", "colour": "red"})


@pytest.mark.parametrize(
    ("port", "by_chance"),
    [
        ("/dev/ttyACM0", True),
        ("ttyUSB12", True),
        ("/dev/serial/by-id/x", False),
        ("/dev/ttyS0", False),
    ],
)
def test_a_bare_device_name_tells_a_board_by_chance(port, by_chance):
    assert bool(Instance("a", "due", port=port).warning) == by_chance
    assert not Instance("a", "due", port=port, serial_number="S").warning
