"""`harness history` and `harness compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from harness.cli.tables import echo_json, echo_table, percent
from harness.errors import UsageError
from harness.files import write_atomic
from harness.history import select, store, trend
from harness.history.compare import SAME, Comparison, Difference, compare
from harness.history.record import Entry

FIGURES = ("cycles", "latency", "bytes", "accuracy")
PLOT_KINDS = (".png", ".svg", ".pdf")
history_option = click.option(
    "--db", type=click.Path(dir_okay=False, path_type=Path),
    default=Path("results") / store.HISTORY_NAME, show_default=True, help="The history file.",
)  # fmt: skip


@click.command("history")
@click.option("--add", is_flag=True, help="Add the results folders FOLDERS; twice changes nothing.")
@click.argument("folders", nargs=-1, type=click.Path(file_okay=False, path_type=Path))
@click.option("-b", "--board", help="Only this board kind.")
@click.option("--model", help="Only this model.")
@click.option("--dataset", help="Only this data set.")
@click.option("--last", type=click.IntRange(1), help="Only the newest N runs of each cell.")
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Figure, .png, .svg or .pdf."
)
@click.option("--figure", type=click.Choice(FIGURES), default="cycles", show_default=True)
@click.option(
    "--csv", type=click.Path(dir_okay=False, path_type=Path), help="Every row of every run."
)
@click.option("--json", "as_json", is_flag=True, help="Cells and rows as JSON on stdout.")
@history_option
def history_command(
    add: bool,
    folders: tuple[Path, ...],
    board: str | None,
    model: str | None,
    dataset: str | None,
    last: int | None,
    plot: Path | None,
    figure: str,
    csv: Path | None,
    as_json: bool,
    db: Path,
) -> None:
    """What every run measured, over time: one line for each cell and board.

    A cell is a model on a kind of board, with the data set, preset, windows and seed asked for.

    \b
    Example:
      harness history --board uno --last 30 --plot history.png
      harness history --add results/*-uno-digits-*
    """
    if add != bool(folders):
        raise UsageError("--add and folders belong together", hint="harness history --add DIR ...")
    if plot and plot.suffix not in PLOT_KINDS:
        raise UsageError(f"--plot {plot}: one of {', '.join(PLOT_KINDS)} is needed")
    for folder in folders:
        added = store.add_folder(db, folder)
        click.echo(f"{folder}: {added.rows} rows, {added.changed} new or changed", err=True)
    wanted = {"board": board, "model": model, "dataset": dataset}
    terms = tuple((name, value) for name, value in wanted.items() if value)
    entries = store.read(db)
    if terms or not entries:
        entries = select.Selector(str(db), terms=terms).find(entries)
    tracks = [t.last(last) if last else t for t in trend.tracks(entries)]
    if plot:
        _write_plot(plot, tracks, figure)
    if csv:
        _write_csv(csv, [e for track in tracks for e in track.entries])
    if as_json:
        rows = [e.to_json() for track in tracks for e in track.entries]
        echo_json({"cells": trend.table(tracks), "rows": rows})
    else:
        _echo_history(tracks, db)


def _write_plot(path: Path, tracks: Sequence[trend.Track], figure: str) -> None:
    from harness import plots

    drawn = plots.drawn(plots.history_lines(tracks, figure), path.suffix.removeprefix("."))
    write_atomic(path, drawn)


def _write_csv(path: Path, entries: Sequence[Entry]) -> None:
    import csv
    import io

    rows = [entry.to_json() for entry in entries]
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, text.getvalue())


def _echo_history(tracks: Sequence[trend.Track], db: Path) -> None:
    header = (
        "board", "model", "data set", "setting", "runs", "last (UTC)", "status", "cycles",
        "ms", "timing", "since previous", "over runs", "over boards", "model B", "flash B", "RAM B",
        "acc board",
    )  # fmt: skip
    lines = [_line(row) for row in trend.table(tracks)]
    kept = [i for i in range(len(header)) if any(line[i] is not None for line in lines)]
    rows = [[line[i] for i in kept] for line in lines]
    echo_table(f"{db}", [header[i] for i in kept], rows)
    click.echo(
        "over runs, over boards: (largest - smallest) / median of the cycles (of ms where a clock "
        "times), of all runs of a cell and of the boards of one kind"
    )


def _line(row: dict[str, Any]) -> list[Any]:
    board = f"{row['board']} ({row['board_kind']})" + (
        f" {row['board_id']}" if row["board_id"] else ""
    )
    setting = [row["preset"], f"{row['windows_asked']} windows", row["setting"]]
    spreads = [row[f"{name}_percent"] for name in ("change", "spread", "board_spread")]
    return [
        board,
        row["model"],
        row["dataset"],
        ", ".join(filter(None, setting)),
        row["runs"],
        row["started"][:16].replace("T", " "),
        row["status"],
        _cycles(row),
        row["latency_ms"],
        row["timing_source"],
        _signed(spreads[0]),
        *(None if s is None else f"{s:.2g} %" for s in spreads[1:]),
        row["model_flash_bytes"],
        row["flash_bytes"],
        row["ram_static_bytes"],
        percent(row["accuracy_board"]),
    ]


def _cycles(row: dict[str, Any]) -> str | None:
    if row["cycles_median"] is not None:
        return f"{row['cycles_median']:,.0f}"
    if row["cycles_lo"] is not None and row["cycles_hi"] is not None:
        return f"{row['cycles_lo']:,.0f} to {row['cycles_hi']:,.0f}"
    return None


def _signed(value: float | None) -> str | None:
    return None if value is None else f"{value:+.3g} %"


@click.command("compare")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option(
    "--across-kinds", is_flag=True, help="Let silicon meet virtual boards; the output says so."
)
@click.option("--all", "show_all", is_flag=True, help="Show figures that did not move, too.")
@click.option("--json", "as_json", is_flag=True, help="The comparison as JSON on stdout.")
@history_option
def compare_command(
    first: str, second: str, across_kinds: bool, show_all: bool, as_json: bool, db: Path
) -> int:
    """What moved from A to B, and what got worse by more than noise.

    A and B are results folders or selectors of the history: NAME:VALUE, several joined by commas;
    names are run, night, commit, compiler, board, board-id, kind, model, dataset, preset, seed,
    optimise, device, model-hash, firmware. run, night and commit take `latest` and `previous`.

    Exit code 0: nothing regressed; 1: something did; 2: usage; 3: nothing could be compared.

    \b
    Example:
      harness compare night:previous night:latest
      harness compare results/20261124T220000Z-uno-digits-1a2b results/latest
    """
    sides = select.parse(first), select.parse(second)
    needs_history = any(side.folder is None for side in sides)
    history = store.read(db) if needs_history or db.is_file() else []
    found = compare(
        sides[0].find(history),
        sides[1].find(history),
        history,
        across=sides[0].fields & sides[1].fields,
        across_kinds=across_kinds,
    )
    if as_json:
        echo_json(_as_json(first, second, found))
    else:
        _echo_comparison(first, second, found, show_all)
    return found.exit_code


def _as_json(first: str, second: str, found: Comparison) -> dict[str, Any]:
    return {
        "before": first,
        "after": second,
        "exit_code": found.exit_code,
        "counts": found.counts(),
        "notes": list(found.notes),
        "differences": [d.to_json() for d in found.differences],
        "skipped": [{"cell": cell, "why": why} for cell, why in found.skipped],
    }


def _echo_comparison(first: str, second: str, found: Comparison, show_all: bool) -> None:
    for note in found.notes:
        click.echo(note)
    shown = [d for d in found.differences if show_all or d.verdict != SAME]
    if shown:
        header = ("cell", "figure", "before", "after", "change", "noise", "verdict", "changed with")
        echo_table(f"{first} -> {second}", header, [_compared(d) for d in shown])
    for cell, why in found.skipped:
        click.echo(f"{cell}: {why}")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(found.counts().items()))
    click.echo(f"{counts or 'nothing'} of {len(found.differences)} figures compared")
    for d in found.regressions:
        click.echo(
            f"REGRESSION {d.label}: {d.metric} {_plain(d, d.before)} -> {_plain(d, d.after)}"
        )


def _compared(d: Difference) -> list[str]:
    values = [_plain(d, d.before), _plain(d, d.after)]
    return [d.label, d.metric, *values, _change(d), _noise(d), d.verdict, ", ".join(d.changed)]


def _plain(d: Difference, value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{100 * value:.2f} %" if d.metric == "accuracy_board" else f"{value:,.10g}"


def _change(d: Difference) -> str:
    if d.change is None or isinstance(d.before, str):
        return "-"
    if d.metric == "accuracy_board":
        return f"{100 * d.change:+.2f} points"
    return f"{100 * d.change / d.before:+.3g} %" if d.before else f"{d.change:+,.10g}"


def _noise(d: Difference) -> str:
    return d.noise if d.p is None else f"{d.noise}, p = {d.p:.3g}"
