"""The verdict as one HTML page that loads nothing from elsewhere; what files say is escaped."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.nightly.cells import Cell
from harness.nightly.verdict import NightVerdict
from harness.nightly.words import regression_lines, short, skipped_lines, trouble_line
from harness.report.page import REPORT_NAME

DASH = "–"


def as_html(verdict: NightVerdict) -> str:
    """The page; it links to the site and to the reports of the runs beside it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("verdict.html.j2").render(
        verdict=verdict,
        regressed=regression_lines(verdict.regressions),
        improved=regression_lines(verdict.improved),
        trouble=[trouble_line(board) for board in verdict.trouble],
        skipped=skipped_lines(verdict.skipped),
        cells=[_row(cell) for cell in verdict.cells],
    )


def _row(cell: Cell) -> dict[str, str]:
    """A line of the table of cells; a dash for what was not measured."""
    cycles, accuracy = cell.values.get("cycles_median"), cell.values.get("accuracy_board")
    return {
        "board": cell.instance.name,
        "label": cell.label,
        "report": f"{cell.instance.name}/{cell.folder.name}/{REPORT_NAME}" if cell.values else "",
        "status": cell.status + (", flaky" if cell.is_flaky else ""),
        "cycles": DASH if cycles is None else f"{cycles:,.0f}",
        "timing": cell.values.get("timing_source") or DASH,
        "accuracy": DASH if accuracy is None else f"{100 * accuracy:.2f} %",
        "attempts": str(cell.values.get("attempts", DASH)),
        "message": short(cell.message),
    }
