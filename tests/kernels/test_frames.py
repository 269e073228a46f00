"""The C frames: golden bytes shared with Python, random ones, and noise."""

from __future__ import annotations

import ctypes
import json
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.link.frame import Frame, encode

from .conftest import TEMPLATES

GOLDEN = Path(__file__).parents[1] / "golden" / "frames.json"
REBUILD = "run python tests/golden/make_frames.py"
MAX_PAYLOAD, OVERHEAD = 4096, 8
NONE, GOOD, BAD, BAD_CRC = range(4)


def golden_cases():
    document = json.loads(GOLDEN.read_text())
    assert (document["format"], document["version"]) == ("harness-frames", 1), REBUILD
    assert len(document["cases"]) > 40, REBUILD
    return document["cases"]


def c_decode(kernels, wire: bytes, capacity: int = MAX_PAYLOAD + OVERHEAD):
    """Frames found, and how many stretches were bad and had a bad crc."""
    body = ctypes.create_string_buffer(capacity)
    events = ctypes.create_string_buffer(len(wire) + 1)
    bodies = ctypes.create_string_buffer(len(wire) + 1)
    kernels.shim_decode(wire, len(wire), body, capacity, events, bodies)
    frames, rest = [], bodies.raw
    caused = events.raw[: len(wire)]
    for _ in range(caused.count(GOOD)):
        length = int.from_bytes(rest[2:4], "little")
        frames.append(Frame(rest[0], rest[1], rest[4 : 4 + length]))
        rest = rest[length + OVERHEAD :]
    return frames, caused.count(BAD), caused.count(BAD_CRC)


def c_take(kernels, wire: bytes, chunk: int, capacity: int):
    """As c_decode, from runs of `chunk` bytes."""
    body = ctypes.create_string_buffer(capacity)
    counts = (ctypes.c_uint32 * 6)()
    bodies = ctypes.create_string_buffer(len(wire) + 1)
    kernels.shim_take(wire, len(wire), chunk, body, capacity, counts, bodies)
    found, rest = [], bodies.raw
    for _ in range(counts[GOOD]):
        length = int.from_bytes(rest[2:4], "little")
        found.append(Frame(rest[0], rest[1], rest[4 : 4 + length]))
        rest = rest[length + OVERHEAD :]
    return found, counts[BAD], counts[BAD_CRC]


def c_encode(kernels, frame: Frame) -> bytes:
    body = ctypes.create_string_buffer(b"????" + frame.payload, len(frame.payload) + OVERHEAD)
    out = ctypes.create_string_buffer(len(body) + len(body) // 254 + 8)
    size = kernels.shim_encode(body, frame.type, frame.seq, len(frame.payload), out)
    return out.raw[:size]


@pytest.mark.parametrize("case", golden_cases(), ids=lambda case: case["name"])
def test_golden(kernels, case):
    wire = bytes.fromhex(case["wire"])
    frames, bad, bad_crc = c_decode(kernels, wire)
    expected = [Frame(f["type"], f["seq"], bytes.fromhex(f["payload"])) for f in case["frames"]]
    assert (frames, bad, bad_crc) == (expected, case["bad_frame"], case["bad_crc"])
    if len(expected) == 1 and not bad + bad_crc and wire[0] == 0 != wire[1]:
        assert c_encode(kernels, expected[0]) == wire


frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=700))


@given(frames)
@settings(max_examples=200)
def test_both_sides_write_the_same_bytes(kernels, frame):
    wire = c_encode(kernels, frame)
    assert wire == encode(frame)
    assert c_decode(kernels, wire) == ([frame], 0, 0)


@given(st.binary(max_size=300))
def test_crc_is_zlibs(kernels, data):
    assert kernels.shim_crc(data, len(data)) == zlib.crc32(data)


@given(st.binary(max_size=80), st.lists(frames, max_size=3))
def test_back_in_step_after_noise(kernels, noise, expected):
    found, *_ = c_decode(kernels, noise + b"".join(map(encode, expected)))
    assert found[len(found) - len(expected) :] == expected


@given(st.integers(0, 60), frames)
def test_a_payload_above_the_credit_is_dropped(kernels, room, frame):
    small = Frame(1, 2, b"ok")
    wire = encode(frame) + encode(small)
    found, bad, _ = c_decode(kernels, wire, capacity=max(room, len(small.payload)) + OVERHEAD)
    fits = len(frame.payload) <= max(room, len(small.payload))
    assert found == [frame, small] if fits else found == [small]
    assert bad == (not fits)


@given(
    st.lists(st.one_of(st.binary(max_size=40), frames.map(encode)), max_size=4),
    st.integers(1, 300),
    st.integers(8, 720),
)
@settings(max_examples=300)
def test_taking_a_run_does_what_pushing_its_bytes_does(kernels, pieces, chunk, capacity):
    wire = b"".join(pieces)
    assert c_take(kernels, wire, chunk, capacity) == c_decode(kernels, wire, capacity)


FUZZ = """
#include <stdio.h>
#include <stdlib.h>
#include "frame.h"
int main(void)
{
    /* exactly as large as the decoder is told, on the heap: one byte too many is an ASan error */
    for (uint16_t capacity = 8; capacity < 80; capacity++) {
        uint8_t *body = malloc(capacity);
        struct frame_decoder decoder;
        frame_decoder_init(&decoder, body, capacity);
        for (long i = 0; i < 22000; i++) {
            int r = rand() >> 4;
            uint8_t byte = (uint8_t)((r & 0x300) == 0 ? 0 : (r & 0x400) ? r : r & 15);
            if (i < 20000) {
                frame_decoder_push(&decoder, byte);
                continue;
            }
            uint8_t run[300];
            uint16_t count = (uint16_t)(rand() % (int)sizeof run + 1);
            for (uint16_t k = 0; k < count; k++)
                run[k] = (rand() >> 4) % 40 ? (uint8_t)(rand() >> 4) : 0;
            frame_decoder_take(&decoder, run, &count);
        }
        free(body);
    }
    puts("done");
    return 0;
}
"""


def test_noise_never_leaves_the_buffer(tmp_path):
    source, program = tmp_path / "fuzz.c", tmp_path / "fuzz"
    source.write_text(FUZZ)
    include = [f"-I{TEMPLATES / folder}" for folder in ("kernels", "wire")]
    sanitize = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = ["gcc", "-O1", *sanitize, *include, source, *TEMPLATES.glob("wire/*.c")]
    subprocess.run([*command, "-o", program], check=True, timeout=60)
    done = subprocess.run([program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
