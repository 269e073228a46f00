"""A summary row from its parts: the model, the board's measurement, the build."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import results
from harness.bench import Measurement, Span, Windows, bracket, latency, percentiles
from harness.boards import Board
from harness.datasets import Dataset
from harness.firmware.build import Firmware
from harness.pipeline import TrainedModel
from harness.qmodel import QModel
from harness.reference.model import run

Row = dict[str, Any]


def model_row(
    trained: TrainedModel, dataset: Dataset, windows: Windows, x: NDArray[np.float32]
) -> Row:
    """What is known of a model before any board: sizes, and accuracies on the host.

    `accuracy_float` and `accuracy_host` are over the streamed windows, like `accuracy_board`;
    `*_test` over the whole test set. x: the streamed windows, standardised, [N, T, D].
    """
    row: Row = {
        "dataset": dataset.name,
        "model": trained.spec.name,
        "hidden": trained.hyper.hidden,
        "rank_w": trained.hyper.rank_w,
        "rank_u": trained.hyper.rank_u,
        "accuracy_float": trained.float_model.accuracy(x, windows.labels),
        "accuracy_float_test": trained.accuracy_float,
        "accuracy_host_test": trained.accuracy_host,
        "test_windows": len(dataset.test),
    }
    model = trained.qmodel
    if model is not None:
        row |= {
            "accuracy_host": accuracy(run(model, windows.raw).labels, windows.labels),
            "density_w": model.density("W"),
            "density_u": model.density("U"),
            "weight_bits": model.weight_bits,
            "state_bits": model.state_bits,
            "params_nonzero": model.params_nonzero,
            "model_sha256": model.sha256,
        }
    return row


def host_row() -> Row:
    """For a float form: there is no integer firmware, so nothing is measured on the board."""
    return {
        "status": results.STATUS_HOST_ONLY,
        "timing_source": "none",
        "message": "float form: evaluated on the host only",
    }


def board_row(
    board: Board, model: QModel, firmware: Firmware, measured: Measurement, flash: Row
) -> Row:
    """What was built and measured."""
    timing = percentiles([row.cycles for row in measured.rows])
    if timing:
        timing["cycles_per_step"] = timing["cycles_median"] / model.steps
        timing["latency_ms"] = timing["cycles_median"] / board.clock_hz * 1e3
    timing |= latency([row.latency_ns for row in measured.rows])
    timing |= bracket([Span(r.cycles_lo, r.cycles_hi, r.instructions) for r in measured.rows])
    boards = np.array([row.label_board for row in measured.rows])
    truth = np.array([row.label_true for row in measured.rows])
    status, message = judge(measured)
    return {
        **timing,
        "timing_source": board.timing_source if timing else "none",
        **firmware.memory.columns(),
        "stack_peak_bytes": measured.stack_peak_bytes or None,
        "accuracy_board": accuracy(boards, truth),
        "windows": len(measured.rows),
        "mismatches": measured.mismatches,
        "link_bytes_per_s": measured.link_bytes_per_s,
        "restarts": measured.restarts,
        "link_retries": sum(row.repeats for row in measured.rows),
        "compiler": firmware.compiler,
        "compiler_flags": firmware.compiler_flags,
        "elf_sha256": firmware.elf_sha256,
        "firmware_id": firmware.firmware_id.hex(),
        "optimise": firmware.optimise,
        "storage": " ".join(f"{k}={v}" for k, v in sorted(firmware.storage.items())),
        "trace_windows": measured.trace_windows,
        "trace_mismatches": measured.trace_mismatches,
        "saturations": sum(sum(row.saturations_board) for row in measured.rows),
        "bench_cycles_min": _measured(measured.bench_cycles_min),
        "bench_cycles_max": _measured(measured.bench_cycles_max),
        "emulator_cycles_delta": measured.witness_delta,
        "status": status,
        "message": message,
        **flash,
    }


def judge(measured: Measurement) -> tuple[str, str]:
    """Status and message: anything but exact agreement fails the row."""
    faults = {
        "windows with other logits": measured.mismatches,
        "windows with other saturation counts": measured.saturation_mismatches,
        "traced steps with another hidden state": measured.trace_mismatches,
        "bench window with other logits": int(not measured.bench_agrees),
        "cycles apart from the emulator's own count": measured.witness_delta or 0,
    }
    found = [f"{count} {what}" for what, count in faults.items() if count]
    return (results.STATUS_MISMATCH if found else results.STATUS_OK), "; ".join(found)


def accuracy(predicted: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> float:
    """Share of equal labels."""
    return float(np.mean(predicted == labels))


def _measured(cycles: int) -> int | None:
    return cycles if cycles >= 0 else None
