"""The STM32 system bootloader of the Nucleo: AN3155 byte by byte, and stm32flash."""

import subprocess

import pytest
import serial

from tests.virtual_machines.conftest import wait_for

pytestmark = pytest.mark.emulated
OPEN, ACK, NACK = b"\x7f", b"\x79", b"\x1f"
FLASH, RAM, PAGE = 0x0800_0000, 0x2000_0000, 4096


@pytest.fixture
def boot(start):
    machine = start("nucleo_l4r5zi")
    machine.board.enter_bootloader()
    with serial.Serial(str(machine.board.port), 115_200, timeout=5) as port:
        port.write(OPEN)
        assert port.read(1) == ACK
        yield Boot(machine, port)


def checked(data):
    x = 0
    for byte in data:
        x ^= byte
    return data + bytes([x])


class Boot:
    def __init__(self, machine, port):
        self.machine, self.port = machine, port

    def ask(self, data, size=1):
        self.port.write(data)
        answer = self.port.read(size)
        assert len(answer) == size, f"only {answer!r}"
        return answer

    def command(self, code):
        return self.ask(bytes([code, code ^ 0xFF]))

    def address(self, address):
        return self.ask(checked(address.to_bytes(4, "big")))

    def write(self, address, data):
        assert self.command(0x31) == ACK
        assert self.address(address) == ACK
        return self.ask(checked(bytes([len(data) - 1]) + data))

    def read(self, address, size):
        assert self.command(0x11) == ACK
        assert self.address(address) == ACK
        answer = self.ask(bytes([size - 1, (size - 1) ^ 0xFF]), 1 + size)
        assert answer[:1] == ACK
        return answer[1:]

    def erase(self, pages):
        assert self.command(0x44) == ACK
        words = [len(pages) - 1, *pages]
        return self.ask(checked(b"".join(word.to_bytes(2, "big") for word in words)))


def test_get_version_and_id(boot):
    answer = boot.ask(b"\x00\xff", 11)
    assert answer[:3] == ACK + b"\x07\x31" and answer[-1:] == ACK
    assert set(answer[3:-1]) == {0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44}
    assert boot.ask(b"\x01\xfe", 5) == ACK + b"\x31\0\0" + ACK
    assert boot.ask(b"\x02\xfd", 5) == ACK + b"\x01\x04\x70" + ACK


def test_commands_it_does_not_have(boot):
    assert boot.ask(b"\x11\x11") == NACK  # not its complement
    for code in (0x63, 0x73, 0x82, 0x92):  # protection: not modelled
        assert boot.command(code) == NACK
    assert boot.ask(b"\x02\xfd", 5)[:1] == ACK


def test_flash_is_written_and_read(boot):
    data = bytes(range(256))
    assert boot.write(FLASH + 0x1F00, data) == ACK
    assert boot.read(FLASH + 0x1F00, 256) == data
    assert boot.read(FLASH + 0x1F10, 1) == data[16:17]
    assert boot.write(FLASH + 0x1F00, b"\xf0" * 8) == ACK  # bits are only cleared
    assert boot.read(FLASH + 0x1F00, 8) == bytes(n & 0xF0 for n in range(8))


def test_only_the_named_pages_are_erased(boot):
    for page in range(4):
        assert boot.write(FLASH + page * PAGE, bytes(8)) == ACK
    assert boot.erase([1, 3]) == ACK
    left = [boot.read(FLASH + page * PAGE, 1) for page in range(4)]
    assert left == [b"\0", b"\xff", b"\0", b"\xff"]
    assert boot.erase([512]) == NACK  # 2 MB have 512 pages of 4 KB
    assert boot.command(0x44) == ACK
    assert boot.ask(checked(b"\xff\xff")) == ACK  # all
    assert boot.read(FLASH, 1) == b"\xff"


def test_damaged_messages_are_refused_and_change_nothing(boot):
    assert boot.command(0x31) == ACK
    assert boot.ask(bytes(5 * [1])) == NACK  # the check of the address
    assert boot.command(0x31) == ACK
    assert boot.address(FLASH) == ACK
    assert boot.ask(b"\x03abcd\x00") == NACK
    assert boot.read(FLASH, 4) == b"\xff" * 4
    assert boot.command(0x44) == ACK
    assert boot.ask(b"\0\0\0\1\0") == NACK


def test_addresses_that_are_not_there_or_not_free(boot):
    for address in (0x3000_0000, FLASH + 0x20_0000):
        assert boot.command(0x11) == ACK
        assert boot.address(address) == NACK
    assert boot.write(RAM + 0x31FC, bytes(4)) == NACK  # the bootloader's own
    assert boot.write(RAM + 0x3200, b"mine") == ACK
    assert boot.read(RAM + 0x3200, 4) == b"mine"


def test_go_needs_a_stack_in_ram(boot, echo_images):
    assert boot.command(0x21) == ACK
    assert boot.address(FLASH) == NACK  # erased
    image = echo_images["nucleo_l4r5zi"].read_bytes()
    for offset in range(0, len(image), 256):
        assert boot.write(FLASH + offset, image[offset : offset + 256]) == ACK
    assert boot.command(0x21) == ACK
    assert boot.address(FLASH) == ACK
    assert boot.machine.status().state in ("running", "sleeping")


def stm32flash(machine, *arguments):
    command = ["stm32flash", "-b", "115200", "-m", "8n1", *map(str, arguments)]
    port = str(machine.board.port)
    return subprocess.run([*command, port], capture_output=True, text=True, timeout=60)


def test_stm32flash_reads_back_what_it_wrote(start, echo_images, tmp_path):
    machine, image, out = start("nucleo_l4r5zi"), echo_images["nucleo_l4r5zi"], tmp_path / "out"
    machine.flash(image)
    machine.board.enter_bootloader()
    size = image.stat().st_size
    done = stm32flash(machine, "-r", out, "-S", f"{FLASH:#x}:{size}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "STM32L4Rxx" in done.stdout and out.read_bytes() == image.read_bytes()


def test_stm32flash_finds_nobody_while_a_program_runs(start, echo_images):
    machine = start("nucleo_l4r5zi")
    machine.flash(echo_images["nucleo_l4r5zi"])
    assert stm32flash(machine).returncode != 0


def test_an_uploader_that_dies_halfway_is_got_over(start, echo_images):
    machine = start("nucleo_l4r5zi")
    machine.board.enter_bootloader()
    with serial.Serial(str(machine.board.port), 115_200, timeout=5) as port:
        port.write(OPEN + b"\x31\xce")
        assert port.read(2) == ACK + ACK
        port.write(b"\x08\x00")  # and goes
    machine.flash(echo_images["nucleo_l4r5zi"])
    with machine.opened() as port:
        port.write(b"alive")
        assert port.read_until(b"alive").endswith(b"alive")
    wait_for(lambda: machine.status().state == "sleeping")
