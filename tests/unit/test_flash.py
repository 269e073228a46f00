"""Flashing with uploaders of our own making: deadlines, attempts, words of failure."""

import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import flash
from harness.boards import find_kind
from harness.errors import FlashError

UNO = find_kind("uno").silicon()
MKR = find_kind("mkr1000").silicon()


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "firmware.hex"
    path.write_text(":00000001FF\n")
    return path


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
def test_avrdude_gets_the_boards_arguments(fake, image, kind, programmer):
    here = fake("avrdude", VERSIONED + 'echo "$@" >> $HERE/args')
    board = find_kind(kind).silicon()
    result = flash.flash_firmware(image, board, "/dev/ttyX", deadline_s=5)
    expected = f"{programmer} -P /dev/ttyX -b 115200 -D -U flash:w:{image}:i"
    assert first_arguments(here) == expected
    assert (result.tool, result.version, result.attempts) == ("avrdude", "9.9", 1)
    assert 0 < result.seconds < 5


@pytest.mark.parametrize(
    ("port", "usb"), [("/x/ttyACM-mkr1000", ""), ("/dev/ttyUSB0", ""), ("/dev/pts/3", " -U")]
)
def test_bossac_gets_offset_and_usb_mode(fake, image, port, usb, monkeypatch):
    monkeypatch.setattr(flash, "SETTLE_S", 0)
    here = fake("bossac", 'echo "$@" >> $HERE/args')
    flash.flash_firmware(image, MKR, port, deadline_s=5)
    expected = f"-p {port}{usb} -o 0x2000 -i -e -w -v {image} -R"
    assert first_arguments(here) == expected


def test_bossac_over_a_uart_uses_xmodem_and_sets_the_boot_bit(fake, image, monkeypatch):
    """The Due's programming port: no offset, and GPNVM1 or the ROM would start again."""
    monkeypatch.setattr(flash, "SETTLE_S", 0)
    here = fake("bossac", 'echo "$@" >> $HERE/args')
    flash.flash_firmware(image, find_kind("due").silicon(), "/dev/ttyACM0", deadline_s=5)
    expected = f"-p /dev/ttyACM0 --usb-port=0 -i -e -w -v -b {image} -R"
    assert first_arguments(here) == expected


def test_stm32flash_gets_rate_mode_and_start(fake, image):
    here = fake("stm32flash", 'echo "stm32flash 0.9"; echo "$@" >> $HERE/args')
    board = find_kind("nucleo_l4r5zi").virtual()
    result = flash.flash_firmware(image, board, "/x/tty", deadline_s=5)
    assert first_arguments(here) == f"-b 115200 -m 8n1 -w {image} -v -g 0x8000000 /x/tty"
    assert (result.tool, result.version) == ("stm32flash", "0.9")


def test_openocd_goes_through_the_probe_whatever_the_port(fake, image):
    here = fake("openocd", 'echo "Open On-Chip Debugger 0.12.0"; echo "$@" >> $HERE/args')
    board = find_kind("nucleo_l4r5zi").silicon()
    result = flash.flash_firmware(image, board, "/dev/ttyACM0", deadline_s=5)
    program = f"program {{{image}}} verify reset exit 0x8000000"
    assert first_arguments(here) == f"-f board/st_nucleo_l4.cfg -c {program}"
    assert result.version == "0.12.0"


def test_the_nano_needs_the_bossac_that_knows_it(fake, image, monkeypatch, tmp_path):
    """A bossac on PATH is of another distribution; PlatformIO's package has the right one."""
    monkeypatch.setattr(flash, "SETTLE_S", 0)
    fake("bossac", "exit 1")
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path))
    nano = find_kind("nano33ble").silicon()
    with pytest.raises(FlashError, match="no bossac-nrf52") as caught:
        flash.flash_firmware(image, nano, "/dev/ttyACM0", deadline_s=5)
    assert "tool-bossac-nordicnrf52" in caught.value.hint and "apt-get" not in caught.value.hint
    package = tmp_path / "packages" / "tool-bossac-nordicnrf52"
    package.mkdir(parents=True)
    (package / "bossac").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/args\n')
    (package / "bossac").chmod(0o755)
    flash.flash_firmware(image, nano, "/dev/ttyACM0", deadline_s=5)
    assert first_arguments(tmp_path) == f"-p /dev/ttyACM0 -U -i -e -w {image} -R"


def test_a_second_attempt_can_succeed_and_does_not_touch_again(fake, image, monkeypatch):
    touches = []
    monkeypatch.setattr(flash, "_touch", lambda board, port, end: touches.append(port) or port)
    fake("bossac", "if [ -e $HERE/once ]; then exit 0; fi; touch $HERE/once; exit 1")
    result = flash.flash_firmware(image, MKR, "/dev/ttyACM9", deadline_s=5)
    assert result.attempts == 2
    assert touches == ["/dev/ttyACM9"]


