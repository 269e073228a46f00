"""A night: train, then all boards at once, and a report whatever happened.

<out>/<night>/night.json     the plan; `finished` is null until the last file is written
<out>/<night>/verdict.*      json, md, html: what to read in the morning
<out>/<night>/junit.xml, site/
<out>/<night>/<board>/<run>/ ordinary results folders, and worker.log
"""

from __future__ import annotations

import fcntl
import secrets
import selectors
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import provenance, results, run
from harness.errors import HarnessError, Interrupted, UsageError
from harness.events import Event, Listener, ignore
from harness.files import write_atomic
from harness.history import store
from harness.history.compare import Comparison
from harness.history.verdict import Verdict, since_previous
from harness.nightly.cells import Happenings, collect
from harness.nightly.child import Child, Message
from harness.nightly.junit import as_junit
from harness.nightly.order import Piece, pieces
from harness.nightly.page import as_html
from harness.nightly.plan import Plan
from harness.nightly.verdict import NightVerdict, judge
from harness.nightly.words import as_markdown
from harness.nightly.worker import STOP_GRACE_S, piece_folder

NIGHT_NAME = "night.json"
LATEST = "latest-night"
REPORT_S = 120.0  # kept of the ceiling for the report, but no more than a tenth of it
KILL_GRACE_S = 5.0
LOOK_S = 1.0


@dataclass(frozen=True)
class NightResult:
    """A finished night: its folder and its verdict."""

    folder: Path
    verdict: NightVerdict


