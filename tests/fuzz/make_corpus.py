"""Writes corpus/frame and corpus/app: a few inputs of each kind, from which fuzzing begins.

Run: python -m tests.fuzz.make_corpus

What the bytes mean is said in native/frame_target.c and native/app_target.c.
"""

from __future__ import annotations

from pathlib import Path

from harness.link.frame import Frame, encode

FOLDER = Path(__file__).parent / "corpus"
HELLO, STEP, STATS, BENCH, RESET, BAUD = 1, 2, 3, 4, 5, 6
FIRST, LAST, TRACE = 1, 2, 4
FEATURES = 2  # of the model in the app target


def frame_inputs() -> dict[str, bytes]:
    """Wires, good and bad; the first byte is the largest payload taken."""
    good = encode(Frame(STATS, 7, b"ab\0cd"))
    crc = bytearray(good)
    crc[-2] ^= 1
    wires = {
        "one": good,
        "two-with-one-zero-between": good[:-1] + good,
        "empty-payload": encode(Frame(HELLO, 1)),
        "all-zeros": encode(Frame(STEP, 2, bytes(20))),
        "code-255": encode(Frame(STEP, 3, bytes(range(1, 64)) * 4 + b"\1\2")),
        "wrong-crc": bytes(crc),
        "cut-short": good[:-4] + b"\0" + good,
        "block-past-the-end": b"\0\xfeabc\0" + good,
        "too-short-for-a-frame": b"\0\x03ab\0" + good,
        "only-zeros": bytes(9),
        "no-zero": b"\x55" * 90,
    }
    return {name: b"\xff" + wire for name, wire in wires.items()} | {
        "no-payload-taken": b"\0" + encode(Frame(STATS, 7)),
        "largest": b"\xff" + encode(Frame(STEP, 1, bytes(range(255)))),
        "one-too-long": b"\xfe" + encode(Frame(STEP, 1, bytes(255))),
    }


def request(kind: int, payload: bytes = b"", seq: int = 0) -> bytes:
    """A piece of the app target: a frame with a right checksum."""
    return bytes([1, kind, seq, len(payload)]) + payload


def step(flags: int, steps: int) -> bytes:
    return request(STEP, bytes([flags, steps]) + bytes(range(2 * FEATURES * steps)))


def app_inputs() -> dict[str, bytes]:
    """Exchanges as a host has them, and some that no host has."""
    hello, stats = request(HELLO), request(STATS)
    window = step(FIRST, 1) + step(0, 1) + step(LAST | TRACE, 1)
    raw = b"\x10" + b"\0\x01\xff\x7f\0\0\x80\x05"
    return {
        "hello": hello,
        "window": hello + window + stats,
        "window-in-one": hello + step(FIRST | LAST, 3) + step(FIRST | LAST | TRACE, 3),
        "bench": hello + request(BENCH, b"\x03\0"),
        "reset-in-a-window": hello + step(FIRST, 1) + request(RESET) + window + hello + window,
        "baud": hello + request(BAUD, b"\x04") + stats + request(BAUD, b"\x03") + stats,
        "silence-at-another-baud": hello + request(BAUD, b"\x04") + raw * 30,
        "before-hello": window + stats,
        "repeats": hello + request(STATS, b"", 240) * 3 + request(STATS, b"", 2),
        "wrong-lengths": hello + request(STATS, b"x") + request(STEP) + request(BENCH, b"\0\0"),
        "too-long": hello + request(STEP, bytes(255)) + stats,
        "noise": raw + hello + raw + window + raw,
    }


def main() -> None:
    for target, inputs in (("frame", frame_inputs()), ("app", app_inputs())):
        folder = FOLDER / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for name, data in inputs.items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
