"""The pty: clients come and go, and the board learns of it."""

from __future__ import annotations

import os
import select
import termios
import time
import tty
from pathlib import Path

import pytest
import serial

from .conftest import FakeBoard, eventually

pytestmark = pytest.mark.emulated


def read_some(fd: int, count: int, within: float = 5.0) -> bytes:
    """`count` bytes, and more if more are there; fewer when they do not come."""
    data = b""
    deadline = time.monotonic() + within
    while len(data) < count and select.select([fd], [], [], deadline - time.monotonic())[0]:
        data += os.read(fd, 1000)
        if time.monotonic() >= deadline:
            break
    return data


def names(fake: FakeBoard) -> list[str]:
    return [event["event"] for event in fake.events("opened", "closed")]


def test_the_link_leads_to_a_raw_pty(fake: FakeBoard) -> None:
    assert fake.ready["link"] == str(fake.link)
    assert fake.link.is_symlink()
    assert fake.link.readlink() == Path(fake.ready["port"])
    fd = os.open(fake.link, os.O_RDWR | os.O_NOCTTY)
    try:
        local_flags = termios.tcgetattr(fd)[3]
        assert not local_flags & (termios.ECHO | termios.ICANON | termios.ISIG)
        os.write(fd, b"\x00\x03\r\n\x11\x7f\xff")
        assert read_some(fd, 7) == b"\x00\x03\r\n\x11\x7f\xff"
    finally:
        os.close(fd)


def test_clients_come_and_go(fake: FakeBoard) -> None:
    for session in range(5):
        with serial.Serial(str(fake.link), 115200, timeout=5) as port:
            assert eventually(lambda: fake.ask("status")["open"])
            port.write(b"%d" % session)
            assert port.read(1) == b"%d" % session
        assert eventually(lambda: not fake.ask("status")["open"])
    assert eventually(lambda: names(fake) == ["opened", "closed"] * 5)


def test_the_touch_at_1200_baud_is_seen(fake: FakeBoard) -> None:
    serial.Serial(str(fake.link), 1200).close()
    assert eventually(lambda: fake.events("closed"))
    assert fake.events("closed")[0]["baud"] == 1200


def test_the_quickest_opening_is_not_missed(fake: FakeBoard) -> None:
    for expected in range(1, 31):
        os.close(os.open(fake.link, os.O_RDWR | os.O_NOCTTY))
        assert eventually(lambda: len(fake.events("closed")) >= expected), expected  # noqa: B023
    assert eventually(lambda: names(fake) == ["opened", "closed"] * 30)


def test_only_the_first_and_the_last_client_count(fake: FakeBoard) -> None:
    first = serial.Serial(str(fake.link), 115200, timeout=5)
    assert eventually(lambda: fake.ask("status")["open"])
    second = os.open(fake.link, os.O_RDWR | os.O_NOCTTY)
    first.close()
    time.sleep(0.3)
    assert names(fake) == ["opened"]
    os.write(second, b"still here")
    assert read_some(second, 10) == b"still here"
    os.close(second)
    assert eventually(lambda: names(fake) == ["opened", "closed"])


def test_a_client_lost_to_merged_events_is_found_again(fake: FakeBoard) -> None:
    """Two opens in a row look like one to inotify when the board does not look in between."""
    for _ in range(20):
        fds = [os.open(fake.link, os.O_RDWR | os.O_NOCTTY) for _ in range(2)]
        os.close(fds[0])
        assert eventually(lambda: fake.ask("status")["open"])
        time.sleep(0.15)
        assert fake.ask("status")["open"]
        os.close(fds[1])
        assert eventually(lambda: not fake.ask("status")["open"])


def test_output_for_nobody_is_dropped(fake: FakeBoard) -> None:
    fake.ask("flood")
    with serial.Serial(str(fake.link), 115200, timeout=0.2) as port:
        assert port.read(10) == b""
        port.write(b"x")
        assert port.read(10) == b"x"


def test_what_a_client_left_unread_does_not_reach_the_next(fake: FakeBoard) -> None:
    with serial.Serial(str(fake.link), 115200, timeout=5) as port:
        assert eventually(lambda: fake.ask("status")["open"])
        fake.ask("flood")
        assert eventually(lambda: port.in_waiting > 1000)
    assert eventually(lambda: not fake.ask("status")["open"])
    time.sleep(0.1)
    fd = os.open(fake.link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)  # no flush, unlike pyserial
    try:
        os.write(fd, b"z")
        assert eventually(lambda: fake.ask("status")["rx"] == 1)
        assert read_some(fd, 1) == b"z"
    finally:
        os.close(fd)


def test_a_client_that_does_not_read_does_not_block_the_board(fake: FakeBoard) -> None:
    with serial.Serial(str(fake.link), 115200):
        assert eventually(lambda: fake.ask("status")["open"])
        for _ in range(3):
            fake.ask("flood")
        assert fake.ask("status")["dropped"] > 100_000


def test_an_answer_to_the_first_byte_after_opening_is_not_lost(fake: FakeBoard) -> None:
    """bossac asks the moment the port is open; the board may be between any two looks at it."""
    for _ in range(200):
        fd = os.open(fake.link, os.O_RDWR | os.O_NOCTTY)
        os.write(fd, b"?")
        assert read_some(fd, 1) == b"?"
        os.close(fd)
        # Not before the board has seen the end: else the two sessions are one to it.
        assert eventually(lambda: not fake.ask("status")["open"])


def test_what_was_written_just_before_closing_arrives(fake: FakeBoard) -> None:
    fd = os.open(fake.link, os.O_WRONLY | os.O_NOCTTY)
    os.write(fd, b"goodbye")
    os.close(fd)
    assert eventually(lambda: fake.ask("status")["rx"] == len(b"goodbye"))


def test_modes_left_by_a_client_are_undone(fake: FakeBoard) -> None:
    fd = os.open(fake.link, os.O_RDWR | os.O_NOCTTY)
    mode = termios.tcgetattr(fd)
    mode[tty.LFLAG] |= termios.ECHO | termios.ICANON
    termios.tcsetattr(fd, termios.TCSANOW, mode)
    os.close(fd)
    assert eventually(lambda: fake.events("closed"))
    time.sleep(0.1)
    fd = os.open(fake.link, os.O_RDWR | os.O_NOCTTY)
    try:
        assert not termios.tcgetattr(fd)[tty.LFLAG] & (termios.ECHO | termios.ICANON)
    finally:
        os.close(fd)


def test_an_old_link_is_replaced_and_a_foreign_one_is_left_alone(
    fake_binary: Path, tmp_path: Path
) -> None:
    (tmp_path / "ttyACM-fake").symlink_to("/nowhere")
    board = FakeBoard(fake_binary, tmp_path)
    assert board.link.readlink() == Path(board.ready["port"])
    board.link.unlink()
    board.link.symlink_to("/somewhere/else")
    board.stop()
    assert board.link.readlink() == Path("/somewhere/else")
