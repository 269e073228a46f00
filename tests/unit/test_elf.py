"""Sizes from the ELF against the vendor's own size tools and against the image."""

import re
import subprocess
from pathlib import Path

import pytest

from harness.errors import BuildError
from harness.firmware.elf import compiler_comment, measure
from tests.firmware_build.programs import PROGRAMS

pytestmark = pytest.mark.emulated

COMMANDS = {
    "uno": ("avr-", ["-mmcu=atmega328p"]),
    "mega2560": ("avr-", ["-mmcu=atmega2560"]),
    "mkr1000": ("arm-none-eabi-", ["-mcpu=cortex-m0plus", "-mthumb", "-nostartfiles", "-Town.ld"]),
}


@pytest.fixture(params=sorted(COMMANDS), scope="module")
def linked(request, tmp_path_factory):
    """(prefix of the tools, ELF) of the test program of each board."""
    folder = tmp_path_factory.mktemp(request.param)
    for name, text in PROGRAMS[request.param].items():
        (folder / name).write_text(text)
    prefix, flags = COMMANDS[request.param]
    command = [f"{prefix}gcc", "-Os", *flags, "-DRNN_FIRMWARE_ID=1,2,3,4,5,6,7,8", "main.c"]
    subprocess.run([*command, "-o", "out.elf"], cwd=folder, check=True)
    return prefix, folder / "out.elf"


def size_sections(prefix: str, elf: Path) -> dict[str, int]:
    text = subprocess.run(
        [f"{prefix}size", "-A", "-d", str(elf)], capture_output=True, text=True, check=True
    ).stdout
    return {m[1]: int(m[2]) for m in re.finditer(r"^(\.\S+)\s+(\d+)", text, re.M)}


def test_flash_and_ram_agree_with_the_size_tool(linked):
    prefix, elf = linked
    sections, memory = size_sections(prefix, elf), measure(elf)
    ram = sum(sections.get(name, 0) for name in (".data", ".bss", ".noinit"))
    assert memory.ram_static_bytes == ram > 0
    flash = sections[".text"] + sections[".data"]
    assert flash <= memory.flash_bytes < flash + 8  # gaps of alignment are written too


def test_flash_bytes_are_the_bytes_of_the_image(linked, tmp_path):
    prefix, elf = linked
    image = tmp_path / "image.bin"
    subprocess.run([f"{prefix}objcopy", "-O", "binary", str(elf), str(image)], check=True)
    assert measure(elf).flash_bytes == image.stat().st_size


def test_model_and_table_bytes_are_told_apart(linked):
    memory = measure(linked[1])
    assert memory.model_flash_bytes == 100
    assert memory.table_flash_bytes == 32
    assert memory.symbols["rnn_model_w"] == 100
    assert memory.symbols["initialised"] == 10
    assert memory.symbols["main"] > 0


def test_functions_and_ram_named_like_the_model_are_not_model(tmp_path):
    """rnn_model_step() is code of every model, and what is zeroed at start takes no flash."""
    source = (
        "const char rnn_model_w[7] = {1};\nchar rnn_model_scratch[40];\n"
        "int rnn_model_step(int i) { return rnn_model_scratch[i] + rnn_model_w[i]; }\n"
        "volatile int x; int main(void) { return rnn_model_step(x); }\n"
    )
    (tmp_path / "m.c").write_text(source)
    command = ["avr-gcc", "-O0", "-mmcu=atmega328p", "m.c", "-o", "m.elf"]
    subprocess.run(command, cwd=tmp_path, check=True)
    memory = measure(tmp_path / "m.elf")
    assert memory.model_flash_bytes == 7
    assert memory.symbols["rnn_model_step"] > 0
    assert memory.symbols["rnn_model_scratch"] == 40


def test_a_stack_reserved_by_the_linker_script_is_not_static_ram(tmp_path):
    (tmp_path / "main.c").write_text(PROGRAMS["mkr1000"]["main.c"])
    script = PROGRAMS["mkr1000"]["own.ld"].rstrip().removesuffix("}")
    (tmp_path / "own.ld").write_text(script + "  .stack (NOLOAD) : { . += 1024; } > RAM\n}\n")
    _, flags = COMMANDS["mkr1000"]
    command = ["arm-none-eabi-gcc", "-Os", *flags, "-DRNN_FIRMWARE_ID=1,2", "main.c"]
    subprocess.run([*command, "-o", "out.elf"], cwd=tmp_path, check=True)
    assert size_sections("arm-none-eabi-", tmp_path / "out.elf")[".stack"] == 1024
    assert measure(tmp_path / "out.elf").ram_static_bytes < 64


def test_eeprom_is_neither_flash_nor_ram(tmp_path):
    source = (
        "#include <avr/eeprom.h>\nEEMEM unsigned char cell[9];"
        "int main(void) { return eeprom_read_byte(cell); }"
    )
    (tmp_path / "e.c").write_text(source)
    command = ["avr-gcc", "-Os", "-mmcu=atmega328p", "e.c", "-o", "e.elf"]
    subprocess.run(command, cwd=tmp_path, check=True)
    sections, memory = size_sections("avr-", tmp_path / "e.elf"), measure(tmp_path / "e.elf")
    assert sections[".eeprom"] == 9
    assert memory.ram_static_bytes == 0
    assert memory.flash_bytes == sections[".text"]


def test_the_compiler_signs_the_elf(linked):
    prefix, elf = linked
    version = subprocess.run(
        [f"{prefix}gcc", "-dumpfullversion", "-dumpversion"], capture_output=True, text=True
    ).stdout.strip()
    assert compiler_comment(elf).startswith(version)


@pytest.mark.parametrize("content", [b"", b"not an ELF at all", b"\x7fELF"])
def test_a_file_that_is_no_elf_is_refused_with_its_name(tmp_path, content):
    path = tmp_path / "broken.elf"
    path.write_bytes(content)
    with pytest.raises(BuildError, match=r"broken\.elf: not a readable ELF"):
        measure(path)


def test_a_missing_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(BuildError, match=r"nowhere\.elf: not a readable ELF"):
        measure(tmp_path / "nowhere.elf")
