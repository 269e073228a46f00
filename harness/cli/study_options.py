"""Options that every `harness study` command takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness.cli.options import WindowCount


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
