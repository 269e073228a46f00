"""`harness data`."""

from __future__ import annotations

from pathlib import Path

import click

from harness import datasets
from harness.cli.progress import Display
from harness.cli.tables import echo_json, echo_table
from harness.events import Event
from harness.paths import cache_dir


@click.group("data")
def data_command() -> None:
    """Data sets: list them, fetch them, import your own.

    \b
    Example:
      harness data list
    """


@data_command.command("list")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True)
def list_command(data_dir: Path | None, as_json: bool) -> None:
    """Known data sets with checksum, licence and whether they are here.

    \b
    Example:
      harness data list --data-dir ~/data
    """
    here = datasets.available(data_dir)
    rows = [
        {
            "name": source.name,
            "here": source.name in here,
            "file": source.filename,
            "sha256": source.sha256,
            "licence": source.licence,
            "url": source.url,
        }
        for source in datasets.SOURCES.values()
    ]
    if as_json:
        echo_json(rows)
        return
    echo_table("data sets", tuple(rows[0]), [tuple(row.values()) for row in rows])
    others = sorted(set(here) - {row["name"] for row in rows})
    click.echo(f"also here: {', '.join(others) or 'nothing'}")


@data_command.command("fetch")
@click.argument("name")
@click.option(
    "--to", type=click.Path(file_okay=False, path_type=Path), help="Folder (default: the cache)."
)
@click.option("--url", help="Another place to fetch the same file from.")
def fetch_command(name: str, to: Path | None, url: str | None) -> None:
    """Download a data set, resuming what was begun, and check its checksum.

    \b
    Example:
      harness data fetch har6
    """
    with Display() as display:
        path = datasets.fetch(
            name,
            to or cache_dir("data"),
            url=url,
            progress=lambda done, total: display(Event("fetch", name, done, total or 0)),
        )
        display(Event("fetch", name, 1, 1, str(path), finished=True))
    click.echo(path)


@data_command.command("prepare")
@click.argument("name")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path))
def prepare_command(name: str, data_dir: Path | None) -> None:
    """Read a data set once, so that its arrays or features are in the cache.

    Any command that needs the data does this too; this one shows how far it is. What was begun and
    killed goes on where it was.

    \b
    Example:
      harness data prepare google12 --data-dir ~/data
    """
    with Display() as display:
        data = datasets.load(
            name,
            data_dir,
            progress=lambda done, total: display(Event("prepare", name, done, total or 0)),
        )
        display(Event("prepare", name, 1, 1, finished=True))
    click.echo(_summary(data))


@data_command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", required=True, help="Name of the data set from now on.")
@click.option("--labels", metavar="COLUMN", help="CSV: column of the classes (default: label).")
@click.option(
    "--subjects", metavar="COLUMN", help="CSV: column of the person's number (default: subject)."
)
def import_command(file: Path, name: str, labels: str | None, subjects: str | None) -> None:
    """Check a FILE of windows (.npz or .csv) and keep a copy in the cache.

    The two formats are described in docs/datasets.md. From then on `--dataset NAME` finds it.

    \b
    Example:
      harness data import knocks.csv --name knocks --labels kind --subjects person
    """
    click.echo(_summary(datasets.import_file(file, name, labels=labels, subjects=subjects)))


def _summary(data: datasets.Dataset) -> str:
    parts = ", ".join(f"{len(data.part(s)):,} {s}" for s in ("train", "validation", "test"))
    return (
        f"{data.name}: {parts} windows of {data.steps} x {data.features}, {data.classes} classes "
        f"({', '.join(data.class_names[:12])}{', ...' if data.classes > 12 else ''})"
    )
