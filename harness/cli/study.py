"""`harness study`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pandas as pd
from click.core import ParameterSource

from harness.cli.options import device_option, names, parse_overrides
from harness.cli.progress import Display
from harness.cli.sizes import sizes_command
from harness.cli.study_options import study_options
from harness.cli.tables import echo_json, echo_table, frame_records
from harness.datasets import SOURCES
from harness.errors import UsageError
from harness.files import write_atomic
from harness.run import RunOptions
from harness.study import language, matrix, tables

PAPER_MODELS = "fastgrnn,fastgrnn-q,fastgrnn-sq,fastgrnn-lsq,fastrnn,rnn,ugrnn,gru,lstm"


@click.group("study")
def study_command() -> None:
    """Many seeds, means and intervals, on virtual boards.

    \b
    Example:
      harness study compression --dataset digits --preset smoke --seeds 3
    """


study_command.add_command(sizes_command)


@study_command.command("compression")
@click.option("--models", default="fastgrnn,gru,lstm", show_default=True)
@device_option
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
@device_option
@study_options
def paper_command(models: str, inputs: str, **options: Any) -> None:
    """Our rows beside the paper's, seeds shown. Of a text (ptb): perplexities, without a board.

    \b
    Example:
      harness study paper --dataset har2 --seeds 5
      harness study paper --dataset ptb --models fastgrnn,lstm --seeds 3
    """
    dataset = options["dataset"]
    if _is_text(dataset):
        _emit(f"beside the paper, {dataset}", _language_table(names(models), options), options)
        return
    companding = {"both": (True, False), "companded": (True,), "plain": (False,)}[inputs]
    folders = _run(names(models), companding, options)
    table = tables.paper_table(tables.rows_of(folders), options["dataset"])
    _emit(f"beside the paper, {options['dataset']}", table, options)


def _run(models: tuple[str, ...], companding: tuple[bool, ...], options: Any) -> list[Path]:
    if _is_text(options["dataset"]):
        raise UsageError(
            f"{options['dataset']} is text: only `harness study paper` has language models"
        )
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
            data_dir=_absolute(options["data_dir"]),
            overrides=parse_overrides(options["overrides"]),
            device=options["device"],
        )
        for compand in companding
        for seed in range(options["seeds"])
    ]
    with Display() as display:
        return matrix.run_all(cells, options["out"], workers=options["workers"], listen=display)


def _is_text(dataset: str) -> bool:
    return dataset in SOURCES and SOURCES[dataset].text


def _language_table(models: tuple[str, ...], options: Any) -> pd.DataFrame:
    """Language models: trained and judged in perplexity."""
    _refuse(("board", "windows", "inputs"), f"{options['dataset']} is text, no board takes part")
    trainings = [
        language.LanguageOptions(
            dataset=options["dataset"],
            model=model,
            preset=options["preset"],
            seed=seed,
            data_dir=_absolute(options["data_dir"]),
            overrides=parse_overrides(options["overrides"]),
            device=options["device"],
        )
        for model in models
        for seed in range(options["seeds"])
    ]
    with Display() as display:
        folders = language.run_all(
            trainings, options["out"], workers=options["workers"], listen=display
        )
    return language.paper_table(folders, options["dataset"])


def _refuse(parameters: tuple[str, ...], why: str) -> None:
    """UsageError when one of these options of the command was given."""
    context = click.get_current_context()
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in parameters and source is ParameterSource.COMMANDLINE:
            raise UsageError(f"{option.opts[-1]} does not apply: {why}", hint="leave it out")


def _absolute(folder: Path | None) -> str | None:
    return str(folder.resolve()) if folder else None


def _emit(title: str, table: pd.DataFrame, options: Any) -> None:
    if options["csv"]:
        write_atomic(options["csv"], table.to_csv(index=False, float_format="%.5g"))
    records = frame_records(table)
    if options["as_json"]:
        echo_json(records)
    else:
        echo_table(title, list(table.columns), [list(r.values()) for r in records])
