"""SERCOM5, the NVM controller, PORT and the stubs, driven by firmware on the simulated core."""

import pytest

from harness.virtual.armv6m_core import PC
from tests.virtual_armv6m.assembler import machine, program, run_to_breakpoint

# r7 = SERCOM5, r6 = SYST_CVR running freely
SERIAL = """
start:
    ldr r6, =SYST_RVR
    ldr r0, =0xFFFFFF
    str r0, [r6]
    adds r6, #4
    str r0, [r6]
    subs r6, #8
    movs r0, #5
    str r0, [r6]
    adds r6, #8
    ldr r7, =0x42001C00
    movs r0, #1
    str r0, [r7]
    ldr r0, =0x40310004 | ({sampr} << 13) | ({form} << 24)
    str r0, [r7]
    ldr r0, =0x30000 | {ctrlb}
    str r0, [r7, #4]
    ldr r0, ={baud}
    strh r0, [r7, #0x0C]
    ldr r0, [r7]
    movs r1, #2
    orrs r0, r1
    str r0, [r7]
    {body}
    bkpt
"""
SEND_THREE = """
    movs r1, #0x28
    movs r2, #'a'
    ldr r4, [r6]
    movs r3, #3
1:  ldrb r0, [r7, #0x18]
    lsrs r0, #1
    bcc 1b
    strh r2, [r7, r1]
    adds r2, #1
    subs r3, #1
    bne 1b
2:  ldrb r0, [r7, #0x18]
    lsrs r0, #2
    bcc 2b
    ldr r5, [r6]
    subs r0, r4, r5
"""


def serial_core(body, baud=63019, sampr=0, form=0, ctrlb=0):
    return machine(SERIAL.format(body=body, baud=baud, sampr=sampr, form=form, ctrlb=ctrlb))


RATES = [
    # SAMPR, BAUD, FORM, CTRLB low bits; cycles of a character at 48 MHz
    (0, 63019, 0, 0, 160 * 65536 / 2517),  # 115200, arithmetic
    (0, 65326, 0, 0, 160 * 65536 / 210),  # 9600
    (1, 26 | 0 << 13, 0, 0, 160 * 26),  # fractional, 16 samples
    (3, 52 | 1 << 13, 0, 0, 80 * 52.125),  # fractional, 8 samples
    (0, 0, 0, 0, 160),  # 3 Mbaud
    (1, 26, 1, 0, 176 * 26),  # parity: 11 bits
    (1, 26, 0, 0x40, 176 * 26),  # two stop bits
    (1, 26, 0, 5, 16 * 7 * 26),  # five data bits
]


@pytest.mark.parametrize("sampr, baud, form, ctrlb, cycles", RATES)
def test_characters_take_their_bit_times(sampr, baud, form, ctrlb, cycles):
    core = serial_core(SEND_THREE, baud, sampr, form, ctrlb)
    run_to_breakpoint(core, 500_000)
    assert core.receive() == b"abc"
    assert 0 <= core.get(0) - 3 * cycles < 40  # the polling loop


def test_receive_holds_three_and_counts_the_rest():
    """Two in the buffer, one in the shift register; what follows is lost and BUFOVF says so."""
    core = serial_core(
        """
    ldr r0, =2000
1:  subs r0, #1
    bne 1b
    ldrh r4, [r7, #0x1A]
    movs r1, #0x28
    ldrh r0, [r7, r1]
    ldrh r2, [r7, r1]
    ldrh r3, [r7, r1]
    ldrb r5, [r7, #0x18]
    """,
        baud=0,
    )
    while core.get(PC) < 0xC0 + 2 * 23:
        core.step()
    core.send(b"12345")
    run_to_breakpoint(core)
    assert [core.get(reg) for reg in (0, 2, 3)] == [ord("1"), ord("2"), ord("3")]
    assert core.get(4) & 4, "BUFOVF"
    assert core.get(5) & 4 == 0, "RXC is over when all is read"
    assert core.get(5) & 0x80, "INTFLAG.ERROR"


def test_receive_interrupt_wakes_the_core():
    core = serial_core(
        """
    movs r0, #4
    strb r0, [r7, #0x16]
    ldr r1, =NVIC_ISER
    ldr r0, =1 << 14
    str r0, [r1]
    ldr r1, =RAM
    ldr r0, =0xE000ED08
    str r1, [r0]
    ldr r0, =handler + 1
    str r0, [r1, #(16 + 14) * 4]
    wfi
    bkpt
handler:
    movs r1, #0x28
    ldrh r5, [r7, r1]
    bx lr
    """,
        baud=63019,
    )
    while not core.sleeping:
        core.step()
    before = core.cycles
    core.send(b"Q")
    core.step(2)
    assert core.cycles - before == pytest.approx(160 * 65536 / 2517 + 15, abs=2)
    run_to_breakpoint(core)
    assert core.get(5) == ord("Q")


