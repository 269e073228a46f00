"""How far a figure moves when nothing got better or worse.

* Emulated cycles, and bytes of a linked image, are the same every time: any difference is real.
* Cycles of silicon move with every repeat a little, and with every other image more: where code
  lies against flash lines and wait states changes its time (layout). Both are taken from what was
  measured; the defaults below stand where too little was.
* Latencies by a board's own clock are measured, too, beside other programs: a wider default.
* Accuracies are tested: exact McNemar on the same windows, Fisher's exact test on counts.

The defaults are chosen, not measured: the spread between repeats that a bare-metal board should
keep, and a layout effect that is common where flash has wait states. An AVR has none.

Ref: R. A. Fisher, Statistical Methods for Research Workers (1934), section 21.02: the exact test.
     S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6 (1979).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from harness.history.record import Entry
from harness.results import STATUS_MISMATCH, STATUS_OK

EXACT, BRACKET, MEASURED, UNTIMED = "exact", "bracket", "measured", "none"
TIMING = {"emulated-cycles": EXACT, "estimated-bracket": BRACKET, "none": UNTIMED, "": UNTIMED}
REPEAT_DEFAULT = 0.0005  # of the cycles: the same image again
CLOCK = "board-clock"  # the timing source of boards that run an operating system
CLOCK_REPEAT_DEFAULT = 0.05  # of the latency there: other programs run, the clock rate moves
LAYOUT_DEFAULT = {"timer1": 0.0}  # of the cycles: another image, by timing source
LAYOUT_DEFAULT_ELSEWHERE = 0.02
STACK_DEFAULT_BYTES = 32.0  # on silicon: one more interrupt's frame at the deepest point
REPEATS_NEEDED = 3  # runs of one image
LAYOUTS_NEEDED = 4  # images of one model
LAYOUTS_KEPT = 10  # the newest ones
ALPHA = 0.05


@dataclass(frozen=True)
class Noise:
    """`allowed`: how far a figure may move, in its own unit; `why` in words."""

    allowed: float
    why: str


NONE = Noise(0.0, "exact")


def timing(entry: Entry) -> str:
    """What the cycles of an entry are: exact, bracket, measured or none."""
    return TIMING.get(entry.text("timing_source"), MEASURED)


def time_noise(column: str, before: Entry, after: Entry, past: Sequence[Entry]) -> Noise:
    """Of cycles or a latency (`column`) between two entries.

    past  entries of the same cell, oldest first; those that are not older than `after` are left out
    """
    if MEASURED not in (timing(before), timing(after)):
        return NONE
    base = before.number(column) or 0.0
    known = [e for e in past if e.started < after.started and _is_sound(e, column)]
    parts = [_repeat(column, before, after, known)]
    if before.text("firmware_id") != after.text("firmware_id"):
        parts.append(_layout(column, after, known))
    if before.board_id != after.board_id:
        parts.append(_boards(column, before, known))
    largest = max(parts, key=lambda part: part.allowed)
    return Noise(largest.allowed * base, f"{100 * largest.allowed:.3g} %, {largest.why}")


def stack_noise(before: Entry, after: Entry, past: Sequence[Entry]) -> Noise:
    """Of the deepest stack seen: exact when emulated; on silicon an interrupt may come deeper."""
    if before.cell.board_kind == after.cell.board_kind == "virtual":
        return NONE
    same = _of_image(before, [e for e in past if e.started < after.started])
    seen = [v for e in same if (v := e.number("stack_peak_bytes")) is not None]
    if len(seen) < REPEATS_NEEDED:
        return Noise(STACK_DEFAULT_BYTES, "default: one interrupt")
    return Noise(max(seen) - min(seen), f"spread of {len(seen)} runs")


def steps(values: Sequence[float]) -> list[float]:
    """Size of each step between neighbours, as a part of the smaller one; values > 0."""
    return [abs(b - a) / min(a, b) for a, b in zip(values, values[1:], strict=False)]


def spread(values: Sequence[float]) -> float:
    """(largest - smallest) / median; 0 for fewer than two values; values > 0."""
    return (max(values) - min(values)) / median(values) if len(values) > 1 else 0.0


def layout_of(values: Sequence[float]) -> float:
    """The second largest step between successive images: one change that was real is not noise,
    two of its size are. At least three values > 0."""
    return sorted(steps(values))[-2]


def fisher_p(right_a: int, n_a: int, right_b: int, n_b: int) -> float:
    """Two-sided p of equal proportions, Fisher's exact test; 0 <= right <= n, n > 0."""
    right, total = right_a + right_b, n_a + n_b
    low, high = max(0, right - n_b), min(right, n_a)
    logs = [_log_choose(n_a, k) + _log_choose(n_b, right - k) for k in range(low, high + 1)]
    observed = logs[right_a - low] + 1e-9
    whole = _log_choose(total, right)
    return min(1.0, sum(math.exp(log - whole) for log in logs if log <= observed))


