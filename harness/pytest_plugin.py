"""pytest for a firmware team: `pytest --harness-board uno --harness-virtual` gives a `dut` fixture.

    def test_it_greets(dut):
        dut.flash("build/firmware.hex")
        with dut.open(115200) as line:
            assert line.read_until(b"\\n", timeout_s=5) == b"hello\\n"

The board is found, locked and flashed as `harness run` does it; a virtual one is started for the
session. Without --harness-board, tests that ask for `dut` are skipped. Docs: docs/pytest.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.lab import Attachment
    from harness.link.base import Link


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of this plugin."""
    group = parser.getgroup("harness", "boards of a test bench")
    group.addoption(
        "--harness-board", metavar="NAME", help="kind or instance, see `harness boards`"
    )
    group.addoption("--harness-virtual", action="store_true", help="use its emulated twin")
    group.addoption(
        "--harness-port", metavar="PORT", help="its port; found by its USB id otherwise"
    )
    group.addoption(
        "--harness-wait", metavar="SECONDS", type=float, default=600.0,
        help="how long to wait for a board that somebody else has (default: 600)",
    )  # fmt: skip
    group.addoption(
        "--harness-fault", metavar="SPEC", default="",
        help="what a virtual board is to do wrong, see docs/faults.md",
    )  # fmt: skip


class Line:
    """An open serial line to the board; use as a context manager."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._unread = b""

    def write(self, data: bytes, timeout_s: float = 10.0) -> None:
        """Send all bytes. Raises LinkTimeout, LinkError."""
        from harness.link.base import Deadline

        self._link.write(data, Deadline.after(timeout_s))

    def read_until(self, end: bytes, timeout_s: float) -> bytes:
        """Bytes up to and with `end`. Raises LinkTimeout that quotes what came instead."""
        from harness.errors import LinkTimeout
        from harness.link.base import Deadline

        deadline = Deadline.after(timeout_s)
        while end not in self._unread:
            if deadline.expired:
                raise LinkTimeout(f"no {end!r} within {timeout_s:g} s; got {self._unread!r}")
            self._unread += self._link.read(deadline)
        found, _, self._unread = self._unread.partition(end)
        return found + end

    def close(self) -> None:
        """Release the port."""
        self._link.close()

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class DeviceUnderTest:
    """The board of this session: flash an image, open its line."""

    def __init__(self, attachment: Attachment, log: Path) -> None:
        self._attachment = attachment
        self._log = log
        self.board = attachment.board
        self.port = attachment.port

    def flash(self, image: Path | str) -> None:
        """Write an image (.hex for avrdude, .bin for the others) with the board's own uploader.

        Raises FlashError with the uploader's last words.
        """
        from harness.flash import flash_firmware

        flash_firmware(Path(image), self.board, self.port, log=self._log)

    def open(self, baud: int = 0) -> Line:
        """Open the serial line, at the board's own rate unless told; resets some boards."""
        from harness.link.serial import SerialLink

        return Line(SerialLink(self.port, baud or self.board.link.baud))


@pytest.fixture(scope="session")
def dut(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeviceUnderTest]:
    """The board named by --harness-board, ours alone for the session."""
    option = request.config.getoption
    if not option("--harness-board"):
        pytest.skip("no board: give --harness-board NAME")
    from harness import lab
    from harness.instances import resolve

    instance = resolve(option("--harness-board"), option("--harness-virtual"))
    board, faults = instance.board, option("--harness-fault") or instance.fault
    lab.check_faults(faults, board, option("--harness-port") or instance.port or None)
    folder = tmp_path_factory.mktemp("board")
    with lab.attached(
        board,
        port=option("--harness-port"),
        state_dir=folder,
        faults=faults,
        wait_s=option("--harness-wait"),
        instance=instance,
    ) as attachment:
        yield DeviceUnderTest(attachment, folder / "flash.log")
