"""The verdict in words: for the terminal, for a mail, and as Markdown for a forge's summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.history.compare import Difference
from harness.nightly.cells import Cell
from harness.nightly.verdict import BoardHealth, NightVerdict, Regression

MESSAGE_CHARS = 300


def as_markdown(verdict: NightVerdict) -> str:
    """What needs attention first; the boards' health last."""
    minutes = verdict.seconds / 60
    lines = [
        f"# {verdict.headline}",
        "",
        f"Night {verdict.night}, commit {verdict.commit or 'unknown'}, {minutes:.1f} minutes, "
        f"{len(verdict.cells)} cells, {verdict.compared} compared with the night before; "
        f"exit code {verdict.exit_code}.",
        *_section("Regressed", regression_lines(verdict.regressions)),
        *_section("Failed", [_cell(cell) for cell in verdict.failed]),
        *_section("Lab trouble", [trouble_line(board) for board in verdict.trouble]),
        *_section("Went wrong besides", verdict.notes),
        *_section("Skipped", skipped_lines(verdict.skipped)),
        *_section("New", verdict.new),
        *_section("Better, or moved", regression_lines(verdict.improved)),
        *_section("Flaky: measured, but not at the first attempt", map(_flaky, verdict.flaky)),
        *_section("In doubt", [f"{label}: {why}" for label, why in verdict.doubts]),
        *_section("Boards", [health_line(board) for board in verdict.boards]),
    ]
    return "\n".join(lines) + "\n"


def _section(title: str, items: Iterator[str] | Sequence[str]) -> list[str]:
    lines = [f"- {item}" for item in items]
    return ["", f"## {title}", "", *lines] if lines else []


def regression_lines(regressions: Sequence[Regression]) -> list[str]:
    """A line a cell."""
    return [f"{r.label}: {'; '.join(map(difference_words, r.differences))}" for r in regressions]


def difference_words(d: Difference) -> str:
    """`cycles_median 160,000 -> 163,200 (+2 %)`, and what changed with it."""
    words = f"{d.metric} {_value(d.before)} -> {_value(d.after)}"
    if d.change and d.before:
        words += f" ({100 * d.change / float(d.before):+.3g} %)"
    return words + (f" [with {', '.join(d.changed)}]" if d.changed else "")


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.6g}" if value % 1 else f"{value:,.0f}"


def trouble_line(board: BoardHealth) -> str:
    """Which board, the first cause, how much it cost."""
    rest = (
        f"{board.lab_trouble} cells in trouble, {board.skipped} skipped, {board.measured} measured"
    )
    return f"{board.name} ({board.kind}): {short(board.cause)} ({rest})"


def skipped_lines(cells: Sequence[Cell]) -> list[str]:
    """How many cells of a board for which reason."""
    counts: dict[tuple[str, str], int] = {}
    for cell in cells:
        key = (cell.instance.name, short(cell.message))
        counts[key] = counts.get(key, 0) + 1
    return [f"{name}: {count} cells: {why}" for (name, why), count in counts.items()]


def _cell(cell: Cell) -> str:
    return f"{cell.instance.name}: {cell.label}: {cell.status}: {short(cell.message)}"


def _flaky(cell: Cell) -> str:
    return (
        f"{cell.instance.name}: {cell.label}: {cell.number('attempts'):.0f} attempts, "
        f"{cell.number('uploads'):.0f} uploads"
    )


def health_line(board: BoardHealth) -> str:
    """The counters of one board."""
    return (
        f"{board.name} ({board.kind}): {board.measured} of {board.cells} measured, "
        f"{board.flaky} flaky, {board.attempts} attempts, {board.uploads} uploads, "
        f"{board.restarts} restarts, {board.link_retries} frames repeated, "
        f"{board.lab_seconds:.0f} s"
    )


def short(message: str) -> str:
    """A message as one line of bounded length."""
    line = " ".join(message.split())
    return line if len(line) <= MESSAGE_CHARS else line[: MESSAGE_CHARS - 1] + "…"
