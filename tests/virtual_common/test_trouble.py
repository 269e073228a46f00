"""`--fault SPEC` on the shared host code: what happens to bytes, port and board."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial

from .conftest import FakeBoard, eventually

pytestmark = pytest.mark.emulated
SENT = bytes(range(256)) * 40


@contextmanager
def board(binary: Path, folder: Path, spec: str) -> Iterator[FakeBoard]:
    fake = FakeBoard(binary, folder, "--fault", spec)
    try:
        yield fake
    finally:
        fake.stop()


@contextmanager
def opened(fake: FakeBoard) -> Iterator[serial.Serial]:
    with serial.Serial(str(fake.link), 115200, timeout=1.0) as port:
        assert eventually(lambda: fake.ask("status")["open"])
        yield port


def echo(port: serial.Serial, data: bytes, expected: int) -> bytes:
    """What comes back; at least `expected` bytes are waited for."""
    port.write(data)
    got = b""
    while len(got) < expected and (piece := port.read(expected - len(got))):
        got += piece
    return got + port.read(10) if len(got) < expected else got


def test_without_a_word_nothing_happens(fake: FakeBoard) -> None:
    with opened(fake) as port:
        assert echo(port, SENT, len(SENT)) == SENT


def test_bits_flip_at_the_rate_and_repeatably(fake_binary: Path, tmp_path: Path) -> None:
    seen = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        with board(fake_binary, folder, "flip=0.01,seed=5") as fake, opened(fake) as port:
            seen.append(echo(port, SENT, len(SENT)))
    assert seen[0] == seen[1]
    wrong = [a ^ b for a, b in zip(SENT, seen[0], strict=True) if a != b]
    assert 120 <= len(wrong) <= 300  # 1 % each way of 10,240 bytes
    assert all(value.bit_count() <= 2 for value in wrong)


def test_bytes_are_lost_at_the_rate(fake_binary: Path, tmp_path: Path) -> None:
    with board(fake_binary, tmp_path, "drop=0.01,seed=5") as fake, opened(fake) as port:
        lost = len(SENT) - len(echo(port, SENT, len(SENT)))
    assert 120 <= lost <= 300


def test_bytes_come_twice_at_the_rate(fake_binary: Path, tmp_path: Path) -> None:
    with board(fake_binary, tmp_path, "dup=0.01,seed=5") as fake, opened(fake) as port:
        more = len(echo(port, SENT, 2 * len(SENT))) - len(SENT)
    assert 120 <= more <= 300


def test_delayed_bytes_come_later_and_all(fake_binary: Path, tmp_path: Path) -> None:
    with board(fake_binary, tmp_path, "delay=300") as fake, opened(fake) as port:
        started = time.monotonic()
        assert echo(port, b"abc", 3) == b"abc"
        assert time.monotonic() - started >= 0.3
        assert echo(port, SENT, len(SENT)) == SENT


def test_a_hung_board_says_nothing_until_it_is_reset(fake_binary: Path, tmp_path: Path) -> None:
    with board(fake_binary, tmp_path, "hang=10") as fake, opened(fake) as port:
        assert echo(port, b"x" * 9, 9) == b"x" * 9
        assert echo(port, b"yy", 1) == b""
        assert echo(port, b"zz", 1) == b""
        fake.ask("reset")
        assert echo(port, b"again", 5) == b"again"
        assert echo(port, b"x" * 50, 50) == b"x" * 50  # once, not after each reset


def test_an_event_with_a_plus_comes_again_after_each_reset(
    fake_binary: Path, tmp_path: Path
) -> None:
    with board(fake_binary, tmp_path, "hang=10+") as fake, opened(fake) as port:
        for _ in range(3):
            assert echo(port, b"x" * 9, 9) == b"x" * 9
            assert echo(port, b"y", 1) == b""
            fake.ask("reset")


@pytest.mark.parametrize("word", ["reset", "brown-out"])
def test_the_board_is_reset_at_its_moment(fake_binary: Path, tmp_path: Path, word: str) -> None:
    with board(fake_binary, tmp_path, f"{word}=10") as fake, opened(fake) as port:
        assert echo(port, b"x" * 9, 9) == b"x" * 9
        port.write(b"y")
        assert eventually(lambda: fake.ask("status")["resets"] == 1)
        assert echo(port, b"again", 5) == b"again"


def test_a_deaf_board_takes_nothing_more(fake_binary: Path, tmp_path: Path) -> None:
    with board(fake_binary, tmp_path, "deaf=10") as fake, opened(fake) as port:
        assert echo(port, b"x" * 10, 9) == b"x" * 9
        port.write_timeout = 0.5
        with pytest.raises(serial.SerialTimeoutException):
            for _ in range(100):
                port.write(SENT)
        assert fake.ask("status")["rx"] == 9


def test_a_board_that_vanishes_comes_back_under_its_link(fake_binary: Path, tmp_path: Path) -> None:
    with board(fake_binary, tmp_path, "vanish=10:400") as fake:
        with opened(fake) as port:
            assert echo(port, b"x" * 9, 9) == b"x" * 9
            port.write(b"y")
            assert eventually(lambda: not fake.link.is_symlink())
            with pytest.raises((serial.SerialException, OSError)):
                for _ in range(100):
                    port.write(b"z")
                    time.sleep(0.01)
        assert eventually(fake.link.is_symlink)
        with opened(fake) as port:
            assert echo(port, b"back", 4) == b"back"


def test_other_firmware_is_in_flash_after_each_reset(fake_binary: Path, tmp_path: Path) -> None:
    image = tmp_path / "flash.bin"
    image.write_bytes(b"\x55" * 1024)
    with board(fake_binary, tmp_path, f"firmware={image}") as fake:
        fake.ask("flash")
        fake.ask("reset")
        assert fake.ask("status")["flash0"] == 0x55


@pytest.mark.parametrize(
    "spec", ["flip=2", "flip", "colour=red", "hang=0", "hang=x", "vanish=5", "delay=-1", "seed="]
)
def test_a_word_that_is_none_is_refused(fake_binary: Path, tmp_path: Path, spec: str) -> None:
    command = [fake_binary, "--state-dir", tmp_path, "--port-link", tmp_path / "p"]
    command += ["--control", tmp_path / "c", "--fault", spec]
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 2
    assert f"--fault {spec}" in done.stderr
