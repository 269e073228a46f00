"""Random valid programs on our core and on Unicorn: all that they leave behind is the same.

What is drawn is the same in every run; HARNESS_RANDOM_PROGRAMS=5000 draws that many, and others
each time. A failure is shrunk to the smallest program that still fails, and printed.
"""

import os
import random

from hypothesis import HealthCheck, given, note, settings

from harness.virtual.armv6m_core import RAM_BYTES
from tests.virtual_armv6m.random_program import ARMV6M_TEMPLATES, assemble, programs
from tests.virtual_armv6m.side_by_side import ARMV6M, compare

PROGRAMS = int(os.environ.get("HARNESS_RANDOM_PROGRAMS", "0"))
RAM = random.Random(0).randbytes(RAM_BYTES)
BOUNDED = settings(
    max_examples=PROGRAMS or 150,
    derandomize=not PROGRAMS,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_random_programs_end_alike():
    used, instructions = set(), []

    @BOUNDED
    @given(programs())
    def check(program):
        text = program.text(ARMV6M.cpu)
        note(text)
        outcome = compare(ARMV6M, assemble(text, ARMV6M.cpu), program.registers, RAM)
        used.update(program.templates())
        instructions.append(outcome.instructions)

    ARMV6M.core().close()  # compiled here, not while a failure is shrunk
    check()
    print(f"{len(instructions)} programs, {sum(instructions)} instructions, {len(used)} templates")
    assert len(used) > 0.9 * len(ARMV6M_TEMPLATES), set(ARMV6M_TEMPLATES) - used
    assert max(instructions) > 500
