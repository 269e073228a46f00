"""`harness report`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.report import write_report


@click.command("report")
@click.argument(
    "folder", type=click.Path(file_okay=False, path_type=Path), default=Path("results/latest")
)
def report_command(folder: Path) -> None:
    """Write the plots and report.html of a results folder (default: the latest) again.

    \b
    Example:
      harness report results/latest
    """
    click.echo(write_report(folder.resolve()))
