"""Bytes of flash and RAM in a linked ELF: what the firmware as a whole and its model cost.

Ref: ELF sections as avr-gcc and arm-none-eabi-gcc link them; avr-libc manual, "Memory Sections".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from harness.errors import BuildError
from harness.firmware.linkmap import bytes_by_part

MODEL_PREFIX = "rnn_model_"
CODE_PREFIX = "rnn_model_code_"  # functions made from weights
TABLE_PREFIX = "rnn_table_"
NOT_STATIC = (".stack", ".heap", "._user_heap_stack")  # reserved by a linker script, not used

# Where RAM is in an ELF's addresses. avr-gcc puts data space at 0x800000; EEPROM, fuses and lock
# bits come above it and are not written by our uploader.
AVR_RAM = range(0x80_0000, 0x81_0000)
ARM_RAM = range(0x2000_0000, 0x4000_0000)
AVR_FLASH = range(0x80_0000)
ARM_FLASH = range(0x2000_0000)


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Static memory of one firmware, in bytes.

    Fields
        flash_bytes        the image the uploader writes, from its first to its last byte; of a
                           program of Linux the bytes that are loaded
        ram_static_bytes   .data + .bss + .noinit; of a program of Linux all that is writable
        model_flash_bytes  data `rnn_model_*`: weights, indices, biases, classifier; and functions
                           `rnn_model_code_*`, weights as code
        table_flash_bytes  data `rnn_table_*`: shared non-linearities and the input stage
        parts              the rest of flash_bytes by part: kernel, link, app, hal, libc, other
                           (gaps, stubs of the linker); empty when there is no linker's map
        symbols            size of every object and function, in flash or RAM, by name
    """

    flash_bytes: int
    ram_static_bytes: int
    model_flash_bytes: int
    table_flash_bytes: int
    parts: Mapping[str, int] = field(default_factory=dict, compare=False)
    symbols: dict[str, int] = field(default_factory=dict, compare=False)

    def columns(self) -> dict[str, int]:
        """The figures under their names in results; those of parts only where known."""
        return {
            "model_flash_bytes": self.model_flash_bytes,
            "table_flash_bytes": self.table_flash_bytes,
            **{f"{part}_flash_bytes": size for part, size in self.parts.items()},
            "flash_bytes": self.flash_bytes,
            "ram_static_bytes": self.ram_static_bytes,
        }


def measure(path: Path, linker_map: Path | None = None) -> MemoryUse:
    """Memory use of the ELF at `path`; by part where the map of its linking is there.

    Raises BuildError when the ELF cannot be read as one.
    """
    try:
        with path.open("rb") as file:
            return _measure(ELFFile(file), linker_map)
    except (OSError, ELFError) as error:
        raise BuildError(f"{path}: not a readable ELF: {error or type(error).__name__}") from error


