"""Negotiated baud rates: over a line that garbles what its ends are not both set for."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager

import numpy as np
import pytest

from benchmarks.line import Shape, ShapedLine
from harness.errors import LinkError
from harness.firmware.host import build_host
from harness.link import messages as msg
from harness.link.base import Deadline
from harness.link.dut import Dut, connect
from harness.link.frame import Frame
from harness.link.messages import Type
from harness.link.serial import SerialLink
from harness.reference.model import bench_window, run
from tests.kernels.process_link import ProcessLink
from tests.models import random_qmodel, random_raw

MODEL = random_qmodel("fastgrnn", 5, hidden=4, features=6, classes=4, steps=20, density=0.4)
ANY = 10**7  # a line that carries every rate


@pytest.fixture(scope="module")
def executable():
    return build_host(MODEL, bench_window(MODEL), sanitize=True, max_payload=64)


@contextmanager
def board_on_a_line(executable, fastest):
    with ShapedLine(Shape(baud=0, round_trip_s=0.001, fastest=fastest)) as line:
        process = subprocess.Popen([executable, line.far], stdin=subprocess.DEVNULL)
        try:
            yield lambda: SerialLink(line.near, 115_200)
        finally:
            process.terminate()
            process.wait(10)


def windows_are_right(dut):
    raw = random_raw(MODEL, 4, 1)
    for outcome, logits in zip(dut.infer_all(raw), run(MODEL, raw).logits, strict=True):
        np.testing.assert_array_equal(outcome.logits, logits)


def open_board(open_link) -> Dut:
    return connect(open_link, boot_wait_s=5, banner=False)


@pytest.mark.parametrize(("fastest", "expected"), [(ANY, 2_000_000), (600_000, 500_000)])
def test_the_fastest_rate_that_the_line_carries(executable, fastest, expected):
    with board_on_a_line(executable, fastest) as open_link:
        dut = open_board(open_link)
        assert dut.baud == expected
        windows_are_right(dut)
        dut.close()


def test_where_no_other_rate_works_both_ends_are_back_at_the_first(executable):
    with board_on_a_line(executable, 115_200) as open_link:
        dut = open_board(open_link)
        assert dut.baud == 0
        windows_are_right(dut)
        dut.close()


def test_a_board_that_was_left_at_a_rate_is_called_back(executable):
    """As after a host that was killed: the next one knows nothing of the rate."""
    with board_on_a_line(executable, ANY) as open_link:
        dut = open_board(open_link)
        assert dut.baud
        dut._link.close()
        again = Dut(open_link())
        again.connect(boot_wait_s=5, banner=False)
        assert again.baud == 0
        windows_are_right(again)
        again.close()


def test_closing_takes_the_board_back(executable):
    with board_on_a_line(executable, ANY) as open_link:
        open_board(open_link).close()
        link = open_link()
        again = Dut(link)
        written = []
        write = link.write
        link.write = lambda data, until: (written.append(data), write(data, until))
        again.connect(boot_wait_s=5, banner=False)
        assert len(written) == 1  # one HELLO, and nothing to call it back with
        again.close()


def test_a_reset_in_mid_stream_is_found_at_the_first_rate(executable):
    with board_on_a_line(executable, ANY) as open_link:
        dut = open_board(open_link)
        raw, hits = random_raw(MODEL, 60, 1), []
        expected = run(MODEL, raw)
        for i, outcome in enumerate(dut.infer_all(raw)):
            np.testing.assert_array_equal(outcome.logits, expected.logits[i])
            if i == 5:  # behind the Dut's back: the board boots at its first rate, unheard
                for kind, seq in ((Type.HELLO, 99), (Type.RESET, 100)):
                    dut._channel.send(Frame(kind, seq), Deadline.after(1))
                hits.append(i)
        assert hits == [5]
        assert dut.counters.restarts >= 1
        assert dut.baud == 0
        dut.close()


def test_a_line_without_a_rate_is_left_alone(executable):
    link = ProcessLink(executable)
    dut = connect(lambda: link, boot_wait_s=5, banner=True)
    assert (dut.baud, dut.identity.rate_mask) == (0, 0)
    dut.close()


def test_a_rate_that_the_board_cannot_do_is_refused(executable):
    link = ProcessLink(executable)
    dut = connect(lambda: link, boot_wait_s=5, banner=True)
    for rate in (1, 7, 8, 255):
        with pytest.raises(LinkError, match=rf"refused BAUD \(code {msg.Nak.BAD_BAUD.value}\)"):
            dut._exchange(Type.BAUD, bytes([rate]))
    assert dut._exchange(Type.BAUD, b"\0") == b"\0"
    windows_are_right(dut)
    dut.close()
