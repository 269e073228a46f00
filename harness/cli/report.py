"""`harness report`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.history import history_option
from harness.report import write_report


@click.command("report")
@click.argument(
    "folder", type=click.Path(file_okay=False, path_type=Path), default=Path("results/latest")
)
@click.option(
    "--site", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Instead of a run's report: the history as a site in this folder.",
)  # fmt: skip
@history_option
def report_command(folder: Path, site: Path | None, db: Path) -> None:
    """Write the plots and report.html of a results folder (default: the latest) again.

    With --site: pages of the whole history, what regressed first.

    \b
    Example:
      harness report results/latest
      harness report --site results/site
    """
    if site is None:
        click.echo(write_report(folder.resolve()))
        return
    from harness.history import store
    from harness.report.site import write_site

    click.echo(write_site(store.read(db), site))
