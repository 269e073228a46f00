"""The whole opcode space against an independent core, Unicorn's Cortex-M0.

Every halfword once with random registers, flags and memory, then 32-bit encodings; tolerance 0.
More rounds with other random states: HARNESS_OPCODE_ROUNDS=10.
"""

import os
import random

import pytest

from tests.virtual_armv6m.opcode_case import Difference, Pair, is_armv6m

ROUNDS = int(os.environ.get("HARNESS_OPCODE_ROUNDS", "1"))
WIDE_CASES = 8000
# Unicorn stops at these in its own way; test_exceptions.py covers them.
SVC, BKPT, YIELD, WFE, WFI = 0xDF00, 0xBE00, 0xBF10, 0xBF20, 0xBF30


def left_out(first: int) -> bool:
    return first & 0xFF00 in (SVC, BKPT) or first in (YIELD, WFE, WFI)


def differences(pair: Pair, cases: list[tuple[int, int]]) -> list[str]:
    found = []
    for first, second in cases:
        try:
            pair.check(first, second)
        except Difference as difference:
            found.append(str(difference))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_every_halfword(seed):
    pair = Pair(seed)
    rng = random.Random(seed)
    cases = [(f, rng.getrandbits(16)) for f in range(0x10000) if not left_out(f)]
    found = differences(pair, cases)
    print(pair.tally)  # pytest -rP shows it
    assert not found, f"{len(found)} differences, the first:\n{found[0]}"
    assert pair.tally.total() == len(cases) == 65536 - 2 * 256 - 3
    assert pair.tally.compared > 40_000, pair.tally


def wide_case(rng: random.Random) -> tuple[int, int]:
    """BL, MSR, MRS, barriers, each often right and sometimes with odd bits; and anything."""
    second = rng.getrandbits(16)
    kind = rng.randrange(5)
    sysm = rng.choice((0, 1, 2, 3, 5, 6, 7, 8, 9, 16, rng.getrandbits(8)))
    noise = 1 << rng.randrange(16) if rng.random() < 0.2 else 0
    if kind == 0:
        return 0xF000 | rng.getrandbits(11), 0xD000 | second
    if kind == 1:
        return 0xF380 | rng.getrandbits(4), (0x8800 | sysm) ^ noise
    if kind == 2:
        return 0xF3EF, (0x8000 | rng.getrandbits(4) << 8 | sysm) ^ noise
    if kind == 3:
        return 0xF3BF, (0x8F00 | rng.choice((4, 5, 6)) << 4 | rng.getrandbits(4)) ^ noise
    return rng.choice((0xE800, 0xF000, 0xF800)) | rng.getrandbits(11), second


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_32_bit_encodings(seed):
    pair = Pair(1000 + seed)
    rng = random.Random(1000 + seed)
    cases = [wide_case(rng) for _ in range(WIDE_CASES)]
    assert sum(is_armv6m(*case) for case in cases) > WIDE_CASES / 3
    found = differences(pair, cases)
    print(pair.tally)  # pytest -rP shows it
    assert not found, f"{len(found)} differences, the first:\n{found[0]}"
