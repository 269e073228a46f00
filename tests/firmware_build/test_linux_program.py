"""The firmware of a board that runs Linux: a static program of Debian's cross compiler."""

import pytest
from elftools.elf.elffile import ELFFile

from harness.boards import find_kind
from harness.errors import BuildError
from harness.firmware import toolchain
from harness.firmware.build import build_firmware
from tests.models import random_qmodel, random_raw

RPI3 = find_kind("rpi3").silicon()
MODEL = random_qmodel("fastgrnn", hidden=8, features=3)


def build():
    return build_firmware(MODEL, RPI3, bench_raw=random_raw(MODEL, 1)[0])


@pytest.mark.emulated
def test_the_program_needs_nothing_but_a_kernel(cache):
    firmware = build()
    for path, has_symbols in ((firmware.elf, True), (firmware.image, False)):
        with path.open("rb") as file:
            elf = ELFFile(file)
            assert (elf["e_machine"], elf["e_type"]) == ("EM_AARCH64", "ET_EXEC")
            segments = {segment["p_type"] for segment in elf.iter_segments()}
            assert not segments & {"PT_INTERP", "PT_DYNAMIC"}
            assert (elf.get_section_by_name(".symtab") is not None) == has_symbols
    assert firmware.firmware_id in firmware.image.read_bytes()
    assert firmware.compiler.startswith("aarch64-linux-gnu-gcc ")


@pytest.mark.emulated
def test_its_sizes_are_those_of_the_loaded_program(cache):
    firmware = build()
    memory = firmware.memory
    with firmware.elf.open("rb") as file:
        loads = [s for s in ELFFile(file).iter_segments() if s["p_type"] == "PT_LOAD"]
        loaded = sum(segment["p_filesz"] for segment in loads)
        writable = sum(segment["p_memsz"] for segment in loads if segment["p_flags"] & 2)
    assert loaded * 0.99 < memory.flash_bytes <= loaded  # all but headers and gaps
    assert writable * 0.99 < memory.ram_static_bytes <= writable + 128  # .tbss takes no room there
    weights = sum(a.size for n, a in MODEL.tensors.items() if not n.startswith("pre_"))
    assert weights <= memory.model_flash_bytes < memory.flash_bytes


@pytest.mark.emulated
def test_two_builds_in_different_folders_are_the_same_bytes(tmp_path, monkeypatch):
    hashes = []
    for place in ("here", "over/there"):
        monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / place))
        firmware = build()
        assert not firmware.cached
        assert str(tmp_path).encode() not in firmware.elf.read_bytes()
        hashes.append((firmware.elf_sha256, firmware.firmware_id))
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("forced", ["", "platformio"])
def test_without_the_cross_compiler_its_package_is_named(cache, tmp_path, monkeypatch, forced):
    """Whatever is forced: PlatformIO's registry has no such compiler for this computer."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HARNESS_TOOLCHAIN", forced)
    with pytest.raises(BuildError, match="apt-get install gcc-aarch64-linux-gnu") as caught:
        toolchain.find_toolchain(RPI3)
    assert "linux_arm has no compiler for this computer" in caught.value.hint
