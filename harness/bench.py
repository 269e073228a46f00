"""One model on one board: stream windows, compare with the reference, count cycles and bytes.

Knows no transport (that is `link`), no files but the journal it is given, and prints nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.errors import LinkError
from harness.link.dut import Dut
from harness.link.messages import Hello, Outcome
from harness.qmodel import QModel
from harness.reference.model import Run, run
from harness.results import Journal, WindowRow

BENCH_REPEATS = 3
CLOCK_REPEATS = 5  # of each window where a clock times it: other programs interrupt some


@dataclass(frozen=True)
class Windows:
    """Test windows to stream: raw [N, T, D] int16, labels [N], index [N] in the whole test set."""

    raw: NDArray[np.int16]
    labels: NDArray[np.int64]
    index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.raw)


@dataclass(frozen=True, slots=True)
class Span:
    """What measured stretches took, as an emulator counts it; -1 = it does not count that.

    Fields
        cycles        exact, or the least that a core with a bracket may take
        cycles_hi     the most that such a core may take
        instructions  executed
    """

    cycles: int
    cycles_hi: int = -1
    instructions: int = -1

    def since(self, earlier: Span) -> Span:
        """What was added after `earlier`."""
        pairs = (
            (self.cycles, earlier.cycles),
            (self.cycles_hi, earlier.cycles_hi),
            (self.instructions, earlier.instructions),
        )
        return Span(*(now - then if min(now, then) >= 0 else -1 for now, then in pairs))


class CycleWitness(Protocol):
    """Someone beside the firmware who counts its cycles: the emulator of a virtual board."""

    def marked(self) -> Span:
        """What the marked stretches since reset took, each less an empty stretch's."""


@dataclass(frozen=True)
class _Trial:
    """One window on the board: what it answered, what the witness counted, frames repeated.

    span: None without a witness, and when the board restarted in between.
    """

    outcome: Outcome
    span: Span | None
    repeats: int

    @property
    def difference(self) -> int | None:
        """|board's cycles - witness's| where both counted."""
        if self.span is None or self.outcome.cycles < 0:
            return None
        return abs(self.span.cycles - self.outcome.cycles)


@dataclass(frozen=True)
class Measurement:
    """What one model did on one board. Counts are totals over all windows; -1 = not measured."""

    rows: list[WindowRow]
    trace_windows: int
    trace_mismatches: int  # steps of traced windows whose hidden state differs
    stack_peak_bytes: int
    bench_cycles_min: int
    bench_cycles_max: int
    bench_agrees: bool
    witness_delta: int | None  # largest |board's cycles - witness's| over the windows
    link_bytes_per_s: float | None
    restarts: int

    @property
    def mismatches(self) -> int:
        """Windows whose integer logits differ between board and reference."""
        return sum(row.logits_board != row.logits_host for row in self.rows)

    @property
    def saturation_mismatches(self) -> int:
        """Windows whose counted saturations differ between board and reference."""
        return sum(row.saturations_board != row.saturations_host for row in self.rows)


def check_identity(hello: Hello, model: QModel, board_kind: str, firmware_id: bytes) -> None:
    """The board must run exactly this firmware. Raises LinkError with what differs."""
    expected = {
        "board": board_kind,
        "firmware_id": firmware_id.hex(),
        "model_sha256": model.sha256,
        "features": model.dims.features,
        "hidden": model.dims.hidden,
        "classes": model.dims.classes,
        "steps": model.steps,
    }
    for what, value in expected.items():
        found = getattr(hello, what)
        if found != value:
            raise LinkError(
                f"the board answers with {what} {found!r}, expected {value!r}",
                hint="it runs another firmware: flash it again",
            )