def holm(p_values: Sequence[float], alpha: float = ALPHA) -> list[bool]:
    """Which of several tests reject, with at most `alpha` for one false alarm among all."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    rejected = [False] * len(p_values)
    for rank, index in enumerate(order):
        if p_values[index] > alpha / (len(p_values) - rank):
            break
        rejected[index] = True
    return rejected


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _is_sound(entry: Entry, column: str) -> bool:
    value = entry.number(column)
    return entry.status in (STATUS_OK, STATUS_MISMATCH) and value is not None and value > 0


def _of_image(entry: Entry, past: Sequence[Entry]) -> list[Entry]:
    """Earlier runs of the same image on the same board."""
    image = entry.text("firmware_id")
    return [
        e for e in past if e.text("firmware_id") == image and e.board_id == entry.board_id and image
    ]


def _figures(column: str, entries: Sequence[Entry]) -> list[float]:
    return [value for e in entries if (value := e.number(column))]


def _repeat(column: str, before: Entry, after: Entry, past: Sequence[Entry]) -> Noise:
    """The same image again: the bench window's repeats, and earlier runs of both images."""
    is_clock = CLOCK in (before.text("timing_source"), after.text("timing_source"))
    least = CLOCK_REPEAT_DEFAULT if is_clock else REPEAT_DEFAULT
    seen = [Noise(least, "default for repeats")]
    for entry in (before, after):
        bench = _figures("bench_cycles_min", [entry]) + _figures("bench_cycles_max", [entry])
        seen.append(Noise(spread(bench), "spread of the repeated window"))
        runs = _figures(column, _of_image(entry, past))
        if len(runs) >= REPEATS_NEEDED:
            seen.append(Noise(spread(runs), f"spread of {len(runs)} runs of one image"))
    return max(seen, key=lambda noise: noise.allowed)


def _layout(column: str, after: Entry, past: Sequence[Entry]) -> Noise:
    """Another image: steps between the newest images of the same trained model."""
    model, board = after.text("model_sha256"), after.board_id
    images = {
        e.text("firmware_id"): value
        for e in past
        if e.text("model_sha256") == model and e.board_id == board
        if (value := e.number(column))
    }
    values = list(images.values())[-LAYOUTS_KEPT:]
    if len(values) < LAYOUTS_NEEDED:
        source = after.text("timing_source")
        return Noise(LAYOUT_DEFAULT.get(source, LAYOUT_DEFAULT_ELSEWHERE), "default for layout")
    return Noise(layout_of(values), f"layout of {len(values)} images")


def _boards(column: str, before: Entry, past: Sequence[Entry]) -> Noise:
    """Another board of the kind: the spread between boards with the same image."""
    image = before.text("firmware_id")
    boards = {
        e.board_id: value
        for e in past
        if e.text("firmware_id") == image and (value := e.number(column))
    }
    return Noise(spread(list(boards.values())), f"spread of {len(boards)} boards")
