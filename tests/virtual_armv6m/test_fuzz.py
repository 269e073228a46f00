"""Random programs: whatever they do, the simulator goes on, faults or locks up, and stays sane."""

import random

import pytest

from harness.virtual.armv6m_core import RAM_BASE, RAM_BYTES, SP, Core
from tests.virtual_armv6m.assembler import assemble

ADDRESSES = (
    RAM_BASE,
    RAM_BASE + RAM_BYTES - 4,
    0x41004000,
    0x41004400,
    0x42001C00,
    0x60000000,
    0xE000E010,
    0xE000E100,
    0xE000ED00,
    0x40000800,
    0x2000,
    0x3FFFC,
)


# HardFault: on with the next halfword. Enough to keep most programs going.
SKIP = assemble(
    ".syntax unified\n.cpu cortex-m0plus\n.thumb\n"
    "ldr r0, [sp, #24]\nadds r0, #2\nlsls r0, #20\nlsrs r0, #20\nstr r0, [sp, #24]\n"
    "bx lr"
)


def random_program(rng):
    """Random halfwords, and here and there the address of something for a literal load."""
    image = bytearray(rng.randbytes(4096))
    for at in range(0, 4096, 4):
        if rng.random() < 0.3:
            image[at : at + 4] = (rng.choice(ADDRESSES) + 4 * rng.randrange(16)).to_bytes(
                4, "little"
            )
    for number in range(1, 48):
        image[4 * number : 4 * number + 4] = (rng.randrange(0x100, 4096) | 1).to_bytes(4, "little")
    image[12:16] = (0x101).to_bytes(4, "little")
    image[0x100 : 0x100 + len(SKIP)] = SKIP
    image[0:4] = (RAM_BASE + RAM_BYTES).to_bytes(4, "little")
    return bytes(image)


@pytest.mark.parametrize("wait_states", [False, True])
def test_random_programs(wait_states):
    rng = random.Random(7)
    ended = {"running": 0, "locked up": 0}
    for _ in range(150):
        with Core(wait_states=wait_states) as core:
            core.load(0, random_program(rng))
            core.reset()
            core.send(rng.randbytes(20))
            last = 0
            for _ in range(20):
                core.step(500)
                assert core.cycles >= last, "time runs forwards"
                last = core.cycles
                assert core.get(SP) % 4 == 0
            ended["locked up" if core.locked_up else "running"] += 1
    assert ended["locked up"] > 5 and ended["running"] > 5, ended


def test_the_same_program_takes_the_same_cycles():
    counts = set()
    for _ in range(3):
        with Core() as core:
            core.load(0, random_program(random.Random(11)))
            core.reset()
            core.step(20_000)
            counts.add((core.cycles, core.instructions, tuple(core.regs())))
    assert len(counts) == 1
