"""Real builds through PlatformIO with the compilers on PATH, offline."""

import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from harness import tools
from harness.boards import find_kind
from harness.errors import BuildError, DoesNotFit
from harness.firmware import build
from harness.firmware.build import build_tree
from harness.firmware.toolchain import find_toolchain
from tests.firmware_build.programs import writer

pytestmark = pytest.mark.emulated

UNO = find_kind("uno").virtual()
MEGA = find_kind("mega2560").virtual()
MKR = find_kind("mkr1000").virtual()


def test_a_build_yields_elf_image_and_what_made_them(cache, board):
    said = []
    firmware = build_tree(writer(board.kind), board, name="tiny", progress=said.append)
    assert said == [f"compiling tiny for {board.kind}"]
    assert firmware.image.suffix == (".hex" if board.core == "avr" else ".bin")
    assert len(firmware.firmware_id) == 8
    assert not firmware.cached
    assert firmware.memory.model_flash_bytes == 100
    assert re.match(r"(avr|arm-none-eabi)-gcc \d+\.\d+\.\d+.* \(\w+\)$", firmware.compiler)
    for flag in ("-Os", "-std=gnu99", "-Wconversion", "-Werror"):
        assert flag in firmware.compiler_flags.split()
    assert "-flto" not in firmware.compiler_flags
    assert not (firmware.project / ".pio").exists()


def test_the_image_carries_the_firmware_id(cache):
    firmware = build_tree(writer("mkr1000"), MKR, name="tiny")
    assert firmware.firmware_id in firmware.image.read_bytes()


def test_two_builds_in_different_folders_are_the_same_bytes(tmp_path, monkeypatch, board):
    hashes = []
    for place in ("here", "over/there"):
        monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / place))
        firmware = build_tree(writer(board.kind), board, name="tiny")
        assert not firmware.cached
        assert str(tmp_path).encode() not in firmware.elf.read_bytes()
        hashes.append((firmware.elf_sha256, firmware.firmware_id))
    assert hashes[0] == hashes[1]


def test_a_second_build_calls_no_tool(cache, monkeypatch):
    first = build_tree(writer("uno"), UNO, name="tiny")
    find_toolchain(UNO)  # the compiler's version is asked for once per process
    monkeypatch.setattr(tools, "run_tool", lambda *a, **k: pytest.fail("called a tool"))
    second = build_tree(writer("uno"), UNO, name="tiny")
    assert second == replace(first, cached=True)


def test_other_sources_and_other_boards_are_other_builds(cache):
    one = build_tree(writer("uno"), UNO, name="tiny")
    two = build_tree(writer("uno", before="volatile unsigned char more;\n"), UNO, name="tiny")
    faster = build_tree(writer("uno"), replace(UNO, clock_hz=20_000_000), name="tiny")
    assert len({f.firmware_id for f in (one, two, faster)}) == 3


def test_a_damaged_cache_entry_is_built_again(cache):
    first = build_tree(writer("uno"), UNO, name="tiny")
    first.elf.write_bytes(b"half of an ELF")
    second = build_tree(writer("uno"), UNO, name="tiny")
    assert not second.cached
    assert second.elf_sha256 == first.elf_sha256


def test_two_at_once_build_once(cache):
    said, built = [], []

    def ask():
        built.append(build_tree(writer("uno"), UNO, name="tiny", progress=said.append))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 1
    assert sorted(f.cached for f in built) == [False, True]
    assert [p.name for p in (cache / "firmware").iterdir() if p.name.startswith("new-")] == []


def test_too_much_flash_says_by_how_much(cache, board):
    more = board.flash_free_bytes + 9_000
    if board.core == "avr":  # no single object of an AVR may exceed 32,767 bytes
        parts = arrays_in_flash(*(min(30_000, more - at) for at in range(0, more, 30_000)))
    else:
        parts = f"const unsigned char big[{more}] = {{1}};\n#define EXTRA sink = big[i]\n"
    with pytest.raises(DoesNotFit) as caught:
        build_tree(writer(board.kind, before=parts), board, name="har_lstm_h64")
    free = {"uno": "32,256", "mega2560": "245,760", "mkr1000": "253,952"}[board.kind]
    pattern = rf"har_lstm_h64 needs ([\d,]+) bytes of flash, {board.kind} has {free} free \(over by"
    needs = int(re.match(pattern, caught.value.message)[1].replace(",", ""))
    assert needs - int(free.replace(",", "")) == caught.value.over_bytes > 0
    assert abs(needs - more) < 1_000
    assert caught.value.hint


def arrays_in_flash(*sizes: int) -> str:
    """C for an AVR program: constants of so many bytes each, and an EXTRA that reads them."""
    arrays = ", ".join(f"big{n}[{size}] PROGMEM = {{1}}" for n, size in enumerate(sizes))
    uses = " + ".join(f"pgm_read_byte(&big{n}[i])" for n in range(len(sizes)))
    head = "#include <avr/pgmspace.h>\n"
    return f"{head}const unsigned char {arrays};\n#define EXTRA sink = (uint8_t)({uses})\n"


