"""Windows on the wire, several frames at a time, with the real firmware as a process.

Every outcome, over lines that lose and damage what passes, is compared with the reference.
HARNESS_LINK_FRAMES=100000 makes the long test as long as docs/link.md states.
"""

from __future__ import annotations

import os
import random

import numpy as np
import pytest

from harness.errors import LinkError, LinkTimeout
from harness.firmware.host import build_host
from harness.link import channel
from harness.link import messages as msg
from harness.link.base import Deadline
from harness.link.dut import Dut
from harness.link.frame import Decoder, Frame, encode
from harness.link.messages import StepFlag, Type
from harness.reference.model import bench_window, run
from tests.kernels.process_link import ProcessLink
from tests.models import random_qmodel, random_raw

MODEL = random_qmodel("fastgrnn", 5, hidden=4, features=6, classes=4, steps=20, density=0.4)
PAYLOAD, WINDOW = 64, 255
FRAMES_A_WINDOW = 4  # of five steps, 62 bytes
FRAMES = int(os.environ.get("HARNESS_LINK_FRAMES", "4000"))
RATE = 1e-4  # of flips, and of drops, a byte


@pytest.fixture(scope="module")
def executable():
    return build_host(
        MODEL,
        bench_window(MODEL),
        sanitize=True,
        max_payload=PAYLOAD,
        defines=(f"POSIX_WINDOW={WINDOW}u",),
    )


@pytest.fixture
def link(executable):
    link = ProcessLink(executable)
    yield link
    link.close()


class Line:
    """Another link; subclasses do something to what passes."""

    def __init__(self, link):
        self.link = link

    def write(self, data, deadline):
        self.link.write(data, deadline)

    def read(self, deadline):
        return self.link.read(deadline)

    def close(self):
        self.link.close()


class Spoiled(Line):
    """Bytes are flipped and dropped, both ways."""

    def __init__(self, link, rate, seed):
        super().__init__(link)
        self.rate, self.random, self.spoiled = rate, random.Random(seed), 0

    def spoil(self, data: bytes) -> bytes:
        out = bytearray(data)
        for at in reversed(range(len(out))):
            chance = self.random.random()
            if chance < self.rate:
                del out[at]
            elif chance < 2 * self.rate:
                out[at] ^= 1 << self.random.randrange(8)
            self.spoiled += chance < 2 * self.rate
        return bytes(out)

    def write(self, data, deadline):
        self.link.write(self.spoil(data), deadline)

    def read(self, deadline):
        return self.spoil(self.link.read(deadline))


class Watched(Line):
    """Counts the bytes of requests that have no reply yet, and the frames."""

    def __init__(self, link):
        super().__init__(link)
        self.out, self.back = Decoder(), Decoder()
        self.waiting: dict[int, int] = {}
        self.most_bytes = self.most_frames = self.frames = 0

    def write(self, data, deadline):
        for frame in self.out.feed(data):
            self.frames += 1
            self.waiting[frame.seq] = len(encode(frame))
        self.most_frames = max(self.most_frames, len(self.waiting))
        self.most_bytes = max(self.most_bytes, sum(self.waiting.values()))
        self.link.write(data, deadline)

    def read(self, deadline):
        data = self.link.read(deadline)
        for frame in self.back.feed(data):
            self.waiting.pop(frame.seq, None)
        return data


class Losing(Line):
    """Loses the requests to step, or the replies to them, with these numbers, from 0."""

    def __init__(self, link, *, requests=(), replies=()):
        super().__init__(link)
        self.out, self.back = Decoder(), Decoder()
        self.lost = {"out": set(requests), "back": set(replies)}
        self.count = {"out": 0, "back": 0}

    def passed(self, way, decoder, data):
        kept = b""
        for frame in decoder.feed(data):
            is_step = frame.type & ~msg.REPLY in (Type.STEP, Type.NAK)
            if not is_step or self.count[way] not in self.lost[way]:
                kept += encode(frame)
            self.count[way] += is_step
        return kept

    def write(self, data, deadline):
        self.link.write(self.passed("out", self.out, data), deadline)

    def read(self, deadline):
        return self.passed("back", self.back, self.link.read(deadline))


