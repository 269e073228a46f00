"""Windows on the wire, several frames of them at a time, as the board's credit allows.

Go-back-N: the board executes frames in the order of their seq and refuses one that comes too early,
naming the last it has executed; then, or when nothing comes at all, everything after that one is
sent again. The board keeps its last reply only. So a reply to a later frame says that the earlier
ones were executed, and where one of those had a window's outcome, that window is done again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.errors import LinkError, LinkTimeout
from harness.link import messages as msg
from harness.link.base import Deadline
from harness.link.channel import Channel
from harness.link.frame import Frame, encode
from harness.link.messages import Hello, Outcome, Type

MOST_FRAMES = 64  # under way at once; below half of what a seq can tell apart
SEND_S = 10.0  # for the port to take what the board's credit allows
WIRE_OVERHEAD_BYTES = 13  # two zeros, COBS, header, CRC; and what a STEP has before its samples
SMALL_FRAME_BYTES = 128  # on the wire; below it a frame's overhead is felt


class BoardRestarted(LinkError):
    """The board was reset, or lost its place, since the last exchange."""


@dataclass(slots=True)
class _Request:
    """A STEP on its way: encoded, and which window it is of; `last`: its reply has the outcome."""

    seq: int
    wire: bytes
    window: int
    last: bool
    sent_s: float = 0.0
    again: bool = False


def lost_its_place(code: int) -> bool:
    """Whether a refusal means that the board does not know of what went before."""
    return code in (msg.Nak.HELLO_FIRST, msg.Nak.NO_FIRST_STEP)


def is_banner(frame: Frame) -> bool:
    """What a board says after a reset, unasked."""
    return frame.type == Type.HELLO | msg.REPLY and frame.seq == msg.BANNER_SEQ


def steps_per_frame(hello: Hello, window_bytes: int) -> int:
    """As many as the board takes; the window, if there is one, should hold four frames or two."""
    room = hello.credit_bytes - 2
    if window_bytes:
        frame_bytes = max(window_bytes // 4, min(window_bytes // 2, SMALL_FRAME_BYTES))
        room = min(room, frame_bytes - WIRE_OVERHEAD_BYTES)
    most = (hello.credit_bytes - 2) // (2 * hello.features)
    if most < 1:
        raise LinkError(
            f"the board grants {hello.credit_bytes} bytes, one step of {hello.features} features"
            f" needs {2 + 2 * hello.features}",
            hint="raise max_payload_bytes of the board in boards.yaml",
        )
    return min(max(room // (2 * hello.features), 1), most, 255)


class WindowStream:
    """Windows [T, D] in, their outcomes out, in order. `advance` until `done`.

    overlap: frames, also of the next windows, may be under way while the board computes, as far as
    its window goes; else each waits for the reply to the one before.
    """

    def __init__(
        self,
        channel: Channel,
        hello: Hello,
        seq: int,
        windows: Iterable[NDArray[np.int16]],
        *,
        overlap: bool,
    ) -> None:
        self.seq = seq  # of the request built last
        self._channel, self._hello = channel, hello
        self._window_bytes = hello.window_bytes if overlap else 0
        self._steps = steps_per_frame(hello, self._window_bytes)
        self._source = enumerate(windows)
        self._exhausted = False
        self._begun: dict[int, NDArray[np.int16]] = {}  # windows whose outcome is not there
        self._again: list[int] = []  # those of them to be sent again, ascending
        self._cutting = 0  # the window being sent
        self._cut: deque[bytes] = deque()  # payloads of its requests to come
        self._ready: _Request | None = None  # waits for credit
        self._sent: deque[_Request] = deque()
        self._sent_bytes = 0
        self._outcomes: dict[int, Outcome] = {}
        self._next_out = 0
        self._heard_s = 0.0  # when something was last acknowledged, or sent into silence
        self._attempt = 0
        self._refused: int | None = None  # seq of the last refusal since then

    @property
    def done(self) -> bool:
        """Every outcome has been given out."""
        self._build()
        return not (self._sent or self._ready or self._begun or self._outcomes)

    @property
    def is_under_way(self) -> bool:
        """Requests without a reply are on the line."""
        return bool(self._sent)

    def advance(self) -> list[Outcome]:
        """Send what may be sent, take one reply; the outcomes that follow, in order.

        Raises BoardRestarted (then `restart`), LinkTimeout, LinkError.
        """
        self._fill()
        frame = self._channel.receive(
            Deadline(self._heard_s + self._channel.pace.try_s * (1 + self._attempt))
        )
        if frame is None:
            self._repeat_in_silence()
        else:
            self._take(frame)
        return self._in_order()

    def restart(self, hello: Hello, seq: int) -> None:
        """After a HELLO: begin every window again whose outcome is not there."""
        self._hello, self.seq = hello, seq
        self._sent.clear()
        self._cut.clear()
        self._ready = None
        self._sent_bytes, self._attempt, self._refused = 0, 0, None
        self._again = sorted(self._begun)

    # -- sending -------------------------------------------------------------------------------

    def _fill(self) -> None:
        wire = bytearray()
        now = time.monotonic()
        if not self._sent:
            self._heard_s = now
        while self._build() and self._ready and self._fits(len(self._ready.wire)):
            request, self._ready = self._ready, None
            request.sent_s = now
            self._sent.append(request)
            self._sent_bytes += len(request.wire)
            self._channel.counters.exchanges += 1
            wire += request.wire
        if wire:
            self._channel.send_wire(bytes(wire), Deadline.after(SEND_S))

    def _fits(self, size: int) -> bool:
        if not self._sent:
            return True
        return self._sent_bytes + size <= self._window_bytes and len(self._sent) < MOST_FRAMES

    def _build(self) -> bool:
        """Have a request ready, if one is left."""
        if self._ready:
            return True
        if not self._cut and not self._cut_next_window():
            return False
        payload = self._cut.popleft()
        self.seq = (self.seq + 1) % 256
        wire = encode(Frame(Type.STEP, self.seq, payload))
        self._ready = _Request(self.seq, wire, self._cutting, last=not self._cut)
        return True

    def _cut_next_window(self) -> bool:
        if self._again:
            window = self._again.pop(0)
        elif self._exhausted or (found := next(self._source, None)) is None:
            self._exhausted = True
            return False
        else:
            window, self._begun[found[0]] = found
        raw = self._begun[window]
        if raw.shape != (self._hello.steps, self._hello.features):
            del self._begun[window]
            shape = self._hello.steps, self._hello.features
            raise ValueError(f"window {raw.shape}, firmware takes {shape}")
        self._cutting = window
        self._cut.extend(msg.window_requests(raw, self._steps))
        return True

    def _repeat(self) -> None:
        """Send again everything that is under way."""
        self._channel.counters.repeats += len(self._sent)
        for request in self._sent:
            request.again = True
        wire = b"".join(request.wire for request in self._sent)
        self._channel.send_wire(wire, Deadline.after(SEND_S))

    def _repeat_in_silence(self) -> None:
        self._attempt += 1
        if self._attempt >= self._channel.tries:
            raise LinkTimeout(
                f"no reply to STEP after {self._attempt} tries ({self._channel.bad_frames} damaged"
                " frames seen)",
                hint="is the cable sound, does the board hang? `harness doctor` checks the port",
            )
        self._refused = None
        self._heard_s = time.monotonic()
        self._repeat()

    # -- receiving -----------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        if is_banner(frame):
            raise BoardRestarted("the board restarted and announced itself")
        if frame.type == Type.STEP | msg.REPLY:
            self._take_reply(frame)
        elif frame.type == Type.NAK | msg.REPLY and len(frame.payload) >= 2:
            self._take_refusal(frame)

    def _place(self, seq: int) -> int:
        """How many of those under way come before `seq`."""
        return (seq - self._sent[0].seq) % 256 if self._sent else 256

    def _take_reply(self, frame: Frame) -> None:
        place = self._place(frame.seq)
        if place >= len(self._sent):
            return  # to a request that was answered before
        self._executed(place)
        request = self._pop()
        if not request.again:
            self._channel.pace.note(time.monotonic() - request.sent_s)
        _, rest = msg.parse_credit(frame.payload)
        if request.last:
            outcome, _ = msg.parse_outcome(rest, self._hello.classes)
            self._outcomes[request.window] = outcome
            del self._begun[request.window]

    def _take_refusal(self, frame: Frame) -> None:
        code, last_seq = frame.payload[:2]
        if lost_its_place(code):
            raise BoardRestarted(f"the board lost its place (code {code})")
        if code != msg.Nak.BAD_SEQ:
            if self._place(frame.seq) < len(self._sent):
                raise LinkError(f"the board refused STEP (code {code})")
            return
        if not self._sent:
            return
        executed = (last_seq + 1 - self._sent[0].seq) % 256
        if executed > len(self._sent):
            raise BoardRestarted(f"the board lost its place (executed {last_seq})")
        self._executed(executed - 1)  # the reply to the last one is kept: it can still be had
        early = 0 < (frame.seq - last_seq) % 256 < 128
        # Each frame behind a lost one is refused: the first refusal counts, and one that has the
        # seq of an earlier refusal or a lower one, for that is to a frame sent since.
        if early and (self._refused is None or not 0 < (frame.seq - self._refused) % 256 < 128):
            self._repeat()
        if early:
            self._refused = frame.seq

    def _executed(self, count: int) -> None:
        """The first `count` of those under way were executed, and their replies are lost."""
        for _ in range(count):
            request = self._pop()
            if request.last:
                self._channel.counters.repeats += 1
                self._again = sorted([*self._again, request.window])

    def _pop(self) -> _Request:
        request = self._sent.popleft()
        self._sent_bytes -= len(request.wire)
        self._heard_s, self._attempt, self._refused = time.monotonic(), 0, None
        return request

    def _in_order(self) -> list[Outcome]:
        ready = []
        while self._next_out in self._outcomes:
            ready.append(self._outcomes.pop(self._next_out))
            self._next_out += 1
        return ready
