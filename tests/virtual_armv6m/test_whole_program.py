"""Compiled code on our core and on Unicorn: same memory, registers, instructions and cycles."""

import subprocess

import pytest

from tests.virtual_armv6m.conftest import FIRMWARE
from tests.virtual_armv6m.side_by_side import ARMV6M, build, compare


@pytest.mark.parametrize("optimise", ["-O0", "-Os", "-O2"])
def test_whole_program(tmp_path, optimise):
    """Integers, floats, 64 bits, division, recursion, a jump table."""
    ours = compare(ARMV6M, build(tmp_path, ARMV6M, "whole.c", optimise))
    assert ours.instructions > 20_000
    print(f"{optimise}: {ours.instructions} instructions, {ours.cycles} cycles")


@pytest.mark.parametrize("optimise", ["-Os", "-O2", "-O3"])
def test_lists_matrices_states_and_checksums(tmp_path, optimise):
    """The work that CoreMark does, in a program of our own; the host's compiler has a say too."""
    image = build(tmp_path, ARMV6M, "suite.c", optimise)
    ours = compare(ARMV6M, image)
    assert ours.word(image.symbols["checksum"]) == on_host(tmp_path)
    assert ours.instructions > 50_000
    print(f"{optimise}: {ours.instructions} instructions, {ours.cycles} cycles")


def on_host(folder):
    """The checksum that the same source prints on this machine."""
    program = folder / "suite"
    command = ["gcc", "-O1", "-Wall", "-DHOST", FIRMWARE / "suite.c", "-o", program]
    subprocess.run(command, check=True, timeout=60)
    return int(subprocess.run([program], check=True, capture_output=True, timeout=60).stdout, 16)
