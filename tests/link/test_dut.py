"""The Dut against the real firmware as a process, over lines that lose and damage bytes."""

import random
import subprocess

import numpy as np
import pytest

from harness.bench import Windows, check_identity, draw_windows, measure, percentiles
from harness.errors import LinkError, LinkTimeout
from harness.firmware.host import build_host
from harness.link import channel
from harness.link.base import Deadline
from harness.link.dut import Dut
from harness.link.frame import Frame, encode
from harness.link.messages import Type
from harness.reference.model import bench_window, run
from harness.results import Journal
from tests.kernels.process_link import ProcessLink
from tests.models import random_qmodel, random_raw


@pytest.fixture(scope="module")
def model():
    return random_qmodel("fastgrnn", 5, hidden=12, features=6, classes=4, steps=20, density=0.4)


@pytest.fixture(scope="module")
def executable(model):
    return build_host(model, bench_window(model), sanitize=True, max_payload=64)


@pytest.fixture
def link(executable):
    link = ProcessLink(executable)
    yield link
    link.close()


class BadLine:
    """Another link whose bytes are dropped or flipped at the given rates, both ways, repeatably."""

    def __init__(self, link, *, flip=0.0, drop=0.0, seed=1):
        self.link, self.flip, self.drop = link, flip, drop
        self.random = random.Random(seed)
        self.damaged = 0

    def _spoil(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            chance = self.random.random()
            if chance < self.drop:
                self.damaged += 1
                continue
            if chance < self.drop + self.flip:
                self.damaged += 1
                byte ^= 1 << self.random.randrange(8)
            out.append(byte)
        return bytes(out)

    def write(self, data, deadline):
        self.link.write(self._spoil(data), deadline)

    def read(self, deadline):
        data = self.link.read(deadline)
        return self._spoil(data)

    def close(self):
        self.link.close()


class Duplicating(BadLine):
    """Sends every frame twice."""

    def write(self, data, deadline):
        self.link.write(data + data, deadline)


def connected(link) -> Dut:
    dut = Dut(link)
    dut.connect(boot_wait_s=5.0, banner=True)
    return dut


def test_a_window_agrees_with_the_reference_at_every_step(link, model):
    raw = random_raw(model, 3, 4)
    expected = run(model, raw, trace=True)
    dut = connected(link)
    check_identity(dut.identity, model, "host", bytes.fromhex(dut.identity.firmware_id))
    for i, window in enumerate(raw):
        outcome = dut.infer(window, trace=True)
        np.testing.assert_array_equal(outcome.hidden, expected.hidden[i])
        np.testing.assert_array_equal(outcome.logits, expected.logits[i])
        assert outcome.label == expected.labels[i]
        plain = dut.infer(window)
        np.testing.assert_array_equal(plain.logits, expected.logits[i])


@pytest.mark.parametrize("rates", [{"flip": 2e-3}, {"drop": 2e-3}, {"flip": 1e-3, "drop": 1e-3}])
def test_a_bad_line_costs_repeats_but_no_answer(link, model, rates, monkeypatch):
    monkeypatch.setattr(channel, "FIRST_TRY_S", 0.2)
    monkeypatch.setattr(channel, "MIN_TRY_S", 0.1)
    line = BadLine(link, **rates)
    raw = random_raw(model, 40, 9)
    expected = run(model, raw)
    dut = connected(line)
    for i, window in enumerate(raw):
        np.testing.assert_array_equal(dut.infer(window).logits, expected.logits[i])
    assert line.damaged > 10
    assert dut.counters.repeats > 0


def test_duplicates_are_harmless(link, model):
    raw = random_raw(model, 5, 2)
    expected = run(model, raw)
    dut = connected(Duplicating(link))
    for i, window in enumerate(raw):
        np.testing.assert_array_equal(dut.infer(window).logits, expected.logits[i])
    assert dut.stats().repeats >= 5


@pytest.mark.parametrize("trace", [False, True])
def test_a_reset_in_mid_window_is_noticed_and_the_window_repeated(link, model, trace):
    raw = random_raw(model, 1, 3)[0]
    dut = connected(link)
    original, total = link.write, 0

    def write(data, deadline):
        nonlocal total
        half = len(data) // 2
        original(data[:half], deadline)
        if total < 100 <= total + len(data):  # someone else resets the board behind the Dut's back
            original(encode(Frame(Type.HELLO, 99)) + encode(Frame(Type.RESET, 100)), deadline)
        original(data[half:], deadline)
        total += len(data)

    link.write = write
    outcome = dut.infer(raw, trace=trace)
    np.testing.assert_array_equal(outcome.logits, run(model, raw[None]).logits[0])
    assert dut.counters.restarts == 1


def test_reset_restarts_the_firmware(link):
    dut = connected(link)
    dut.stats()
    frames = dut.stats().frames
    dut.reset()
    with pytest.raises(LinkError, match="not connected"):
        dut.stats()
    dut.connect(boot_wait_s=5.0, banner=True)
    assert dut.stats().frames < frames


def test_bench_repeats_the_stored_window(link, model):
    outcome = connected(link).bench(4)
    assert (outcome.repeats, outcome.steps) == (4, 8)
    expected = run(model, bench_window(model)[None]).logits[0]
    np.testing.assert_array_equal(outcome.logits, expected)


class Silent:
    """A port on which nobody answers."""

    def write(self, data, deadline):
        pass

    def read(self, deadline):
        deadline_left = deadline.remaining_s
        subprocess.run(["sleep", str(min(deadline_left, 0.05))], check=True)
        return b""

    def close(self):
        pass


def test_silence_ends_in_one_clear_error():
    with pytest.raises(LinkTimeout, match="no answer within 0.3 s") as caught:
        Dut(Silent()).connect(boot_wait_s=0.3, banner=False)
    assert caught.value.exit_code == 3
    assert "harness flash" in caught.value.hint


def test_a_window_of_the_wrong_shape_is_refused(link, model):
    dut = connected(link)
    with pytest.raises(ValueError, match="firmware takes"):
        dut.infer(np.zeros((3, 3), np.int16))


def test_another_firmware_is_not_measured(link, model):
    dut = connected(link)
    with pytest.raises(LinkError, match="answers with board 'host', expected 'uno'"):
        check_identity(dut.identity, model, "uno", b"12345678")
    other = random_qmodel("fastgrnn", 6, hidden=12, features=6, classes=4, steps=20)
    with pytest.raises(LinkError, match="model_sha256"):
        check_identity(dut.identity, other, "host", bytes.fromhex(dut.identity.firmware_id))


def windows_of(model, n):
    raw = random_raw(model, n, 8)
    return Windows(raw, np.zeros(n, np.int64), np.arange(n) * 7)


def test_measure_streams_only_what_the_journal_lacks(link, model, tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    windows = windows_of(model, 6)
    dut = connected(link)
    first = Windows(windows.raw[:4], windows.labels[:4], windows.index[:4])
    measure(dut, model, first, bench_window(model), journal)
    before = dut.stats().frames
    result = measure(dut, model, windows, bench_window(model), journal, trace=0)
    steps_per_frame = (64 - 2) // 12
    frames_a_window = -(-20 // steps_per_frame)
    assert dut.stats().frames - before == 2 * frames_a_window + 3  # + bench and two stats
    assert result.mismatches == result.trace_mismatches == result.saturation_mismatches == 0
    assert [row.window for row in result.rows] == windows.index.tolist()
    assert result.bench_agrees


def test_measure_reports_a_board_that_answers_wrongly(link, model, tmp_path):
    other = random_qmodel("fastgrnn", 99, hidden=12, features=6, classes=4, steps=20)
    windows = windows_of(model, 3)
    journal = Journal(tmp_path / "j.jsonl")
    result = measure(connected(link), other, windows, bench_window(model), journal)
    assert result.mismatches == 3
    assert result.trace_mismatches > 0
    assert not result.bench_agrees


def test_windows_are_drawn_over_the_whole_set_and_repeatably():
    drawn = draw_windows(1000, 50, 3)
    np.testing.assert_array_equal(drawn, draw_windows(1000, 50, 3))
    assert len(set(drawn.tolist())) == 50
    assert drawn.max() > 800
    assert (draw_windows(1000, 50, 4) != drawn).any()
    np.testing.assert_array_equal(draw_windows(5, None, 0), np.arange(5))
    np.testing.assert_array_equal(draw_windows(5, 9, 0), np.arange(5))


def test_percentiles_are_values_that_occurred_and_absent_when_not_measured():
    assert percentiles([10, 20, 30]) == {
        "cycles_median": 20.0,
        "cycles_p95": 30,
        "cycles_max": 30,
    }
    assert percentiles([10, -1]) == {}
    assert percentiles([]) == {}


def test_deadlines_do_not_add_up():
    outer = Deadline.after(0.2)
    assert outer.sooner(60).remaining_s <= 0.2
    assert outer.sooner(0.01).remaining_s <= 0.01
    assert Deadline.after(-1).expired
