"""The AVR's products and cells against the reference, on the virtual Uno: tolerance 0.

Random models of random shapes and scales, several in one firmware; the trials are random and corner
values of h and x. Products are looked at by themselves, in all forms and widths of sums.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import serial
from numpy.typing import NDArray

from harness.errors import ModelFileError
from harness.firmware.avr import sum_bytes
from harness.firmware.cores import core_of
from harness.firmware.plan import make_plan
from harness.firmware.render import render_sources
from harness.qmodel import QModel
from harness.reference.ops import Saturations
from harness.virtual.control import BoardStatus
from harness.virtual.process import VirtualBoard
from tests.models import random_qmodel

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

FIRMWARE = Path(__file__).parent / "firmware"
COMPILER = ("avr-gcc", "-mmcu=atmega328p", "-std=gnu99", "-Os", "-Wall", "-Wextra", "-Werror")
FLASH_BYTES = 1 << 15
BATCHES, CASES, TRIALS = 14, 6, 4
STEPS = 3  # of cell_case.c
PRODUCTS, CELL, CLASSIFIER = "products_case", "cell_case", "matvec_case"
START = 0x12345678  # of matvec_case.c
WANTED = {  # sources of a firmware that a program needs, by the beginning of their names
    PRODUCTS: ("rnn_products", "rnn_model_code_", "model_data"),
    CLASSIFIER: ("rnn_matvec_", "model_data"),
    CELL: ("rnn_products", "rnn_model_code_", "model_data", "rnn_cell_", "rnn_update_"),
}
FORMS = ("dense", "index", "bitmap", "speed", "balanced")
FRAME_CYCLES = 110  # of rnn_products, to save registers and to find vectors
COUNTER_START = 0xFFFFFF  # carries into the counter's last byte


@dataclass(frozen=True)
class Case:
    """A model, how it is kept, and what it is multiplied with: h [TRIALS, H], x [TRIALS, I]."""

    model: QModel
    form: str
    h: NDArray[np.int64]
    x: NDArray[np.int64]


def spiked(rng: np.random.Generator, shape: tuple[int, ...], bits: int) -> NDArray[np.int64]:
    """Random values of `bits` bits, a share of them at the ends of the range, at 0 and -1."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    values = rng.integers(low, high + 1, shape)
    corners = rng.choice([low, high, 0, -1], shape)
    return np.where(rng.random(shape) < rng.choice([0.1, 0.9]), corners, values)


def random_case(seed: int) -> Case:
    """A small model with weights of any size, its shifts as wild as the proof allows."""
    rng = np.random.default_rng(seed)
    low_rank = bool(rng.integers(2))
    model = random_qmodel(
        str(rng.choice(["fastgrnn", "rnn", "ugrnn", "qrnn"])),
        seed,
        features=int(rng.integers(1, 20)),
        hidden=int(rng.integers(1, 24)),
        rank_w=int(rng.integers(1, 9)) if low_rank else None,
        rank_u=int(rng.integers(1, 13)) if low_rank else None,
        state_bits=int(rng.choice([8, 16])),
        density=0.0,
    )
    largest = int(rng.choice([1, 2, 7, 30, 128]))
    density = float(rng.choice([0.0, 0.2, 0.6, 1.0]))
    tensors = dict(model.tensors)
    for name, matrix in model.matrices.items():
        weights = np.clip(spiked(rng, matrix.shape, 8), -largest, min(largest, 127))
        weights[rng.random(matrix.shape) >= density] = 0
        tensors[name] = weights.astype(np.int8)
    while True:
        most = int(rng.choice([8, 26]))  # small shifts clamp
        shifts = {name: int(rng.integers(0, most)) for name in model.shifts}
        shifts |= {k: int(rng.choice([0, 1, 7, 8, 9, 13])) for k in shifts if k.endswith("align")}
        shifts["pre"] = model.shifts["pre"]
        try:
            wild = replace(model, tensors=tensors, shifts=shifts)
        except ModelFileError:  # an accumulator might overflow
            continue
        inputs = wild.cell_class.inputs(wild.dims)
        h = spiked(rng, (TRIALS, wild.dims.hidden), wild.state_bits)
        return Case(wild, str(rng.choice(FORMS)), h, spiked(rng, (TRIALS, inputs), 8))