def test_failure_carries_the_tools_last_words_and_advice(fake, image, tmp_path):
    words = 'avrdude error: cannot open port /dev/ttyX: Permission denied" >&2'
    fake("avrdude", f'echo "{words}; echo; echo "avrdude done.  Thank you."; exit 1')
    log = tmp_path / "flash.log"
    with pytest.raises(FlashError) as caught:
        flash.flash_firmware(image, UNO, "/dev/ttyX", deadline_s=5, log=log)
    assert "avrdude could not flash uno at /dev/ttyX (status 1, 2 attempts" in str(caught.value)
    assert "it said: avrdude error: cannot open port /dev/ttyX: Permission denied" in str(
        caught.value
    )
    assert "Thank you" not in str(caught.value)
    assert "dialout" in caught.value.hint
    assert log.read_text().count("Permission denied") == 2
    assert "[status 1 after" in log.read_text()


def test_a_hanging_tool_is_killed_with_its_children_at_the_deadline(fake, image):
    here = fake(
        "avrdude", "echo working on it; sleep 300 & echo $! > $HERE/child; trap '' TERM; wait"
    )
    start = time.monotonic()
    with pytest.raises(FlashError, match=r"did not finish flashing uno .* said: working on it"):
        flash.flash_firmware(image, UNO, "/dev/ttyX", deadline_s=0.7)
    assert time.monotonic() - start < 3
    assert not alive(int((here / "child").read_text()))


def alive(pid: int) -> bool:
    """True while the process runs; a zombie nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_deadline_covers_both_attempts(fake, image):
    fake("avrdude", "sleep 60")
    start = time.monotonic()
    with pytest.raises(FlashError, match="attempt 2"):
        flash.flash_firmware(image, UNO, "/dev/ttyX", deadline_s=4)
    assert time.monotonic() - start < 15


def test_a_tool_that_says_nothing_is_reported_as_such(fake, image):
    fake("avrdude", "exit 7")
    with pytest.raises(FlashError, match=r"status 7.*it said nothing"):
        flash.flash_firmware(image, UNO, "/dev/ttyX", deadline_s=5)


def test_a_missing_uploader_is_named_with_its_packages(image, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "pio"))
    with pytest.raises(FlashError, match="no bossac on PATH") as caught:
        flash.flash_firmware(image, MKR, "/dev/ttyX", deadline_s=5)
    assert "bossa-cli" in caught.value.hint
    assert "tool-bossac" in caught.value.hint


def test_platformios_own_uploader_serves_when_there_is_none_on_path(image, monkeypatch, tmp_path):
    package = tmp_path / "pio" / "packages" / "tool-avrdude"
    package.mkdir(parents=True)
    (package / "avrdude.conf").write_text("")
    script = package / "avrdude"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/args\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "pio"))
    flash.flash_firmware(image, UNO, "/dev/ttyX", deadline_s=5)
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


@pytest.fixture
def usb(monkeypatch):
    """Scripted answers of list_ports: each call takes the next list, the last one stays."""
    script = []
    monkeypatch.setattr(flash, "SETTLE_S", 0)
    monkeypatch.setattr(flash, "POLL_S", 0)
    monkeypatch.setattr(
        flash.list_ports, "comports", lambda: script.pop(0) if len(script) > 1 else script[0]
    )
    return script


def device(name, serial_number=None, location=None):
    return SimpleNamespace(device=name, serial_number=serial_number, location=location)


def test_after_the_touch_the_board_is_found_by_its_serial_number(usb):
    other = device("/dev/ttyACM0", "OTHER")
    usb += [
        [other, device("/dev/ttyACM7", "MINE")],  # before the touch
        [other, device("/dev/ttyACM7", "MINE")],
        [other],
        [other, device("/dev/ttyACM1", "ELSE")],  # a stranger arrives
        [other, device("/dev/ttyACM2", "MINE")],
    ]
    assert flash._touch(MKR, "/dev/ttyACM7", time.monotonic() + 2) == "/dev/ttyACM2"


def test_without_serial_number_the_place_on_the_hub_serves(usb):
    usb += [
        [device("/dev/ttyACM7", location="1-2.3:1.0")],
        [],
        [
            device("/dev/ttyACM8", location="1-2.4:1.0"),
            device("/dev/ttyACM9", location="1-2.3:1.0"),
        ],
    ]
    assert flash._touch(MKR, "/dev/ttyACM7", time.monotonic() + 2) == "/dev/ttyACM9"


def test_a_board_that_does_not_leave_keeps_its_port(usb):
    usb += [[device("/dev/ttyACM7", "MINE")]]
    assert flash._touch(MKR, "/dev/ttyACM7", time.monotonic() + 0.1) == "/dev/ttyACM7"


def test_the_uno_is_not_touched(monkeypatch):
    monkeypatch.setattr(flash.serial, "Serial", None)
    assert flash._touch(UNO, "/dev/ttyX", 0.0) == "/dev/ttyX"


def test_touch_survives_a_line_without_dtr(monkeypatch):
    lines = []

    class Line:
        def __init__(self, port, baud):
            lines.append((port, baud))
            self.closed = False

        dtr = property(lambda self: True)

        @dtr.setter
        def dtr(self, value):
            raise OSError(25, "Inappropriate ioctl for device")

        def close(self):
            lines.append("closed")

    monkeypatch.setattr(flash.serial, "Serial", Line)
    monkeypatch.setattr(flash, "SETTLE_S", 0)
    flash._touch(MKR, "/dev/ttyX", time.monotonic() + 1)
    assert lines == [("/dev/ttyX", 1200), "closed"]
