"""`harness run`."""

from __future__ import annotations

from pathlib import Path

import click

from harness import run
from harness.cli.options import (
    BOARD_HELP,
    PORT_HELP,
    WindowCount,
    data_options,
    fault_option,
    names,
    optimise_option,
    parse_overrides,
    wait_option,
)
from harness.cli.progress import Display
from harness.cli.tables import echo_json, echo_table, frame_records, percent
from harness.errors import HarnessError, UsageError
from harness.events import Event
from harness.history import store
from harness.report import write_report


@click.command("run")
@click.option("-b", "--board", help=BOARD_HELP)
@click.option("--virtual", is_flag=True, help="Use the board's emulated twin.")
@click.option("--port", help=PORT_HELP)
@click.option(
    "--models", default=",".join(run.DEFAULT_MODELS), show_default=True,
    help="Comma-separated; suffixes -q, -sq, -lsq leave out compression stages.",
)  # fmt: skip
@data_options
@optimise_option
@fault_option
@wait_option
@click.option(
    "--windows", type=WindowCount(), default=str(run.DEFAULT_WINDOWS), show_default=True,
    help="Test windows to stream, drawn over the whole test set with the seed.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("results"),
    show_default=True, help="Where the results folder is made.",
)  # fmt: skip
@click.option(
    "--resume", type=click.Path(file_okay=False, path_type=Path),
    help="Continue the run in this results folder; all other options come from it.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The table as JSON on stdout.")
@click.pass_context
def run_command(
    ctx: click.Context,
    board: str | None,
    virtual: bool,
    port: str | None,
    models: str,
    dataset: str,
    preset: str,
    seed: int,
    data_dir: Path | None,
    compand: bool,
    overrides: tuple[str, ...],
    device: str,
    optimise: str,
    faults: str,
    wait_s: float,
    windows: int | None,
    out: Path,
    resume: Path | None,
    as_json: bool,
) -> int:
    """The whole chain for one board: train, compress, build, flash, stream, report.

    Writes a results folder, adds it to the history beside it and prints the summary. Exit code 0:
    all good; 1: a result failed; 2: usage; 3: the lab failed.

    \b
    Example:
      harness run --board mkr1000 --virtual --dataset digits --windows 100
    """
    with Display() as display:
        if resume:
            result = run.resume(resume, display)
        else:
            if not board:
                raise UsageError("no board given", hint="--board NAME, see `harness boards`")
            options = run.RunOptions(
                board=board,
                virtual=virtual,
                dataset=dataset,
                models=names(models),
                preset=preset,
                windows=windows,
                seed=seed,
                compand=compand,
                overrides=parse_overrides(overrides),
                device=device,
                optimise=optimise,
                faults=faults,
                wait_s=wait_s,
                port=port,
                data_dir=str(data_dir.resolve()) if data_dir else None,
            )
            result = run.start(options, out, display)
        _remember(result.folder.resolve())
        display(Event("report", result.folder.name))
        report = write_report(result.folder)
        display(Event("report", result.folder.name, 1, 1, str(report), finished=True))
    records = frame_records(result.summary)
    if as_json:
        echo_json(records)
    else:
        _echo_summary(records, result.folder)
    return result.exit_code


def _remember(folder: Path) -> None:
    """Add the run to the history beside it; trouble there is said, but the run stands."""
    history = folder.parent / store.HISTORY_NAME
    try:
        store.add_folder(history, folder)
    except HarnessError as error:
        click.echo(f"the run is not in the history: {error.message}", err=True)
        click.echo(f"  try: {error.hint}; harness history --add {folder}", err=True)


def _bracket(record: dict[str, object]) -> str:
    """Both ends of the cycles where there is nothing between them."""
    return f"{record['cycles_lo']:,.0f} to {record['cycles_hi']:,.0f}"


def _echo_summary(records: list[dict[str, object]], folder: Path) -> None:
    first = records[0]
    kind = str(first["board_kind"]).upper()
    title = f"{first['board']} ({kind}) - {first['dataset']} - {folder}"
    header = (
        "model", "acc float", "acc host", "acc board", "windows", "mismatch", "model B", "flash B",
        "RAM B", "stack B", "cycles", "ms", "timing", "status",
    )  # fmt: skip
    rows = [
        (
            r["model"],
            percent(r["accuracy_float"]),  # type: ignore[arg-type]
            percent(r["accuracy_host"]),  # type: ignore[arg-type]
            percent(r["accuracy_board"]),  # type: ignore[arg-type]
            r["windows"],
            r["mismatches"],
            r["model_flash_bytes"],
            r["flash_bytes"],
            r["ram_static_bytes"],
            r["stack_peak_bytes"],
            r["cycles_median"] if r["cycles_lo"] is None else _bracket(r),
            r["latency_ms"],
            r["timing_source"],
            r["status"],
        )
        for r in records
    ]
    echo_table(title, header, rows)
    for r in records:
        if r["message"]:
            click.echo(f"{r['model']}: {r['message']}")
