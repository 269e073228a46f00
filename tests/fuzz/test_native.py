"""The C fuzz targets by gcc's sanitizers: the committed corpus, and some mutations of it."""

from __future__ import annotations

import subprocess

import pytest

from tests.fuzz import make_corpus
from tests.fuzz.targets import CORPUS, GCC, NATIVE, TARGETS, replay

RUNS = 3000


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_of_the_corpus_or_near_it_is_an_error(target, tmp_path):
    done = replay(target, tmp_path, seconds=0, runs=RUNS)
    assert done.returncode == 0, done.stderr
    assert f"{RUNS} mutations" in done.stdout


@pytest.mark.parametrize(
    ("target", "inputs"),
    [("frame", make_corpus.frame_inputs), ("app", make_corpus.app_inputs)],
)
def test_the_corpus_is_what_its_script_makes(target, inputs):
    kept = {path.name: path.read_bytes() for path in (CORPUS / target).iterdir()}
    assert kept == inputs(), "run python -m tests.fuzz.make_corpus"
    assert len(kept) >= 10


OVERRUN = """
#include <stddef.h>
#include <stdint.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static volatile uint8_t seen;
    if (size > 3 && data[1] == 0x42)
        seen = data[size];
    return seen & 0;
}
"""


def test_a_target_that_reads_too_far_is_found_out(tmp_path):
    """The test above can fail, and leaves the input that did it."""
    (tmp_path / "overrun.c").write_text(OVERRUN)
    (tmp_path / "seed").write_bytes(b"\x40\x40\x40\x40")
    program = tmp_path / "overrun"
    subprocess.run([*GCC, tmp_path / "overrun.c", NATIVE / "replay.c", "-o", program], check=True)
    command = [program, "0", "100000", tmp_path / "seed"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr
    assert (tmp_path / "last-input").read_bytes()[1] == 0x42
