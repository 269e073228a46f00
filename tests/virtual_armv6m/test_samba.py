"""The SAM-BA monitor, byte by byte: what bossac does not try, or only to other boards."""

import binascii

import pytest

from tests.virtual_armv6m.assembler import assemble
from tests.virtual_armv6m.conftest import opened

pytestmark = pytest.mark.emulated
NVM = 0x41004000


@pytest.fixture
def monitor(start):
    board = start()
    with opened(board) as port:
        yield Monitor(port)


class Monitor:
    def __init__(self, port):
        self.port = port

    def ask(self, command, size):
        self.port.write(command.encode())
        answer = self.port.read(size)
        assert len(answer) == size, f"{command}: only {answer!r}"
        return answer

    def line(self, command):
        self.port.write(command.encode())
        return self.port.read_until(b"\n\r")

    def word(self, address):
        return int.from_bytes(self.ask(f"w{address:08X},4#", 4), "little")

    def set_word(self, address, value):
        self.port.write(f"W{address:08X},{value:08X}#".encode())

    def send(self, address, data):
        self.port.write(f"S{address:08X},{len(data):08X}#".encode() + data)

    def command(self, code):
        self.port.write(f"W{NVM:08X},0000A5{code:02X}#".encode())


def test_version_and_modes(monitor):
    assert monitor.line("N#") == b"\n\r"
    assert monitor.line("V#").startswith(b"v2.0 [Arduino:XYZ]")
    assert monitor.line("T#") == b"\n\r" and monitor.port.read(1) == b">"
    assert monitor.line("wE000ED00,4#") == b"0x410CC601\n\r"


def test_bytes_halfwords_and_words(monitor):
    monitor.set_word(0x20004000, 0x11223344)
    monitor.port.write(b"H20004004,5566#O20004006,77#")
    assert monitor.ask("w20004000,4#", 4) == bytes.fromhex("44332211")
    assert monitor.ask("h20004004,2#", 2) == bytes.fromhex("6655")
    assert monitor.ask("o20004006,1#", 1) == b"\x77"
    assert monitor.ask("R20004001,00000004#", 4) == bytes.fromhex("33221166")[:3] + b"\x66"


def test_identification(monitor):
    assert monitor.word(0x41002018) == 0x10010305
    assert monitor.word(0) >> 24 != 0xEA


def test_erase_copy_and_checksum(monitor):
    page = bytes(range(256))
    assert monitor.line("X00002000#") == b"X\n\r"
    monitor.send(0x20005000, page)
    assert monitor.line("Y20005000,0#") == b"Y\n\r"
    assert monitor.line("Y00004000,00000100#") == b"Y\n\r"
    assert monitor.ask("R00004000,00000100#", 256) == page
    crc = binascii.crc_hqx(page, 0)
    assert monitor.line("Z00004000,00000100#") == f"Z{crc:08X}#\n\r".encode()


def test_an_applet_runs_on_the_simulated_core_and_returns(monitor):
    """Stack at [G], start at [G + 4], as bossac's word copy applet."""
    code = assemble("""
        .syntax unified
        .cpu cortex-m0plus
        .thumb
        ldr r0, =0x20006000
        ldr r1, [r0]
        ldr r2, [r0, #4]
        muls r1, r2, r1
        str r1, [r0, #8]
        mov r3, sp
        str r3, [r0, #12]
        bx lr
        .ltorg
    """)
    monitor.send(0x20005000, code)
    monitor.set_word(0x20006000, 1234)
    monitor.set_word(0x20006004, 5678)
    monitor.set_word(0x20004020, 0x20007F00)
    monitor.set_word(0x20004024, 0x20005001)
    monitor.port.write(b"G20004020#")
    assert monitor.word(0x20006008) == 1234 * 5678
    assert monitor.word(0x2000600C) == 0x20007F00


@pytest.mark.parametrize("stack", [0x20007F00, 0x10000000], ids=["fault", "lockup"])
@pytest.mark.parametrize("entry", [0x30000001, 0x20005000, 0x20005001], ids=["fetch", "arm", "wfi"])
def test_an_applet_that_goes_wrong_gives_the_monitor_back(monitor, stack, entry):
    monitor.send(0x20005000, bytes.fromhex("30bf30bf"))  # WFI
    monitor.set_word(0x20004020, stack)
    monitor.set_word(0x20004024, entry)
    monitor.port.write(b"G20004020#G20004020#")
    assert monitor.line("V#").startswith(b"v2.0")


def test_plain_samba_programs_through_the_nvm_registers(monitor):
    """The way of bossac with a bootloader that lacks X, Y and Z."""
    monitor.set_word(NVM + 0x1C, 0x4000 // 2)
    monitor.command(0x02)
    monitor.set_word(NVM + 0x04, 0x00040080)
    monitor.command(0x44)
    for i in range(16):
        monitor.set_word(0x4000 + 4 * i, 0x01010101 * i)
    monitor.set_word(NVM + 0x1C, 0x4000 // 2)
    monitor.command(0x04)
    expected = b"".join(bytes([i]) * 4 for i in range(16))
    assert monitor.ask("R00004000,00000040#", 64) == expected
    assert monitor.word(NVM + 0x14) & 1


def test_bootloader_rows_refuse(monitor):
    before = monitor.ask("R00000000,00000100#", 256)
    monitor.set_word(NVM + 0x1C, 0)
    monitor.command(0x02)
    assert monitor.word(NVM + 0x18) & 8, "LOCKE"
    monitor.line("X00000000#")
    monitor.send(0x20005000, bytes(256))
    monitor.line("Y20005000,0#")
    monitor.line("Y00000000,00000100#")
    assert monitor.ask("R00000000,00000100#", 256) == before


def test_nonsense_is_survived(monitor):
    monitor.port.write(
        bytes(range(128, 256)) + b"###,,,#q1,2#w,#R#S#Zzz#" + b"w" + b"F" * 40 + b"#"
    )
    monitor.port.write(b"R30000000,8#")  # nothing there: zeros
    monitor.port.timeout = 0.3
    monitor.port.read(4096)
    monitor.port.timeout = 5
    assert monitor.line("V#").startswith(b"v2.0")


def test_reset_without_an_application_stays_in_the_monitor(monitor):
    monitor.set_word(0xE000ED0C, 0x05FA0004)
    assert monitor.line("V#").startswith(b"v2.0")
