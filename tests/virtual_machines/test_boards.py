"""Whole virtual boards with a Cortex-M3 or M4: real uploaders, a real tty, the control socket."""

import pytest

from harness.errors import LabError
from harness.virtual.control import control_at
from tests.virtual_machines.conftest import noise, wait_for

pytestmark = pytest.mark.emulated
ERASED = {"due": "bootloader", "nano33ble": "fault", "nucleo_l4r5zi": "fault"}


def test_flash_run_echo_and_flash_again(machine, image, name):
    assert machine.status().state == ERASED[name]  # nothing in flash yet
    machine.flash(image)
    with machine.opened() as port:
        before = machine.status()
        data = noise(4000)
        port.write(data)
        assert port.read(len(data)) == data
    status = machine.status()
    assert status.state == "sleeping" and status.fault is None
    assert status.rx_bytes - before.rx_bytes == len(data) and status.rx_overruns == 0
    assert status.tx_bytes - before.tx_bytes == len(data)
    machine.flash(image)
    with machine.opened() as port:
        port.reset_input_buffer()
        port.write(b"again")
        assert port.read_until(b"again").endswith(b"again")


def test_flash_outlives_the_process(machine, image, name, start):
    machine.flash(image)
    machine.board.stop()
    again = start(name)
    assert again.status().state in ("running", "sleeping")
    with again.opened() as port:
        port.write(b"still here")
        assert port.read_until(b"still here").endswith(b"still here")


def test_what_is_in_flash_is_the_image(machine, image, name, tmp_path):
    machine.flash(image)
    machine.board.stop()
    start = {"due": 0, "nano33ble": 0x10000, "nucleo_l4r5zi": 0}[name]
    whole = (tmp_path / "state" / "flash.bin").read_bytes()
    assert len(whole) == machine.kind.flash_bytes
    size = image.stat().st_size
    assert whole[start : start + size] == image.read_bytes()
    page = 256  # bossac and stm32flash fill the last one up
    assert set(whole[:start] + whole[start + size + page :]) == {0xFF}


def test_firmware_counts_the_lower_end_and_the_marks_both(machine, image):
    machine.flash(image)
    with machine.opened() as port:
        port.reset_input_buffer()
        counted, spans = [], []
        for command in (b"\1", b"\5"):
            before = machine.status()
            port.write(command)
            counted.append(int(port.readline()[1:]))
            after = machine.status()
            assert after.marks_count == before.marks_count + 1
            spans.append(
                (
                    after.marks_cycles - before.marks_cycles,
                    after.marks_cycles_hi - before.marks_cycles_hi,
                    after.marks_instructions - before.marks_instructions,
                )
            )
    (low, high, instructions), (low_5, high_5, instructions_5) = spans
    # 4000 rounds more: SUBS takes 1 cycle, a taken branch 1 and a refill of 1 to 3
    assert instructions_5 - instructions == 8000
    assert low_5 - low == 4000 * (1 + 1 + 1)
    assert high_5 - high == 4000 * (1 + 1 + 3)
    # what the firmware reads is the lower end, but for the code around the loop
    assert counted[1] - counted[0] == low_5 - low
    assert abs(counted[0] - low) < 40


def test_the_line_takes_its_time(machine, image):
    """1000 characters of ten bits each, echo alongside."""
    machine.flash(image)
    with machine.opened() as port:
        port.reset_input_buffer()
        port.write(b"x")
        port.read_until(b"x")
        before = machine.status().cycles
        port.write(b"y" * 1000)
        assert len(port.read(1000)) == 1000
        passed = machine.status().cycles - before
    clock, baud = machine.kind.clock_hz, machine.kind.link.baud
    expected = 1000 * 10 * clock / baud
    assert 0.99 * expected <= passed < expected * 1.5 + clock * 0.05


def test_a_deaf_receiver_loses_bytes_and_they_are_counted(machine, image):
    machine.flash(image)
    with machine.opened() as port:
        port.reset_input_buffer()
        before = machine.status().rx_overruns
        port.write(b"\3" + b"abcdefghijklmnopqrstuvwxyz")
        port.timeout = 0.5
        got = port.read(26)
        assert got[:1] in (b"a", b"") and len(got) < 26
        wait_for(lambda: machine.status().rx_overruns - before == 26 - len(got))


def test_fault_is_reported_and_reset_recovers(machine, image):
    machine.flash(image)
    with machine.opened() as port:
        port.write(b"\2")
        wait_for(lambda: machine.status().state == "fault")
        fault = machine.status().fault
        assert fault.address == 0x3000_0000
        assert "fault" in machine.board.log.read_text()
        port.reset_input_buffer()
        machine.board.reset()
        assert port.read_until(b"ready\n").endswith(b"ready\n")
    assert machine.status().fault is None


def test_software_reset(machine, image):
    machine.flash(image)
    with machine.opened() as port:
        port.reset_input_buffer()
        resets = machine.status().resets
        port.write(b"\4")
        assert port.read_until(b"ready\n").endswith(b"ready\n")
        assert machine.status().resets == resets + 1


def test_lost_memory_is_lost_and_the_program_starts_again(machine, image):
    """`brown-out` of the control socket: RAM is noise, flash is not."""
    machine.flash(image)
    with machine.opened() as port:
        port.reset_input_buffer()
        machine.board._command("brown-out")
        assert port.read_until(b"ready\n").endswith(b"ready\n")


def test_whoever_has_the_port_finds_the_control_socket(machine):
    control = control_at(str(machine.board.port))
    assert control.status().board == machine.status().board
    machine.board.stop()
    assert control_at(str(machine.board.port)) is None


def test_a_probe_loads_what_fits_and_nothing_else(machine, image, tmp_path, name):
    origin = {"due": 0x80000, "nano33ble": 0x10000, "nucleo_l4r5zi": 0x0800_0000}[name]
    machine.board.load(image, origin)
    wait_for(lambda: machine.status().state in ("running", "sleeping", "bootloader"))
    long = tmp_path / "long.bin"
    long.write_bytes(bytes(machine.kind.flash_bytes + 1))
    for path, address in ((long, origin), (image, origin + 0x1000_0000)):
        with pytest.raises(LabError, match="refused 'load"):
            machine.board.load(path, address)


def test_only_a_board_with_a_boot_pin_has_it_held(machine, name):
    if machine.kind.flash.boot_pin:
        machine.board.enter_bootloader()
        assert machine.status().state == "bootloader"
        machine.board.reset()
        assert machine.status().state != "bootloader"
    else:
        with pytest.raises(LabError, match="refused 'bootloader'"):
            machine.board.enter_bootloader()