def expected(case: Case) -> list[bytes]:
    """What each trial should print: the sums without their common factor, the count of clamps."""
    model = case.model
    cell = model.cell_class(model.dims, model.state_bits, model.tensors, model.tables, model.shifts)
    sat = Saturations.zeros(TRIALS)
    acc, common = cell.acc_w(case.x, sat), model.shifts["w_align"]
    if cell.recurrent:
        acc = acc + cell.acc_u(case.h, sat)
        common = min(common, model.shifts["u_align"])
    else:
        common = min(common, 0)
    counts = (COUNTER_START + sat.mid) % (1 << 32)
    return [
        (acc[n] >> common).astype("<i4").tobytes() + counts[n].astype("<u4").tobytes()
        for n in range(TRIALS)
    ]


def random_cell(seed: int) -> Case:
    """A model whose tables and scales are random, so that every shift of an update occurs."""
    rng = np.random.default_rng(seed)
    cell = ("fastgrnn", "lstm", "gru", "ugrnn", "rnn", "fastrnn")[seed % 6]
    gates = {"gate": str(rng.choice(["sigmoid", "tanh"]))} if cell == "fastgrnn" else {}
    sizes = {"features": int(rng.integers(1, 6)), "hidden": int(rng.integers(1, 9))}
    model = random_qmodel(
        cell, seed, **sizes, state_bits=int(rng.choice([8, 16])), density=0.5, options=gates
    )
    tables = dict(model.tables)
    for name, dtype in model.cell_class.table_spec(model.dims).items():
        info = np.iinfo(dtype)
        tables[name] = rng.integers(info.min, info.max + 1, 256).astype(dtype)
    while True:
        shifts = {name: int(rng.integers(0, 22)) for name in model.shifts}
        shifts |= {k: int(rng.choice([0, 0, 1, 5])) for k in ("w_align", "u_align")}
        try:
            wild = replace(model, tables=tables, shifts=shifts)
        except ModelFileError:  # an accumulator might overflow
            continue
        h = spiked(rng, (TRIALS, wild.dims.hidden), wild.state_bits)
        return Case(wild, "balanced", h, spiked(rng, (TRIALS, wild.dims.features), 8))


def expected_states(case: Case) -> list[bytes]:
    """What each trial of a cell should print: h after its steps, and the counts of clamps."""
    model = case.model
    cell = model.cell_class(model.dims, model.state_bits, model.tensors, model.tables, model.shifts)
    sat, state = Saturations.zeros(TRIALS), cell.start(TRIALS) | {"h": case.h}
    for _ in range(STEPS):
        state = cell.step(case.x, state, sat)
    counts = np.stack([sat.mid, sat.state], axis=1).astype("<u4")
    h = state["h"].astype(f"<i{model.state_bits // 8}")
    return [h[n].tobytes() + counts[n].tobytes() for n in range(TRIALS)]


def expected_sums(case: Case) -> list[bytes]:
    """What each trial of the classifier should print: F h, and F h added to a start."""
    sums = case.h @ case.model.tensors["F"].astype(np.int64).T
    return [b"".join(row.astype("<i4").tobytes() for row in (s, s + START)) for s in sums]


def run(*words: object) -> None:
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def compile_case(case: Case, program: str, folder: Path, number: int) -> Path:
    """An object whose only global symbol is `run_case<number>`, of firmware/<program>.c."""
    model, source = case.model, folder / "src"
    rendered = render_sources(
        model,
        board_name="uno",
        hal="avr",
        clock_hz=16_000_000,
        baud=115_200,
        max_payload=128,
        bench_raw=np.zeros((1, model.dims.features), np.int16),
        destination=source,
        core="avr",
        optimise=case.form,
    )
    h = case.h.astype(f"<i{model.state_bits // 8}")
    content = b"".join(h[n].tobytes() + case.x[n].astype("i1").tobytes() for n in range(TRIALS))
    (source / "trials.c").write_text(
        '#include "rnn_flash.h"\nextern const uint8_t trials[];\n'
        f"const uint8_t trials[] RNN_FLASH = {{{TRIALS}, {', '.join(map(str, content))}}};\n"
    )
    sources = [p for p in rendered.sources if p.stem.startswith(WANTED[program])]
    sources += [source / "trials.c", FIRMWARE / f"{program}.c"]
    whole, alone = folder / "whole.o", folder / "case.o"
    sections = ("-ffunction-sections", "-fdata-sections", "-nostdlib", "-Wl,-r")
    run(*COMPILER, *sections, f"-I{source}", *sources, "-o", whole)
    name = f"run_case{number}"
    run("avr-objcopy", f"--redefine-sym=run_case={name}", f"--keep-global-symbol={name}",
        whole, alone)  # fmt: skip
    return alone