def measure(
    dut: Dut,
    model: QModel,
    windows: Windows,
    bench_raw: NDArray[np.int16],
    journal: Journal,
    *,
    trace: int = 2,
    witness: CycleWitness | None = None,
    time_unit: str = "cycles",
    on_window: Callable[[int, int], None] = lambda done, total: None,
) -> Measurement:
    """Stream the windows that the journal does not hold yet, then trace, bench and read counters.

    time_unit: what a window is measured in: 'cycles'; 'bracket', of which the board's figure is the
    lower end only and the witness has both; 'ns' of a clock, then each window is streamed
    CLOCK_REPEATS times; '' when the board's figure means nothing and is dropped.

    The last part runs in every session, so a resumed run ends with the same figures as an
    undisturbed one. Raises LinkError when the board stops answering; the journal keeps the rest.
    """
    expected = run(model, windows.raw)
    done = {row.window: row for row in journal.read()}
    journal.repair()
    bytes_before, started = _bytes(dut), time.monotonic()
    dut.overlap = time_unit != "ns"  # what arrives meanwhile takes time of the board's clock
    missing = [p for p in range(len(windows)) if int(windows.index[p]) not in done]
    delta = None
    with contextlib.closing(_trials(dut, windows.raw[missing], witness, time_unit)) as trials:
        for position in range(len(windows)):
            index = int(windows.index[position])
            if index not in done:
                trial, outcomes = next(trials)
                delta = _larger(delta, trial.difference)
                done[index] = _row(model, windows, position, expected, outcomes, trial, time_unit)
                journal.append(done[index])
            on_window(position + 1, len(windows))
    elapsed_s = time.monotonic() - started
    traced = min(trace, len(windows))
    trace_mismatches, trace_delta = _trace(dut, model, windows.raw[:traced], witness)
    bench = dut.bench(BENCH_REPEATS)
    reference = run(model, bench_raw[np.newaxis])
    counted = time_unit == "cycles"
    return Measurement(
        rows=[done[int(i)] for i in windows.index],
        trace_windows=traced,
        trace_mismatches=trace_mismatches,
        stack_peak_bytes=dut.stats().stack_peak_bytes,
        bench_cycles_min=bench.cycles_min if counted else -1,
        bench_cycles_max=bench.cycles_max if counted else -1,
        bench_agrees=bool(np.array_equal(bench.logits, reference.logits[0])),
        witness_delta=_larger(delta, trace_delta),
        link_bytes_per_s=(_bytes(dut) - bytes_before) / elapsed_s if missing else None,
        restarts=dut.counters.restarts,
    )


def _bytes(dut: Dut) -> int:
    return dut.counters.bytes_sent + dut.counters.bytes_received


def _trials(
    dut: Dut, raws: NDArray[np.int16], witness: CycleWitness | None, time_unit: str
) -> Generator[tuple[_Trial, list[Outcome]], None, None]:
    """Each window's trial and all its outcomes, in order.

    Where nobody looks at the board between two windows, the next is on the line already.
    """
    if witness is None and time_unit != "ns":
        repeats = dut.counters.repeats
        with contextlib.closing(dut.infer_all(raws)) as outcomes:
            for outcome in outcomes:
                yield _Trial(outcome, None, dut.counters.repeats - repeats), [outcome]
                repeats = dut.counters.repeats
        return
    for raw in raws:
        trial = _one_window(dut, raw, witness)
        if time_unit == "bracket" and witness and trial.span is None:
            trial = _one_window(dut, raw, witness)
        more = CLOCK_REPEATS - 1 if time_unit == "ns" else 0
        yield trial, [trial.outcome, *(dut.infer(raw) for _ in range(more))]


def _one_window(
    dut: Dut, raw: NDArray[np.int16], witness: CycleWitness | None, *, trace: bool = False
) -> _Trial:
    repeats, restarts = dut.counters.repeats, dut.counters.restarts
    before = witness.marked() if witness else None
    outcome = dut.infer(raw, trace=trace)
    span = None
    if witness and before and dut.counters.restarts == restarts:
        span = witness.marked().since(before)
    return _Trial(outcome, span, dut.counters.repeats - repeats)


