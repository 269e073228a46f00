"""The opcode space against an independent core, Unicorn's Cortex-M4 and M3, tolerance 0.

Every halfword once with random registers, flags and memory; each 32-bit encoding equally often with
random fields, floating point with NaNs, denormals, infinities and all modes of FPSCR; random words;
IT blocks; flags of parallel sums. More rounds with other states: HARNESS_OPCODE_ROUNDS=10.
"""

import os
import random

import pytest

from tests.virtual_armv7m.encodings import ENCODINGS, find, is_legal, narrow_is_legal
from tests.virtual_armv7m.opcode_case import MODELS, Difference, Pair

ROUNDS = int(os.environ.get("HARNESS_OPCODE_ROUNDS", "1"))
FULL = MODELS["m4f"][1]
WIDE_CASES = {"m4f": 16_000, "m3": 8_000}
UNIFORM_CASES = 4_000
BLOCKS = 3_000
# Unicorn stops at these in its own way; test_exceptions.py covers them.
SVC, BKPT, YIELD, WFE, WFI = 0xDF00, 0xBE00, 0xBF10, 0xBF20, 0xBF30
HINTS = (1, 2, 3)  # the last three in their 32-bit form


def left_out(first: int, second: int) -> bool:
    if first & 0xFF00 in (SVC, BKPT) or first in (YIELD, WFE, WFI):
        return True
    if first & 0xFF00 == 0xBF00 and first & 15:
        return True  # IT: Unicorn goes on with the block; below
    encoding = find(first << 16 | second)
    return encoding is not None and encoding.name == "hint" and second & 0xFF in HINTS


def differences(pair: Pair, cases) -> list[str]:
    found = []
    for halfwords, with_floats in cases:
        try:
            pair.check(*halfwords, with_floats=with_floats)
        except Difference as difference:
            found.append(str(difference))
    return found


def assert_none(found: list[str]) -> None:
    assert not found, f"{len(found)} differences, the first:\n{found[0]}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_every_halfword(seed):
    pair = Pair("m4f" if seed % 2 == 0 else "m3", seed)
    rng = random.Random(seed)
    # a halfword from 0xE800 on begins a 32-bit instruction: those are tested below
    cases = [((f, rng.getrandbits(16)), False) for f in range(0xE800) if not left_out(f, 0)]
    found = differences(pair, cases)
    print(pair.tally)  # pytest -rP shows it
    assert_none(found)
    assert pair.tally.total() == len(cases) == 0xE800 - 2 * 256 - 3 - 240
    assert pair.tally.compared > 42_000, pair.tally


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_32_bit_encodings(seed, model):
    pair = Pair(model, 1000 + seed)
    rng = random.Random(1000 + seed)
    drawn = (ENCODINGS[i % len(ENCODINGS)] for i in range(WIDE_CASES[model]))
    words = [(encoding.draw(rng), encoding.group == "float") for encoding in drawn]
    cases = [((w >> 16, w & 0xFFFF), floats) for w, floats in words]
    cases = [case for case in cases if not left_out(*case[0])]
    found = differences(pair, cases)
    print(pair.tally)
    assert_none(found)
    assert pair.tally.total() == len(cases)
    assert pair.tally.compared > len(cases) * (0.55 if model == "m4f" else 0.35), pair.tally


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_uniformly_random_words(seed):
    pair = Pair("m4f", 2000 + seed)
    rng = random.Random(2000 + seed)
    words = [0xE800_0000 + rng.randrange(0x1800_0000) for _ in range(UNIFORM_CASES)]
    cases = [((w >> 16, w & 0xFFFF), w >> 26 & 0x3B == 0x3B) for w in words]
    found = differences(pair, [case for case in cases if not left_out(*case[0])])
    print(pair.tally)
    assert_none(found)


# ---- IT blocks ----


def block_instruction(rng: random.Random) -> tuple[int, ...]:
    """One that may stand in an IT block and does not touch memory or the PC."""
    if rng.random() < 0.5:
        while True:
            first = rng.randrange(0x0000, 0x4400)
            if first & 0xFFC0:  # MOVS Rd, Rm is for outside IT blocks
                return (first,)
    choices = [e for e in ENCODINGS if e.group in ("data", "multiply", "float")]
    while True:
        encoding = rng.choice(choices)
        word = encoding.draw(rng)
        touches_memory = encoding.name.startswith(("vldr", "vstr", "vldm"))
        same = find(word) is encoding
        if same and not touches_memory and is_legal(word >> 16, word & 0xFFFF, FULL):
            return word >> 16, word & 0xFFFF


def it_block(rng: random.Random) -> list[int]:
    while True:
        first = 0xBF00 | rng.randrange(16) << 4 | rng.randrange(1, 16)
        if narrow_is_legal(first):
            break
    length = 4 - ((first & -first).bit_length() - 1)
    halfwords = [first]
    for _ in range(length):
        halfwords += block_instruction(rng)
    if len(halfwords) == 2:
        halfwords.append(0xBF00)
    return halfwords


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_it_blocks(seed):
    pair = Pair("m4f", 3000 + seed)
    rng = random.Random(3000 + seed)
    found = differences(pair, [(it_block(rng), True) for _ in range(BLOCKS)])
    assert_none(found)
    assert pair.tally.compared == BLOCKS


def test_it_itself():
    """Which IT halfwords are one: conditions 15, and ELSE after AL, are not."""
    pair = Pair("m4f", 1)
    for first in range(0xBF01, 0xC000):
        if first & 15:
            pair.ours.load(0x100, first.to_bytes(2, "little") + bytes.fromhex("00bf"))
            pair.ours.set(15, 0x100)
            faults = pair.ours.fault.count
            pair.ours.step()
            assert (pair.ours.fault.count == faults) == narrow_is_legal(first), hex(first)
            pair.ours.clear_fault()


# ---- GE: set by parallel sums, used by SEL ----


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_sel_after_a_parallel_sum(seed):
    pair = Pair("m4f", 4000 + seed)
    rng = random.Random(4000 + seed)
    sums = [e for e in ENCODINGS if e.name in ("add8", "sax", "sub16")]
    (sel,) = (e for e in ENCODINGS if e.name == "sel")
    cases = []
    while len(cases) < 1000:
        words = [rng.choice(sums).draw(rng), sel.draw(rng)]
        if all(is_legal(w >> 16, w & 0xFFFF, FULL) for w in words):
            cases.append(([half for w in words for half in (w >> 16, w & 0xFFFF)], False))
    found = differences(pair, cases)
    assert_none(found)
    assert pair.tally.compared == len(cases)
