"""The device under test: what a firmware can be asked, over any Link.

Reliable on a line that loses and damages bytes: every request waits for its own reply, repeats
itself when none comes, and a board that restarted in mid-window is noticed and the window done
again. Deadlines are absolute; nothing here can wait for ever.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.errors import LinkError, LinkTimeout
from harness.link import messages as msg
from harness.link.base import Deadline, Link
from harness.link.frame import Decoder, Frame, encode
from harness.link.messages import BenchOutcome, Hello, Outcome, Stats, StepFlag, Type

FIRST_TRY_S = 2.0  # until the board's pace is known
MIN_TRY_S = 0.3
MAX_TRY_S = 20.0
TRIES = 6
WINDOW_RESTARTS = 3
HELLO_EVERY_S = 0.5
BANNER_SEQ = 0


class BoardRestarted(LinkError):
    """The board was reset (or lost the sequence) since the last exchange."""


@dataclass
class LinkCounters:
    """What the line did since the Dut was opened."""

    bytes_sent: int = 0
    bytes_received: int = 0
    exchanges: int = 0
    repeats: int = 0  # requests sent again
    restarts: int = 0  # windows begun again after a reset of the board


class Dut:
    """A board that runs our firmware. Use `connect` before anything else."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._decoder = Decoder()
        self._waiting: deque[Frame] = deque()
        self._seq = 0
        self._slowest_reply_s = 0.0
        self._hello: Hello | None = None
        self._credit_bytes = 0
        self.counters = LinkCounters()

    @property
    def identity(self) -> Hello:
        """What the board said of itself at `connect`."""
        if self._hello is None:
            raise LinkError("not connected: call connect() first")
        return self._hello

    def connect(self, *, boot_wait_s: float, banner: bool) -> Hello:
        """Wait for the board to answer, at most about twice `boot_wait_s`.

        banner: the board resets when its port is opened and announces itself when it has booted;
        until then a bootloader may be listening, which must not be talked to.
        """
        if banner:
            with contextlib.suppress(LinkTimeout):  # it may have been damaged: then ask
                self._await(Type.HELLO, BANNER_SEQ, Deadline.after(boot_wait_s))
        deadline = Deadline.after(boot_wait_s)
        while True:
            try:
                return self._say_hello(deadline.sooner(HELLO_EVERY_S))
            except LinkTimeout as error:
                if deadline.expired:
                    raise LinkTimeout(
                        f"no answer within {boot_wait_s:.1f} s of asking"
                        f" ({self._decoder.bad_frames} damaged frames seen)",
                        hint="is our firmware on the board (`harness flash`), the baud rate right?",
                    ) from error

    def infer(self, raw: NDArray[np.int16], *, trace: bool = False) -> Outcome:
        """Classify one window raw [T, D]; with `trace`, also the hidden state after every step."""
        for _ in range(WINDOW_RESTARTS):
            try:
                return self._stream(raw, trace)
            except BoardRestarted:
                self.counters.restarts += 1
                self._reconnect()
        raise LinkError(f"the board restarted {WINDOW_RESTARTS} times within one window")

    def stats(self) -> Stats:
        """Counters of the firmware."""
        return msg.parse_stats(self._exchange(Type.STATS, b""))

    def bench(self, repeats: int, timeout_s: float = 60.0) -> BenchOutcome:
        """Repeat the window stored in the firmware; waits `timeout_s` at most for a first reply.

        Each reply to a STEP has covered at least one step, so the slowest bounds a window's time.
        """
        window_s = self.identity.bench_steps * self._slowest_reply_s
        patience_s = FIRST_TRY_S + 5 * repeats * window_s if window_s else timeout_s
        payload = self._exchange(
            Type.BENCH, repeats.to_bytes(2, "little"), first_try_s=min(timeout_s, patience_s)
        )
        return msg.parse_bench(payload, self.identity.classes)

    def reset(self) -> None:
        """Restart the firmware; call `connect` again afterwards."""
        self._exchange(Type.RESET, b"")
        self._hello = None

    def close(self) -> None:
        """Close the link."""
        self._link.close()

    # -- windows -------------------------------------------------------------------------------

    def _stream(self, raw: NDArray[np.int16], trace: bool) -> Outcome:
        hello = self.identity
        if raw.shape != (hello.steps, hello.features):
            raise ValueError(f"window {raw.shape}, firmware takes {hello.steps, hello.features}")
        hidden: list[NDArray[np.int64]] = []
        outcome: Outcome | None = None
        position = 0
        while position < len(raw):
            count = 1 if trace else self._steps_per_frame(hello.features)
            chunk = raw[position : position + count]
            flags = StepFlag.TRACE if trace else StepFlag(0)
            flags |= StepFlag.FIRST if position == 0 else StepFlag(0)
            position += len(chunk)
            last = position == len(raw)
            flags |= StepFlag.LAST if last else StepFlag(0)
            reply = self._exchange(Type.STEP, msg.step_request(flags, chunk))
            self._credit_bytes, rest = msg.parse_credit(reply)
            if last:
                outcome, rest = msg.parse_outcome(rest, hello.classes)
            if trace:
                hidden.append(msg.parse_hidden(rest, hello.hidden))
        assert outcome is not None  # the loop ran: T >= 1
        return replace(outcome, hidden=np.stack(hidden)) if trace else outcome

    def _steps_per_frame(self, features: int) -> int:
        steps = (self._credit_bytes - 2) // (2 * features)
        if steps < 1:
            raise LinkError(
                f"the board grants {self._credit_bytes} bytes, one step of {features} features"
                f" needs {2 + 2 * features}",
                hint="raise max_payload_bytes of the board in boards.yaml",
            )
        return min(steps, 255)

    # -- exchanges -----------------------------------------------------------------------------

    def _say_hello(self, deadline: Deadline) -> Hello:
        self._decoder.clear()
        self._waiting.clear()
        self._seq = 1
        frame = Frame(Type.HELLO, self._seq)
        self._send(frame, deadline)
        reply = self._await(Type.HELLO, self._seq, deadline)
        self._hello = msg.parse_hello(reply.payload)
        self._credit_bytes = self._hello.credit_bytes
        return self._hello

    def _reconnect(self) -> None:
        before = self.identity
        after = self.connect(boot_wait_s=4.0, banner=False)
        if (after.firmware_id, after.board) != (before.firmware_id, before.board):
            raise LinkError(
                f"the board came back as {after.board} with firmware {after.firmware_id},"
                f" was {before.board} with {before.firmware_id}"
            )

    def _exchange(self, kind: Type, payload: bytes, first_try_s: float = FIRST_TRY_S) -> bytes:
        """Send a request until its reply comes; the reply's payload."""
        _ = self.identity
        self._seq = (self._seq + 1) % 256
        frame = Frame(kind, self._seq, payload)
        self.counters.exchanges += 1
        try_s = max(first_try_s, self._try_s()) if kind is not Type.STEP else self._try_s()
        for attempt in range(TRIES):
            self.counters.repeats += attempt > 0
            started = time.monotonic()
            deadline = Deadline.after(try_s * (1 + attempt))
            self._send(frame, deadline)
            try:
                reply = self._await(kind, self._seq, deadline)
            except LinkTimeout:
                continue
            if attempt == 0 and kind is Type.STEP:
                elapsed_s = time.monotonic() - started
                self._slowest_reply_s = max(self._slowest_reply_s, elapsed_s)
            return reply.payload
        raise LinkTimeout(
            f"no reply to {kind.name} after {TRIES} tries ({self._decoder.bad_frames} damaged"
            " frames seen)",
            hint="is the cable sound, does the board hang? `harness doctor` checks the port",
        )

    def _try_s(self) -> float:
        if not self._slowest_reply_s:
            return FIRST_TRY_S
        return min(max(5 * self._slowest_reply_s, MIN_TRY_S), MAX_TRY_S)

    def _send(self, frame: Frame, deadline: Deadline) -> None:
        data = encode(frame)
        self._link.write(data, deadline)
        self.counters.bytes_sent += len(data)

    def _await(self, kind: Type, seq: int, deadline: Deadline) -> Frame:
        """The reply to (kind, seq); late replies to older requests are dropped."""
        while True:
            while self._waiting:
                frame = self._waiting.popleft()
                if (frame.type, frame.seq) == (kind | msg.REPLY, seq):
                    return frame
                self._check_refusal(frame, kind, seq)
            data = self._link.read(deadline)
            self.counters.bytes_received += len(data)
            self._waiting += self._decoder.feed(data)
            if not data and deadline.expired:
                raise LinkTimeout(f"no reply to {kind.name} in time")

    def _check_refusal(self, frame: Frame, kind: Type, seq: int) -> None:
        if kind is Type.HELLO:
            return
        if frame.type == Type.HELLO | msg.REPLY and frame.seq == BANNER_SEQ:
            raise BoardRestarted("the board restarted and announced itself")
        if frame.type == Type.NAK | msg.REPLY and frame.seq == seq and frame.payload:
            code = frame.payload[0]
            if code in (msg.Nak.HELLO_FIRST, msg.Nak.BAD_SEQ, msg.Nak.NO_FIRST_STEP):
                raise BoardRestarted(f"the board lost its place (code {code})")
            raise LinkError(f"the board refused {kind.name} (code {code})")


def connect(open_link: Callable[[], Link], *, boot_wait_s: float, banner: bool) -> Dut:
    """Open a link and wait for the firmware; the link is closed again when that fails."""
    dut = Dut(open_link())
    try:
        dut.connect(boot_wait_s=boot_wait_s, banner=banner)
    except BaseException:
        dut.close()
        raise
    return dut