def _row(
    model: QModel,
    windows: Windows,
    position: int,
    expected: Run,
    outcomes: list[Outcome],
    trial: _Trial,
    time_unit: str,
) -> WindowRow:
    """Of a repeated window, the first outcome; or the first that differs from the reference."""
    sat = expected.saturations
    logits = expected.logits[position]
    bracket = trial.span if time_unit == "bracket" and trial.span else Span(-1)
    outcome = next((o for o in outcomes if not np.array_equal(o.logits, logits)), outcomes[0])
    return WindowRow(
        model=model.name,
        window=int(windows.index[position]),
        label_true=int(windows.labels[position]),
        label_host=int(expected.labels[position]),
        label_board=outcome.label,
        logits_host=[int(v) for v in expected.logits[position]],
        logits_board=[int(v) for v in outcome.logits],
        cycles=outcome.cycles if time_unit == "cycles" else -1,
        saturations_host=[int(s[position]) for s in (sat.input, sat.mid, sat.state)],
        saturations_board=[outcome.sat_input, outcome.sat_mid, outcome.sat_state],
        repeats=trial.repeats,
        cycles_lo=bracket.cycles,
        cycles_hi=bracket.cycles_hi,
        instructions=bracket.instructions,
        latency_ns=[o.cycles for o in outcomes] if time_unit == "ns" else [],
    )


def _trace(
    dut: Dut, model: QModel, raw: NDArray[np.int16], witness: CycleWitness | None
) -> tuple[int, int | None]:
    """Steps whose hidden state differs from the reference, and the witness's difference."""
    if not len(raw):
        return 0, None
    expected = run(model, raw, trace=True)
    assert expected.hidden is not None  # asked for
    mismatches, delta = 0, None
    for position, window in enumerate(raw):
        trial = _one_window(dut, window, witness, trace=True)
        mismatches += _steps_that_differ(trial.outcome, expected.hidden[position])
        delta = _larger(delta, trial.difference)
    return mismatches, delta


def _steps_that_differ(outcome: Outcome, hidden: NDArray[np.int64]) -> int:
    assert outcome.hidden is not None
    return int((outcome.hidden != hidden).any(axis=1).sum())


def _larger(a: int | None, b: int | None) -> int | None:
    known = [v for v in (a, b) if v is not None]
    return max(known) if known else None


def draw_windows(total: int, wanted: int | None, seed: int) -> NDArray[np.int64]:
    """Indices of `wanted` test windows drawn over the whole test set, ascending; None = all.

    Drawn, not the first N: those are one person's.
    """
    if wanted is None or wanted >= total:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).choice(total, wanted, replace=False))


def percentiles(cycles: list[int]) -> dict[str, float]:
    """Median, p95 (a value that occurred) and maximum of measured cycles; empty when none are."""
    if not cycles or min(cycles) < 0:
        return {}
    values = np.asarray(cycles, np.int64)
    return {
        "cycles_median": float(np.median(values)),
        "cycles_p95": int(np.percentile(values, 95, method="higher")),
        "cycles_max": int(values.max()),
    }


def bracket(spans: list[Span]) -> dict[str, float]:
    """Medians of a bracket's two ends and of the instructions; empty when any is not measured."""
    if not spans or min(min(s.cycles, s.cycles_hi, s.instructions) for s in spans) < 0:
        return {}
    return {
        "cycles_lo": float(np.median([s.cycles for s in spans])),
        "cycles_hi": float(np.median([s.cycles_hi for s in spans])),
        "instructions": float(np.median([s.instructions for s in spans])),
    }


def latency(latencies_ns: list[list[int]]) -> dict[str, float]:
    """Latency by a clock, from the repeats of each window; empty when any is not measured.

    `latency_ms` is the median over the windows of each window's fastest repeat, which other
    programs disturbed least; `latency_median_ms` the median over all repeats.
    """
    if not latencies_ns or min(min(repeats, default=-1) for repeats in latencies_ns) < 0:
        return {}
    return {
        "latency_ms": float(np.median([min(repeats) for repeats in latencies_ns])) / 1e6,
        "latency_median_ms": float(np.median(np.concatenate(latencies_ns))) / 1e6,
        "latency_repeats": min(len(repeats) for repeats in latencies_ns),
    }