def connected(link) -> Dut:
    dut = Dut(link)
    dut.connect(boot_wait_s=5.0, banner=True)
    return dut


def outcomes_are_right(dut, raw):
    expected = run(MODEL, raw)
    count = 0
    for outcome, logits, label in zip(
        dut.infer_all(raw), expected.logits, expected.labels, strict=True
    ):
        np.testing.assert_array_equal(outcome.logits, logits)
        assert outcome.label == label
        count += 1
    assert count == len(raw)


def test_several_frames_are_under_way_and_never_more_than_the_board_takes(link):
    line = Watched(link)
    dut = connected(line)
    assert (dut.identity.credit_bytes, dut.identity.window_bytes) == (PAYLOAD, WINDOW)
    outcomes_are_right(dut, random_raw(MODEL, 30, 1))
    assert line.frames == 1 + 30 * FRAMES_A_WINDOW
    assert line.most_frames == 3  # of 75 bytes
    assert WINDOW // 2 < line.most_bytes <= WINDOW
    assert dut.counters.repeats == dut.counters.restarts == 0


def test_without_overlap_each_request_waits_for_its_reply(link):
    line = Watched(link)
    dut = connected(line)
    dut.overlap = False
    outcomes_are_right(dut, random_raw(MODEL, 5, 1))
    assert line.most_frames == 1


def test_a_lost_request_is_refused_and_sent_again_at_once(link, monkeypatch):
    """With the others behind it, and long before anybody's patience ends."""
    monkeypatch.setattr(channel, "FIRST_TRY_S", 60.0)
    monkeypatch.setattr(channel, "MIN_TRY_S", 60.0)
    dut = connected(Losing(link, requests=(2, 9, 10, 23)))
    outcomes_are_right(dut, random_raw(MODEL, 10, 2))
    assert 4 <= dut.counters.repeats <= 4 * 3
    assert dut.counters.restarts == 0


def test_a_lost_reply_needs_no_repeat_where_another_follows(link, monkeypatch):
    monkeypatch.setattr(channel, "FIRST_TRY_S", 60.0)
    dut = connected(Losing(link, replies=(1, 4)))
    outcomes_are_right(dut, random_raw(MODEL, 3, 2))
    assert dut.counters.repeats == 0


def test_a_lost_outcome_has_its_window_done_again_and_keeps_the_order(link, monkeypatch):
    monkeypatch.setattr(channel, "FIRST_TRY_S", 60.0)
    line = Losing(link, replies=(FRAMES_A_WINDOW - 1,))
    dut = connected(line)
    outcomes_are_right(dut, random_raw(MODEL, 6, 2))
    assert dut.counters.repeats == 1
    assert line.count["out"] == 7 * FRAMES_A_WINDOW


def test_the_last_outcome_of_all_is_asked_for_again(link, monkeypatch):
    monkeypatch.setattr(channel, "FIRST_TRY_S", 0.1)
    monkeypatch.setattr(channel, "MIN_TRY_S", 0.1)
    dut = connected(Losing(link, replies=(2 * FRAMES_A_WINDOW - 1,)))
    outcomes_are_right(dut, random_raw(MODEL, 2, 2))
    assert dut.counters.repeats == 1
    assert dut.stats().repeats == 1  # answered by the board, not executed


def test_silence_in_mid_stream_ends_in_one_clear_error(link, monkeypatch):
    monkeypatch.setattr(channel, "FIRST_TRY_S", 0.02)
    monkeypatch.setattr(channel, "MIN_TRY_S", 0.02)
    dut = connected(Losing(link, requests=range(5, 1000)))
    with pytest.raises(LinkTimeout, match="no reply to STEP after 6 tries"):
        list(dut.infer_all(random_raw(MODEL, 4, 2)))
    assert dut.stats().frames > 5  # the line is whole for others, and the Dut finds its place


