"""`harness study`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pandas as pd

from harness.cli.options import WindowCount, names, parse_overrides
from harness.cli.progress import Display
from harness.cli.tables import echo_json, echo_table, frame_records
from harness.files import write_atomic
from harness.run import RunOptions
from harness.study import matrix, tables

PAPER_MODELS = "fastgrnn,fastgrnn-q,fastgrnn-sq,fastgrnn-lsq,fastrnn,rnn,ugrnn,gru,lstm"


def study_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What every study takes."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="The table as JSON on stdout."),
        click.option(
            "--csv", type=click.Path(dir_okay=False, path_type=Path), help="Also write it here."
        ),
        click.option(
            "--out", type=click.Path(file_okay=False, path_type=Path), show_default=True,
            default=Path("results/studies"), help="Where the runs are kept; a re-run goes on.",
        ),
        click.option("--workers", type=click.IntRange(1), default=2, show_default=True),
        click.option(
            "--windows", type=WindowCount(), default="100", show_default=True,
            help="Test windows to stream to the board in each run.",
        ),
        click.option("-b", "--board", default="mkr1000", show_default=True),
        click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path)),
        click.option(
            "--set", "overrides", multiple=True, metavar="NAME=VALUE",
            help="Replace a hyper-parameter of the preset; may be given again.",
        ),
        click.option("--preset", default="quick", show_default=True),
        click.option("--seeds", type=click.IntRange(1, 100), default=5, show_default=True),
        click.option("--dataset", default="digits", show_default=True),
    ):  # fmt: skip
        function = option(function)
    return function


@click.group("study")
def study_command() -> None:
    """Many seeds, means and intervals, on virtual boards.

    \b
    Example:
      harness study compression --dataset digits --preset smoke --seeds 3
    """


@study_command.command("compression")
@click.option("--models", default="fastgrnn,gru,lstm", show_default=True)
@study_options
def compression_command(models: str, **options: Any) -> None:
    """Accuracy and bytes after each compression stage, and what each stage cost.

    \b
    Example:
      harness study compression --dataset har2 --seeds 5 --models fastgrnn,gru,lstm
    """
    folders = _run(names(models), (True,), options)
    table = tables.compression_table(tables.rows_of(folders), tables.stages_of(folders))
    _emit(f"compression, {options['dataset']}", table, options)


@study_command.command("paper")
@click.option("--models", default=PAPER_MODELS, show_default=True)
@click.option(
    "--input", "inputs", type=click.Choice(["both", "companded", "plain"]), default="both",
    show_default=True, help="With and without input companding (HAR); plain is the paper's.",
)  # fmt: skip
@study_options
def paper_command(models: str, inputs: str, **options: Any) -> None:
    """Our rows beside the paper's, seeds shown.

    \b
    Example:
      harness study paper --dataset har2 --seeds 5
    """
    companding = {"both": (True, False), "companded": (True,), "plain": (False,)}[inputs]
    folders = _run(names(models), companding, options)
    table = tables.paper_table(tables.rows_of(folders), options["dataset"])
    _emit(f"beside the paper, {options['dataset']}", table, options)


def _run(models: tuple[str, ...], companding: tuple[bool, ...], options: Any) -> list[Path]:
    data_dir = options["data_dir"]
    cells = [
        RunOptions(
            board=options["board"],
            virtual=True,
            dataset=options["dataset"],
            models=models,
            preset=options["preset"],
            windows=options["windows"],
            seed=seed,
            compand=compand,
            data_dir=str(data_dir.resolve()) if data_dir else None,
            overrides=parse_overrides(options["overrides"]),
        )
        for compand in companding
        for seed in range(options["seeds"])
    ]
    with Display() as display:
        return matrix.run_all(cells, options["out"], workers=options["workers"], listen=display)


def _emit(title: str, table: pd.DataFrame, options: Any) -> None:
    if options["csv"]:
        write_atomic(options["csv"], table.to_csv(index=False, float_format="%.5g"))
    records = frame_records(table)
    if options["as_json"]:
        echo_json(records)
    else:
        echo_table(title, list(table.columns), [list(r.values()) for r in records])
