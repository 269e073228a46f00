"""Frames on the wire: COBS around (type, seq, length, payload, CRC-32). Pure; no I/O.

docs/link.md is the specification; firmware_templates/wire/ is the C side; both are tested on
tests/golden/frames.json. COBS: Cheshire and Baker, IEEE/ACM Trans. Networking 7(2), 1999.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

HEADER = struct.Struct("<BBH")
CRC = struct.Struct("<I")
OVERHEAD_BYTES = HEADER.size + CRC.size
MAX_PAYLOAD_BYTES = 4096
DELIMITER = b"\x00"


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: type and seq 0..255, payload of at most MAX_PAYLOAD_BYTES."""

    type: int
    seq: int
    payload: bytes = b""


class BadFrame(ValueError):
    """Bytes between two delimiters that are not a frame; the message says why."""


def cobs_encode(data: bytes) -> bytes:
    """Byte stuffing without zeros: at most one byte longer per 254."""
    out = bytearray()
    for index, part in enumerate(blocks := data.split(DELIMITER)):
        last = index == len(blocks) - 1
        while len(part) >= 254:
            out += b"\xff" + part[:254]
            part = part[254:]
            if not part and last:
                return bytes(out)
        out += bytes([len(part) + 1]) + part
    return bytes(out)


def cobs_decode(data: bytes) -> bytes:
    """Inverse of cobs_encode. Raises BadFrame when a block runs past the end."""
    out = bytearray()
    position = 0
    while position < len(data):
        code = data[position]
        block = data[position + 1 : position + code]
        if code == 0 or len(block) != code - 1:
            raise BadFrame("COBS block runs past the end")
        out += block
        position += code
        if code != 0xFF and position < len(data):
            out.append(0)
    return bytes(out)


def encode(frame: Frame) -> bytes:
    """The bytes of a frame on the wire, both delimiters included."""
    if len(frame.payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"payload of {len(frame.payload)} bytes, at most {MAX_PAYLOAD_BYTES}")
    body = HEADER.pack(frame.type, frame.seq, len(frame.payload)) + frame.payload
    return DELIMITER + cobs_encode(body + CRC.pack(zlib.crc32(body))) + DELIMITER


def decode(stuffed: bytes) -> Frame:
    """A frame from the bytes between two delimiters. Raises BadFrame."""
    body = cobs_decode(stuffed)
    if len(body) < OVERHEAD_BYTES:
        raise BadFrame(f"{len(body)} bytes, a frame has at least {OVERHEAD_BYTES}")
    content, (crc,) = body[: -CRC.size], CRC.unpack(body[-CRC.size :])
    if zlib.crc32(content) != crc:
        raise BadFrame("CRC differs")
    kind, seq, length = HEADER.unpack_from(content)
    if length != len(content) - HEADER.size:
        raise BadFrame(f"length says {length}, payload has {len(content) - HEADER.size} bytes")
    if length > MAX_PAYLOAD_BYTES:
        raise BadFrame(f"payload of {length} bytes, at most {MAX_PAYLOAD_BYTES}")
    return Frame(kind, seq, content[HEADER.size :])


class Decoder:
    """Incremental: feed bytes as they come, get whole frames; damaged ones are counted."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self.bad_frames = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Frames completed by `data`, in order."""
        self._pending += data
        whole: list[bytearray] = []
        if DELIMITER in data:
            *whole, self._pending = self._pending.split(DELIMITER)
        rest = self._pending
        if len(rest) > 2 * MAX_PAYLOAD_BYTES:  # no delimiter for too long: noise
            self._pending.clear()
            self.bad_frames += 1
        frames = []
        for stuffed in map(bytes, filter(None, whole)):
            try:
                frames.append(decode(stuffed))
            except BadFrame:
                self.bad_frames += 1
        return frames

    def clear(self) -> None:
        """Forget an unfinished frame."""
        self._pending.clear()
