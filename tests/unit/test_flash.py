"""Flashing with uploaders of our own making: deadlines, attempts, words of failure."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness import flash
from harness.boards import find_kind
from harness.errors import FlashError
from harness.flash import steps
from tests.usb_tree import UsbTree

UNO = find_kind("uno").silicon()
MKR = find_kind("mkr1000").silicon()


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "firmware.hex"
    path.write_text(":00000001FF\n")
    return path


@pytest.fixture
def line(tmp_path):
    """Makes a serial line that nobody answers on, under a name of our choice."""
    ends = []

    def make(name: str = "ttyX") -> str:
        ends.extend(os.openpty())
        link = tmp_path / "dev" / name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(os.ttyname(ends[-1]))
        return str(link)

    yield make
    for end in ends:
        os.close(end)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a shell script called `name` first on PATH; it can find its own folder in $HERE."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("HERE", str(folder))

    def write(name: str, body: str):
        script = folder / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        return folder

    flash.tool_version.cache_clear()
    yield write
    flash.tool_version.cache_clear()


def first_arguments(folder) -> str:
    """Arguments of the first call of a fake uploader; a later one asks for the version."""
    return (folder / "args").read_text().splitlines()[0]


VERSIONED = 'if [ "$1" = "-?" ]; then echo "avrdude version 9.9, https://x"; exit; fi\n'


@pytest.mark.parametrize(
    ("kind", "programmer"),
    [("uno", "-p atmega328p -c arduino"), ("mega2560", "-p atmega2560 -c wiring")],
)
def test_avrdude_gets_the_boards_arguments(fake, image, line, kind, programmer):
    here = fake("avrdude", VERSIONED + 'echo "$@" >> $HERE/args')
    board, port = find_kind(kind).silicon(), line()
    result = flash.flash_firmware(image, board, port, deadline_s=5)
    expected = f"{programmer} -P {port} -b 115200 -D -U flash:w:{image}:i"
    assert first_arguments(here) == expected
    assert (result.tool, result.version, result.attempts) == ("avrdude", "9.9", 1)
    assert 0 < result.seconds < 5


@pytest.mark.parametrize(
    ("name", "usb"), [("ttyACM-mkr1000", ""), ("ttyUSB0", ""), ("pts-3", " -U")]
)
def test_bossac_gets_offset_and_usb_mode(fake, image, line, name, usb):
    here, port = fake("bossac", 'echo "$@" >> $HERE/args'), line(name)
    flash.flash_firmware(image, MKR, port, deadline_s=5)
    expected = f"-p {port}{usb} -o 0x2000 -i -e -w -v {image} -R"
    assert first_arguments(here) == expected


def test_bossac_over_a_uart_uses_xmodem_and_sets_the_boot_bit(fake, image, line):
    """The Due's programming port: no offset, and GPNVM1 or the ROM would start again."""
    here, port = fake("bossac", 'echo "$@" >> $HERE/args'), line("ttyACM0")
    flash.flash_firmware(image, find_kind("due").silicon(), port, deadline_s=5)
    expected = f"-p {port} --usb-port=0 -i -e -w -v -b {image} -R"
    assert first_arguments(here) == expected


def test_stm32flash_gets_rate_mode_and_start(fake, image, line):
    here, port = fake("stm32flash", 'echo "stm32flash 0.9"; echo "$@" >> $HERE/args'), line()
    board = find_kind("nucleo_l4r5zi").virtual()
    board = replace(board, flash=replace(board.flash, boot_pin=False))  # nobody holds it here
    result = flash.flash_firmware(image, board, port, deadline_s=5)
    assert first_arguments(here) == f"-b 115200 -m 8n1 -w {image} -v -g 0x8000000 {port}"
    assert (result.tool, result.version) == ("stm32flash", "0.9")


def test_openocd_goes_through_the_probe_whatever_the_port(fake, image, line):
    here = fake("openocd", 'echo "Open On-Chip Debugger 0.12.0"; echo "$@" >> $HERE/args')
    board = find_kind("nucleo_l4r5zi").silicon()
    result = flash.flash_firmware(image, board, line(), deadline_s=5)
    program = f"program {{{image}}} verify reset exit 0x8000000"
    assert first_arguments(here) == f"-f board/st_nucleo_l4.cfg -c {program}"
    assert result.version == "0.12.0"


def test_of_several_probes_openocd_takes_the_boards_own(fake, image, tmp_path, monkeypatch):
    here = fake("openocd", 'echo "$@" >> $HERE/args')
    tree = UsbTree(tmp_path / "usb")
    for name, value in tree.environment.items():
        monkeypatch.setenv(name, value)
    tree.plug("1-2.2", "0483:374b", serial="066BFF0")
    port = tree.dev / tree.plug("1-2.3", "0483:374b", serial="066BFF1")
    board = find_kind("nucleo_l4r5zi").silicon()
    flash.flash_firmware(image, board, str(port), deadline_s=5)
    program = f"program {{{image}}} verify reset exit 0x8000000"
    mine = "adapter serial {066BFF1}"
    assert first_arguments(here) == f"-f board/st_nucleo_l4.cfg -c {mine} -c {program}"


