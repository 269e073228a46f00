"""A night as JUnit XML, for whatever shows test results: a suite a board, a case a cell.

A result that failed or regressed is a `failure`, lab trouble an `error`, what was not reached and
what does not fit `skipped`. Figures are properties of the case; what the emulator or the uploader
said last is its system-out.

Ref: JUnit.xsd of github.com/jenkinsci/xunit-plugin (junit-10); properties of a case as pytest's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from harness.nightly.cells import Cell
from harness.nightly.verdict import BoardHealth, NightVerdict, Regression
from harness.nightly.words import difference_words, short
from harness.results import STATUS_DOES_NOT_FIT

PROPERTIES = (
    "cycles_median", "cycles_p95", "cycles_max", "cycles_lo", "cycles_hi", "latency_ms",
    "timing_source", "model_flash_bytes", "flash_bytes", "ram_static_bytes", "stack_peak_bytes",
    "accuracy_board", "windows", "mismatches", "model_sha256", "firmware_id", "attempts", "uploads",
    "flaky", "restarts", "link_retries",
)  # fmt: skip
TAIL_BYTES = 4000
# What XML 1.0 has no way to write; a serial line or a tool may say it.
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(verdict: NightVerdict) -> str:
    """The whole document."""
    root = ET.Element("testsuites", name=f"harness nightly {verdict.night}")
    for board in verdict.boards:
        cells = [cell for cell in verdict.cells if cell.instance.name == board.name]
        root.append(_suite(board, cells, verdict.regressions))
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, 0)) for suite in root)))
    root.set("time", f"{verdict.seconds:.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(
    board: BoardHealth, cells: Sequence[Cell], regressions: Sequence[Regression]
) -> ET.Element:
    suite = ET.Element("testsuite", name=board.name)
    properties = ET.SubElement(suite, "properties")
    for name, value in (("board", board.kind), ("board_id", board.board_id)):
        ET.SubElement(properties, "property", name=name, value=value)
    cases = [_case(cell, _regression_of(cell, regressions)) for cell in cells]
    suite.extend(cases)
    suite.set("tests", str(len(cases)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("time", f"{sum(cell.number('lab_seconds') for cell in cells):.3f}")
    return suite


def _case(cell: Cell, regression: str) -> ET.Element:
    piece = cell.piece
    case = ET.Element(
        "testcase",
        classname=f"{cell.instance.name}.{piece.dataset}",
        name=f"{cell.model} seed {piece.seed} repeat {piece.repeat}",
        time=f"{cell.number('lab_seconds'):.3f}",
    )
    properties = ET.SubElement(case, "properties")
    for name in PROPERTIES:
        value = cell.values.get(name)
        if value is not None:
            ET.SubElement(properties, "property", name=name, value=_xml(str(value)))
    tag, kind = _outcome(cell, regression)
    if tag:
        words = _xml(regression or cell.message)
        outcome = ET.SubElement(case, tag, message=short(words))
        if tag != "skipped":
            outcome.set("type", kind)
            outcome.text = words
    if tag in ("failure", "error"):
        ET.SubElement(case, "system-out").text = _xml(_last_words(cell))
    return case


def _outcome(cell: Cell, regression: str) -> tuple[str, str]:
    """Element and its type; ('', '') for a good cell."""
    if cell.is_lab_trouble:
        return "error", cell.status
    if cell.is_failed:
        return "failure", cell.status
    if cell.is_skipped or cell.status == STATUS_DOES_NOT_FIT:
        return ("failure", "regression") if regression else ("skipped", "")
    return ("failure", "regression") if regression else ("", "")


def _regression_of(cell: Cell, regressions: Sequence[Regression]) -> str:
    """What regressed in this cell, or ''. The last repeat stands for the cell in the history."""
    words = [
        difference_words(d)
        for regression in regressions
        for d in regression.differences
        if d.board_id == cell.instance.board_id
        and (d.cell.model, d.cell.dataset, d.cell.seed)
        == (cell.model, cell.piece.dataset, cell.piece.seed)
    ]
    return "; ".join(words) if not (cell.is_skipped or cell.is_lab_trouble) else ""


def _last_words(cell: Cell) -> str:
    """The end of what the board's emulator and uploader said."""
    logs: list[Path] = [
        cell.folder / "logs" / f"flash-{cell.model}.log",
        cell.folder / "board" / "board.log",
    ]
    tails = []
    for log in logs:
        if log.is_file():
            text = log.read_bytes()[-TAIL_BYTES:].decode(errors="replace")
            tails.append(f"{log.parent.name}/{log.name}:\n{text}")
    return "\n".join(tails)


def _xml(text: str) -> str:
    return NOT_XML.sub("�", text)
