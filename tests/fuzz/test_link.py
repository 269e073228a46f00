"""Any bytes of the line: both decoders find the same frames, and a parser gives a LinkError or a
message."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import LinkError
from harness.link import messages
from harness.link.frame import (
    CRC,
    DELIMITER,
    HEADER,
    MAX_PAYLOAD_BYTES,
    Decoder,
    Frame,
    cobs_encode,
    encode,
)
from tests.fuzz.strategies import fuzzed, mutated
from tests.kernels.conftest import kernels  # noqa: F401  (a fixture)
from tests.kernels.test_frames import c_decode

bytes_of_a_frame = st.builds(
    Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=300)
).map(encode)
stretches = st.one_of(
    st.binary(max_size=40),
    st.binary(max_size=40).map(lambda data: DELIMITER + cobs_encode(data) + DELIMITER),
    bytes_of_a_frame,
    bytes_of_a_frame.flatmap(mutated),
    st.just(DELIMITER),
)
streams = st.lists(stretches, max_size=8).map(b"".join)


def python_decode(stream, cuts):
    decoder, frames, start = Decoder(), [], 0
    for cut in (*sorted(min(cut, len(stream)) for cut in cuts), len(stream)):
        frames += decoder.feed(stream[start:cut])
        start = cut
    return frames


@given(streams, st.lists(st.integers(0, 2000), max_size=4))
@fuzzed
def test_python_and_c_find_the_same_frames_however_the_bytes_come(kernels, stream, cuts):  # noqa: F811
    frames, *_ = c_decode(kernels, stream)
    assert python_decode(stream, cuts) == frames
    assert python_decode(stream, []) == frames


@pytest.mark.parametrize("length", [MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 1, 5000])
def test_python_and_c_agree_on_the_largest_payload(kernels, length):  # noqa: F811
    body = (
        HEADER.pack(2, 3, length) + bytes(range(1, 251)) * (length // 250) + b"x" * (length % 250)
    )
    wire = DELIMITER + cobs_encode(body + CRC.pack(zlib.crc32(body))) + DELIMITER
    frames, *_ = c_decode(kernels, wire)
    assert len(frames) == (length <= MAX_PAYLOAD_BYTES)
    assert python_decode(wire, []) == frames


PARSERS = {
    "hello": messages.parse_hello,
    "credit": messages.parse_credit,
    "outcome": lambda payload: messages.parse_outcome(payload, 6),
    "hidden": lambda payload: messages.parse_hidden(payload, 16),
    "stats": messages.parse_stats,
    "bench": lambda payload: messages.parse_bench(payload, 6),
}


@pytest.mark.parametrize("name", PARSERS)
@given(payload=st.one_of(st.binary(max_size=120), st.binary(max_size=120).map(b"\x02".__add__)))
@fuzzed
def test_any_reply_is_a_message_or_a_link_error(name, payload):
    try:
        PARSERS[name](payload)
    except LinkError as error:
        assert error.message
