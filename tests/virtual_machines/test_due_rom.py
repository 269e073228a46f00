"""The Due's ROM: SAM-BA over a UART byte by byte, the flash controllers behind it, the 16U2."""

import subprocess
import time

import pytest
import serial

from tests.virtual_machines.conftest import wait_for

pytestmark = pytest.mark.emulated
EEFC = (0x400E_0A00, 0x400E_0C00)
FLASH, PLANE_BYTES, PAGE = 0x8_0000, 0x4_0000, 256
BUFFER = 0x2000_1000
SOH, EOT, ACK, NAK = b"\1", b"\4", b"\6", b"\x15"


@pytest.fixture
def rom(start):
    machine = start("due")
    with serial.Serial(str(machine.board.port), 115_200, timeout=5) as port:
        wait_for(lambda: machine.status().resets == 1)  # the pulse that opening brings
        yield Rom(machine, port)


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc.to_bytes(2, "big")


def block(number, data):
    return SOH + bytes([number, 255 - number]) + data + crc16(data)


class Rom:
    def __init__(self, machine, port):
        self.machine, self.port = machine, port

    def say(self, text):
        self.port.write(text.encode())

    def read(self, size):
        answer = self.port.read(size)
        assert len(answer) == size, f"only {answer!r}"
        return answer

    def word(self, address):
        self.say(f"w{address:08X},4#")
        return int.from_bytes(self.read(4), "little")

    def set_word(self, address, value):
        self.say(f"W{address:08X},{value:08X}#")

    def send(self, address, data):
        """`S` by XMODEM."""
        self.say(f"S{address:08X},{len(data):08X}#")
        assert self.read(1) == b"C"
        padded = data.ljust(-(-len(data) // 128) * 128, b"\0")
        for n in range(len(padded) // 128):
            self.port.write(block((n + 1) & 0xFF, padded[128 * n : 128 * n + 128]))
            assert self.read(1) == ACK
        self.port.write(EOT)
        assert self.read(1) == ACK

    def fetch(self, address, size):
        """`R` by XMODEM."""
        self.say(f"R{address:08X},{size:08X}#")
        self.port.write(b"C")
        data = b""
        while self.read(1) == SOH:
            number = self.read(2)
            assert number[0] ^ number[1] == 0xFF and number[0] == len(data) // 128 + 1
            piece = self.read(128)
            assert self.read(2) == crc16(piece)
            data += piece
            self.port.write(ACK)
        self.port.write(ACK)  # of EOT
        return data[:size]

    def command(self, plane, code, argument=0):
        """A command of a flash controller; returns its errors."""
        self.set_word(EEFC[plane] + 4, 0x5A << 24 | argument << 8 | code)
        return self.word(EEFC[plane] + 8) & ~1

    def program(self, page, fill, code=1):
        """A page of plane 0, through its latch buffer."""
        for offset in range(0, PAGE, 4):
            self.set_word(FLASH + page * PAGE + offset, fill)
        return self.command(0, code, page)

    def first_word(self, page):
        return self.word(FLASH + page * PAGE)


def test_what_bossac_asks_first(rom):
    rom.say("N#")
    assert rom.read(2) == b"\n\r"
    rom.say("V#")
    assert rom.port.read_until(b"\n\r").startswith(b"v1.1")
    assert rom.word(0xE000_ED00) == 0x412F_C230  # Cortex-M3 r2p0
    assert rom.word(0x400E_0940) == 0x285E_0A60  # SAM3X8E


def test_memory_by_xmodem(rom):
    data = bytes(range(256)) * 3 + b"the end"
    rom.send(BUFFER, data)
    assert rom.fetch(BUFFER, len(data)) == data
    assert rom.fetch(BUFFER + 1, 5) == data[1:6]
    assert rom.word(BUFFER + len(data) + 1 & ~3) == 0  # the padding of the last block is dropped


def test_a_damaged_block_is_sent_again(rom):
    data = bytes(128)
    rom.say(f"S{BUFFER:08X},{128:08X}#")
    assert rom.read(1) == b"C"
    good = block(1, b"\x55" * 128)
    rom.port.write(good[:-1] + bytes([good[-1] ^ 1]))
    assert rom.read(1) == NAK
    rom.port.write(block(2, data))  # of another number
    assert rom.read(1) == NAK
    rom.port.write(good)
    assert rom.read(1) == ACK
    rom.port.write(EOT)
    assert rom.read(1) == ACK
    assert rom.word(BUFFER) == 0x5555_5555


def test_the_extensions_of_arduino_s_bootloader_are_not_there(rom):
    rom.say("X00080000#Y20001000,0#Z00080000,00000100#V#")
    assert rom.port.read_until(b"\n\r").startswith(b"v1.1")


def test_programming_clears_bits_and_erasing_sets_them(rom):
    assert rom.program(3, 0xFF00FF00) == 0
    assert rom.program(3, 0x0FF00FF0) == 0
    assert rom.first_word(3) == 0x0F000F00
    assert rom.program(3, 0x12345678, code=3) == 0  # erase and write
    assert rom.first_word(3) == 0x12345678
    assert rom.command(0, 5) == 0
    assert rom.first_word(3) == 0xFFFFFFFF


def test_each_plane_has_a_controller(rom):
    rom.set_word(FLASH + PLANE_BYTES, 0)
    assert rom.command(1, 1, 0) == 0
    assert rom.word(FLASH + PLANE_BYTES) == 0 and rom.first_word(0) == 0xFFFFFFFF


def test_a_locked_region_is_left_alone(rom):
    assert rom.command(0, 8, 64) == 0  # region 1: pages 64 to 127
    assert rom.program(70, 0) == 4  # FLOCKE
    assert rom.first_word(70) == 0xFFFFFFFF
    assert rom.command(0, 5) == 4
    assert rom.program(63, 0) == 0
    assert rom.command(0, 0xA) == 0 and rom.word(EEFC[0] + 0xC) == 2
    assert rom.command(0, 9, 64) == 0
    assert rom.program(70, 0) == 0


def test_wrong_commands_are_errors(rom):
    rom.set_word(EEFC[0] + 4, 0x5B000005)  # the key
    assert rom.word(EEFC[0] + 8) == 3
    assert rom.word(EEFC[0] + 8) == 1  # reading clears
    assert rom.command(0, 0x3F) == 2
    assert rom.command(0, 1, 1024) == 2  # no such page
    assert rom.command(0, 0xB, 3) == 2  # no such GPNVM bit
    assert rom.command(1, 0xD) == 2  # the bits belong to plane 0


def test_gpnvm_decides_what_starts(rom, echo_images):
    machine = rom.machine
    machine.board.load(echo_images["due"], FLASH)
    assert machine.status().state == "bootloader"  # bit 1 is clear still
    rom.port.reset_input_buffer()
    rom.say("N#")
    assert rom.read(2) == b"\n\r"
    assert rom.command(0, 0xB, 1) == 0
    assert rom.command(0, 0xD) == 0 and rom.word(EEFC[0] + 0xC) == 2
    rom.set_word(0x400E_1A00, 0xA500_000D)  # RSTC_CR, as bossac -R has it
    assert rom.port.read_until(b"ready\n").endswith(b"ready\n")


def test_bossac_without_b_leaves_the_rom_in_control(start, echo_images):
    machine = start("due")
    command = ["bossac", "-p", str(machine.board.port), "--usb-port=0", "-e", "-w", "-v"]
    done = subprocess.run([*command, echo_images["due"], "-R"], capture_output=True, timeout=60)
    assert done.returncode == 0
    wait_for(lambda: machine.status().resets >= 2)
    assert machine.status().state == "bootloader"


def test_bossac_reads_back_what_was_written(start, echo_images, tmp_path):
    machine, image, out = start("due"), echo_images["due"], tmp_path / "back.bin"
    machine.flash(image)
    size = image.stat().st_size
    machine.board.stop()
    flash = tmp_path / "state" / "flash.bin"  # without a program it is the ROM that starts
    whole = flash.read_bytes()
    flash.write_bytes(b"\xff" * PAGE + whole[PAGE:])
    again = start("due")
    command = ["bossac", "-p", str(again.board.port), "--usb-port=0", f"--read={size}", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert out.read_bytes()[PAGE:] == image.read_bytes()[PAGE:]


def test_the_touch_erases_everything(start, echo_images):
    machine = start("due")
    machine.flash(echo_images["due"])
    serial.Serial(str(machine.board.port), 1200).close()
    wait_for(lambda: machine.status().state == "bootloader")
    with serial.Serial(str(machine.board.port), 115_200, timeout=5) as port:
        time.sleep(0.1)
        rom = Rom(machine, port)
        assert rom.first_word(0) == 0xFFFFFFFF


def test_an_uploader_that_dies_halfway_is_got_over(start, echo_images):
    machine = start("due")
    with serial.Serial(str(machine.board.port), 115_200, timeout=5) as port:
        time.sleep(0.1)
        port.write(f"S{BUFFER:08X},00000100#".encode())
        assert port.read(1) == b"C"
        port.write(block(1, bytes(128))[:40])  # and goes
    machine.flash(echo_images["due"])
    with machine.opened() as port:
        port.write(b"alive")
        assert port.read(5) == b"alive"


def test_an_applet_that_faults_is_stopped(rom):
    """`G` to an undefined instruction: the monitor has the line again."""
    rom.send(BUFFER, bytes.fromhex("00800020 09100020 00de00de"))
    rom.say(f"G{BUFFER:08X}#V#")
    assert rom.port.read_until(b"\n\r").startswith(b"v1.1")
