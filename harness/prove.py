"""A board's proof of health: it takes firmware, starts it, reckons right, and its line is clean.

Two small models are flashed in turn, so that there is an upload whatever ran before, and one of
them from a running application. The first may need every rung of the ladder; after it the board
must do without. Random weights serve: the board's integers are compared with the reference's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness import discovery, health, lab
from harness.boards import load_kinds
from harness.datasets import Standardisation
from harness.errors import LabError, UsageError
from harness.firmware.build import build_firmware
from harness.flash import FlashResult
from harness.floatmodel import FloatModel
from harness.instances import Instance, resolve
from harness.link.dut import Dut
from harness.qmodel import QModel
from harness.quantize import quantise
from harness.reference import CELLS, Dims
from harness.reference.model import bench_window, run

DIMS = Dims(
    3, 8, 3, options={name: values[0] for name, values in CELLS["fastgrnn"].options.items()}
)
STEPS = 4
CALIBRATION_WINDOWS = 64
BENCHES = 5  # times the stored window is repeated, and
BENCH_REPEATS = 20  # repeats each time
LINK_WINDOWS = 100  # traced, a frame for every step
REPEATED_FRAMES = 0.01  # at most, of all frames
Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Proof:
    """What a board did to prove itself: uploads that it took, frames exchanged and sent again."""

    uploads: int
    recoveries: int
    benches: int
    frames: int
    repeated: int


def prove(instance: Instance, folder: Path, *, wait_s: float = 0.0, tell: Tell) -> Proof:
    """Put the board to the proof and release it from quarantine if it passes.

    folder: an existing one for the log and, of a virtual board, the flash. tell: hears of every
    check (what, how it went). Raises LabError with what failed; then it is in quarantine.
    """
    with lab.attached(
        instance.board,
        port=instance.port or None,
        state_dir=folder / "board",
        faults=instance.fault,
        wait_s=wait_s,
        on_wait=lambda who: tell("wait", f"{who} has the board"),
        instance=instance,
        on_trial=True,
    ) as attachment:
        try:
            proof = _Trial(attachment, folder / "flash.log", tell).run()
        except LabError as error:
            lab.quarantine(attachment, error, folder / "flash.log")
            raise
        if attachment.board_id:
            health.release(attachment.board_id)
    return proof


def instance_called(name: str) -> Instance:
    """The board of the lab, or of a kind, with this name; or the attached one with this board id.

    Raises UsageError, and LabError when no board with such an id is attached.
    """
    if not re.match("(serial|hub)-", name):
        return resolve(name)
    port = next((p for p in discovery.attached_ports() if p.board_id == name), None)
    if port is None:
        raise LabError(f"no board {name} is attached", hint="harness boards shows what is")
    described = discovery.instance_at(port.device)
    kinds = [kind for kind, k in load_kinds().items() if port.usb_id in k.silicon().usb_ids]
    if described is None and len(kinds) != 1:
        raise UsageError(
            f"{name} ({port}) could be {' or '.join(kinds) or 'no board that is described'}",
            hint="describe it first: harness boards --scan",
        )
    return described or Instance(name="", kind=kinds[0], port=port.device)


class _Trial:
    """One board put to the proof."""

    def __init__(self, attachment: lab.Attachment, log: Path, tell: Tell) -> None:
        self.attachment, self.log, self.tell = attachment, log, tell
        self.flashes: list[FlashResult] = []
        self.frames = self.repeated = 0

    def run(self) -> Proof:
        """Both models. Raises LabError."""
        for seed in (0, 1):
            flashed = self._model(known_model(seed))
        _check_last_upload(flashed)
        return Proof(
            uploads=sum(f.attempts for f in self.flashes),
            recoveries=sum(f.recoveries for f in self.flashes),
            benches=2 * BENCHES,
            frames=self.frames,
            repeated=self.repeated,
        )

    def _model(self, model: QModel) -> FlashResult | None:
        firmware = build_firmware(model, self.attachment.board, bench_raw=bench_window(model))
        dut, flashed = lab.ensure_firmware(
            self.attachment, model, firmware, log=self.log, on_flash=self.flashes.append
        )
        try:
            self.tell("flash", _how(flashed))
            _check_bench(dut, model)
            self.tell("bench", f"{BENCHES} x {BENCH_REPEATS} repeats, all logits as expected")
            _check_line(dut, model)
            counted = dut.counters
            self.tell("line", f"{counted.exchanges} frames, {counted.repeats} sent again")
            self.frames += counted.exchanges
            self.repeated += counted.repeats
        finally:
            dut.close()
        return flashed


def known_model(seed: int) -> QModel:
    """A FastGRNN of 8 units with random weights; the same for the same seed."""
    rng = np.random.default_rng(seed)
    tensors = {
        name: (rng.normal(0, 1, shape) / shape[-1] ** 0.5).astype(np.float32)
        for name, (_, shape) in CELLS["fastgrnn"].tensor_spec(DIMS).items()
    }
    model = FloatModel(
        cell="fastgrnn",
        dims=DIMS,
        steps=STEPS,
        dataset="proof",
        class_names=("a", "b", "c"),
        tensors=tensors,
        scalars={"zeta": 0.8, "nu": 0.05},
        standardisation=Standardisation(np.zeros(DIMS.features), np.ones(DIMS.features)),
        raw_step=np.full(DIMS.features, 2.0**-10),
        companded=np.zeros(DIMS.features, bool),
    )
    shape = (CALIBRATION_WINDOWS, STEPS, DIMS.features)
    return quantise(model, rng.normal(0, 1, shape).astype(np.float32), name=f"proof-{seed}")


def _how(flashed: FlashResult | None) -> str:
    if flashed is None:
        return "it ran the firmware already"
    return (
        f"{flashed.tool}, {flashed.attempts} uploads, {flashed.recoveries} resets or power cycles"
    )


def _check_bench(dut: Dut, model: QModel) -> None:
    expected = run(model, bench_window(model)[np.newaxis]).logits[0]
    for _ in range(BENCHES):
        found = dut.bench(BENCH_REPEATS).logits
        if not np.array_equal(found, expected):
            raise LabError(
                f"the board reckons wrongly: logits {found.tolist()}, expected {expected.tolist()}",
                hint="is its supply sound? its flash or RAM may be worn out",
            )


def _check_line(dut: Dut, model: QModel) -> None:
    raw = _windows(model)
    expected = run(model, raw, trace=True)
    assert expected.hidden is not None  # asked for
    before, repeats = dut.counters.exchanges, dut.counters.repeats
    for number, window in enumerate(raw):
        hidden = dut.infer(window, trace=True).hidden
        if hidden is None or not np.array_equal(hidden, expected.hidden[number]):
            raise LabError(f"the board reckons wrongly: hidden states of window {number} differ")
    frames, again = dut.counters.exchanges - before, dut.counters.repeats - repeats
    if dut.counters.restarts or again > REPEATED_FRAMES * frames:
        raise LabError(
            f"the line is not clean: {again} of {frames} frames were sent again (at most "
            f"{REPEATED_FRAMES:.0%}), the board restarted {dut.counters.restarts} times",
            hint="another cable or hub port?",
        )


def _windows(model: QModel) -> NDArray[np.int16]:
    rng = np.random.default_rng(2)
    shape = (LINK_WINDOWS, model.steps, model.dims.features)
    return np.clip(rng.normal(0, 1000, shape), -32768, 32767).astype(np.int16)


def _check_last_upload(flashed: FlashResult | None) -> None:
    """From a firmware known to run, nothing but the ordinary way is good enough."""
    if flashed is None:
        raise LabError("the board was not uploaded to in the proof", hint="prove it once more")
    if flashed.recoveries:
        raise LabError(
            f"the board took its firmware only after {flashed.recoveries} resets or power cycles",
            hint="its bootloader does not start by itself",
        )