def test_constants_above_the_reach_of_lpm_do_not_fit(cache):
    """A Mega has the flash for them, but an AVR reads constants with addresses of 16 bits."""
    with pytest.raises(DoesNotFit, match=r"LPM on mega2560 reaches the first 65,536") as caught:
        before = arrays_in_flash(30_000, 30_000, 10_000)
        build_tree(writer("mega2560", before=before), MEGA, name="m")
    assert 0 < caught.value.over_bytes - (70_000 - 65_536) < 500
    below = arrays_in_flash(30_000, 30_000)
    assert build_tree(writer("mega2560", before=below), MEGA, name="m").memory.flash_bytes > 60_000


def test_an_array_that_avr_gcc_refuses_does_not_fit(cache):
    with pytest.raises(DoesNotFit, match=r"m has an array, big0, of more than the 32,767 bytes"):
        before = arrays_in_flash(40_000)
        build_tree(writer("mega2560", before=before), MEGA, name="m")


@pytest.mark.parametrize("where", ["no room for the stack", "more than there is"])
def test_too_much_ram_says_by_how_much(cache, board, where):
    more = 5_000 if where == "more than there is" else 10 - board.stack_reserve_bytes
    size = board.ram_bytes + more
    before = f"static unsigned char greedy[{size}];\n#define EXTRA sink = greedy[i]++\n"
    with pytest.raises(DoesNotFit) as caught:
        build_tree(writer(board.kind, before=before), board, name="har_lstm_h64")
    message = caught.value.message
    static, stack = re.match(
        r"har_lstm_h64 needs ([\d,]+) bytes of static RAM and ([\d,]+) for the stack", message
    ).groups()
    static, stack = (int(n.replace(",", "")) for n in (static, stack))
    assert stack == board.stack_reserve_bytes
    assert caught.value.over_bytes == static + stack - board.ram_bytes
    assert size < static < size + 60


def test_the_compilers_words_reach_the_error(cache, board):
    with pytest.raises(BuildError) as caught:
        build_tree(writer(board.kind, before="int f(void) { return missing; }\n"), board, name="m")
    assert re.search(r"src/main\.c:1:\d+: error: 'missing' undeclared", caught.value.message)
    assert f"building m for {board.kind} failed" in caught.value.message
    assert "last-failure.log" in caught.value.hint


def test_a_warning_is_an_error_in_our_sources(cache):
    narrowing = (
        "unsigned char f(int x);\nunsigned char f(int x) { unsigned char y = x; return y; }\n"
    )
    with pytest.raises(BuildError, match="Wconversion|conversion"):
        build_tree(writer("uno", before=narrowing), UNO, name="m")


def test_a_linkers_words_reach_the_error(cache):
    before = "void elsewhere(void);\n#define EXTRA elsewhere()\n"
    with pytest.raises(BuildError, match="undefined reference to .elsewhere"):
        build_tree(writer("uno", before=before), UNO, name="m")


def test_a_build_that_hangs_is_ended(cache, monkeypatch):
    monkeypatch.setattr(build, "LOCAL_DEADLINE_S", 0.1)
    with pytest.raises(BuildError, match=r"took more than \d+ s; last words"):
        build_tree(writer("uno"), UNO, name="m")
    monkeypatch.undo()


def test_nothing_half_built_is_left(cache):
    with pytest.raises(BuildError):
        build_tree(writer("uno", before="syntax error\n"), UNO, name="m")
    assert [p.name for p in (cache / "firmware").iterdir()] == ["last-failure.log"]


def test_the_generated_project_builds_by_hand(cache, tmp_path, board):
    firmware = build_tree(writer(board.kind), board, name="tiny")
    project = tmp_path / "copy"
    shutil.copytree(firmware.project, project)
    environment = {**os.environ, **find_toolchain(board).environment()}
    subprocess.run(
        [sys.executable, "-m", "platformio", "run"],
        cwd=project,
        env=environment,
        check=True,
        timeout=60,
        capture_output=True,
    )
    env = board.build.board
    image = project / ".pio" / "build" / env / f"firmware{firmware.image.suffix}"
    assert image.read_bytes() == firmware.image.read_bytes()


def test_arduino_on_the_uno_builds_with_debians_core(cache):
    sketch = (
        "#include <Arduino.h>\nvoid setup() { Serial.begin(115200); }\n"
        "void loop() { Serial.println(analogRead(0)); }\n"
    )

    def render(destination):
        (destination / "sketch.cpp").write_text(sketch)
        return {}

    arduino = replace(UNO, build=replace(UNO.build, framework="arduino"))
    firmware = build_tree(render, arduino, name="sketch")
    assert firmware.memory.flash_bytes > 1500
    assert str(cache).encode() not in firmware.elf.read_bytes()
    sketch += "// another one\n"
    again = build_tree(render, arduino, name="sketch")
    assert not again.cached
    assert "Retrieved `.pio/build/uno/FrameworkArduino" in again.log.read_text()
