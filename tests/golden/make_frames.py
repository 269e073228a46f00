"""Writes frames.json: bytes on the wire and what a receiver must find in them.

Run: python tests/golden/make_frames.py

Both sides of the link are tested on this file (tests/unit/test_frame.py and
tests/kernels/test_frames.py), so nothing of either is used here: COBS is written out again, by
another method, and the CRC is zlib's.

Each case is fed to a fresh receiver that takes payloads of up to 4096 bytes:
    wire       hex, everything that comes over the line, in order
    frames     the frames found, in order: type, seq, payload (hex)
    bad_frame  stretches dropped because their COBS, size or length is wrong
    bad_crc    well-formed bodies dropped for their CRC
"""

from __future__ import annotations

import json
import random
import struct
import zlib
from pathlib import Path

FORMAT, VERSION = "harness-frames", 1
MAX_PAYLOAD = 4096
SEED = 20240601
HELLO, STEP, STATS, BENCH, BAUD, NAK, REPLY = 1, 2, 3, 4, 6, 0x7F, 0x80


def stuff(data: bytes) -> bytes:
    """COBS as a list of blocks: split at the zeros first, then cut to 254 bytes."""
    blocks = []
    for part in data.split(b"\0"):
        pieces = [part[i : i + 254] for i in range(0, len(part), 254)] or [b""]
        if len(pieces[-1]) == 254:
            pieces.append(b"")  # a full block stands for no zero; this one brings it
        blocks += pieces
    if len(blocks) > 1 and blocks[-1] == b"" and len(blocks[-2]) == 254:
        blocks.pop()  # at the very end no zero follows
    return b"".join(bytes([len(b) + 1]) + b for b in blocks)


def body(kind: int, seq: int, payload: bytes, *, length: int | None = None, crc: int = 0) -> bytes:
    """A body; `length` overrides the length field, `crc` is xored to the right checksum."""
    head = struct.pack("<BBH", kind, seq, len(payload) if length is None else length)
    return head + payload + struct.pack("<I", zlib.crc32(head + payload) ^ crc)


def wire(*bodies: bytes) -> bytes:
    return b"".join(b"\0" + stuff(b) + b"\0" for b in bodies)


def frame(kind: int, seq: int, payload: bytes) -> dict[str, object]:
    return {"type": kind, "seq": seq, "payload": payload.hex()}


def cases() -> list[dict[str, object]]:
    rng = random.Random(SEED)
    found: list[dict[str, object]] = []

    def add(name: str, data: bytes, *frames: dict[str, object], bad: int = 0, crc: int = 0) -> None:
        found.append(
            {"name": name, "wire": data.hex(), "frames": frames, "bad_frame": bad, "bad_crc": crc}
        )

    def good(name: str, kind: int, seq: int, payload: bytes) -> None:
        add(name, wire(body(kind, seq, payload)), frame(kind, seq, payload))

    good("hello", HELLO, 0, b"")
    good("last seq and type", 0xFF, 0xFF, b"")
    good("one zero", STEP, 7, b"\0")
    good("zeros only", STEP, 8, bytes(300))
    good("no zero inside", STEP, 9, b"\xff" * 300)
    good("maximum length", STEP, 10, rng.randbytes(MAX_PAYLOAD))
    good("maximum length of zeros", STEP, 10, bytes(MAX_PAYLOAD))
    # After a type, seq and length without a zero: the first block ends around 254 bytes.
    for size in (*range(0x0101, 0x0101 + 4), 0x01F9, 0x01FA, 0x01FB):
        good(f"block boundary, {size} bytes", STEP, 11, b"\x55" * size)
    for size in (248, 249, 250, 251, 252, 503, 504, 505, 506):
        good(f"zero at the end, {size} bytes", STEP, 12, b"\x66" * (size - 1) + b"\0")
    for i in range(12):
        payload = rng.randbytes(rng.randrange(90))
        good(f"random {i}", rng.randrange(1, 6), rng.randrange(256), payload)

    one, two = body(STATS, 1, b""), body(STEP, 2, b"\1\0ab")
    first, second = frame(STATS, 1, b""), frame(STEP, 2, b"\1\0ab")
    add("nothing", b"")
    add("delimiters only", bytes(9))
    add("two frames", wire(one, two), first, second)
    add("one delimiter between", b"\0" + stuff(one) + b"\0" + stuff(two) + b"\0", first, second)
    add("no delimiter in front", stuff(one) + b"\0", first)
    add("many delimiters", bytes(3) + wire(one) + bytes(4) + wire(two) + bytes(2), first, second)
    add("duplicate", wire(two, two), second, second)
    add("not ended yet", wire(one)[:-1])

    add("noise, then a frame", b"\x31\x41\x59\x26" + wire(one), first, bad=1)
    add("cut short, then a frame", wire(two)[:-4] + wire(one), first, bad=1)
    add("start lost", wire(two)[5:] + wire(one), first, bad=1)
    add("body of 7 bytes", b"\0" + stuff(one[:7]) + b"\0", bad=1)
    add("empty body", b"\0\x01\0", bad=1)
    add("block past the end", b"\0\xfeabc\0" + wire(one), first, bad=1)
    add("length too small", wire(body(STEP, 3, b"abcd", length=3)), bad=1)
    add("length too large", wire(body(STEP, 3, b"abcd", length=5)), bad=1)
    add("length 65535", wire(body(STEP, 3, b"abcd", length=65535)), bad=1)
    add("crc off by one bit", wire(body(STEP, 4, b"abcd", crc=1)), crc=1)
    add("crc inverted", wire(body(STEP, 4, b"abcd", crc=0xFFFFFFFF)), crc=1)
    damaged = body(STEP, 4, b"xyz", crc=0x80)
    add("damaged between good", wire(one, damaged, two), first, second, crc=1)
    two_wire = bytearray(wire(two))
    two_wire[-3] ^= 0x20  # inside the crc: still no zero
    add("flipped bit", bytes(two_wire) + wire(one), first, crc=1)
    good("baud", BAUD, 13, b"\6")
    good("refusal that names the last seq", NAK | REPLY, 14, b"\4\x0b")
    add("zeros that call a board back, then hello", bytes(1024) + wire(body(HELLO, 1, b"")),
        frame(HELLO, 1, b""))  # fmt: skip
    steps = [body(STEP, seq, bytes([0, 1, seq, 0, 0, seq])) for seq in (254, 255, 0, 1)]
    lossy = bytearray(wire(*steps))
    lossy[len(wire(steps[0])) + 3] ^= 0x40  # seq of the second; no zero comes of it
    whole = [frame(STEP, seq, bytes([0, 1, seq, 0, 0, seq])) for seq in (254, 0, 1)]
    add("a window of steps, the second damaged", bytes(lossy), *whole, crc=1)
    zeroed = bytearray(wire(two))
    zeroed[6] = 0
    add("byte turned to zero", bytes(zeroed) + wire(one), first, bad=2)
    return found


def main() -> None:
    document = {
        "format": FORMAT,
        "version": VERSION,
        "generator": "python tests/golden/make_frames.py",
        "seed": SEED,
        "cases": cases(),
    }
    path = Path(__file__).with_name("frames.json")
    path.write_text(json.dumps(document, indent=1) + "\n")
    print(f"{path}: {len(document['cases'])} cases")


if __name__ == "__main__":
    main()
