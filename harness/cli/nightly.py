"""`harness nightly`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.progress import Display
from harness.cli.tables import echo_json, echo_table
from harness.errors import UsageError
from harness.history import store
from harness.nightly import estimate, night
from harness.nightly.plan import Plan, read_plan
from harness.nightly.words import as_markdown


@click.command("nightly")
@click.argument("plan", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("results"),
    show_default=True, help="Where the night's folder is made, and its history is.",
)  # fmt: skip
@click.option(
    "--resume", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Go on with the night in this folder; its plan is the one it began with.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would be done, and how long it takes.")
@click.option("--json", "as_json", is_flag=True, help="The verdict as JSON on stdout.")
def nightly_command(
    plan: Path | None, out: Path, resume: Path | None, dry_run: bool, as_json: bool
) -> int:
    """Models x data sets x seeds on all boards of PLAN at once, and a verdict in the morning.

    Writes a folder with verdict (.md, .json, .html), junit.xml, site/ and the results of every
    board. Exit code 0: all measured, nothing regressed; 1: a result failed or regressed; 2: usage;
    3: only the lab failed.

    \b
    Example:
      harness nightly examples/nightly.yaml --dry-run
      harness nightly examples/nightly.yaml
      harness nightly --resume results/latest-night
    """
    if (plan is None) == (resume is None):
        raise UsageError("a plan or --resume DIR is needed", hint="examples/nightly.yaml is a plan")
    if dry_run:
        if plan is None:
            raise UsageError("--dry-run is for a plan, not for --resume")
        _echo_plan(read_plan(plan), out, as_json)
        return 0
    with Display() as display:
        if resume is not None:
            result = night.resume(resume, display)
        else:
            assert plan is not None
            result = night.start(read_plan(plan), out, display)
    if as_json:
        echo_json(result.verdict.to_json())
    else:
        click.echo(as_markdown(result.verdict))
        click.echo(result.folder / "verdict.html")
    return result.verdict.exit_code


def _echo_plan(plan: Plan, out: Path, as_json: bool) -> None:
    history = out / store.HISTORY_NAME
    found = estimate.estimates(plan, store.read(history) if history.is_file() else [])
    totals = {b.name: estimate.board_seconds(b.name, found) for b in plan.boards}
    if as_json:
        cells = [
            {"board": e.board, "run": e.piece.name, "model": e.model, "lab_seconds": e.lab_seconds}
            for e in found
        ]
        echo_json(
            {"cells": cells, "board_seconds": totals, "ceiling_minutes": plan.ceiling_minutes}
        )
        return
    rows = [(e.board, e.piece.name, e.model, e.lab_seconds) for e in found]
    echo_table("plan", ("board", "run", "model", "s"), rows)
    for board, seconds in totals.items():
        click.echo(f"{board}: {_minutes(seconds)}")
    longest = None if None in totals.values() else max(t for t in totals.values() if t is not None)
    click.echo(
        f"all boards at once: {_minutes(longest)}, without training and compiling; "
        f"ceiling {plan.ceiling_minutes:g} minutes"
    )


def _minutes(seconds: float | None) -> str:
    return (
        "unknown, not everything was measured before"
        if seconds is None
        else (f"{seconds / 60:.1f} minutes")
    )
