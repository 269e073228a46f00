"""What moved between two sets of entries, and what of it is more than noise.

Entries are paired by their cell; where two selectors name a field of the cell (two boards, two
seeds), across that field. The newest entry of a cell stands for it, except that lab trouble does
not stand for anything that was measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from harness.history.accuracy import AccuracyTest, accuracy_test
from harness.history.noise import (
    BRACKET,
    CLOCK,
    NONE,
    UNTIMED,
    Noise,
    holm,
    stack_noise,
    time_noise,
    timing,
)
from harness.history.record import Cell, Entry
from harness.results import STATUS_HOST_ONLY, STATUS_OK

SAME, WITHIN, BETTER, REGRESSION, MOVED = "same", "within noise", "better", "regression", "moved"
CYCLES = ("cycles_median", "cycles_max")
LATENCY = ("latency_ms",)  # where a clock counts no cycles; elsewhere it follows from them
BRACKETS = ("cycles_lo", "cycles_hi")
BYTES = ("model_flash_bytes", "flash_bytes", "ram_static_bytes")
PROVENANCE = ("model_sha256", "firmware_id", "compiler", "compiler_flags", "timing_source")
NOTHING_COMPARED = 3  # exit code


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One figure of one cell before and after.

    change   after - before, in the figure's unit; None for words
    noise    how far it may move by itself, and why that far; of accuracies which test it was
    p        of accuracies only: two-sided, before Holm's correction
    changed  what differs between the two entries besides the figures
    """

    cell: Cell
    label: str
    board_id: str
    metric: str
    before: float | str
    after: float | str
    change: float | None
    noise: str
    verdict: str
    p: float | None = None
    changed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Flat but for the cell."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """All differences; `skipped` is (cell, why) of what could not be compared or is in doubt."""

    differences: tuple[Difference, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def regressions(self) -> list[Difference]:
        """What got worse by more than noise."""
        return [d for d in self.differences if d.verdict == REGRESSION]

    @property
    def exit_code(self) -> int:
        """1 when something regressed, 3 when nothing could be compared, else 0."""
        return 1 if self.regressions else 0 if self.differences else NOTHING_COMPARED

    def counts(self) -> dict[str, int]:
        """How many figures had each verdict."""
        return dict(Counter(d.verdict for d in self.differences))


def compare(
    before: Sequence[Entry],
    after: Sequence[Entry],
    history: Sequence[Entry] = (),
    *,
    across: frozenset[str] = frozenset(),
    across_kinds: bool = False,
) -> Comparison:
    """Compare two sets of entries, each oldest first.

    history  what the noise is taken from, oldest first
    across   fields of the cell, or board_id, that may differ within a pair
    """
    free = across - {"board_kind"} | ({"board_kind"} if across_kinds else set())
    firsts, seconds = _by_cell(before, free), _by_cell(after, free)
    pairs = [
        pair for key in firsts if key in seconds for pair in _pairs(firsts[key], seconds[key], free)
    ]
    alone = [
        *((e, "only in the first") for key in firsts.keys() - seconds for e in firsts[key]),
        *((e, "only in the second") for key in seconds.keys() - firsts for e in seconds[key]),
    ]
    found = compare_pairs(pairs, history)
    skipped = found.skipped + tuple((e.label(), why) for e, why in sorted(alone, key=_order))
    return replace(found, skipped=skipped, notes=_notes(pairs, before, after))


def compare_pairs(
    pairs: Iterable[tuple[Entry, Entry]], history: Sequence[Entry] = ()
) -> Comparison:
    """Compare entries one by one, (before, after)."""
    past: dict[Cell, list[Entry]] = {}
    for entry in history:
        past.setdefault(entry.cell, []).append(entry)
    differences: list[Difference] = []
    skipped = []
    for before, after in pairs:
        trouble = [e.run_id for e in (before, after) if e.is_lab_trouble]
        if trouble:
            skipped.append((after.label(), f"lab trouble in {', '.join(trouble)}"))
            continue
        differences += _status(before, after)
        differences += _costs(before, after, past.get(after.cell, []))
        test = accuracy_test(before, after)
        differences += [_accuracy(before, after, test)] if test else []
        doubts = (_times_apart(before, after), *(test.doubts if test else ()))
        skipped += [(after.label(), why) for why in doubts if why]
    return Comparison(tuple(_judge_accuracies(differences)), tuple(skipped))


# -- which entries meet -------------------------------------------------------------------------


def _by_cell(entries: Sequence[Entry], free: frozenset[str]) -> dict[Any, list[Entry]]:
    """Of every cell (without its free fields) the newest entry of each board of the kind."""
    newest: dict[Any, dict[str, Entry]] = {}
    for entry in entries:
        key = tuple(getattr(entry.cell, f.name) for f in fields(Cell) if f.name not in free)
        boards = newest.setdefault(key, {})
        known = boards.get(entry.board_id)
        if known is None or known.is_lab_trouble or not entry.is_lab_trouble:
            boards.pop(entry.board_id, None)
            boards[entry.board_id] = entry
    return {key: list(boards.values()) for key, boards in newest.items()}


def _pairs(
    firsts: list[Entry], seconds: list[Entry], free: frozenset[str]
) -> list[tuple[Entry, Entry]]:
    """Each board with itself; the newest with the newest where there is no common board."""
    own = {e.board_id: e for e in firsts}
    common = [(own[e.board_id], e) for e in seconds if e.board_id in own]
    return common if common and "board_id" not in free else [(firsts[-1], seconds[-1])]


def _order(alone: tuple[Entry, str]) -> tuple[str, Cell]:
    return alone[1], alone[0].cell


def _notes(
    pairs: Sequence[tuple[Entry, Entry]], before: Sequence[Entry], after: Sequence[Entry]
) -> tuple[str, ...]:
    notes = []
    if any(a.cell.board_kind != b.cell.board_kind for a, b in pairs):
        notes.append("ACROSS KINDS: figures of silicon stand beside those of virtual boards")
    if not pairs:
        notes.append(_why_none(before, after))
    return tuple(notes)


def _why_none(before: Sequence[Entry], after: Sequence[Entry]) -> str:
    """In which fields of the cell the two sides have nothing in common."""
    apart = []
    for f in fields(Cell):
        ours, theirs = ({str(getattr(e.cell, f.name)) for e in side} for side in (before, after))
        if not ours & theirs:
            apart.append(f"{f.name} ({', '.join(sorted(ours))} / {', '.join(sorted(theirs))})")
    return f"no cell is in both; they differ in {', '.join(apart) or 'combinations of fields'}"


# -- figures ------------------------------------------------------------------------------------


def _difference(metric: str, first: Entry, second: Entry, **values: Any) -> Difference:
    """The difference of two entries; `values` are the fields that depend on the figure."""
    changed = [name for name in PROVENANCE if first.text(name) != second.text(name)]
    changed += ["commit"] if first.git_sha != second.git_sha else []
    changed += ["board_id"] if first.board_id != second.board_id else []
    changed += [
        f.name for f in fields(Cell) if getattr(first.cell, f.name) != getattr(second.cell, f.name)
    ]
    return Difference(
        cell=second.cell,
        label=second.label(),
        board_id=second.board_id,
        metric=metric,
        changed=tuple(changed),
        **values,
    )


def _status(before: Entry, after: Entry) -> list[Difference]:
    if before.status == after.status:
        return []
    was_good, is_good = (e.status in (STATUS_OK, STATUS_HOST_ONLY) for e in (before, after))
    verdict = MOVED if was_good == is_good else BETTER if is_good else REGRESSION
    values = {"before": before.status, "after": after.status, "change": None}
    return [_difference("status", before, after, **values, noise=NONE.why, verdict=verdict)]


def _costs(before: Entry, after: Entry, past: Sequence[Entry]) -> list[Difference]:
    """Cycles and bytes: less is better."""
    found = []
    if not _times_apart(before, after):
        clocked = before.text("timing_source") == after.text("timing_source") == CLOCK
        for column in LATENCY if clocked else CYCLES:
            found += _cost(column, before, after, time_noise(column, before, after, past))
        found += _bracket(before, after)
    for column in BYTES:
        found += _cost(column, before, after, NONE)
    return found + _cost("stack_peak_bytes", before, after, stack_noise(before, after, past))


def _cost(column: str, before: Entry, after: Entry, noise: Noise) -> list[Difference]:
    was, now = before.number(column), after.number(column)
    if was is None or now is None:
        return []
    values = {"before": was, "after": now, "change": now - was}
    verdict = _judge(now - was, noise.allowed)
    return [_difference(column, before, after, **values, noise=noise.why, verdict=verdict)]


def _judge(change: float, allowed: float) -> str:
    if change == 0:
        return SAME
    if abs(change) <= allowed:
        return WITHIN
    return REGRESSION if change > 0 else BETTER


def _bracket(before: Entry, after: Entry) -> list[Difference]:
    """Both ends of an estimate. The same code has the same ends, so any move is one of the
    estimate; ends that move apart or together say neither better nor worse."""
    ends = [d for column in BRACKETS for d in _cost(column, before, after, NONE)]
    verdicts = {d.verdict for d in ends}
    if {BETTER, REGRESSION} <= verdicts:
        return [replace(d, verdict=MOVED) for d in ends]
    return ends


def _times_apart(before: Entry, after: Entry) -> str:
    """Why the cycles of two entries must not meet, or ''."""
    kinds = {timing(before), timing(after)} - {UNTIMED}
    if BRACKET in kinds and len(kinds) > 1:
        sources = f"{before.text('timing_source')} and {after.text('timing_source')}"
        return f"cycles not compared: {sources} are different things"
    return ""


# -- accuracies ---------------------------------------------------------------------------------


def _accuracy(before: Entry, after: Entry, test: AccuracyTest) -> Difference:
    """Of the board, over the streamed windows; more is better. The verdict comes later."""
    values = {"before": test.before, "after": test.after, "change": test.after - test.before}
    rest = {"noise": test.words, "verdict": SAME, "p": test.p}
    return _difference("accuracy_board", before, after, **values, **rest)


def _judge_accuracies(differences: Sequence[Difference]) -> list[Difference]:
    """All tests of one comparison together (Holm); a test in which nothing differs is none."""
    tested = [d for d in differences if d.p is not None and d.change]
    beyond = dict(zip(map(id, tested), holm([d.p for d in tested if d.p is not None]), strict=True))
    return [replace(d, verdict=_judge_accuracy(d, beyond.get(id(d)))) for d in differences]


def _judge_accuracy(difference: Difference, is_beyond: bool | None) -> str:
    if is_beyond is None or difference.change is None:
        return difference.verdict
    if not is_beyond:
        return WITHIN
    return BETTER if difference.change > 0 else REGRESSION
