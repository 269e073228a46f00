"""The whole chain for one board: train, compress, build, flash, stream, write tables.

    dataset -> train -> QModel -> firmware -> flash -> link -> predictions, cycles, bytes -> results

Every stage is cached by what goes into it; a killed run continues from its folder with `resume`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from harness import events, instances, lab, pipeline, presets, provenance, results
from harness.bench import Measurement, Windows, draw_windows, measure
from harness.datasets import Dataset, features, load, raw
from harness.errors import (
    BuildError,
    DoesNotFit,
    FlashError,
    HarnessError,
    Interrupted,
    LabError,
    UsageError,
)
from harness.events import Event, Listener, ignore
from harness.files import make_folder
from harness.firmware.build import Firmware, build_firmware
from harness.flash import FlashResult
from harness.instances import Instance
from harness.pipeline import TrainedModel
from harness.qmodel import QModel
from harness.reference.model import bench_window
from harness.rows import Row, board_row, host_row, model_row

DEFAULT_MODELS = ("fastgrnn", "lstm", "gru", "ornn")
DEFAULT_WINDOWS = 100
TRACE_WINDOWS = 2
SESSIONS = 3  # of one model on one board, before it is lab trouble
KeepGoing = Callable[[Row], bool]
"""Told every row as it is written; False: leave the board, the other models stay undone."""


def always(row: Row) -> bool:
    """Who never gives a board up."""
    return True


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run was asked to do; stored in run.json and read again by `resume`.

    windows    how many test windows to stream, drawn over the whole test set; None = all
    overrides  hyper-parameters that replace the preset's, by name, for every model
    device     where torch trains: cpu or cuda
    optimise   how weights are stored: size, balanced or speed (docs/kernels.md)
    faults     what the virtual board is to do wrong (docs/faults.md); '' = nothing
    wait_s     how long to wait for a board that somebody else has
    board      a kind, or one board that the lab's own file describes
    instance   the board itself, where it is described elsewhere
    sessions   how often a model is begun on the board before it is lab trouble
    """

    board: str
    virtual: bool = False
    dataset: str = "digits"
    models: tuple[str, ...] = DEFAULT_MODELS
    preset: str = "quick"
    windows: int | None = DEFAULT_WINDOWS
    seed: int = 0
    compand: bool = True
    port: str | None = None
    data_dir: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    optimise: str = "size"
    faults: str = ""
    wait_s: float = lab.WAIT_S
    instance: Instance | None = None
    sessions: int = SESSIONS

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RunOptions:
        """Options of an earlier run. Raises UsageError when they are not."""
        try:
            known: dict[str, Any] = {"models": tuple(values["models"])}
            if values.get("instance"):
                known["instance"] = instances.from_json(values["instance"])
            return cls(**(values | known))
        except (KeyError, TypeError) as error:
            raise UsageError(f"options in run.json: {error}", hint="begin a new run") from error

    def resolve(self) -> Instance:
        """The board that is meant, with all that the lab knows of it."""
        return self.instance or instances.resolve(self.board, self.virtual)


@dataclass(frozen=True)
class RunResult:
    """A finished run: its folder, the summary, and the exit code it deserves."""

    folder: Path
    summary: pd.DataFrame

    @property
    def exit_code(self) -> int:
        """0 all good, 1 a result failed, 3 only the lab failed."""
        statuses = set(self.summary["status"])
        if statuses & {results.STATUS_MISMATCH, results.STATUS_ERROR}:
            return 1
        return LabError.exit_code if results.STATUS_LAB in statuses else 0


def start(options: RunOptions, out: Path, listen: Listener = ignore) -> RunResult:
    """Run in a new folder under `out`."""
    return start_in(out / results.new_run_id(options.board, options.dataset), options, listen)


def start_in(
    folder: Path,
    options: RunOptions,
    listen: Listener = ignore,
    *,
    night: str = "",
    keep_going: KeepGoing = always,
) -> RunResult:
    """Run in this folder, whose name is the run's id; one that was begun here goes on.

    night: what the night is called that the run belongs to; '' = by its date.
    """
    dataset = _prepare(options)
    make_folder(folder / "logs")
    facts = {"run_id": folder.name, "options": asdict(options), "finished": None}
    begun = {"started": _now()} | ({"night": night} if night else {})
    _write_run(folder, begun | read_run(folder) | facts)
    return _continue(folder, options, dataset, listen, keep_going)