def test_a_stream_that_is_broken_off_leaves_the_dut_usable(link):
    raw = random_raw(MODEL, 8, 3)
    dut = connected(link)
    stream = dut.infer_all(raw)
    next(stream)
    stream.close()
    assert dut.stats().bad_frame == 0
    outcomes_are_right(dut, raw)


def test_a_reset_in_mid_stream_loses_no_window_and_doubles_none(link):
    raw = random_raw(MODEL, 12, 4)
    dut = connected(link)
    original, frames = link.write, 0

    def write(data, deadline):
        nonlocal frames
        before, frames = frames, frames + len(Decoder().feed(data))
        original(data, deadline)
        if before < 21 <= frames:
            original(encode(Frame(Type.HELLO, 99)) + encode(Frame(Type.RESET, 100)), deadline)

    link.write = write
    outcomes_are_right(dut, raw)
    assert dut.counters.restarts == 1


def test_resets_within_every_window_are_given_up(link):
    dut = connected(link)
    original = link.write

    def write(data, deadline):
        if any(frame.type == Type.STEP for frame in Decoder().feed(data)):
            data = encode(Frame(Type.HELLO, 99)) + encode(Frame(Type.RESET, 100))
        original(data, deadline)

    link.write = write
    with pytest.raises(LinkError, match="restarted 3 times within one window"):
        list(dut.infer_all(random_raw(MODEL, 2, 2)))


def test_a_window_that_the_board_refuses_is_an_error(link):
    dut = connected(link)
    original = link.write

    def write(data, deadline):
        frames = Decoder().feed(data)
        for frame in frames:
            payload = frame.payload[:-1] if frame.type == Type.STEP else frame.payload
            original(encode(Frame(frame.type, frame.seq, payload)), deadline)

    link.write = write
    with pytest.raises(LinkError, match=r"refused STEP \(code 2\)"):
        list(dut.infer_all(random_raw(MODEL, 2, 2)))


def test_the_firmware_answers_old_duplicates_by_what_it_has_executed(link):
    """Go-back-N rests on this: a refusal names the last request that was executed."""
    dut = connected(link)
    samples = random_raw(MODEL, 1, 2)[0][:1]
    steps = [
        encode(Frame(Type.STEP, 2 + i, msg.step_request(StepFlag.FIRST, samples))) for i in range(3)
    ]
    link.write(b"".join(steps) + steps[0] + steps[2], Deadline.after(5))
    decoder, frames = Decoder(), []
    while len(frames) < 5:
        frames += decoder.feed(link.read(Deadline.after(5)))
    assert [(f.type, f.seq) for f in frames[:3]] == [(0x82, 2), (0x82, 3), (0x82, 4)]
    assert (frames[3].type, frames[3].seq, *frames[3].payload) == (0xFF, 2, msg.Nak.BAD_SEQ, 4)
    assert frames[4] == frames[2]
    assert dut.identity.steps == 20


def test_no_corrupt_sample_is_accepted_and_none_is_lost(link, monkeypatch):
    """Flips and drops at 1e-4 a byte each, both ways, over many frames."""
    monkeypatch.setattr(channel, "MIN_TRY_S", 0.1)
    line = Spoiled(link, RATE, seed=11)
    dut = connected(line)
    outcomes_are_right(dut, random_raw(MODEL, FRAMES // FRAMES_A_WINDOW, 6))
    stats = dut.stats()
    assert stats.frames >= FRAMES
    assert line.spoiled > FRAMES * 100 * RATE
    assert stats.bad_crc + stats.bad_frame > 0 < dut.counters.repeats
    assert dut.counters.restarts == 0
