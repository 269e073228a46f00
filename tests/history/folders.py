"""Results folders as a run writes them, with figures of our choosing."""

from datetime import UTC, datetime, timedelta

from harness import results

NIGHT = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
ROW = {
    "board": "uno", "board_kind": "virtual", "mcu": "ATmega328P", "clock_hz": 16_000_000,
    "dataset": "digits", "seed": 0, "status": "ok", "timing_source": "emulated-cycles",
    "accuracy_float": 0.9, "accuracy_host": 0.9, "accuracy_board": 0.9, "windows": 10,
    "mismatches": 0, "model_flash_bytes": 1234, "table_flash_bytes": 512, "flash_bytes": 8765,
    "ram_static_bytes": 654, "stack_peak_bytes": 210, "cycles_median": 160_000.0,
    "cycles_p95": 161_000, "cycles_max": 162_000, "latency_ms": 10.0, "compiler": "avr-gcc 7.3.0",
    "compiler_flags": "-Os", "model_sha256": "ab" * 32, "elf_sha256": "cd" * 32,
    "firmware_id": "f0", "optimise": "size",
}  # fmt: skip
SILICON = {"board_kind": "silicon", "timing_source": "systick"}


def row(model="fastgrnn", **changes):
    return ROW | {"model": model} | changes


def write_run(out, number, rows=None, *, finished=True, wrong=(0,), git_sha="a" * 40, **options):
    """Run `number`, begun `number` nights after NIGHT. wrong: the windows of ten it got wrong."""
    rows = [row()] if rows is None else rows
    folder = out / f"run{number}"
    started = NIGHT + timedelta(days=number)
    first = rows[0] if rows else ROW
    given = {
        "board": first["board"], "virtual": first["board_kind"] == "virtual",
        "dataset": first["dataset"], "models": [r["model"] for r in rows], "preset": "smoke",
        "windows": 10, "seed": first["seed"], "compand": True, "port": None, "data_dir": None,
        "overrides": {}, "device": "cpu", "optimise": "size",
    }  # fmt: skip
    facts = {
        "run_id": folder.name,
        "started": started.isoformat(timespec="seconds"),
        "finished": (started + timedelta(hours=1)).isoformat() if finished else None,
        "git_sha": git_sha,
        "git_dirty": False,
        "harness_version": "0.1.0",
        "options": given | options,
    }
    results.write_json(folder / "run.json", facts)
    results.write_summary(folder, frame_of([{"run_id": folder.name} | r for r in rows]))
    windows = [window(r["model"], k, k in wrong) for r in rows for k in range(10)]
    results.write_windows(folder, results.windows_frame(windows))
    return folder


def frame_of(rows):
    """As a run writes it; columns that this version does not have come after the others."""
    own = results.SUMMARY_COLUMNS
    frame = results.summary_frame([{k: v for k, v in r.items() if k in own} for r in rows])
    for name in dict.fromkeys(k for r in rows for k in r if k not in own):
        frame[name] = [r.get(name) for r in rows]
    return frame


def window(model, index, is_wrong):
    label = index % 3
    board = label + 1 if is_wrong else label
    return results.WindowRow(model, index, label, board, board, [0], [0], 1, [0] * 3, [0] * 3, 0)