# r7 = NVMCTRL, r6 = a page at 0x3000
NVM = """
start:
    ldr r7, =0x41004000
    ldr r6, =0x3000
    {body}
    ldrh r5, [r7, #0x18]
    bkpt
command:            @ r0: the command
    ldr r1, =0xA500
    orrs r0, r1
    strh r0, [r7]
    bx lr
"""
ERASE = "lsrs r0, r6, #1\nstr r0, [r7, #0x1C]\nmovs r0, #2\nbl command\n"
CLEAR, WRITE = "movs r0, #0x44\nbl command\n", "movs r0, #4\nbl command\n"
STORE = "ldr r0, =0x12345678\nstr r0, [r6]\nstr r0, [r6, #60]\n"
PROGE, LOCKE = 4, 8


def nvm_core(body, page=b"\xff" * 64):
    core = machine(NVM.format(body=body))
    core.load(0x3000, page + b"\xff" * 192)
    run_to_breakpoint(core)
    return core


def test_firmware_programs_flash():
    core = nvm_core(ERASE + CLEAR + STORE + WRITE, page=b"\x00" * 64)
    word = bytes.fromhex("78563412")
    assert core.dump(0x3000, 64) == word + b"\xff" * 56 + word
    assert core.get(5) & (PROGE | LOCKE) == 0


def test_programming_only_clears_bits():
    core = nvm_core(CLEAR + STORE + WRITE, page=b"\xf0" * 64)
    assert core.dump(0x3000, 4) == bytes.fromhex("70503010")


def test_page_writes_itself_without_manw():
    core = nvm_core("movs r0, #0\nstr r0, [r7, #4]\n" + CLEAR + STORE)
    assert core.dump(0x3000, 4) == bytes.fromhex("78563412")


def test_bootloader_rows_are_locked():
    core = nvm_core("ldr r6, =0x1F00\n" + ERASE + CLEAR + STORE + WRITE)
    assert core.dump(0x1F00, 4) == b"\xff" * 4
    assert core.get(5) & LOCKE


def test_locked_region_is_refused_until_unlocked():
    lock = "lsrs r0, r6, #1\nstr r0, [r7, #0x1C]\nmovs r0, #{:#x}\nbl command\n"
    assert nvm_core(lock.format(0x40) + ERASE).get(5) & LOCKE
    assert nvm_core(lock.format(0x40) + lock.format(0x41) + ERASE).get(5) & LOCKE == 0


def test_command_without_its_key_is_an_error():
    assert nvm_core("movs r0, #2\nstrh r0, [r7]").get(5) & PROGE


def test_byte_store_to_flash_faults():
    core = machine(NVM.format(body="strb r0, [r6]") + "hardfault: b hardfault")
    core.step(20)
    assert (core.fault.reason, core.fault.address) == ("access to nothing", 0x3000)


def test_marks():
    core = machine("""
    start:
        ldr r0, =IOBUS
        ldr r2, =0x41004400
        ldr r1, =1 << 20
        str r1, [r0, #0x18]
        str r1, [r0, #0x14]     @ empty stretch: 1 on the IOBUS
        str r1, [r2, #0x18]
        nop
        nop
        str r1, [r2, #0x14]     @ 2 through the bridge, and 2
        str r1, [r0, #0x14]     @ already low: nothing
        bkpt
    """)
    run_to_breakpoint(core)
    assert core.marks == type(core.marks)(count=2, total=5, first=1, last=4)


@pytest.mark.parametrize(
    "register, mask, value",
    [
        (0x4000080C, 0xD2, 0xD2),  # PCLKSR: crystal, DFLL and its locks
        (0x40000850, 3, 3),  # DPLLSTATUS
        (0x40000C00, 0x8001, 0),  # GCLK.STATUS, CTRL.SWRST
        (0x41002018, 0xFFFFFFFF, 0x10010305),  # DSU.DID: SAM D21G18A
        (0x41004008, 0xFFFFFFFF, 0x31000),  # NVMCTRL.PARAM: 4096 pages of 64
        (0x41004014, 1, 1),  # NVMCTRL ready
        (0x00804000, 7, 2),  # user row: BOOTPROT for 8 KB
        (0x00806024, 0xFC000000, 0xFC000000),  # calibration: none
    ],
)
def test_start_up_code_finds_what_it_waits_for(register, mask, value):
    core = machine(f"start: ldr r0, ={register}\nldr r1, =0xFFFFFFFF\nldr r2, [r0]\nbkpt")
    run_to_breakpoint(core)
    assert core.get(2) & mask == value


@pytest.mark.parametrize(
    "address",
    [
        0x40002000,
        0x41001000,
        0x41005400,
        0x42005400,
        0x43000000,
        0x50000000,
        0x60000200,
        0x20008000,
        0x00040000,
        0x1FFFFFFC,
        0xE0000000,
        0xF0000000,
    ],
)
def test_nothing_is_where_the_chip_has_nothing(address):
    core = machine(f"start: ldr r0, ={address}\nldr r1, [r0]\nhardfault: b hardfault")
    core.step(4)
    assert (core.fault.reason, core.fault.address) == ("access to nothing", address)


def test_program_helper_reports_assembler_errors():
    with pytest.raises(AssertionError, match="bad instruction"):
        program("start: frobnicate r0")
