"""The device under test: what a firmware can be asked, over any Link.

Reliable on a line that loses and damages bytes: what gets no reply is sent again, and a board that
restarted in mid-window is noticed and the window done again. Deadlines are absolute; nothing here
can wait for ever.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.errors import LinkError, LinkTimeout
from harness.link import messages as msg
from harness.link.base import Deadline, Link, RatedLink
from harness.link.channel import FIRST_TRY_S, TRIES, Channel, LinkCounters
from harness.link.frame import DELIMITER, Frame
from harness.link.messages import BANNER_SEQ, BenchOutcome, Hello, Outcome, Stats, StepFlag, Type
from harness.link.windows import BoardRestarted, WindowStream, is_banner, lost_its_place

WINDOW_RESTARTS = 3
RECONNECT_S = 4.0
HELLO_EVERY_S = 0.5
RATE_TRIES = 3  # of a HELLO at a new baud rate; of a request before that rate is in doubt
RATE_HELLO_S = 0.25
UNHEARD_BYTES = 1024  # by then a board is back at its first rate, as long as its credit is unknown


class Dut:
    """A board that runs our firmware. Use `connect` before anything else.

    overlap: send while the board computes, as far as it says that this does no harm. Without it
    each request waits for the reply to the one before.
    """

    def __init__(self, link: Link) -> None:
        self.overlap = True
        self._link = link
        self._channel = Channel(link)
        self._seq = 0
        self._hello: Hello | None = None
        self._rate = msg.BASE_RATE
        self._unsettled = False  # requests of a stream that was broken off may still be under way

    @property
    def counters(self) -> LinkCounters:
        """What the line did since the Dut was opened."""
        return self._channel.counters

    @property
    def identity(self) -> Hello:
        """What the board said of itself at `connect`."""
        if self._hello is None:
            raise LinkError("not connected: call connect() first")
        return self._hello

    @property
    def baud(self) -> int:
        """The negotiated rate; 0: the one that the port was opened with."""
        return msg.BAUDS[self._rate]

    def connect(self, *, boot_wait_s: float, banner: bool) -> Hello:
        """Wait for the board to answer, at most about twice `boot_wait_s`.

        banner: the board resets when its port is opened and announces itself when it has booted;
        until then a bootloader may be listening, which must not be talked to.
        """
        self._set_rate(msg.BASE_RATE)
        if banner:
            with contextlib.suppress(LinkTimeout):  # it may have been damaged: then ask
                self._await(Type.HELLO, BANNER_SEQ, Deadline.after(boot_wait_s))
        return self._find(boot_wait_s)

    def _find(self, boot_wait_s: float, *, recall_at: int = 1) -> Hello:
        """Ask until there is an answer; one of the tries calls the board back to its first rate."""
        deadline = Deadline.after(boot_wait_s)
        for attempt in itertools.count():
            try:
                return self._say_hello(deadline.sooner(HELLO_EVERY_S), recall=attempt == recall_at)
            except LinkTimeout as error:
                if deadline.expired:
                    raise LinkTimeout(
                        f"no answer within {boot_wait_s:.1f} s of asking"
                        f" ({self._channel.bad_frames} damaged frames seen)",
                        hint="is our firmware on the board (`harness flash`), the baud rate right?",
                    ) from error
        raise AssertionError("unreachable")

    def raise_baud(self) -> int:
        """The fastest rate that board and port can both do, proved by a HELLO; see `baud`.

        What cannot be used is left: the line then goes on as it was.
        """
        for rate in reversed(range(1, len(msg.BAUDS))):
            if not isinstance(self._link, RatedLink):
                break
            if self.identity.rate_mask >> rate & 1 and self._try_rate(rate):
                break
        return self.baud

    def infer(self, raw: NDArray[np.int16], *, trace: bool = False) -> Outcome:
        """Classify one window raw [T, D]; with `trace`, also the hidden state after every step."""
        if not trace:
            (outcome,) = self.infer_all([raw])
            return outcome
        for _ in range(WINDOW_RESTARTS):
            try:
                return self._trace(raw)
            except BoardRestarted as error:
                self.counters.restarts += 1
                self._reconnect(error)
        raise self._too_many_restarts()

    def infer_all(self, windows: Iterable[NDArray[np.int16]]) -> Generator[Outcome, None, None]:
        """Classify windows [T, D]; their outcomes, in order, each as soon as it is there.

        Nothing else may be asked until the last outcome has come, or the iterator is closed.
        """
        self._settle()
        hello, restarts = self.identity, 0
        stream = WindowStream(self._channel, hello, self._seq, windows, overlap=self.overlap)
        try:
            while not stream.done:
                try:
                    outcomes = self._advance(stream)
                except BoardRestarted as error:
                    restarts += 1
                    self.counters.restarts += 1
                    self._reconnect(error)
                    if restarts == WINDOW_RESTARTS:
                        raise self._too_many_restarts() from None
                    stream.restart(self.identity, self._seq)
                    continue
                restarts = 0 if outcomes else restarts
                yield from outcomes
        finally:
            self._seq, self._unsettled = stream.seq, stream.is_under_way

    def stats(self) -> Stats:
        """Counters of the firmware."""
        return msg.parse_stats(self._ask(Type.STATS, b""))

    def bench(self, repeats: int, timeout_s: float = 60.0) -> BenchOutcome:
        """Repeat the window stored in the firmware; waits `timeout_s` at most for a first reply.

        Each reply to a STEP has covered at least one step, so the slowest bounds a window's time.
        """
        window_s = self.identity.bench_steps * self._channel.pace.slowest_reply_s
        patience_s = FIRST_TRY_S + 5 * repeats * window_s if window_s else timeout_s
        payload = self._ask(
            Type.BENCH, repeats.to_bytes(2, "little"), first_try_s=min(timeout_s, patience_s)
        )
        return msg.parse_bench(payload, self.identity.classes)

    def reset(self) -> None:
        """Restart the firmware; call `connect` again afterwards."""
        self._exchange(Type.RESET, b"")
        self._set_rate(msg.BASE_RATE)
        self._hello = None

    def close(self) -> None:
        """Close the link; a board that can be told goes back to its first rate."""
        if self._rate != msg.BASE_RATE and self._hello:
            with contextlib.suppress(LinkError):
                self._ask_for(msg.BASE_RATE)
        self._link.close()

    # -- windows -------------------------------------------------------------------------------

    def _advance(self, stream: WindowStream) -> list[Outcome]:
        try:
            return stream.advance()
        except LinkTimeout as error:
            raise self._doubt(error) from error

    def _trace(self, raw: NDArray[np.int16]) -> Outcome:
        """One step a frame, each reply awaited: the board keeps its last one only."""
        hello = self.identity
        if raw.shape != (hello.steps, hello.features):
            raise ValueError(f"window {raw.shape}, firmware takes {hello.steps, hello.features}")
        hidden: list[NDArray[np.int64]] = []
        outcome: Outcome | None = None
        for t in range(len(raw)):
            flags = StepFlag.TRACE
            flags |= StepFlag.FIRST if t == 0 else StepFlag(0)
            flags |= StepFlag.LAST if t == len(raw) - 1 else StepFlag(0)
            reply = self._exchange(Type.STEP, msg.step_request(flags, raw[t : t + 1]))
            _, rest = msg.parse_credit(reply)
            if StepFlag.LAST in flags:
                outcome, rest = msg.parse_outcome(rest, hello.classes)
            hidden.append(msg.parse_hidden(rest, hello.hidden))
        assert outcome is not None  # the loop ran: T >= 1
        return replace(outcome, hidden=np.stack(hidden))

    def _too_many_restarts(self) -> LinkError:
        return LinkError(f"the board restarted {WINDOW_RESTARTS} times within one window")

    # -- baud rates ----------------------------------------------------------------------------

    def _set_rate(self, rate: int) -> None:
        self._channel.tries = TRIES if rate == msg.BASE_RATE else RATE_TRIES
        if rate == self._rate:
            return
        assert isinstance(self._link, RatedLink)
        self._link.set_baud(msg.BAUDS[rate])
        self._rate = rate

    def _ask_for(self, rate: int) -> None:
        self._seq = (self._seq + 1) % 256
        deadline = Deadline.after(HELLO_EVERY_S)
        self._channel.send(Frame(Type.BAUD, self._seq, bytes([rate])), deadline)
        self._await(Type.BAUD, self._seq, deadline)

    def _try_rate(self, rate: int) -> bool:
        """Both ends at another rate, or both where they were."""
        self._settle()
        with contextlib.suppress(LinkError):  # the board may have switched all the same
            self._ask_for(rate)
        with contextlib.suppress(LinkError):  # the port may not do it
            self._set_rate(rate)
            for _ in range(RATE_TRIES):
                with contextlib.suppress(LinkTimeout):
                    self._say_hello(Deadline.after(RATE_HELLO_S))
                    return True
        self._set_rate(msg.BASE_RATE)
        self._find(RECONNECT_S, recall_at=0)
        return False

    def _doubt(self, error: LinkTimeout) -> LinkError:
        """Silence at a negotiated rate: the board may have been reset, to its first one."""
        return error if self._rate == msg.BASE_RATE else BoardRestarted(str(error), hint=error.hint)

    # -- exchanges -----------------------------------------------------------------------------

    def _say_hello(self, deadline: Deadline, *, recall: bool = False) -> Hello:
        """recall: first, zeros, of which a board at another rate makes enough noise to go back."""
        self._channel.clear()
        self._seq, self._unsettled = 1, False
        if recall and (self._hello is None or self._hello.rate_mask):
            credit = self._hello.credit_bytes if self._hello else 0
            zeros = DELIMITER * max(UNHEARD_BYTES, 2 * credit + 256)
            self._channel.send_wire(zeros, deadline)
            deadline = Deadline.after(HELLO_EVERY_S)
        self._channel.send(Frame(Type.HELLO, self._seq), deadline)
        reply = self._await(Type.HELLO, self._seq, deadline)
        self._hello = msg.parse_hello(reply.payload)
        return self._hello

    def _settle(self) -> None:
        """Start from a HELLO where replies to something broken off may still come."""
        if self._unsettled:
            self._reconnect()

    def _reconnect(self, why: BoardRestarted | None = None) -> None:
        """Find the board again, at the present rate or at its first one."""
        before = self.identity
        try:
            after = self._find_again()
        except LinkTimeout:
            if why and isinstance(why.__cause__, LinkTimeout):  # no restart, then: silence
                raise why.__cause__ from None
            raise
        if (after.firmware_id, after.board) != (before.firmware_id, before.board):
            raise LinkError(
                f"the board came back as {after.board} with firmware {after.firmware_id},"
                f" was {before.board} with {before.firmware_id}"
            )

    def _find_again(self) -> Hello:
        if self._rate != msg.BASE_RATE:
            with contextlib.suppress(LinkTimeout):
                return self._say_hello(Deadline.after(HELLO_EVERY_S))
        return self.connect(boot_wait_s=RECONNECT_S, banner=False)

    def _ask(self, kind: Type, payload: bytes, first_try_s: float = FIRST_TRY_S) -> bytes:
        """An exchange that does no harm when it is done twice."""
        try:
            return self._exchange(kind, payload, first_try_s)
        except BoardRestarted as error:
            self._reconnect(error)
            return self._exchange(kind, payload, first_try_s)

    def _exchange(self, kind: Type, payload: bytes, first_try_s: float = FIRST_TRY_S) -> bytes:
        """Send a request until its reply comes; the reply's payload."""
        _ = self.identity
        self._settle()
        pace, counters = self._channel.pace, self.counters
        self._seq = (self._seq + 1) % 256
        frame = Frame(kind, self._seq, payload)
        counters.exchanges += 1
        try_s = max(first_try_s, pace.try_s) if kind is not Type.STEP else pace.try_s
        for attempt in range(self._channel.tries):
            counters.repeats += attempt > 0
            started = time.monotonic()
            deadline = Deadline.after(try_s * (1 + attempt))
            self._channel.send(frame, deadline)
            try:
                reply = self._await(kind, self._seq, deadline)
            except LinkTimeout:
                continue
            if attempt == 0 and kind is Type.STEP:
                pace.note(time.monotonic() - started)
            return reply.payload
        raise self._doubt(
            LinkTimeout(
                f"no reply to {kind.name} after {self._channel.tries} tries"
                f" ({self._channel.bad_frames} damaged frames seen)",
                hint="is the cable sound, does the board hang? `harness doctor` checks the port",
            )
        )

    def _await(self, kind: Type, seq: int, deadline: Deadline) -> Frame:
        """The reply to (kind, seq); late replies to older requests are dropped."""
        while (frame := self._channel.receive(deadline)) is not None:
            if (frame.type, frame.seq) == (kind | msg.REPLY, seq):
                return frame
            self._check_refusal(frame, kind, seq)
        raise LinkTimeout(f"no reply to {kind.name} in time")

    def _check_refusal(self, frame: Frame, kind: Type, seq: int) -> None:
        if kind is Type.HELLO:
            return
        if is_banner(frame):
            raise BoardRestarted("the board restarted and announced itself")
        if frame.type == Type.NAK | msg.REPLY and frame.seq == seq and frame.payload:
            code = frame.payload[0]
            if lost_its_place(code) or code == msg.Nak.BAD_SEQ:
                raise BoardRestarted(f"the board lost its place (code {code})")
            raise LinkError(f"the board refused {kind.name} (code {code})")


def connect(open_link: Callable[[], Link], *, boot_wait_s: float, banner: bool) -> Dut:
    """Open a link, wait for the firmware, and let the line be as quick as both ends can.

    The link is closed again when that fails.
    """
    dut = Dut(open_link())
    try:
        dut.connect(boot_wait_s=boot_wait_s, banner=banner)
        dut.raise_baud()
    except BaseException:
        dut.close()
        raise
    return dut
