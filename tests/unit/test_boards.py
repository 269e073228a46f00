"""boards.yaml: facts become frozen boards; mistakes are named with what would work."""

import re
import textwrap
from pathlib import Path

import pytest
import yaml

from harness.boards import find_kind, load_kinds
from harness.errors import UsageError
from harness.virtual.build import RECIPES

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {".py", ".c", ".h", ".cpp", ".S", ".ld", ".j2", ".json"}

GOOD = """
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
    link: {baud: 9600, resets_on_open: true, boot_wait_s: 1.5}
    virtual: {emulator: tiny, link: {baud: 115200}}
"""


def write(tmp_path, text):
    path = tmp_path / "boards.yaml"
    path.write_text(textwrap.dedent(text))
    return path


def test_shipped_boards_resolve():
    kinds = load_kinds()
    assert {"uno", "mega2560", "mkr1000", "zero", "feather_m0"} <= set(kinds)
    for kind in kinds.values():
        assert not kind.silicon().is_virtual
        assert kind.silicon().timing_source in ("timer1", "systick", "dwt", "board-clock", "none")
        if kind.has_virtual_twin:
            assert kind.virtual().timing_source in (
                "emulated-cycles",
                "estimated-bracket",
                "none",
            )
            assert kind.virtual().board_kind == "virtual"


def test_an_emulator_that_keeps_no_time_times_nothing():
    rpi3 = find_kind("rpi3")
    assert (rpi3.silicon().timing_source, rpi3.silicon().time_unit) == ("board-clock", "ns")
    assert (rpi3.virtual().timing_source, rpi3.virtual().time_unit) == ("none", "")
    uno = find_kind("uno")
    assert (uno.silicon().time_unit, uno.virtual().time_unit) == ("cycles", "cycles")


def test_a_core_without_exact_timing_gives_a_bracket_on_the_twin_only():
    for name in ("due", "nano33ble", "nucleo_l4r5zi"):
        kind = find_kind(name)
        assert (kind.silicon().timing_source, kind.silicon().time_unit) == ("dwt", "cycles")
        assert kind.virtual().timing_source == "estimated-bracket"
        assert kind.virtual().time_unit == "bracket"


def test_every_twin_has_an_emulator():
    for kind in load_kinds().values():
        assert not kind.has_virtual_twin or kind.virtual().emulator in RECIPES


def test_the_page_on_adding_a_board_shows_the_shipped_entry():
    page = (ROOT / "docs" / "adding-a-board.md").read_text()
    shown = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1])
    shipped = yaml.safe_load((ROOT / "boards.yaml").read_text())["boards"]
    (name,) = shown
    assert shown[name] == shipped[name]


@pytest.mark.parametrize("folder", ["harness", "firmware_templates"])
def test_a_board_of_a_known_core_and_uploader_is_an_entry_and_nothing_else(folder):
    files = [p for p in (ROOT / folder).rglob("*") if p.suffix in SOURCES]
    assert files
    assert [p for p in files if "feather" in p.read_text().lower()] == []


def test_the_twin_keeps_everything_it_does_not_override(tmp_path):
    kind = load_kinds(write(tmp_path, GOOD))["tiny"]
    assert kind.virtual().link.baud == 115200
    assert kind.virtual().link.boot_wait_s == 1.5
    assert kind.silicon().link.baud == 9600
    assert kind.silicon().flash_free_bytes == 90


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("ram_bytes: 20", "ram_byte: 20"), "unknown key 'ram_byte'"),
        (("ram_bytes: 20", "ram_bytes: lots"), "must be a whole number"),
        (("ram_bytes: 20", "ram_bytes: -1"), "must be a whole number"),
        (("baud: 9600", "bauds: 9600"), "tiny: link: unknown key 'bauds'"),
        (("title: Tiny\n", "\n"), "missing title"),
        (("schema: 1", "schema: 2"), "schema: 1"),
        (("emulator: tiny, ", ""), "needs the key 'emulator'"),
        (("{baud: 115200}", "{speed: 1}"), "unknown key 'speed'"),
        (("boards:", "boards: ["), "cannot read"),
    ],
)
def test_mistakes_are_named(change, message, tmp_path):
    text = GOOD.replace(*change)
    assert text != GOOD
    with pytest.raises(UsageError, match=message):
        load_kinds(write(tmp_path, text))["tiny"].virtual()


def test_an_unknown_board_names_the_nearest():
    with pytest.raises(UsageError) as caught:
        find_kind("mkr100")
    assert caught.value.exit_code == 2
    assert "'mkr1000'" in caught.value.hint
