"""The page: the parts put into the template, and the plots beside it."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness import plots
from harness.files import write_atomic
from harness.report.memory import memory
from harness.report.overview import banner, headline, messages, verdict
from harness.report.provenance import details, hashes, provenance
from harness.report.published import published
from harness.report.record import available_flash, class_names, load, mapping, whole
from harness.report.repeat import repeat_commands
from harness.report.stages import stages
from harness.report.values import text

REPORT_NAME = "report.html"


def write_report(folder: Path) -> Path:
    """Write plots/ and report.html of a results folder; returns the page.

    Raises UsageError that names what is missing or cannot be read.
    """
    run, summary, windows = load(folder)
    board, dataset = mapping(run, "board"), mapping(run, "dataset")
    figures = plots.all_plots(
        summary,
        windows,
        flash_available=available_flash(board),
        ram_available=whole(board.get("ram_bytes")),
        class_names=class_names(dataset),
    )
    pictures = [_picture(plot, folder / "plots") for plot in figures]
    page = _environment().get_template("report.html.j2").render(
        run_id=str(run.get("run_id") or folder.name),
        banner=banner(run, summary, board),
        finished=run.get("finished"),
        verdict=verdict(summary),
        headline=headline(summary),
        messages=messages(summary),
        published=published(summary),
        stages=list(stages(run, [text(model) for model in summary["model"]])),
        memory=memory(summary),
        pictures=pictures,
        details=details(summary),
        provenance=provenance(run, summary),
        hashes=hashes(summary),
        repeat=repeat_commands(run),
        dirty=run.get("git_dirty"),
    )  # fmt: skip
    path = folder / REPORT_NAME
    write_atomic(path, page)
    return path


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["wbr"] = Markup("<wbr>")  # a long column name may break here
    return environment


def _picture(plot: plots.Plot, folder: Path) -> dict[str, str]:
    _, svg = plots.save(plot.figure, folder, plot.name)
    data = base64.b64encode(svg.read_bytes()).decode()
    return {
        "name": plot.name,
        "title": plot.title,
        "caption": plot.caption,
        "source": f"data:image/svg+xml;base64,{data}",
    }
