"""Virtual boards with a Cortex-M3 or M4, and the test firmware on their own HAL."""

import random
import subprocess
import time
from pathlib import Path

import pytest
import serial

from harness.boards import Board, find_kind
from harness.firmware.render import render_sources
from harness.flash import flash_firmware
from harness.virtual.process import VirtualBoard
from tests.models import random_qmodel, random_raw

FIRMWARE = Path(__file__).parent / "firmware"
KINDS = ("due", "nano33ble", "nucleo_l4r5zi")
CPUS = {"cortex-m3": "cortex-m3", "cortex-m4f": "cortex-m4"}
STRICT = ("-std=gnu99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")
COMMANDS = bytes(range(1, 6))


@pytest.fixture(scope="session")
def echo_images(tmp_path_factory):
    """The echo program as built for each board, by its name."""
    return {name: build_echo(name, tmp_path_factory.mktemp(name)) for name in KINDS}


def build_echo(name, folder):
    board, model = find_kind(name).virtual(), random_qmodel("rnn")
    rendered = render_sources(
        model,
        board_name=name,
        hal=board.hal,
        clock_hz=board.clock_hz,
        baud=board.link.baud,
        max_payload=512,
        bench_raw=random_raw(model, 1)[0],
        destination=folder / "src",
    )
    hal = [p for p in rendered.sources if p.name.startswith(("hal_", "startup_"))]
    elf, image = folder / "echo.elf", folder / "echo.bin"
    target = [f"-mcpu={CPUS[board.core]}", "-mthumb", "-Os", *STRICT]
    link = ["-nostartfiles", "--specs=nano.specs", "-T", rendered.linker_script]
    command = ["arm-none-eabi-gcc", *target, *link, f"-I{rendered.folder}", *hal]
    subprocess.run([*command, FIRMWARE / "echo.c", "-o", elf], check=True, timeout=60)
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", elf, image], check=True, timeout=60)
    return image


class Machine:
    """A running virtual board of one kind, and how to get a program onto it."""

    def __init__(self, kind: Board, running: VirtualBoard, log: Path):
        self.kind, self.board, self.log = kind, running, log

    def flash(self, image):
        """As `harness run` does it, and until the program has said "ready"."""
        before = self.status().tx_bytes
        if self.kind.flash.tool == "direct":
            self.board.load(image, self.kind.flash.offset)
        elif self.kind.flash.boot_pin:
            self.board.enter_bootloader()
        if self.kind.flash.tool != "direct":
            flash_firmware(image, self.kind, str(self.board.port), log=self.log)
        wait_for(lambda: self.status().tx_bytes == before + len(b"ready\n"))

    def opened(self):
        """The port; where opening it resets the board, only once its program has started."""
        port = serial.Serial(str(self.board.port), self.kind.link.baud, timeout=5)
        if self.kind.link.resets_on_open:
            assert port.read_until(b"ready\n").endswith(b"ready\n")
        return port

    def status(self):
        return self.board.status()


@pytest.fixture(params=KINDS)
def name(request):
    return request.param


@pytest.fixture
def image(name, echo_images):
    return echo_images[name]


@pytest.fixture
def start(tmp_path):
    """Starts a virtual board on one state folder; stops it at the end of the test."""
    started = []

    def start_board(name):
        running = VirtualBoard.start(name, tmp_path / "state")
        started.append(running)
        return Machine(find_kind(name).virtual(), running, tmp_path / "flash.log")

    yield start_board
    for board in started:
        board.stop()


@pytest.fixture
def machine(name, start):
    return start(name)


def noise(size, seed=1):
    """Bytes that are no commands."""
    return random.Random(seed).randbytes(size).translate(None, COMMANDS)


def wait_for(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)
