"""Frames: COBS and CRC against golden bytes and random ones. The C side reads the same file."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.link.frame import BadFrame, Decoder, Frame, cobs_decode, cobs_encode, decode, encode

frames = st.builds(
    Frame, st.integers(0, 255), st.integers(0, 255), st.binary(min_size=0, max_size=600)
)


@given(st.binary(max_size=2000))
def test_cobs_round_trip_has_no_zero(data):
    stuffed = cobs_encode(data)
    assert 0 not in stuffed
    assert len(stuffed) <= len(data) + 1 + len(data) // 254
    assert cobs_decode(stuffed) == data


@pytest.mark.parametrize("size", [253, 254, 255, 508, 509])
@pytest.mark.parametrize("tail", [b"", b"\0", b"\1"])
def test_cobs_at_block_boundaries(size, tail):
    data = b"\7" * size + tail
    assert cobs_decode(cobs_encode(data)) == data


@given(frames)
def test_frame_round_trip(frame):
    wire = encode(frame)
    assert wire[0] == wire[-1] == 0
    assert decode(wire[1:-1]) == frame


@given(st.lists(frames, max_size=4), st.binary(max_size=40), st.integers(1, 50))
def test_decoder_recovers_after_noise_in_any_chunking(expected, noise, chunk):
    decoder = Decoder()
    wire = noise + b"".join(encode(f) for f in expected)
    found = []
    for start in range(0, len(wire), chunk):
        found += decoder.feed(wire[start : start + chunk])
    assert found[-len(expected) :] == expected if expected else True


@given(frames, st.data())
def test_one_flipped_byte_is_never_accepted_as_another_frame(frame, data):
    wire = bytearray(encode(frame))
    position = data.draw(st.integers(1, len(wire) - 2))
    wire[position] ^= data.draw(st.integers(1, 255))
    for found in Decoder().feed(bytes(wire)):
        assert found == frame


def test_bad_frames_say_why():
    with pytest.raises(BadFrame, match="CRC"):
        decode(cobs_encode(b"\1\2\0\0" + b"\0\0\0\0"))
    with pytest.raises(BadFrame, match="at least"):
        decode(cobs_encode(b"\1"))
    with pytest.raises(BadFrame, match="past the end"):
        cobs_decode(b"\x09abc")


GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "frames.json").read_text())["cases"]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
@pytest.mark.parametrize("chunk", [1, 7, 10**6])
def test_golden_frames_are_shared_with_the_firmware(case, chunk):
    wire, decoder, found = bytes.fromhex(case["wire"]), Decoder(), []
    for start in range(0, len(wire), chunk):
        found += decoder.feed(wire[start : start + chunk])
    expected = [Frame(f["type"], f["seq"], bytes.fromhex(f["payload"])) for f in case["frames"]]
    assert (found, decoder.bad_frames) == (expected, case["bad_frame"] + case["bad_crc"])
