"""`harness boards --scan`: new boards are added to a file of people, whose text stays as it was."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import scan
from harness.boards import lab_file
from harness.errors import UsageError
from harness.instances import Instance, load_instances
from harness.yamlfile import parse_yaml

EDITED = """\
# our bench, third shelf
schema: 1

boards:      # none of our own
  {}

instances:   # see the wiki
    # the one with the red dot
    uno-1: {kind: uno, serial_number: "7533\\u0030", notes: 'keep   the spacing'}   # flow
    mkr1000-2:
        serial_number: "M2"     # hand-written, in its own order
        kind: mkr1000
        power_off: "uhubctl -l 1-2 -p 3 -a off"
        # trailing words about mkr1000-2

# the end
"""


def scan_and_write():
    found = scan.scan()
    scan.write(lab_file(), found.new)
    return found


def without(text, inserted):
    """`text` less the lines of new entries, for a comparison byte for byte."""
    assert text.count(inserted) == 1
    return text.replace(inserted, "")


def test_a_first_scan_describes_what_is_certain(tree):
    tree.plug("1-1", "2341:804e", serial="M1")
    tree.plug("1-2.1", "2341:804e", serial="M2")
    tree.plug("1-2.2", "2341:0043", serial="U1")
    scan_and_write()
    assert load_instances() == {
        i.name: i
        for i in (
            Instance("mkr1000-1", "mkr1000", serial_number="M1"),
            Instance("mkr1000-2", "mkr1000", serial_number="M2"),
            Instance("uno-1", "uno", serial_number="U1"),
        )
    }


def test_a_second_scan_changes_nothing(tree):
    tree.plug("1-1", "2341:804e", serial="M1")
    scan_and_write()
    before = lab_file().read_bytes(), lab_file().stat().st_ino
    found = scan_and_write()
    assert (lab_file().read_bytes(), lab_file().stat().st_ino) == before
    assert [i.name for i in found.known] == ["mkr1000-1"]
    tree.unplug("1-1")
    tree.plug("1-4", "2341:004e", serial="M1")  # elsewhere, in its bootloader: known all the same
    assert scan_and_write().new == ()


def test_nothing_new_makes_no_file(tree):
    scan_and_write()
    assert not lab_file().exists()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_hand_edits_and_comments_stay_byte_for_byte(tree, newline):
    text = EDITED.replace("\n", newline)
    lab_file().write_bytes(text.encode())
    tree.plug("1-1", "2341:804e", serial="M2")
    tree.plug("1-2", "2341:804e", serial="M3")
    found = scan_and_write()
    assert [i.name for i in found.known] == ["mkr1000-2"]
    added = [
        "    mkr1000-1:",
        "        kind: mkr1000",
        '        serial_number: "M3"',
        "",
    ]
    assert without(lab_file().read_bytes().decode(), newline.join(added)) == text
    instances = load_instances()
    assert list(instances) == ["uno-1", "mkr1000-2", "mkr1000-1"]
    assert instances["mkr1000-2"].power_off[-1] == "off"


WRITTEN = {
    "empty section": "schema: 1\ninstances:\n# nothing yet\n",
    "no section": "schema: 1\n# nothing yet",
    "no section, kinds last": "schema: 1\nboards: {}\n",
    "section first": "instances:\n  uno-9: {kind: uno}\nschema: 1\n",
    "a block of text last": "schema: 1\ninstances:\n  uno-9:\n    kind: uno\n    notes: |\n"
    "      two\n      lines\n\n# end\n",
    "a list last": "schema: 1\ninstances:\n  uno-9:\n    kind: uno\n    power_on:\n"
    "    - switch\n    - 'on'\n# end",
    "one space": "schema: 1\ninstances:\n uno-9:\n  kind: uno\n",
    "an empty map": "schema: 1\ninstances: {}\n",
    "in one line": "schema: 1\ninstances: {uno-9: {kind: uno}}\n",
    "all in one line": "{schema: 1, instances: {uno-9: {kind: uno}}}\n",
    "an end": "schema: 1\ninstances:\n  uno-9: {kind: uno}\n...\n",
    "an end, no section": "schema: 1\n...\n",
}
BY_HAND = {"an empty map", "in one line", "all in one line", "an end, no section"}


@pytest.mark.parametrize("case", WRITTEN)
def test_entries_are_added_or_the_file_is_left_alone(tree, case):
    text = WRITTEN[case]
    lab_file().write_text(text)
    tree.plug("1-1", "2341:804e", serial="M1")
    before = load_instances()
    if case in BY_HAND:
        with pytest.raises(UsageError, match="cannot add") as caught:
            scan_and_write()
        assert 'serial_number: "M1"' in caught.value.hint
        assert lab_file().read_text() == text
        return
    scan_and_write()
    assert load_instances() == before | {
        "mkr1000-1": Instance("mkr1000-1", "mkr1000", serial_number="M1")
    }
    rest = iter(lab_file().read_text().splitlines())
    assert all(line in rest for line in text.splitlines())  # all of them, in their order


def test_copies_that_could_be_two_kinds_are_shown_not_guessed(tree):
    tree.plug("1-3", "1a86:7523", adaptor=True)
    (doubt,) = scan_and_write().doubts
    assert [(i.kind, i.hub_path) for i in doubt.could_be] == [("uno", "1-3"), ("mega2560", "1-3")]
    assert doubt.why == "could be uno or mega2560"
    assert not lab_file().exists()


def test_once_a_person_has_said_what_it_is_it_is_known(tree):
    tree.plug("1-3", "1a86:7523", adaptor=True)
    lab_file().write_text("schema: 1\ninstances:\n  clone: {kind: uno, hub_path: 1-3}\n")
    found = scan_and_write()
    assert (found.new, found.doubts) == ((), ())
    assert [i.name for i in found.known] == ["clone"]


def test_what_no_kind_has_is_shown(tree):
    tree.plug("1-3", "ffff:0001", serial="X9")
    (doubt,) = scan_and_write().doubts
    assert doubt.why == "no kind has its USB id"


def test_a_board_in_its_bootloader_is_not_described(tree):
    tree.plug("1-3", "2341:004e", serial="M1")
    (doubt,) = scan_and_write().doubts
    assert "bootloader" in doubt.why


def test_boards_with_one_number_are_described_by_their_places(tree):
    tree.plug("1-1", "2341:0043", serial="CLONE7")
    tree.plug("1-2", "2341:0043", serial="CLONE7")
    scan_and_write()
    assert [i.hub_path for i in load_instances().values()] == ["1-1", "1-2"]
    assert scan_and_write().doubts == ()


def test_a_second_board_with_a_known_number_is_a_doubt(tree):
    tree.plug("1-1", "2341:0043", serial="CLONE7")
    scan_and_write()
    tree.plug("1-2", "2341:0043", serial="CLONE7")
    found = scan_and_write()
    assert [d.port.hub_path for d in found.doubts] == ["1-1", "1-2"]
    assert all("several boards are uno-1" in d.why for d in found.doubts)


def test_a_kind_of_the_labs_own_is_scanned_for(tree):
    own = """
    schema: 1
    boards:
      tiny:
        title: Tiny
        mcu: X
        core: avr
        clock_hz: 1_000
        flash_bytes: 100
        flash_reserved_bytes: 10
        ram_bytes: 20
        stack_reserve_bytes: 5
        cycle_counter: timer1
        hal: avr
        max_payload_bytes: 16
        build: {platform: p, board: b}
        flash: {tool: avrdude, timeout_s: 1}
        link: {baud: 9600, resets_on_open: true, boot_wait_s: 1.5, usb_ids: ["ffff:0001"]}
    """
    lab_file().write_text(textwrap.dedent(own))
    tree.plug("1-1", "ffff:0001", serial="T1")
    scan_and_write()
    assert load_instances() == {"tiny-1": Instance("tiny-1", "tiny", serial_number="T1")}


def test_the_shipped_file_is_never_written_to(tree, monkeypatch):
    from harness import paths

    shipped = paths.shipped("boards.yaml")
    before = shipped.read_bytes()
    monkeypatch.setenv("HARNESS_BOARDS", str(shipped))
    tree.plug("1-1", "2341:804e", serial="M1")
    with pytest.raises(UsageError, match="comes with the harness"):
        scan_and_write()
    assert shipped.read_bytes() == before


def test_a_link_stays_a_link_and_rights_stay(tree, tmp_path):
    real = tmp_path / "kept" / "bench.yaml"
    real.parent.mkdir()
    real.write_text("schema: 1\n")
    real.chmod(0o664)
    lab_file().symlink_to(real)
    tree.plug("1-1", "2341:804e", serial="M1")
    scan_and_write()
    assert lab_file().is_symlink()
    assert "M1" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o664


@pytest.mark.parametrize("serial", ['a"b', "it's: #no", "12345", "0x10", "null", "ü-7", "{a: b}"])
def test_every_serial_number_is_text_again(tree, serial):
    tree.plug("1-1", "2341:804e", serial=serial)
    scan_and_write()
    assert load_instances()["mkr1000-1"].serial_number == serial


def test_a_file_that_is_not_utf8_is_left_alone(tree):
    text = "schema: 1\ninstances:\n  a: {kind: uno, serial_number: U1}\n".encode("utf-16")
    lab_file().write_bytes(text)
    tree.plug("1-1", "2341:804e", serial="M1")
    with pytest.raises(UsageError, match="UTF-8"):
        scan_and_write()
    assert lab_file().read_bytes() == text


# -- any file of people ---------------------------------------------------------------------------

COMMENTS = st.sampled_from(["", "", "# a: {b: c}", "   # indented", "\t", "#"])
ENTRIES = st.sampled_from(
    [
        ["{i}{n}: {{kind: uno, notes: 'x # y'}}   # flow"],
        ["{i}{n}:", "{i}{i}kind: uno", "{i}{i}# inside", "{i}{i}notes: two words"],
        ["{i}{n}:", "{i}{i}kind: uno", "{i}{i}notes: |", "{i}{i}{i}# no comment", "{i}{i}{i}x: y"],
        ["{i}{n}:", "{i}{i}notes: >-", "{i}{i}{i}folded", "", "{i}{i}{i}on", "{i}{i}kind: uno"],
        ["{i}{n}:", "{i}{i}kind: uno", "{i}{i}power_off: [a,", "{i}{i}{i}b]"],
        ['{i}{n}: {{kind: uno, notes: "over', '{i}{i}two lines"}}'],
        ["{i}? {n}", "{i}: kind: uno"],
    ]
)


@st.composite
def files(draw):
    indent = " " * draw(st.integers(1, 4))
    lines = ["schema: 1", draw(COMMENTS), "instances:" + draw(st.sampled_from(["", "  # ours"]))]
    for number in range(draw(st.integers(0, 4))):
        lines.append(draw(COMMENTS))
        lines += [line.format(i=indent, n=f"b{number}") for line in draw(ENTRIES)]
    lines += draw(st.lists(COMMENTS, max_size=3))
    if draw(st.booleans()):
        lines += ["boards: {}", draw(COMMENTS)]
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return newline.join(lines) + draw(st.sampled_from(["", newline]))


@given(text=files())
def test_what_people_wrote_stays_and_what_was_found_is_added(text):
    try:
        before = parse_yaml(text, "lab")
    except UsageError:
        return  # a tab where YAML takes none: load_instances refuses it
    new = [Instance("new-1", "uno", hub_path="1-2"), Instance("new-2", "uno", serial_number="5")]
    try:
        after = scan.insert(text, new, "lab")
    except UsageError:  # a line's end more would change the text of the last entry's notes
        assert not text.endswith("\n")
        after = scan.insert(text + "\n", new, "lab")
        before = parse_yaml(text + "\n", "lab")
        text += "\n"
    added = {
        "new-1": {"kind": "uno", "hub_path": "1-2"},
        "new-2": {"kind": "uno", "serial_number": "5"},
    }
    assert parse_yaml(after, "lab") == before | {"instances": (before["instances"] or {}) | added}
    at = next(i for i in range(len(text) + 1) if i == len(text) or text[i] != after[i])
    starts = [i for i in range(at + 1) if after.endswith(text[i:]) and after.startswith(text[:i])]
    cut_newline = after.startswith(text) and not text.endswith("\n")
    assert starts or cut_newline  # the old text less nothing, in one or two pieces
