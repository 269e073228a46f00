"""The messages of docs/link.md as data. Pure; no I/O. Twin: firmware_templates/wire/messages.h."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import LinkError

PROTOCOL = 2
REPLY = 0x80
BANNER_SEQ = 0  # of the HELLO reply that a board sends unasked, after a reset
NOT_MEASURED = 0xFFFFFFFF


class Type(IntEnum):
    """Request types; a reply is the type | 0x80."""

    HELLO = 0x01
    STEP = 0x02
    STATS = 0x03
    BENCH = 0x04
    RESET = 0x05
    BAUD = 0x06
    NAK = 0x7F


class StepFlag(IntFlag):
    """Flags of a STEP request."""

    FIRST = 1
    LAST = 2
    TRACE = 4


class Nak(IntEnum):
    """Why a board refused a request."""

    UNKNOWN_TYPE = 1
    BAD_LENGTH = 2
    NO_FIRST_STEP = 3
    BAD_SEQ = 4
    HELLO_FIRST = 5
    BAD_BAUD = 6


BASE_RATE = 0
BAUDS = (0, 230_400, 250_000, 460_800, 500_000, 921_600, 1_000_000, 2_000_000)  # by rate number


@dataclass(frozen=True, slots=True)
class Hello:
    """Who is there. firmware_id 8 bytes, model_sha256 32 bytes, both as hex.

    Fields (beside those that say it)
        rate_mask     bit i: the board can do BAUDS[i] beside the rate it starts with
        credit_bytes  of payload that it takes in a frame
        window_bytes  of frames that may be under way together while it computes; 0: none, each
                      waits for the reply to the one before
    """

    protocol: int
    timer: int
    state_bytes: int
    rate_mask: int
    clock_hz: int
    credit_bytes: int
    features: int
    hidden: int
    classes: int
    steps: int
    bench_steps: int
    overhead_cycles: int
    window_bytes: int
    board: str
    firmware_id: str
    model_sha256: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a board says of one window. cycles -1 = not measured; hidden [T, H] when traced."""

    label: int
    cycles: int
    sat_input: int
    sat_mid: int
    sat_state: int
    logits: NDArray[np.int64]
    hidden: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters of the firmware since its reset."""

    cycles: int
    stack_peak_bytes: int
    frames: int
    bad_crc: int
    bad_frame: int
    repeats: int
    overruns: int


@dataclass(frozen=True, slots=True)
class BenchOutcome:
    """The stored window, repeated. cycles -1 = not measured."""

    repeats: int
    steps: int
    cycles_min: int
    cycles_max: int
    logits: NDArray[np.int64]


_HELLO = struct.Struct("<BBBBIHHHHHHHH16s8s32s")
_OUTCOME = struct.Struct("<BxIIII")
_STATS = struct.Struct("<IHxxIIIII")
_BENCH = struct.Struct("<HHII")
_CREDIT = struct.Struct("<H")


def _unpack(layout: struct.Struct, payload: bytes, what: str) -> tuple[tuple[Any, ...], bytes]:
    if len(payload) < layout.size:
        raise LinkError(f"{what} reply of {len(payload)} bytes, expected at least {layout.size}")
    return layout.unpack_from(payload), payload[layout.size :]


def _ints(payload: bytes, dtype: str, count: int, what: str) -> NDArray[np.int64]:
    size = count * np.dtype(dtype).itemsize
    if len(payload) < size:
        raise LinkError(f"{what}: {len(payload)} bytes, expected {size}")
    return np.frombuffer(payload[:size], dtype).astype(np.int64)


def _cycles(value: int) -> int:
    return -1 if value == NOT_MEASURED else value


def parse_hello(payload: bytes) -> Hello:
    """A HELLO reply. Raises LinkError when malformed or of another protocol."""
    if payload and payload[0] != PROTOCOL:
        raise LinkError(
            f"the firmware speaks protocol {payload[0]}, this harness {PROTOCOL}",
            hint="flash it again",
        )
    fields, _ = _unpack(_HELLO, payload, "HELLO")
    *numbers, board, firmware_id, model = fields
    name = board.rstrip(b"\0").decode("ascii", "replace")
    return Hello(*(*numbers, name, firmware_id.hex(), model.hex()))


def step_request(flags: StepFlag, samples: NDArray[np.int16]) -> bytes:
    """Payload of a STEP request for samples [steps, D]."""
    return bytes([int(flags), len(samples)]) + samples.astype("<i2").tobytes()


def window_requests(raw: NDArray[np.int16], steps: int) -> list[bytes]:
    """Payloads of the STEP requests for a window raw [T, D], `steps` steps in each but the last."""
    data = raw.astype("<i2").tobytes()
    total, step_bytes = len(raw), 2 * raw.shape[1]
    payloads = []
    for start in range(0, total, steps):
        end = min(start + steps, total)
        flags = (StepFlag.FIRST.value if start == 0 else 0) | (
            StepFlag.LAST.value if end == total else 0
        )
        head = bytes((flags, end - start))
        payloads.append(head + data[start * step_bytes : end * step_bytes])
    return payloads


def parse_credit(payload: bytes) -> tuple[int, bytes]:
    """Credit in bytes, and the rest of a STEP reply."""
    (credit,), rest = _unpack(_CREDIT, payload, "STEP")
    return credit, rest


def parse_outcome(payload: bytes, classes: int) -> tuple[Outcome, bytes]:
    """The outcome after the credit in a STEP reply with LAST, and what follows it."""
    (label, cycles, *sat), rest = _unpack(_OUTCOME, payload, "STEP")
    logits = _ints(rest, "<i4", classes, "logits")
    return Outcome(*(label, _cycles(cycles), *sat, logits)), rest[4 * classes :]


def parse_hidden(payload: bytes, hidden: int) -> NDArray[np.int64]:
    """The hidden state [H] at the end of a traced STEP reply."""
    return _ints(payload, "<i2", hidden, "hidden state")


def parse_stats(payload: bytes) -> Stats:
    """A STATS reply."""
    (cycles, *rest), _ = _unpack(_STATS, payload, "STATS")
    return Stats(_cycles(cycles), *rest)


def parse_bench(payload: bytes, classes: int) -> BenchOutcome:
    """A BENCH reply."""
    (repeats, steps, low, high), rest = _unpack(_BENCH, payload, "BENCH")
    return BenchOutcome(
        repeats, steps, _cycles(low), _cycles(high), _ints(rest, "<i4", classes, "logits")
    )
