"""Random programs: whatever they do, the simulator goes on or locks up, and stays sane."""

import random

import pytest

from harness.virtual.armv7m_core import SP
from tests.virtual_armv6m.side_by_side import RAM_BASE, RAM_BYTES
from tests.virtual_armv7m.assembler import assemble
from tests.virtual_armv7m.encodings import ENCODINGS
from tests.virtual_armv7m.machines import MODELS

CODE_BYTES, VECTORS = 4096, 128
ADDRESSES = (RAM_BASE, RAM_BASE + RAM_BYTES - 8, 0xE000_E010, 0xE000_E100, 0xE000_ED00, 0xE000_1000)
# HardFault: on with the next halfword, IT block or not. Enough to keep most programs going.
SKIP = assemble(
    ".syntax unified\n.cpu cortex-m4\n.thumb\n"
    "ldr r0, [sp, #24]\nadds r0, #2\nbfc r0, #12, #20\nstr r0, [sp, #24]\n"
    "ldr r0, [sp, #28]\nldr r1, =0x0600FC00\nbics r0, r1\nstr r0, [sp, #28]\nbx lr\n.ltorg"
)


def random_program(rng: random.Random) -> bytes:
    """Halfwords and 32-bit instructions, and here and there an address for a literal load."""
    image = bytearray(rng.randbytes(CODE_BYTES))
    for at in range(0, CODE_BYTES, 4):
        kind = rng.random()
        if kind < 0.2:
            value = rng.choice(ADDRESSES) + 4 * rng.randrange(64)
            image[at : at + 4] = value.to_bytes(4, "little")
        elif kind < 0.6:
            word = rng.choice(ENCODINGS).draw(rng)
            image[at : at + 4] = (word >> 16 | (word & 0xFFFF) << 16).to_bytes(4, "little")
    for number in range(1, VECTORS):
        entry = rng.randrange(0x300, CODE_BYTES) | 1
        image[4 * number : 4 * number + 4] = entry.to_bytes(4, "little")
    image[12:16] = (0x201).to_bytes(4, "little")
    image[0x200 : 0x200 + len(SKIP)] = SKIP
    image[0:4] = (RAM_BASE + RAM_BYTES).to_bytes(4, "little")
    return bytes(image)


@pytest.mark.parametrize("model", MODELS)
def test_random_programs(model):
    rng = random.Random(7)
    ended = {"running": 0, "locked up": 0}
    for _ in range(100):
        with MODELS[model].core() as core:
            core.load(0, random_program(rng))
            core.reset()
            last = 0
            for _ in range(20):
                core.step(500)
                assert last <= core.cycles <= core.cycles_hi, "time runs forwards"
                last = core.cycles
                assert core.get(SP) % 4 == 0
                core.irq(rng.randrange(96), rng.random() < 0.5)
            ended["locked up" if core.locked_up else "running"] += 1
    assert ended["locked up"] > 3 and ended["running"] > 3, ended


def test_steps_and_runs_agree():
    """The same program, an instruction at a time and in one go."""
    for seed in range(20):
        outcomes = set()
        for chunk in (1, 100_000):
            with MODELS["m4f"].core() as core:
                core.load(0, random_program(random.Random(seed)))
                core.reset()
                while core.cycles < 3000 and not core.locked_up and not core.sleeping:
                    core.step() if chunk == 1 else core.run(3000 - core.cycles)
                outcomes.add((core.locked_up, core.fault, tuple(core.regs()), core.cycles))
        assert len(outcomes) == 1, seed
