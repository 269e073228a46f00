"""A firmware team's own test, on a real board or its twin:

pytest examples/pytest_sketch --harness-board uno --harness-virtual
"""

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    elf, image = folder / "echo.elf", folder / "echo.hex"
    compiler = ["avr-gcc", "-mmcu=atmega328p", "-Os", "-o", elf, HERE / "echo.c"]
    subprocess.run(compiler, check=True)
    subprocess.run(["avr-objcopy", "-O", "ihex", elf, image], check=True)
    return image


@pytest.fixture
def line(dut, image):
    dut.flash(image)
    with dut.open(115200) as line:
        assert line.read_until(b"\n", timeout_s=10) == b"hello\n"
        yield line


def test_lines_come_back_in_capitals(line):
    line.write(b"fast, accurate, stable\n")
    assert line.read_until(b"\n", timeout_s=5) == b"FAST, ACCURATE, STABLE\n"


def test_digits_stay_digits(line):
    line.write(b"0123\n")
    assert line.read_until(b"\n", timeout_s=5) == b"0123\n"
