"""Results of a run: the row schema, and files that are whole or absent.

A results folder holds `run.json` (what would repeat it), `summary.csv` (one row per model),
`windows.parquet` (one row per model and window), `journal/` (what is done so far, so that a killed
run resumes), `plots/`, `report.html` and `logs/`. `run.json` carries `finished`: null until the
last file is written, so a killed run is recognisable.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import UsageError
from harness.files import put_link, read_bounded, storage_errors, sync, write_atomic

# Files from others: more than any run writes is refused.
MAX_JSON_BYTES, MAX_SUMMARY_BYTES = 16 << 20, 64 << 20
MAX_JOURNAL_BYTES = MAX_WINDOWS_BYTES = 1 << 30
MAX_WINDOW_VALUES, MAX_UNPACKED_BYTES = 500_000_000, 4 << 30

INTEGER, REAL, TEXT, BOOLEAN = "Int64", "Float64", "string", "boolean"
SUMMARY_COLUMNS: dict[str, str] = {
    "run_id": TEXT,
    "board": TEXT,
    "board_kind": TEXT,
    "mcu": TEXT,
    "clock_hz": INTEGER,
    "dataset": TEXT,
    "model": TEXT,
    "hidden": INTEGER,
    "rank_w": INTEGER,
    "rank_u": INTEGER,
    "density_w": REAL,
    "density_u": REAL,
    "weight_bits": INTEGER,
    "state_bits": INTEGER,
    "params_nonzero": INTEGER,
    "model_flash_bytes": INTEGER,
    "table_flash_bytes": INTEGER,
    "flash_bytes": INTEGER,
    "ram_static_bytes": INTEGER,
    "stack_peak_bytes": INTEGER,
    "accuracy_float": REAL,
    "accuracy_host": REAL,
    "accuracy_board": REAL,
    "windows": INTEGER,
    "mismatches": INTEGER,
    "cycles_median": REAL,
    "cycles_p95": INTEGER,
    "cycles_max": INTEGER,
    "cycles_per_step": REAL,
    "cycles_lo": REAL,
    "cycles_hi": REAL,
    "instructions": REAL,
    "latency_ms": REAL,
    "timing_source": TEXT,
    "link_bytes_per_s": REAL,
    "link_retries": INTEGER,
    "compiler": TEXT,
    "compiler_flags": TEXT,
    "model_sha256": TEXT,
    "elf_sha256": TEXT,
    "seed": INTEGER,
    "status": TEXT,
    "accuracy_float_test": REAL,
    "accuracy_host_test": REAL,
    "test_windows": INTEGER,
    "trace_windows": INTEGER,
    "trace_mismatches": INTEGER,
    "saturations": INTEGER,
    "bench_cycles_min": INTEGER,
    "bench_cycles_max": INTEGER,
    "emulator_cycles_delta": INTEGER,
    "optimise": TEXT,
    "storage": TEXT,
    "kernel_flash_bytes": INTEGER,
    "link_flash_bytes": INTEGER,
    "app_flash_bytes": INTEGER,
    "hal_flash_bytes": INTEGER,
    "libc_flash_bytes": INTEGER,
    "other_flash_bytes": INTEGER,
    "firmware_id": TEXT,
    "uploader": TEXT,
    "board_id": TEXT,
    "restarts": INTEGER,
    "uploads": INTEGER,
    "attempts": INTEGER,
    "flaky": BOOLEAN,
    "faults": TEXT,
    "latency_median_ms": REAL,
    "latency_repeats": INTEGER,
    "lab_seconds": REAL,
    "message": TEXT,
}
# Columns that depend on the wall clock, on luck with the line, or on when a run was killed (of a
# firmware that a killed run put on the board nobody knows how it got there), not on the models.
TIME_COLUMNS = frozenset(
    {
        "run_id",
        "link_bytes_per_s",
        "link_retries",
        "restarts",
        "uploader",
        "uploads",
        "attempts",
        "flaky",
        "latency_median_ms",
        "lab_seconds",
    }
)

STATUS_OK = "ok"
STATUS_MISMATCH = "mismatch"
STATUS_DOES_NOT_FIT = "does-not-fit"
STATUS_HOST_ONLY = "host-only"  # float forms: evaluated on the host, no integer firmware
STATUS_LAB = "lab-error"
STATUS_ERROR = "error"


@dataclass(frozen=True, slots=True)
class WindowRow:
    """One window on one board. `window` is its index in the test set; -1 = not measured.

    cycles_lo, cycles_hi, instructions: where an emulator counts a bracket; then `cycles` is -1.
    latency_ns: of each repeat, where the board's clock times it; otherwise empty.
    """

    model: str
    window: int
    label_true: int
    label_host: int
    label_board: int
    logits_host: list[int]
    logits_board: list[int]
    cycles: int
    saturations_host: list[int]  # input, mid, state
    saturations_board: list[int]
    repeats: int  # frames sent again while this window was streamed
    latency_ns: list[int] = field(default_factory=list)
    cycles_lo: int = -1
    cycles_hi: int = -1
    instructions: int = -1


def summary_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows -> a frame with every column of the schema, missing values as NA."""
    unknown = {key for row in rows for key in row} - set(SUMMARY_COLUMNS)
    if unknown:
        raise ValueError(f"columns not in the schema: {sorted(unknown)}")
    frame = pd.DataFrame([dict(row) for row in rows], columns=list(SUMMARY_COLUMNS))
    return frame.astype(SUMMARY_COLUMNS)


