"""`harness boards` as people see it: kinds, the lab's boards, what is attached, who has it."""

import json

import pytest
from click.testing import CliRunner

from harness.boards import lab_file
from harness.cli import cli
from harness.discovery import find
from harness.instances import load_instances
from harness.lab import lock_name
from harness.locks import board_lock

LAB = """\
schema: 1
instances:
  uno-1: {kind: uno, serial_number: U1, notes: by the window}
  uno-2: {kind: uno, hub_path: 1-2.2}
  mkr1000-1: {kind: mkr1000, serial_number: M1, power_off: "switch 3 off", power_on: "switch 3 on"}
  mkr1000-2: {kind: mkr1000, serial_number: M2}
  due-1: {kind: due, port: /dev/ttyACM0}
  twin: {kind: uno, virtual: true, fault: hang=100}
"""


@pytest.fixture(autouse=True)
def own_locks_and_state(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.setenv("HARNESS_STATE_DIR", str(tmp_path / "state"))


def harness(*words):
    return CliRunner().invoke(cli, words, catch_exceptions=False)


def listed():
    found = json.loads(harness("boards", "--json").stdout)
    return found | {"boards": {row["board"]: row for row in found["boards"]}}


def test_boards_are_listed_with_where_they_are(tree):
    lab_file().write_text(LAB)
    tree.plug("1-1", "2341:0043", serial="U1")
    tree.plug("1-2.1", "2341:004e", serial="M1")
    tree.plug("1-3", "ffff:0001", serial="X", product="a lamp")
    found = listed()
    boards = found["boards"]
    assert boards["uno-1"]["attached"] == f"{tree.dev}/ttyACM0"
    assert boards["uno-1"]["notes"] == "by the window"
    assert boards["uno-2"]["attached"] is None
    assert boards["mkr1000-1"]["runs"] == "bootloader"
    assert boards["mkr1000-1"]["power"] == "switched"
    assert boards["twin"]["told by"] == "virtual"
    (other,) = found["undescribed"]
    assert (other["product"], other["could be"]) == ("a lamp", None)
    kinds = {row["kind"]: row["attached"] for row in found["kinds"]}
    assert kinds["uno"] == f"{tree.dev}/ttyACM0"
    assert kinds["due"] is None


def test_who_has_a_board_is_listed(tree):
    lab_file().write_text(LAB)
    tree.plug("1-1", "2341:0043", serial="U1")
    instance = load_instances()["uno-1"]
    port = find(instance)
    with board_lock(lock_name(instance.board, port.device, port), wait_s=1):
        assert "process" in listed()["boards"]["uno-1"]["held by"]
    assert listed()["boards"]["uno-1"]["held by"] is None


def test_a_name_that_changes_is_warned_of(tree):
    lab_file().write_text(LAB)
    said = harness("boards")
    assert "due-1 is told by /dev/ttyACM0" in said.stderr
    assert "uno-1 is told by" not in said.stderr
    assert "by the window" in said.stdout


def test_a_scan_says_what_it_wrote_and_what_it_did_not(tree):
    tree.plug("1-1", "2341:0043", serial="U7")
    tree.plug("1-2", "1a86:7523", adaptor=True)
    said = harness("boards", "--scan").stdout
    assert f"{lab_file()}: added uno-1, a uno, by its serial number U7" in said
    assert "could be uno or mega2560" in said
    assert 'hub_path: "1-2"' in said
    assert "has uno-1 already" in harness("boards", "--scan").stdout
    # What is suggested can be pasted.
    lines = said[said.index("  uno-2:") : said.index("  or:")]
    lab_file().write_text(lab_file().read_text() + lines)
    assert load_instances()["uno-2"].hub_path == "1-2"
    again = json.loads(harness("boards", "--scan", "--json").stdout)
    assert again["undecided"] == [] and again["added"] == []
    assert again["known"] == ["uno-1", "uno-2"]


def test_without_boards_a_scan_says_so_and_writes_nothing(tree):
    assert "no board is attached" in harness("boards", "--scan").stdout
    assert not lab_file().exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("uno-1: {kind: unno}", "unknown board 'unno'"),
        ("uno-1: {kind: uno, serial: U1}", "unknown key 'serial'"),
        ("uno-1: {kind: uno, serial_number: 123}", "must be text; put it in quotes"),
        ("uno-1: {kind: uno, power_off: [uhubctl, -a, off]}", "must be a command"),
        ('uno-1: {kind: uno, power_off: "it\'s"}', "No closing quotation"),
        ("uno-1: {kind: uno, hub_path: usb1}", "no place on USB"),
        ("uno-1: {kind: uno, virtual: true, hub_path: 1-1}", "a virtual board has no place"),
        ("uno-1: {serial_number: U1}", "missing kind"),
        ("uno-1: {kind: uno, virtual: 1}", "must be true or false"),
        ("uno: {kind: uno}", "'uno' is a kind"),
        ("Uno 1: {kind: uno}", "no name for a board"),
        ("uno-1: [kind]", "must be a mapping"),
        ("a: {kind: uno, serial_number: S}\n  b: {kind: uno, serial_number: S}", "b is the same"),
    ],
)
def test_a_mistake_in_the_labs_file_is_named(tree, text, message):
    lab_file().write_text(f"schema: 1\ninstances:\n  {text}\n")
    said = CliRunner().invoke(cli, ["boards"])
    assert message in str(said.exception)
    assert said.exception.exit_code == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("instance: {}", "unknown key 'instance'"),
        ("boards: [uno]", "boards: must be a mapping"),
        ("boards: {uno: {}}", "uno: missing"),
    ],
)
def test_a_mistake_at_the_top_is_named(tree, text, message):
    lab_file().write_text(f"schema: 1\n{text}\n")
    assert message in str(CliRunner().invoke(cli, ["boards"]).exception)


def test_a_shipped_kind_stays_what_it_is(tree):
    from harness import paths

    lab_file().write_text(paths.shipped("boards.yaml").read_text().replace("2_048", "4_096"))
    assert "is shipped with the harness" in str(CliRunner().invoke(cli, ["boards"]).exception)


@pytest.mark.parametrize(
    ("board", "words"),
    [
        ("mkr1000-2", ("no mkr1000-2 is attached", "serial number M2", "ttyACM1")),
        ("uno", ("2 boards could be the Arduino Uno R3", "U1", "U3", "ttyACM0", "ttyACM1")),
        ("uno-2", ("no uno-2 is attached", "hub path 1-2.2")),
    ],
)
def test_a_run_without_its_board_is_refused_at_once(tree, tmp_path, board, words):
    lab_file().write_text(LAB)
    tree.plug("1-1", "2341:0043", serial="U1")
    tree.plug("1-3", "2341:0043", serial="U3")
    out = tmp_path / "out"
    said = CliRunner().invoke(cli, ["run", "--board", board, "--out", str(out)]).exception
    assert said.exit_code == 3
    for word in words:
        assert word in said.message
    assert not out.exists()
