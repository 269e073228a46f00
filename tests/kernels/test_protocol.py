"""The rules of docs/link.md on the firmware as a process: repeats, refusals, resets, counters."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time

import numpy as np
import pytest

from harness.firmware.host import BOARD_NAME, CLOCK_HZ, build_host
from harness.link import messages as msg
from harness.link.base import Deadline
from harness.link.dut import connect
from harness.link.frame import Decoder, Frame, cobs_encode, encode
from harness.link.messages import Nak, StepFlag, Type
from harness.reference.model import run
from tests.models import random_qmodel, random_raw

from .process_link import ProcessLink

MAX_PAYLOAD = 256
MODEL = random_qmodel("fastgrnn", 3, features=3, hidden=7, classes=4, steps=6)
RAW = random_raw(MODEL, 2, 5)
BENCH_RAW = RAW[1][:4]


@pytest.fixture(scope="module")
def program(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE_DIR", str(request.config.cache.mkdir("harness-kernels")))
        return build_host(MODEL, BENCH_RAW, sanitize=True, max_payload=MAX_PAYLOAD)


class Client:
    """Frames by hand: nothing is repeated, nothing is counted."""

    def __init__(self, program):
        self.link = ProcessLink(program)
        self.decoder = Decoder()
        self.waiting: list[Frame] = []

    def send(self, *frames: Frame | bytes) -> None:
        data = b"".join(f if isinstance(f, bytes) else encode(f) for f in frames)
        self.link.write(data, Deadline.after(5))

    def receive(self, within_s: float = 5.0) -> Frame | None:
        deadline = Deadline.after(within_s)
        while not self.waiting and not deadline.expired:
            self.waiting += self.decoder.feed(self.link.read(deadline))
        return self.waiting.pop(0) if self.waiting else None

    def ask(self, kind: int, seq: int, payload: bytes = b"") -> Frame:
        self.send(Frame(kind, seq, payload))
        reply = self.receive()
        assert reply is not None
        return reply


@pytest.fixture
def silent(program):
    """A client that has not said hello; the banner is still to be read."""
    client = Client(program)
    yield client
    client.link.close()
    assert client.link.exit_code == 0, client.link.errors


@pytest.fixture
def client(silent):
    banner = silent.receive()
    assert (banner.type, banner.seq) == (Type.HELLO | msg.REPLY, 0)
    silent.ask(Type.HELLO, 10)
    return silent


def step(samples, *flags: StepFlag) -> bytes:
    together = StepFlag(0)
    for flag in flags:
        together |= flag
    return msg.step_request(together, samples)


def refusal(reply: Frame) -> tuple[int, int, int]:
    """seq, code and last seq of a NAK."""
    assert reply.type == Type.NAK | msg.REPLY
    return (reply.seq, *reply.payload)


def test_banner_and_hello_say_the_same(silent):
    banner = silent.receive()
    assert (banner.type, banner.seq) == (Type.HELLO | msg.REPLY, 0)
    reply = silent.ask(Type.HELLO, 200)
    assert reply == Frame(Type.HELLO | msg.REPLY, 200, banner.payload)
    hello = msg.parse_hello(reply.payload)
    assert (hello.board, hello.clock_hz, hello.credit_bytes) == (BOARD_NAME, CLOCK_HZ, MAX_PAYLOAD)
    assert (hello.features, hello.hidden, hello.classes) == (3, 7, 4)
    assert (hello.steps, hello.bench_steps) == (6, 4)
    assert (hello.timer, hello.state_bytes) == (4, 2)
    assert hello.model_sha256 == MODEL.sha256
    assert int(hello.firmware_id, 16) != 0


def test_nothing_but_hello_before_hello(silent):
    silent.receive()
    for kind in (Type.STEP, Type.STATS, Type.BENCH, Type.RESET, 0x55):
        assert refusal(silent.ask(kind, 1)) == (1, Nak.HELLO_FIRST, 0)
    assert refusal(silent.ask(Type.HELLO, 1, b"x")) == (1, Nak.HELLO_FIRST, 0)
    assert silent.ask(Type.HELLO, 77).seq == 77
    assert silent.ask(Type.STATS, 78).type == Type.STATS | msg.REPLY


def test_a_repeated_request_is_answered_but_not_executed(client):
    first = client.ask(Type.STEP, 11, step(RAW[0][:1], StepFlag.FIRST, StepFlag.TRACE))
    again = client.ask(Type.STEP, 11, step(RAW[0][:1], StepFlag.FIRST, StepFlag.TRACE))
    assert again == first
    following = client.ask(Type.STEP, 12, step(RAW[0][1:2], StepFlag.TRACE))
    assert client.ask(Type.STEP, 12, step(RAW[0][1:2], StepFlag.TRACE)) == following
    expected = run(MODEL, RAW[:1], trace=True).hidden[0]
    for reply, hidden in ((first, expected[0]), (following, expected[1])):
        _, rest = msg.parse_credit(reply.payload)
        np.testing.assert_array_equal(msg.parse_hidden(rest, 7), hidden)
    assert msg.parse_stats(client.ask(Type.STATS, 13).payload).repeats == 2


def test_a_wrong_seq_is_refused_and_changes_nothing(client):
    reply = client.ask(Type.STATS, 11)
    for seq in (13, 9, 10, 200):
        assert refusal(client.ask(Type.STATS, seq)) == (seq, Nak.BAD_SEQ, 11)
    assert client.ask(Type.STATS, 11) == reply  # kept through the refusals
    assert client.ask(Type.STATS, 12).type == Type.STATS | msg.REPLY


def test_seq_runs_over(client):
    client.ask(Type.HELLO, 254)
    for seq in (255, 0, 1):
        assert client.ask(Type.STATS, seq).seq == seq


def test_what_is_malformed_is_refused_and_counts_as_a_request(client):
    assert refusal(client.ask(0x42, 11)) == (11, Nak.UNKNOWN_TYPE, 11)
    assert refusal(client.ask(0x42, 11)) == (11, Nak.UNKNOWN_TYPE, 11)  # a repeat
    for seq, kind, payload in (
        (12, Type.STEP, b""),
        (13, Type.STEP, b"\1"),
        (14, Type.STEP, b"\1\1" + bytes(5)),
        (15, Type.STEP, b"\1\1" + bytes(7)),
        (16, Type.STEP, b"\1\xff" + bytes(6)),
        (17, Type.STATS, b"\0"),
        (18, Type.BENCH, b"\1"),
        (19, Type.BENCH, b"\0\0"),
        (20, Type.RESET, b"\0"),
        (21, Type.HELLO, b"\0"),
    ):
        assert refusal(client.ask(kind, seq, payload)) == (seq, Nak.BAD_LENGTH, seq)
    assert refusal(client.ask(Type.STEP, 22, step(RAW[0][:1]))) == (22, Nak.NO_FIRST_STEP, 22)
    assert refusal(client.ask(Type.STEP, 23, step(RAW[0][:1], StepFlag.LAST)))[1] == 3


def test_a_window_may_be_cut_anyhow(client):
    expected = run(MODEL, RAW[:1])
    seq = 10
    for cuts in ((6,), (1, 5), (2, 0, 3, 1), (0, 6, 0)):
        position = 0
        for index, count in enumerate(cuts):
            seq += 1
            flags = [StepFlag.FIRST] * (index == 0) + [StepFlag.LAST] * (index == len(cuts) - 1)
            reply = client.ask(Type.STEP, seq, step(RAW[0][position : position + count], *flags))
            position += count
            credit, rest = msg.parse_credit(reply.payload)
            assert credit == MAX_PAYLOAD
        outcome, rest = msg.parse_outcome(rest, 4)
        assert rest == b""
        np.testing.assert_array_equal(outcome.logits, expected.logits[0])
        assert outcome.cycles > 0
    assert refusal(client.ask(Type.STEP, seq + 1, step(RAW[0][:1])))[1] == Nak.NO_FIRST_STEP


def test_first_starts_a_window_again(client):
    client.ask(Type.STEP, 11, step(RAW[1][:3], StepFlag.FIRST))
    reply = client.ask(Type.STEP, 12, step(RAW[0], StepFlag.FIRST, StepFlag.LAST))
    outcome, _ = msg.parse_outcome(msg.parse_credit(reply.payload)[1], 4)
    np.testing.assert_array_equal(outcome.logits, run(MODEL, RAW[:1]).logits[0])


def test_hello_closes_the_window(client):
    client.ask(Type.STEP, 11, step(RAW[0][:1], StepFlag.FIRST))
    client.ask(Type.HELLO, 1)
    assert refusal(client.ask(Type.STEP, 2, step(RAW[0][1:2])))[1] == Nak.NO_FIRST_STEP


def test_bench_runs_the_stored_window(client):
    reply = client.ask(Type.BENCH, 11, (5).to_bytes(2, "little"))
    bench = msg.parse_bench(reply.payload, 4)
    assert (bench.repeats, bench.steps) == (5, 4)
    assert 0 < bench.cycles_min <= bench.cycles_max
    np.testing.assert_array_equal(bench.logits, run(MODEL, BENCH_RAW[None]).logits[0])


def test_damage_is_dropped_in_silence_and_counted(client):
    good = encode(Frame(Type.STATS, 11))
    bad_crc = bytearray(good)
    bad_crc[2] ^= 0x10  # the type; no zero comes of it
    too_long = encode(Frame(Type.STEP, 11, b"\1" * (MAX_PAYLOAD + 1)))
    client.send(bytes(bad_crc), b"\0noise\0", b"\0" + cobs_encode(b"short") + b"\0", too_long)
    assert client.receive(0.3) is None
    client.send(good)
    stats = msg.parse_stats(client.receive().payload)
    assert (stats.bad_crc, stats.bad_frame, stats.frames, stats.repeats) == (1, 3, 2, 0)


def test_the_largest_frame_is_taken(client):
    steps = (MAX_PAYLOAD - 2) // 6
    samples = np.tile(RAW[0], (10, 1))[:steps]
    client.ask(Type.STEP, 11, step(samples, StepFlag.FIRST))
    assert msg.parse_stats(client.ask(Type.STATS, 12).payload).bad_frame == 0


def test_reset_forgets_everything(client):
    client.ask(Type.STEP, 11, step(RAW[0][:1], StepFlag.FIRST))
    assert client.ask(Type.RESET, 12).payload == b""
    banner = client.receive()
    assert (banner.type, banner.seq) == (Type.HELLO | msg.REPLY, 0)
    assert refusal(client.ask(Type.STEP, 13, step(RAW[0][:1])))[1] == Nak.HELLO_FIRST
    client.ask(Type.HELLO, 1)
    assert msg.parse_stats(client.ask(Type.STATS, 2).payload).frames == 3


def test_the_harness_client_notices_a_reset_in_mid_window(program):
    link = ProcessLink(program)
    dut = connect(lambda: link, boot_wait_s=5, banner=True)
    original, sent = link.write, 0

    def write(data, deadline):
        nonlocal sent
        sent += 1
        original(data, deadline)
        if sent == 3:  # behind the client's back
            original(encode(Frame(Type.HELLO, 99)) + encode(Frame(Type.RESET, 100)), deadline)

    link.write = write
    outcome = dut.infer(RAW[0], trace=True)
    dut.close()
    np.testing.assert_array_equal(outcome.logits, run(MODEL, RAW[:1]).logits[0])
    assert dut.counters.restarts >= 1


def test_any_payload_of_any_type_is_answered(client):
    rng = np.random.default_rng(9)
    for i in range(600):
        kind = int(rng.choice([1, 2, 2, 2, 3, 4, 6, 0x7F, 0x82, 0xFF]))
        payload = rng.bytes(int(rng.integers(0, MAX_PAYLOAD + 1)))
        if kind == Type.STEP and i % 2:  # of the right length
            count = int(rng.integers(0, 40))
            payload = bytes([int(rng.integers(256)), count]) + rng.bytes(6 * count)
        if kind == Type.BENCH:
            payload = rng.bytes(1) + b"\0"
        seq = (11 + i) % 256
        reply = client.ask(kind, seq, payload)
        assert reply.seq == seq
        assert reply.type in (kind | msg.REPLY, Type.NAK | msg.REPLY)


def test_it_serves_a_tty(program):
    ours, theirs = pty.openpty()
    process = subprocess.Popen([program, os.ttyname(theirs)], stdin=subprocess.DEVNULL)
    try:
        decoder, deadline, frames = Decoder(), time.monotonic() + 10, []
        while not frames and time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                frames = decoder.feed(os.read(ours, 4096))
        assert frames[0].type == Type.HELLO | msg.REPLY
        os.write(ours, encode(Frame(Type.HELLO, 5)))
        frames = []
        while not frames and time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                frames = decoder.feed(os.read(ours, 4096))
        assert frames[0].seq == 5
    finally:
        os.close(theirs)
        os.close(ours)
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def test_it_ends_with_its_input(program):
    client = Client(program)
    client.receive()
    client.link.close()
    assert client.link.exit_code == 0