def avr_constants_end(path: Path) -> int:
    """Address after the last constant that an AVR reads from flash; 0 in an ELF of another core."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        if elf["e_machine"] != "EM_AVR":
            return 0
        tables = (s for s in elf.iter_sections() if isinstance(s, SymbolTableSection))
        symbols = (symbol for table in tables for symbol in table.iter_symbols())
        ends = (
            symbol["st_value"] + symbol["st_size"]
            for symbol in symbols
            if symbol["st_info"]["type"] == "STT_OBJECT" and symbol["st_value"] in AVR_FLASH
        )
        return max(ends, default=0)


def compiler_comment(path: Path) -> str:
    """Version of the compiler as it signed the ELF, e.g. `5.4.0`; empty when it did not."""
    with path.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".comment")
        words = section.data().split(b"\0")[0].decode(errors="replace") if section else ""
    # GCC: (GNU) 5.4.0    GCC: (15:12.2.rel1-1) 12.2.1 20221205
    return words.rpartition(") ")[2].strip() if words.startswith("GCC:") else ""


def _measure(elf: Any, linker_map: Path | None) -> MemoryUse:
    flash, ram = (AVR_FLASH, AVR_RAM) if elf["e_machine"] == "EM_AVR" else (ARM_FLASH, ARM_RAM)
    spans = [(s, span) for s in _allocated(elf) if (span := _loaded_span(elf, s))]
    if elf["e_machine"] == "EM_AARCH64":  # a program of Linux: all of it is loaded into RAM
        image = spans
        flash_bytes = sum(len(span) for _, span in image)
        ram_bytes = sum(s["sh_size"] for s in _allocated(elf) if s["sh_flags"] & 1)  # SHF_WRITE
    else:
        image = [(s, span) for s, span in spans if span.start in flash]
        flash_bytes = _extent([span for _, span in image])
        ram_bytes = sum(
            s["sh_size"]
            for s in _allocated(elf)
            if s["sh_addr"] in ram and s.name not in NOT_STATIC
        )
    symbols = list(_symbols(elf))
    model_bytes = sum(s.size for s in symbols if _is_model(s))
    table_bytes = sum(s.size for s in symbols if s.is_constant and s.name.startswith(TABLE_PREFIX))
    parts: dict[str, int] = {}
    if linker_map and linker_map.is_file():
        parts = bytes_by_part(linker_map, {s.name for s, _ in image})
        parts["other"] = flash_bytes - model_bytes - table_bytes - sum(parts.values())
    return MemoryUse(flash_bytes, ram_bytes, model_bytes, table_bytes, parts, _by_name(symbols))


def _extent(spans: list[range]) -> int:
    """Bytes from the first to the last of them, gaps included, as an uploader writes them."""
    return max(span.stop for span in spans) - min(span.start for span in spans) if spans else 0


def _allocated(elf: Any) -> Iterator[Any]:
    """Sections that take memory on the chip."""
    for section in elf.iter_sections():
        if section["sh_flags"] & 2 and section["sh_size"]:  # SHF_ALLOC
            yield section


def _loaded_span(elf: Any, section: Any) -> range | None:
    """Load addresses of a section's bytes in the image; None if it has none."""
    if section["sh_type"] == "SHT_NOBITS":
        return None
    for segment in elf.iter_segments():
        offset = section["sh_offset"] - segment["p_offset"]
        if segment["p_type"] == "PT_LOAD" and 0 <= offset < segment["p_filesz"]:
            start = segment["p_paddr"] + offset
            return range(start, start + section["sh_size"])
    return None


@dataclass(frozen=True, slots=True)
class _Symbol:
    """An object or function; constant when it is data that the image carries."""

    name: str
    size: int
    is_constant: bool


def _symbols(elf: Any) -> Iterator[_Symbol]:
    """All symbols with a size; of several at one place (aliases) only the first."""
    seen: set[tuple[int, int]] = set()
    for table in elf.iter_sections():
        if not isinstance(table, SymbolTableSection):
            continue
        for symbol in table.iter_symbols():
            kind, place = symbol["st_info"]["type"], (symbol["st_value"], symbol["st_size"])
            if not place[1] or kind not in ("STT_OBJECT", "STT_FUNC") or place in seen:
                continue
            seen.add(place)
            home = symbol["st_shndx"]  # a word such as SHN_ABS when it lies in no section
            loaded = isinstance(home, int) and elf.get_section(home)["sh_type"] != "SHT_NOBITS"
            yield _Symbol(symbol.name, place[1], loaded and kind == "STT_OBJECT")


def _is_model(symbol: _Symbol) -> bool:
    if symbol.is_constant:
        return symbol.name.startswith(MODEL_PREFIX)
    return symbol.name.startswith(CODE_PREFIX)


def _by_name(symbols: list[_Symbol]) -> dict[str, int]:
    """Bytes by name; static ones of one name in several files add up."""
    sizes: dict[str, int] = {}
    for symbol in symbols:
        sizes[symbol.name] = sizes.get(symbol.name, 0) + symbol.size
    return sizes
