"""The pages: the history sorted into what each one shows, put into the templates."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness import plots
from harness.errors import UsageError
from harness.files import write_atomic
from harness.history.noise import CLOCK
from harness.history.record import Entry
from harness.history.trend import Track, tracks
from harness.history.verdict import since_previous
from harness.report.site.tables import (
    cell_rows,
    difference_rows,
    group_row,
    run_rows,
    track_rows,
)

INDEX_NAME = "index.html"
RUNS_SHOWN = 100  # newest runs listed on a page


@dataclass(frozen=True)
class Group:
    """A page of its own: a board or a model. `file` is its name, unique and safe."""

    title: str
    file: str
    tracks: tuple[Track, ...]

    @property
    def entries(self) -> list[Entry]:
        """All its entries, newest first."""
        found = [entry for track in self.tracks for entry in track.entries]
        return sorted(found, key=lambda e: (e.started, e.run_id), reverse=True)


def write_site(history: Sequence[Entry], folder: Path) -> Path:
    """Write the site into a folder; returns its first page. Raises UsageError for no entries."""
    if not history:
        raise UsageError("the history is empty", hint="harness history --add FOLDER")
    found = tracks(history)
    boards = _groups("board", found, lambda t: f"{t.cell.board} ({t.cell.board_kind})")
    models = _groups("model", found, lambda t: t.cell.model)
    links = {group.title: group.file for group in (*boards, *models)}
    environment = _environment()
    for group in (*boards, *models):
        page = environment.get_template("group.html.j2").render(
            title=group.title,
            figures=_figures(group, folder),
            cells=cell_rows(group.tracks, links),
            runs=run_rows(group.entries[:RUNS_SHOWN], folder),
            runs_total=len(group.entries),
        )
        write_atomic(folder / group.file, page)
    verdict = since_previous(history)
    index = environment.get_template("index.html.j2").render(
        regressions=difference_rows(verdict.regressions),
        moved=difference_rows(verdict.moved),
        trouble=track_rows(verdict.trouble),
        new=track_rows(verdict.new),
        doubts=verdict.comparison.skipped,
        compared=len({(d.cell, d.board_id) for d in verdict.comparison.differences}),
        boards=[group_row(g.title, g.file, g.tracks) for g in boards],
        models=[group_row(g.title, g.file, g.tracks) for g in models],
        cells=cell_rows(found, links),
        newest=max(entry.started for entry in history)[:16].replace("T", " "),
        runs=len({(entry.run_id, entry.started) for entry in history}),
    )
    write_atomic(folder / INDEX_NAME, index)
    return folder / INDEX_NAME


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _groups(kind: str, found: Sequence[Track], title_of: Callable[[Track], str]) -> list[Group]:
    members: dict[str, list[Track]] = {}
    for track in found:
        members.setdefault(title_of(track), []).append(track)
    return [
        Group(title, f"{kind}-{slug(title)}.html", tuple(members[title]))
        for title in sorted(members)
    ]


def slug(name: str) -> str:
    """A name fit for a file and an address; different names have different ones."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}".strip("-")


def _figures(group: Group, folder: Path) -> list[dict[str, str]]:
    """Pictures of what the group has figures of, written beside the page."""
    pictures = []
    for name, (column, words, _) in plots.FIGURES.items():
        if not any(_is_shown(name, column, entry) for entry in group.entries):
            continue
        stem = f"{group.file.removesuffix('.html')}-{name}"
        drawn = plots.drawn(plots.history_lines(group.tracks, name), "svg")
        write_atomic(folder / "plots" / f"{stem}.svg", drawn)
        pictures.append({"source": f"plots/{stem}.svg", "words": f"{group.title}: {words}"})
    return pictures


def _is_shown(name: str, column: str, entry: Entry) -> bool:
    """A latency needs a figure of its own only where no cycles are counted."""
    if name == "latency":
        return entry.text("timing_source") == CLOCK
    ends = ("cycles_lo",) if name == "cycles" else ()
    return any(entry.number(c) is not None for c in (column, *ends))
