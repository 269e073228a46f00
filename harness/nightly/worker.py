"""The process that trains, or that works with one board of a night; `python -m` starts it.

It reads its job as one line of JSON from stdin and writes lines of JSON to stdout: progress, and
what went wrong. What it measured lies in its folders. When stdin ends, so does it: its owner has
gone or wants it to stop, and a board that hangs must not keep the others.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness import events, pipeline, run
from harness.datasets import load
from harness.errors import HarnessError, Interrupted, LabError
from harness.events import Event
from harness.instances import Instance
from harness.nightly.order import Piece
from harness.nightly.plan import Plan
from harness.report import write_report
from harness.results import STATUS_ERROR, STATUS_LAB
from harness.rows import Row
from harness.run import RunOptions

STOP_GRACE_S = 15.0  # for closing ports and stopping an emulator, once we are to end
BETWEEN_EVENTS_S = 0.2
Say = Callable[[dict[str, Any]], None]


def main() -> None:
    """Do the job on stdin."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` had us ignore it
    say = _private_stdout()
    job = json.loads(_first_line())
    threading.Thread(target=_end_with_owner, daemon=True).start()
    plan = Plan.from_json(job["plan"])
    todo = [Piece(**piece | {"models": tuple(piece["models"])}) for piece in job["pieces"]]
    with suppress(KeyboardInterrupt, Interrupted):  # what is done is kept
        if job["board"]:
            (instance,) = (b for b in plan.boards if b.name == job["board"])
            _Board(plan, instance, Path(job["folder"]), say).work_off(todo)
        else:
            train(plan, todo, say)


# -- training -----------------------------------------------------------------------------------


def train(plan: Plan, todo: Sequence[Piece], say: Say) -> None:
    """Every model of the pieces into the cache, where all boards find it."""
    listen = _listener(say)
    for piece in todo:
        for model in piece.models:
            listen(Event("train", model))
            try:
                trained = pipeline.train_model(
                    model,
                    load(piece.dataset),
                    plan.preset,
                    piece.seed,
                    progress=events.training_progress(listen, model),
                    overrides=plan.overrides,
                )
            except (KeyboardInterrupt, Interrupted):
                raise
            except Exception as error:  # the other models are still to be measured
                say(_problem(piece, error, model))
                continue
            listen(events.trained(model, trained.train_seconds, trained.cached))


# -- one board ----------------------------------------------------------------------------------


@dataclass
class _Board:
    """One board of the night and what it still has to do.

    in_a_row  cells of lab trouble since the last one that was measured, and the first one's cause
    """

    plan: Plan
    instance: Instance
    folder: Path
    say: Say
    in_a_row: list[str] = field(default_factory=list)

    def work_off(self, todo: Sequence[Piece]) -> None:
        """The pieces in order, until the board is given up."""
        for piece in todo:
            try:
                self._piece(piece)
            except (KeyboardInterrupt, Interrupted):
                raise
            except Exception as error:
                self.say(_problem(piece, error))
                if isinstance(error, LabError):
                    self.in_a_row.append(error.message)
            if self._is_given_up:
                self.say({"gave_up": self.in_a_row[0], "cells": len(self.in_a_row)})
                return

    @property
    def _is_given_up(self) -> bool:
        return len(self.in_a_row) >= self.plan.give_up_after

    def _piece(self, piece: Piece) -> None:
        folder = piece_folder(self.folder, self.instance, piece)
        options = options_of(self.plan, self.instance, piece)
        listen = _listener(self.say)
        run.start_in(folder, options, listen, night=self.folder.name, keep_going=self._note_row)
        write_report(folder)

    def _note_row(self, row: Row) -> bool:
        if row["status"] == STATUS_LAB:
            self.in_a_row.append(row["message"])
        else:
            self.in_a_row.clear()
        self.say({"row": {name: row.get(name) for name in ("model", "status", "message")}})
        return not self._is_given_up


def piece_folder(night: Path, instance: Instance, piece: Piece) -> Path:
    """Where a piece lies; its name is the id of its run, of which there are no two alike."""
    return night / instance.name / f"{night.name}-{instance.name}-{piece.name}"


def options_of(plan: Plan, instance: Instance, piece: Piece) -> RunOptions:
    """What `harness run` would be asked."""
    return RunOptions(
        board=instance.kind,
        virtual=instance.virtual,
        dataset=piece.dataset,
        models=piece.models,
        preset=plan.preset,
        windows=plan.windows,
        seed=piece.seed,
        overrides=dict(plan.overrides),
        optimise=plan.optimise,
        faults=instance.fault,
        instance=instance,
        sessions=plan.attempts,
    )


# -- the line to the owner ----------------------------------------------------------------------


def _problem(piece: Piece, error: Exception, model: str = "") -> dict[str, Any]:
    """What went wrong with a piece, or with a model's training. A bug's traceback is logged."""
    if isinstance(error, HarnessError):
        message = error.message
    else:
        message = f"{type(error).__name__}: {error}"
        traceback.print_exception(error)
    status = STATUS_LAB if isinstance(error, LabError) else STATUS_ERROR
    return {"problem": message, "status": status, "piece": asdict(piece), "model": model}


def _listener(say: Say) -> events.Listener:
    """Says events, of the unfinished ones a few a second."""
    last = 0.0

    def listen(event: Event) -> None:
        nonlocal last
        now = time.monotonic()
        if event.finished or now - last >= BETWEEN_EVENTS_S:
            last = now
            say({"event": asdict(event)})

    return listen


def _private_stdout() -> Say:
    """Lines to the owner; whatever a library prints goes to stderr, the log."""
    private = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(message: dict[str, Any]) -> None:
        private.write(json.dumps(message) + "\n")
        private.flush()

    return say


def _first_line() -> bytes:
    """Of stdin, and not a byte more: what comes later is for another thread."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            sys.exit("no job on stdin")
        line += piece
    return line


def _end_with_owner() -> None:
    while os.read(0, 4096):
        pass
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    signal.pthread_kill(main_thread, signal.SIGINT)
    time.sleep(STOP_GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    main()