def start(plan: Plan, out: Path, listen: Listener = ignore) -> NightResult:
    """A new night in a new folder under `out`."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = out / f"{stamp}-night-{secrets.token_hex(2)}"
    facts = {"night": folder.name, "plan": plan.to_json(), "started": _now(), "finished": None}
    results.write_json(folder / NIGHT_NAME, facts)
    return _run(folder, plan, listen)


def resume(folder: Path, listen: Listener = ignore) -> NightResult:
    """Go on with a night that was killed or ended in lab trouble; it has its whole ceiling again.

    What was measured is kept; what is lab trouble or was skipped is tried again.
    Raises UsageError when the folder holds no night.
    """
    path = folder / NIGHT_NAME
    try:
        plan = Plan.from_json(results.read_json(path)["plan"])
    except (OSError, KeyError) as error:
        raise UsageError(f"{path}: no night to go on with", hint="give a night's folder") from error
    return _run(folder, plan, listen)


def _run(folder: Path, plan: Plan, listen: Listener) -> NightResult:
    folder = folder.resolve()
    with _ours(folder):
        night = _Night(folder, plan, listen)
        try:
            night.work()
        except KeyboardInterrupt as error:
            raise Interrupted(
                "interrupted; what was done is kept", hint=f"harness nightly --resume {folder}"
            ) from error
        return NightResult(folder, night.report())


@contextmanager
def _ours(folder: Path) -> Iterator[None]:
    """One process a night; the kernel frees the lock when it dies."""
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{folder}: this night is still running") from None
        yield


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class _Progress:
    """Cells of one board: how many are done, of how many."""

    total: int
    done: int = 0


@dataclass
class _Night:
    folder: Path
    plan: Plan
    listen: Listener
    happened: Happenings = field(default_factory=Happenings)
    progress: dict[str, _Progress] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)

    # -- the work ------------------------------------------------------------------------------

    def work(self) -> None:
        """Train what is missing, then let every board work off its pieces, until time is up."""
        todo = {b.name: self._todo(b.name) for b in self.plan.boards}
        if not any(todo.values()):
            return
        self._watch([self._child("", _to_train(todo.values()))])
        todo = {name: self._trained(part) for name, part in todo.items()}
        self._watch([self._child(name, part) for name, part in todo.items() if part])

    def _todo(self, board: str) -> list[Piece]:
        """Pieces with a cell that is not measured yet, in order."""
        (instance,) = (b for b in self.plan.boards if b.name == board)
        undone = []
        for piece in pieces(self.plan):
            folder = piece_folder(self.folder, instance, piece)
            statuses = [run.read_row(folder, m).get("status", "") for m in piece.models]
            finished = run.read_run(folder).get("finished") is not None
            if not finished or {"", results.STATUS_LAB} & set(statuses):
                undone.append(piece)
        return undone

    def _trained(self, todo: Sequence[Piece]) -> list[Piece]:
        """The pieces without the models that could not be trained."""
        untrained = self.happened.untrained
        kept = [
            replace(p, models=tuple(m for m in p.models if (p.dataset, p.seed, m) not in untrained))
            for p in todo
        ]
        return [piece for piece in kept if piece.models]

    def _child(self, board: str, todo: Sequence[Piece]) -> Child:
        self.progress[board] = _Progress(sum(len(piece.models) for piece in todo))
        job = {
            "board": board,
            "folder": str(self.folder),
            "plan": self.plan.to_json(),
            "pieces": [asdict(piece) for piece in todo],
        }
        return Child(board, job, self.folder / (board or "training") / "worker.log")

    # -- the workers ---------------------------------------------------------------------------

    @property
    def _left_s(self) -> float:
        """Seconds until the work has to end, so that the report is within the ceiling."""
        ceiling_s = 60 * self.plan.ceiling_minutes
        return ceiling_s - min(REPORT_S, ceiling_s / 10) - (time.monotonic() - self.begun)

    def _watch(self, children: Sequence[Child]) -> None:
        """Hear the workers until all have ended, or until time is up."""
        with selectors.DefaultSelector() as selector:
            for child in children:
                selector.register(child, selectors.EVENT_READ, child)
            try:
                while selector.get_map() and (left := self._left_s) > 0:
                    for key, _ in selector.select(min(left, LOOK_S)):
                        if not self._hear(key.data):
                            selector.unregister(key.data)
            finally:
                _end([key.data for key in selector.get_map().values()])
                for child in children:
                    child.close()

    def _hear(self, child: Child) -> bool:
        """Take in what a worker says; False when it has ended."""
        messages = child.read()
        for message in messages or ():
            self._note(child.name, message)
        if messages is None:
            status = child.ended(KILL_GRACE_S)
            if status:
                log = f"{child.name or 'training'}/worker.log"
                self.happened.lost[child.name] = f"its worker ended with status {status}, see {log}"
            self._tell(child.name, "ended", finished=True)
        return messages is not None

    def _note(self, board: str, message: Message) -> None:
        if "event" in message:
            self._show(board, Event(**message["event"]))
        elif "row" in message:
            self.progress[board].done += 1
        elif "gave_up" in message:
            cells = f"after {message['cells']} cells of lab trouble in a row"
            self.happened.left[board] = f"the board was given up {cells}: {message['gave_up']}"
        elif "problem" in message:
            self._note_problem(board, message)

    def _note_problem(self, board: str, message: Message) -> None:
        piece = Piece(**message["piece"] | {"models": tuple(message["piece"]["models"])})
        what = (message["status"], message["problem"])
        if message["model"]:
            self.happened.untrained[piece.dataset, piece.seed, message["model"]] = what
        else:
            self.happened.problems[board, piece.dataset, piece.seed, piece.repeat] = what
        self._tell(board, f"{piece.name}: {message['problem']}", finished=True)

    def _show(self, board: str, event: Event) -> None:
        """A finished stage as a line of its own, the others in the board's one line."""
        if not board:
            self.listen(event)
        elif event.finished and event.stage == "train":
            pass  # it was trained before, and comes from the cache
        elif event.finished:
            self.listen(replace(event, subject=f"{board} {event.subject}"))
        else:
            count = f" {event.done}/{event.total}" if event.total else ""
            self._tell(board, f"{event.subject}: {event.stage}{count} {event.detail}")

    def _tell(self, board: str, words: str, *, finished: bool = False) -> None:
        progress = self.progress[board]
        subject = board or "training"
        self.listen(Event("night", subject, progress.done, progress.total, words, finished))

    # -- the report ----------------------------------------------------------------------------

    def report(self) -> NightVerdict:
        """The verdict, written first; then the site. Neither can keep the other away."""
        lost = self.happened.lost.get("")
        notes = [f"training: {lost}"] if lost else []
        since = self._since_previous(notes)
        verdict = self._judge(since, notes)
        self._write(verdict)
        try:
            self._write_site()
        except (HarnessError, OSError) as error:
            verdict = self._judge(since, [*notes, f"no site: {error}"])
            self._write(verdict)
        facts = results.read_json(self.folder / NIGHT_NAME)
        results.write_json(self.folder / NIGHT_NAME, facts | {"finished": _now()})
        results.point_latest(self.folder, LATEST)
        return verdict

    @property
    def _history(self) -> Path:
        return self.folder.parent / store.HISTORY_NAME

    def _since_previous(self, notes: list[str]) -> Verdict:
        """Add the night to the history and ask it; trouble there goes into `notes`."""
        for folder in self._folders():
            try:
                store.add_folder(self._history, folder)
            except HarnessError as error:
                notes.append(f"{folder.name} is not in the history: {error.message}")
        try:
            if self._history.is_file():
                return since_previous(store.read(self._history), self.folder.name)
        except HarnessError as error:
            notes.append(f"nothing compared: {error.message}")
        return Verdict(Comparison(), (), ())

    def _folders(self) -> list[Path]:
        """Results folders of this night that were begun."""
        places = [
            piece_folder(self.folder, instance, piece)
            for instance in self.plan.boards
            for piece in pieces(self.plan)
        ]
        return [folder for folder in places if (folder / "run.json").is_file()]

    def _judge(self, since: Verdict, notes: Sequence[str]) -> NightVerdict:
        facts: dict[str, Any] = provenance.collect()
        commit = (facts["git_sha"] or "")[:12] + ("+" if facts["git_dirty"] else "")
        return judge(
            self.folder.name,
            collect(self.plan, self.folder, self.happened),
            since,
            commit=commit,
            seconds=time.monotonic() - self.begun,
            notes=notes,
        )

    def _write(self, verdict: NightVerdict) -> None:
        results.write_json(self.folder / "verdict.json", verdict.to_json())
        write_atomic(self.folder / "verdict.md", as_markdown(verdict))
        write_atomic(self.folder / "junit.xml", as_junit(verdict))
        write_atomic(self.folder / "verdict.html", as_html(verdict))

    def _write_site(self) -> None:
        from harness.report.site import write_site  # draws: slow to import

        entries = store.read(self._history) if self._history.is_file() else []
        write_site(entries, self.folder / "site")


def _to_train(todo: Any) -> list[Piece]:
    """One piece for every data set and seed of the boards' pieces: trained once for all."""
    first: dict[tuple[str, int], Piece] = {}
    for part in todo:
        for piece in part:
            first.setdefault((piece.dataset, piece.seed), piece)
    return list(first.values())


def _end(children: Sequence[Child]) -> None:
    """Time is up: they close their ports, or are killed."""
    for child in children:
        child.ask_to_stop()
    until = time.monotonic() + STOP_GRACE_S
    for child in children:
        if child.ended(max(0.0, until - time.monotonic())) is None:
            child.kill()
            child.ended(KILL_GRACE_S)