def build(cases: list[Case], program: str, folder: Path) -> None:
    """The flash of a board that runs all cases."""
    objects = []
    for number, case in enumerate(cases):
        (folder / str(number)).mkdir()
        objects.append(compile_case(case, program, folder / str(number), number))
    names = [f"run_case{number}" for number in range(len(cases))]
    calls = "\n".join(f"    {name}();" for name in names)
    externs = "\n".join(f"void {name}(void);" for name in (*names, "run_all"))
    (folder / "all.c").write_text(f"{externs}\nvoid run_all(void)\n{{\n{calls}\n}}\n")
    elf, image = folder / "firmware.elf", folder / "firmware.bin"
    main = FIRMWARE / "products_main.c"
    run(*COMPILER, "-Wl,--gc-sections", main, folder / "all.c", *objects, "-o", elf)
    run("avr-objcopy", "-O", "binary", elf, image)
    (folder / "state").mkdir()
    flash = image.read_bytes().ljust(FLASH_BYTES, b"\xff")
    (folder / "state" / "flash.bin").write_bytes(flash)


def run_and_compare(cases: list[Case], program: str, folder: Path) -> BoardStatus:
    """Run all cases on a virtual Uno; every trial must print what the reference says."""
    build(cases, program, folder)
    with (
        VirtualBoard.start("uno", folder / "state") as board,
        serial.Serial(str(board.port), 115_200, timeout=20) as port,
    ):
        assert port.readline() == b"ready\n"
        port.write(b"!")
        for case in cases:
            for trial, wanted in enumerate(EXPECTED[program](case)):
                got = port.read(len(wanted))
                assert got == wanted, f"{case.model.cell} {case.form}, trial {trial}"
        status = board.status()
    assert status.fault is None
    return status


EXPECTED = {PRODUCTS: expected, CELL: expected_states, CLASSIFIER: expected_sums}


def test_classifier(tmp_path):
    run_and_compare([random_case(seed) for seed in range(CASES)], CLASSIFIER, tmp_path)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_cells(batch, tmp_path):
    run_and_compare([random_cell(CASES * batch + i) for i in range(CASES)], CELL, tmp_path)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_products(batch, tmp_path):
    run_and_compare([random_case(CASES * batch + i) for i in range(CASES)], PRODUCTS, tmp_path)


def test_the_cases_cover_every_form_and_width():
    seen, clamped = set(), 0
    for seed in range(BATCHES * CASES):
        case = random_case(seed)
        for product, form in make_plan(case.model, core_of("avr"), case.form).kept:
            seen.add((form.name, product.vector, sum_bytes(product)))
        last = [int.from_bytes(reply[-4:], "little") for reply in expected(case)]
        clamped += sum(count - COUNTER_START for count in last)
    widths = {("s8", 2), ("s8", 3), ("s16", 3), ("s16", 4)}
    assert {(form, *w) for form in ("dense", "index", "bitmap", "code") for w in widths} <= seen
    assert clamped > 50


@pytest.mark.parametrize("state_bits", [8, 16])
@pytest.mark.parametrize("form", FORMS)
def test_costs_are_those_measured(form, state_bits, tmp_path):
    """What forms are chosen by: within a tenth of what a step's products take."""
    model = random_qmodel("rnn", 5, features=12, hidden=30, state_bits=state_bits, density=0.4)
    zeros = np.zeros((TRIALS, 30), np.int64)
    status = run_and_compare([Case(model, form, zeros, zeros[:, :12])], PRODUCTS, tmp_path)
    measured = status.marks_cycles / status.marks_count
    kept = make_plan(model, core_of("avr"), form).kept
    planned = sum(kind.cycles(product) for product, kind in kept if product.name != "F")
    assert status.marks_count == TRIALS
    assert abs(planned + FRAME_CYCLES - measured) < 0.1 * measured, (planned, measured)
