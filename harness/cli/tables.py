"""Tables for people (stdout) and for programs (JSON)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click
import pandas as pd
from rich.console import Console
from rich.table import Table

OFF_TERMINAL_WIDTH = 220  # wide enough that nothing wraps in a file or a pipe


def echo_table(title: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on stdout; numbers to the right, None as '-'."""
    table = Table(title=title, title_justify="left")
    body = [list(row) for row in rows]
    for position, name in enumerate(header):
        numeric = any(isinstance(row[position], int | float) for row in body)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in body:
        table.add_row(*(_text(value) for value in row))
    out = Console(highlight=False)
    if not out.is_terminal:
        out.width = OFF_TERMINAL_WIDTH
    out.print(table)


def _text(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


def frame_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a frame as JSON-ready dicts; NA becomes None."""
    records: list[dict[str, Any]] = json.loads(frame.to_json(orient="records"))
    return records


def echo_json(value: Any) -> None:
    """One JSON document on stdout and nothing else."""
    click.echo(json.dumps(value, indent=1))


def percent(value: float | None) -> str | None:
    """0.953 -> '95.30 %'."""
    return None if value is None else f"{100 * value:.2f} %"