def resume(folder: Path, listen: Listener = ignore) -> RunResult:
    """Continue a run that was killed: nothing that was done is trained, flashed or streamed again.

    Rows that ended in lab trouble are tried again.
    """
    known = read_run(folder)
    if not known:
        raise UsageError(f"{folder}: no run.json", hint="give the folder of an earlier run")
    options = RunOptions.from_json(known.get("options", {}))
    return _continue(folder, options, _prepare(options), listen)


def _prepare(options: RunOptions) -> Dataset:
    """Refuse unknown names and a missing board before anything is begun; load the data set."""
    instance = options.resolve()
    board, port = instance.board, options.port or instance.port
    for name in options.models:
        spec = presets.parse_model_name(name)
        presets.hyper(options.preset, options.dataset, spec.cell, options.overrides)
    lab.check_faults(options.faults or instance.fault, board, port or None)
    if port:
        lab.check_port(board, port)
    elif not board.is_virtual:
        lab.check_present(instance)
    data_dir = Path(options.data_dir) if options.data_dir else None
    return load(options.dataset, data_dir, compand=options.compand)


def _continue(
    folder: Path,
    options: RunOptions,
    dataset: Dataset,
    listen: Listener,
    keep_going: KeepGoing = always,
) -> RunResult:
    chain = _Chain(folder, options, dataset, listen, keep_going)
    try:
        summary = chain.run()
    except KeyboardInterrupt as error:
        raise Interrupted(
            "interrupted; what was done is kept", hint=f"harness run --resume {folder}"
        ) from error
    _write_run(folder, {"finished": _now()})
    results.point_latest(folder)
    return RunResult(folder, summary)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_run(folder: Path) -> dict[str, Any]:
    """run.json of a results folder; empty when nothing was begun there."""
    path = folder / "run.json"
    return results.read_json(path) if path.is_file() else {}


def read_row(folder: Path, model: str) -> Row:
    """What became of a model in a results folder; empty while it is undone."""
    path = folder / "rows" / f"{model}.json"
    return results.read_json(path) if path.is_file() else {}


def _write_run(folder: Path, values: dict[str, Any]) -> None:
    """Add to run.json; `finished` stays null until the end."""
    results.write_json(folder / "run.json", {"finished": None} | read_run(folder) | values)


def _dataset_facts(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "licence": dataset.licence,
        "source": dataset.source,
        "source_sha256": dataset.source_sha256,
        "sha256": dataset.sha256,
        "windows_test": len(dataset.test),
        "class_names": list(dataset.class_names),
        "companded_channels": int(dataset.companded.sum()),
    }


