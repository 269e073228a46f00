"""Compiled code on our core and on Unicorn: same registers, RAM and number of instructions."""

import pytest

from harness.virtual.armv7m_core import PC, XPSR
from tests.virtual_armv6m.conftest import FIRMWARE as ARMV6M_FIRMWARE
from tests.virtual_armv6m.side_by_side import RAM_BASE, RAM_BYTES, run_theirs
from tests.virtual_armv7m.machines import FIRMWARE, MODELS, build

WHOLE = FIRMWARE / "whole.c"  # floats, DSP, division, unaligned words
SMALL = ARMV6M_FIRMWARE / "whole.c"
SUITE = ARMV6M_FIRMWARE / "suite.c"  # lists, matrices, a state machine, a CRC
CASES = [
    *(("m4f", WHOLE, optimise) for optimise in ("-O0", "-Os", "-O2", "-O3")),
    *(("m3", WHOLE, optimise) for optimise in ("-Os", "-O2")),
    ("m3", SMALL, "-O2"),
    ("m4f", SUITE, "-Os"),
]


def condition_fails(xpsr: int) -> bool:
    """Is the next instruction in an IT block and will not be done? (ARM DDI 0403, table A7-1)"""
    itstate = xpsr >> 25 & 3 | xpsr >> 8 & 0xFC
    if not itstate:
        return False
    n, z, c, v = (bool(xpsr >> bit & 1) for bit in (31, 30, 29, 28))
    holds = (z, c, n, v, c and not z, n == v, n == v and not z, True)[itstate >> 5]
    return holds == bool(itstate >> 4 & 1) and itstate >> 5 != 7


def run_ours(model, image):
    """Registers, RAM, instructions done, instructions whose condition failed."""
    skipped = 0
    with MODELS[model].core() as core:
        core.load(0, image.data)
        core.reset()
        while core.get(PC) != image.done:
            skipped += condition_fails(core.get(XPSR))
            core.step()
            assert core.fault.count == 0, core.fault
        registers = [core.get(register) for register in range(15)]
        ram = core.dump(RAM_BASE, RAM_BYTES)
        assert core.cycles <= core.cycles_hi
        return registers, ram, core.instructions - skipped, skipped


@pytest.mark.parametrize(
    ("model", "source", "optimise"), CASES, ids=lambda v: getattr(v, "stem", v)
)
def test_whole_program(tmp_path, model, source, optimise):
    image = build(tmp_path, MODELS[model], [source], optimise)
    registers, ram, done, skipped = run_ours(model, image)
    theirs = run_theirs(MODELS[model].target, image, {})
    assert registers == theirs.registers
    assert ram == theirs.ram
    assert done == theirs.instructions > 5_000  # Unicorn does not count the skipped ones
    assert skipped > 0 or optimise == "-O0"
