"""The flash wait-state model: loops that fit the 64-byte cache keep their cycles, others pay."""

import pytest

from tests.virtual_armv6m.assembler import machine, run_to_breakpoint

TIGHT = "start: ldr r1, =1000\n1: adds r0, #1\neors r2, r0\nsubs r1, #1\nbne 1b\nbkpt"
# 128 bytes of straight code, twice the cache
LONG = "start: movs r1, #100\n1:\n" + "adds r0, #1\n" * 62 + "subs r1, #1\nbeq 2f\nb 1b\n2: bkpt"
TABLE = """
start:
    ldr r1, =1000
    ldr r2, =table
    movs r3, #0
1:  ldrb r0, [r2, r3]
    adds r3, #1
    subs r1, #1
    bne 1b
    bkpt
    .balign 8
table: .fill 1000
"""
# The NVMCTRL registers: CTRLB with CACHEDIS, and with READMODE DETERMINISTIC
UNCACHED = "start: ldr r0, =0x41004004\nldr r1, ={ctrlb}\nstr r1, [r0]\n" + TIGHT.split(":", 1)[1]


def cycles(code, wait_states):
    core = machine(code, wait_states=wait_states)
    run_to_breakpoint(core)
    return core.cycles


def extra(code):
    return cycles(code, True) - cycles(code, False)


def test_tight_loop_pays_only_for_its_first_round():
    assert 1 <= extra(TIGHT) <= 6


def test_code_larger_than_the_cache_pays_every_round():
    """130 bytes from 0xC2 on are 17 lines of 8 bytes for 8 slots: all miss, every round."""
    assert extra(LONG) == pytest.approx(100 * 17, abs=5)


def test_a_table_in_flash_pays_once_a_line():
    """1000 bytes are 125 lines, in turn for all 8 slots. The loop lies in 2 of the slots; where the
    two meet, the table and the loop throw each other out in all 8 rounds."""
    assert extra(TABLE) == pytest.approx(125 * 6 / 8 + 125 * 2 / 8 * 16, rel=0.05)


@pytest.mark.parametrize("ctrlb", ["1 << 18 | 2", "2 << 16 | 2"], ids=["cachedis", "deterministic"])
def test_without_the_cache_every_fetch_waits(ctrlb):
    """Four halfwords, two words: two or three waits a round."""
    assert 2000 <= extra(UNCACHED.format(ctrlb=ctrlb)) <= 3010


def test_code_in_ram_does_not_wait():
    loop = bytes.fromhex("013042400139fbd100be")  # TIGHT's loop and the BKPT
    code = "start: ldr r1, =1000\nldr r0, =RAM + 1\nbx r0"
    counts = []
    for wait_states in (False, True):
        core = machine(code, wait_states=wait_states)
        core.load(0x2000_0000, loop)
        run_to_breakpoint(core)
        counts.append(core.cycles)
    assert counts[1] - counts[0] <= 4