def windows_frame(rows: Sequence[WindowRow]) -> pd.DataFrame:
    """Window rows -> a frame, one column per field of WindowRow."""
    names = [f.name for f in fields(WindowRow)]
    return pd.DataFrame({name: [getattr(row, name) for row in rows] for name in names})


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, keys sorted."""
    write_atomic(path, json.dumps(value, indent=1, sort_keys=True, default=str) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises UsageError that names the file and what is wrong."""
    try:
        value = json.loads(read_bounded(path, MAX_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path}: must hold a JSON object")
    return value


def write_summary(folder: Path, frame: pd.DataFrame) -> None:
    """summary.csv; NA is the empty string, never 0."""
    write_atomic(folder / "summary.csv", frame.to_csv(index=False, lineterminator="\n"))


def read_summary(folder: Path) -> pd.DataFrame:
    """summary.csv of a results folder with the schema's types. Raises UsageError."""
    path = folder / "summary.csv"
    if not path.is_file():
        raise UsageError(f"{folder}: no summary.csv", hint="give a results folder, see `results/`")
    data = io.BytesIO(read_bounded(path, MAX_SUMMARY_BYTES))
    try:
        return pd.read_csv(data, dtype=SUMMARY_COLUMNS)
    except (ValueError, TypeError, OverflowError) as error:  # as pandas raises
        raise UsageError(f"{path}: cannot read: {error}") from error


def read_windows(folder: Path) -> pd.DataFrame:
    """windows.parquet of a results folder. Raises UsageError."""
    path = folder / "windows.parquet"
    if not path.is_file():
        raise UsageError(
            f"{folder}: no windows.parquet", hint="give a results folder, see `results/`"
        )
    data = io.BytesIO(read_bounded(path, MAX_WINDOWS_BYTES))
    try:
        _check_parquet(data)
        return pd.read_parquet(data)
    except (ValueError, TypeError, OSError, LookupError, NotImplementedError) as error:
        raise UsageError(f"{path}: cannot read: {error}") from error  # as pyarrow raises


def _check_parquet(data: io.BytesIO) -> None:
    """ValueError when it unpacks to more than a run can have written."""
    import pyarrow.parquet

    found = pyarrow.parquet.ParquetFile(data).metadata
    groups = [found.row_group(i) for i in range(found.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(group.num_columns)]
    values = sum(column.num_values for column in columns)
    unpacked = sum(column.total_uncompressed_size for column in columns)
    if max(values, found.num_rows) > MAX_WINDOW_VALUES or unpacked > MAX_UNPACKED_BYTES:
        raise ValueError(f"{values:,} values in {unpacked:,} bytes are too many")


def write_windows(folder: Path, frame: pd.DataFrame) -> None:
    """windows.parquet, atomically."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    write_atomic(folder / "windows.parquet", buffer.getvalue())


def new_run_id(board: str, dataset: str) -> str:
    """`<UTC>-<board>-<dataset>-<id>`, sortable by time."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{stamp}-{board}-{dataset}-{secrets.token_hex(2)}"


def point_latest(folder: Path, name: str = "latest") -> None:
    """Make the link `name` beside the folder point to it, atomically."""
    put_link(folder.parent / name, folder.name)


class Journal:
    """Append-only record of the windows of one model, one JSON object a line.

    A line that was cut short by a kill or a power cut is ignored when read, and dropped before the
    next append, so the journal never joins half a record to a whole one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[WindowRow]:
        """All whole records, in order."""
        return list(self._rows())

    def _rows(self) -> Iterator[WindowRow]:
        if not self.path.exists():
            return
        for line in read_bounded(self.path, MAX_JOURNAL_BYTES).split(b"\n")[:-1]:
            with suppress(ValueError, TypeError, RecursionError):  # cut short, or not a record
                yield WindowRow(**json.loads(line))

    def repair(self) -> None:
        """Rewrite the file with its whole records only."""
        write_atomic(self.path, b"".join(map(_line, self._rows())))

    def append(self, row: WindowRow) -> None:
        """Add one record and hand it to the operating system. Raises StorageError."""
        line = _line(row)
        with storage_errors(self.path, len(line)), self.path.open("ab") as file:
            file.write(line)

    def sync(self) -> None:
        """Bring it to the disk: before anything there says that its windows are done."""
        if self.path.exists():
            with storage_errors(self.path):
                sync(self.path)


def _line(row: WindowRow) -> bytes:
    record = {f.name: getattr(row, f.name) for f in fields(WindowRow)}
    return json.dumps(record).encode() + b"\n"