class _Chain:
    """The stages of one run, in its folder."""

    def __init__(
        self,
        folder: Path,
        options: RunOptions,
        dataset: Dataset,
        listen: Listener,
        keep_going: KeepGoing,
    ) -> None:
        self.keep_going = keep_going
        self.folder = folder
        self.options = options
        self.dataset = dataset
        self.listen = listen
        self.instance = options.resolve()
        self.board = self.instance.board
        self.faults = options.faults or self.instance.fault
        test = dataset.part("test")
        index = draw_windows(len(test), options.windows, options.seed)
        self.windows = Windows(raw(dataset, "test")[index], test.y[index], index)

    def run(self) -> pd.DataFrame:
        """All stages; the summary."""
        trained = [self.train(name) for name in self.options.models]
        stages = {t.spec.name: [asdict(stage) for stage in t.stages] for t in trained}
        facts = {
            "board": asdict(self.board) | {"board_kind": self.board.board_kind},
            "dataset": _dataset_facts(self.dataset),
            "preset": self.options.preset,
            "seed": self.options.seed,
            "stages": stages,
        }
        _write_run(self.folder, provenance.collect() | facts)
        self.bench(trained)
        return self.write_tables()

    # -- train ---------------------------------------------------------------------------------

    def train(self, name: str) -> TrainedModel:
        """The trained, compressed, quantised model; from the cache when it is there."""
        self.listen(Event("train", name))
        trained = pipeline.train_model(
            name,
            self.dataset,
            self.options.preset,
            self.options.seed,
            progress=events.training_progress(self.listen, name),
            overrides=self.options.overrides,
            device=self.options.device,
        )
        self.listen(events.trained(name, trained.train_seconds, trained.cached))
        return trained

    # -- build, flash, stream ------------------------------------------------------------------

    def bench(self, trained: list[TrainedModel]) -> None:
        """Build all firmware, then put each on the board in turn and measure it."""
        waiting = [t for t in trained if not self._is_done(t.spec.name)]
        built = [(t, firmware) for t in waiting if (firmware := self._build(t))]
        if not built:
            return
        try:
            with lab.attached(
                self.board,
                port=self.options.port,
                state_dir=self.folder / "board",
                faults=self.faults,
                wait_s=self.options.wait_s,
                on_wait=self._say_who_has_it,
                instance=self._known_instance,
            ) as attachment:
                for t, firmware in built:
                    self._measure(attachment, t, firmware)
                    if not self.keep_going(read_row(self.folder, t.spec.name)):
                        break
        except LabError as error:
            for t, firmware in built:
                if not self._row_path(t.spec.name).exists():
                    self._failed(t, firmware, error)
                if not self._is_done(t.spec.name):
                    self.keep_going(read_row(self.folder, t.spec.name))

    @property
    def _known_instance(self) -> Instance | None:
        """The instance, of a board that was there before. An emulator that we start ourselves is a
        new board each time: there is no record of it, and nobody else to keep from it."""
        port = self.options.port or self.instance.port
        return self.instance if port or not self.board.is_virtual else None

    def _say_who_has_it(self, holder: str) -> None:
        self.listen(Event("wait", self.board.kind, 1, 1, f"{holder} has the board", finished=True))

    def _is_done(self, name: str) -> bool:
        row = read_row(self.folder, name)
        return bool(row) and row["status"] != results.STATUS_LAB

    def _row_path(self, name: str) -> Path:
        return self.folder / "rows" / f"{name}.json"

    def _journal(self, name: str) -> results.Journal:
        return results.Journal(self.folder / "journal" / f"{name}.jsonl")

    def _write_row(self, row: Row) -> None:
        self._journal(row["model"]).sync()  # a row says that its windows are kept
        results.write_json(self._row_path(row["model"]), row)
        self.write_tables()

    def _common(self, trained: TrainedModel) -> Row:
        constants = trained.float_model.standardisation
        test = features(self.dataset, "test", constants)[self.windows.index]
        row = model_row(trained, self.dataset, self.windows, test)
        return row | {
            "run_id": self.folder.name,
            "board": self.board.kind,
            "board_kind": self.board.board_kind,
            "board_id": self.instance.board_id or None,
            "mcu": self.board.mcu,
            "clock_hz": self.board.clock_hz,
            "seed": self.options.seed,
            "faults": self.faults,
        }

    def _build(self, trained: TrainedModel) -> Firmware | None:
        """The firmware, or None with a row written when there can be none."""
        name, model = trained.spec.name, trained.qmodel
        if model is None:
            self._write_row(self._common(trained) | host_row())
            return None
        self.listen(Event("build", name))
        try:
            firmware = build_firmware(
                model,
                self.board,
                bench_raw=bench_window(model),
                optimise=self.options.optimise,
            )
        except DoesNotFit as error:
            self.listen(Event("build", name, 1, 1, f"does not fit: {error.message}", finished=True))
            status = {"status": results.STATUS_DOES_NOT_FIT, "message": error.message}
            self._write_row(self._common(trained) | status)
            return None
        except BuildError as error:
            self.listen(Event("build", name, 1, 1, f"failed: {error.message}", finished=True))
            words = error.message + (f" (try: {error.hint})" if error.hint else "")
            status = {"status": results.STATUS_ERROR, "message": words}
            self._write_row(self._common(trained) | status)
            return None
        detail = f"{firmware.memory.flash_bytes:,} B flash" + (", cached" * firmware.cached)
        self.listen(Event("build", name, 1, 1, detail, finished=True))
        return firmware

    def _measure(
        self, attachment: lab.Attachment, trained: TrainedModel, firmware: Firmware
    ) -> None:
        """Measure in as many sessions as it takes; each goes on where the last one ended."""
        name, model = trained.spec.name, trained.qmodel
        assert model is not None  # it was built
        causes: list[LabError] = []
        measurement: Measurement | None = None
        for _ in range(self.options.sessions):
            begun = time.monotonic()
            self._note_session(name, attempts=1)
            try:
                measurement = self._session(attachment, name, model, firmware)
                break
            except LabError as error:
                causes.append(error)
                if isinstance(error, FlashError):
                    break  # all that can be done to the board was done
                self.listen(Event("stream", name, detail=f"trying again: {error.message}"))
            finally:
                self._note_session(name, lab_seconds=time.monotonic() - begun)
        if measurement is None:
            self._failed(trained, firmware, causes[0])
            return
        row = board_row(self.board, model, firmware, measurement, self._lab_facts(name))
        detail = f"{row['status']}, {row['mismatches']} mismatches"
        self.listen(Event("stream", name, len(self.windows), len(self.windows), detail, True))
        known = {"board_id": attachment.board_id} if attachment.board_id else {}
        self._write_row(self._common(trained) | row | known)

    def _session(
        self, attachment: lab.Attachment, name: str, model: QModel, firmware: Firmware
    ) -> Measurement:
        """Flash if need be, open, measure what the journal lacks, close."""
        self.listen(Event("flash", name))
        log = self.folder / "logs" / f"flash-{name}.log"
        dut, flashed = lab.ensure_firmware(
            attachment,
            model,
            firmware,
            log=log,
            on_flash=lambda flashed: self._note_flash(name, flashed),
            on_wait=self._say_who_has_it,
        )
        if flashed is None:
            self.listen(Event("flash", name, 1, 1, "already on the board", finished=True))
        try:
            return measure(
                dut,
                model,
                self.windows,
                bench_window(model),
                self._journal(name),
                trace=TRACE_WINDOWS,
                witness=attachment.witness,
                time_unit=self.board.time_unit,
                on_window=self._window_listener(name),
            )
        finally:
            dut.close()

    def _window_listener(self, name: str) -> Callable[[int, int], None]:
        return lambda done, total: self.listen(Event("stream", name, done, total))

    def _note_flash(self, name: str, flashed: FlashResult) -> None:
        """Remember how a model was flashed, for a resumed run that finds it on the board."""
        before = self._facts("flash", name)
        facts = {
            "uploader": f"{flashed.tool} {flashed.version}".strip(),
            "uploads": flashed.attempts + before.get("uploads", 0),
            "recoveries": flashed.recoveries + before.get("recoveries", 0),
        }
        results.write_json(self.folder / "logs" / f"flash-{name}.json", facts)
        detail = f"{flashed.tool}, {flashed.seconds:.1f} s"
        self.listen(Event("flash", name, 1, 1, detail, finished=True))

    def _note_session(self, name: str, **more: float) -> None:
        """Add up the sessions of a model in this run and their seconds, resumed ones too."""
        facts = self._facts("sessions", name)
        facts |= {what: facts.get(what, 0) + value for what, value in more.items()}
        results.write_json(self.folder / "logs" / f"sessions-{name}.json", facts)

    def _facts(self, kind: str, name: str) -> Row:
        path = self.folder / "logs" / f"{kind}-{name}.json"
        return results.read_json(path) if path.is_file() else {}

    def _lab_facts(self, name: str) -> Row:
        """How it was flashed, how many uploads and sessions it took, whether that is too many."""
        facts = self._facts("flash", name) | self._facts("sessions", name)
        recoveries = facts.pop("recoveries", 0)  # resets and power cycles
        flaky = facts.get("attempts", 1) > 1 or facts.get("uploads", 1) > 1 or recoveries > 0
        return facts | {"flaky": flaky}

    def _failed(self, trained: TrainedModel, firmware: Firmware, error: HarnessError) -> None:
        name = trained.spec.name
        self.listen(Event("stream", name, 1, 1, f"failed: {error.message}", finished=True))
        status = {"status": results.STATUS_LAB, "message": error.message}
        self._write_row(self._common(trained) | self._lab_facts(name) | status)

    # -- tables --------------------------------------------------------------------------------

    def write_tables(self) -> pd.DataFrame:
        """summary.csv and windows.parquet from the rows and journals so far, in model order."""
        rows, windows = [], []
        for name in self.options.models:
            rows += [row] if (row := read_row(self.folder, name)) else []
            windows += self._journal(name).read()
        summary = results.summary_frame(rows)
        results.write_summary(self.folder, summary)
        results.write_windows(self.folder, results.windows_frame(windows))
        return summary