def test_the_nano_needs_the_bossac_that_knows_it(fake, image, line, monkeypatch, tmp_path):
    """A bossac on PATH is of another distribution; PlatformIO's package has the right one."""
    fake("bossac", "exit 1")
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path))
    nano, port = find_kind("nano33ble").silicon(), line("ttyACM0")
    with pytest.raises(FlashError, match="no bossac-nrf52") as caught:
        flash.flash_firmware(image, nano, port, deadline_s=5)
    assert "tool-bossac-nordicnrf52" in caught.value.hint and "apt-get" not in caught.value.hint
    package = tmp_path / "packages" / "tool-bossac-nordicnrf52"
    package.mkdir(parents=True)
    (package / "bossac").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/args\n')
    (package / "bossac").chmod(0o755)
    flash.flash_firmware(image, nano, port, deadline_s=5)
    assert first_arguments(tmp_path) == f"-p {port} -U -i -e -w {image} -R"


def test_a_second_attempt_can_succeed_and_does_not_touch_again(fake, image, line, monkeypatch):
    touches = []
    monkeypatch.setattr(steps, "touch", lambda port, baud: touches.append((port, baud)))
    fake("bossac", "if [ -e $HERE/once ]; then exit 0; fi; touch $HERE/once; exit 1")
    port = line("ttyACM9")
    result = flash.flash_firmware(image, MKR, port, deadline_s=5)
    assert result.attempts == 2
    assert touches == [(port, 1200)]


def test_failure_carries_the_tools_last_words_and_advice(fake, image, line, tmp_path):
    words = 'avrdude error: cannot open port /dev/ttyX: Permission denied" >&2'
    fake("avrdude", f'echo "{words}; echo; echo "avrdude done.  Thank you."; exit 1')
    log, port = tmp_path / "flash.log", line()
    with pytest.raises(FlashError) as caught:
        flash.flash_firmware(image, UNO, port, deadline_s=5, log=log)
    message = caught.value.message
    assert f"avrdude could not flash uno at {port} (status 1, upload 1" in message
    assert "it said: avrdude error: cannot open port /dev/ttyX: Permission denied" in message
    assert message.endswith(": upload failed, upload failed")
    assert "Thank you" not in message
    assert "dialout" in caught.value.hint
    assert log.read_text().count("Permission denied") == 4  # twice said, twice in the steps
    assert log.read_text().count("[status 1 after") == 2


def test_a_hanging_tool_is_killed_with_its_children_at_the_deadline(fake, image, line):
    here = fake(
        "avrdude",
        VERSIONED + "echo working on it; sleep 300 & echo $! > $HERE/child; trap '' TERM; wait",
    )
    with pytest.raises(FlashError, match=r"did not finish flashing uno .* said: working on it"):
        flash.flash_firmware(image, UNO, line(), deadline_s=0.7)
    assert not alive(int((here / "child").read_text()))


def alive(pid: int) -> bool:
    """True while the process runs; a zombie nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_deadline_covers_both_attempts(fake, image, line):
    """Each has half of it: neither can take the other's."""
    fake("avrdude", VERSIONED + "sleep 60")
    with pytest.raises(FlashError, match="did not finish") as caught:
        flash.flash_firmware(image, UNO, line(), deadline_s=2)
    assert caught.value.message.count("upload failed") == 2


def test_a_tool_that_says_nothing_is_reported_as_such(fake, image, line):
    fake("avrdude", "exit 7")
    with pytest.raises(FlashError, match=r"status 7.*it said nothing"):
        flash.flash_firmware(image, UNO, line(), deadline_s=5)


def test_a_missing_uploader_is_named_with_its_packages(image, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "pio"))
    with pytest.raises(FlashError, match="no bossac on PATH") as caught:
        flash.flash_firmware(image, MKR, "/dev/ttyX", deadline_s=5)
    assert "bossa-cli" in caught.value.hint
    assert "tool-bossac" in caught.value.hint


def test_platformios_own_uploader_serves_when_there_is_none_on_path(
    image, line, monkeypatch, tmp_path
):
    package = tmp_path / "pio" / "packages" / "tool-avrdude"
    package.mkdir(parents=True)
    (package / "avrdude.conf").write_text("")
    script = package / "avrdude"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/args\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "pio"))
    flash.flash_firmware(image, UNO, line(), deadline_s=5)
    assert first_arguments(tmp_path).startswith(f"-C {package}/avrdude.conf -p atmega328p")


def test_a_missing_image_is_no_work_for_the_uploader(tmp_path):
    with pytest.raises(FlashError, match=r"nothing\.hex: no such image"):
        flash.flash_firmware(tmp_path / "nothing.hex", UNO, "/dev/ttyX", deadline_s=5)


def test_an_unknown_uploader_names_the_known_ones(image):
    board = replace(UNO, flash=replace(UNO.flash, tool="dfu"))
    with pytest.raises(FlashError, match="unknown uploader 'dfu'") as caught:
        flash.flash_firmware(image, board, "/dev/ttyX", deadline_s=5)
    assert "avrdude, bossac" in caught.value.hint


def test_last_words_drop_progress_bars():
    said = "\rWriting | ######## | 50%\rWriting | ####### | 100%\n\navrdude: verification error\n"
    assert flash.last_words(said) == "avrdude: verification error"
    assert flash.last_words("[====    ] 12% (3/9 pages)\rDone in 1 s\n") == "Done in 1 s"
    assert flash.last_words("") == ""
