"""The report of a run: one self-contained HTML page, and the plots beside it.

`write_report(folder)` reads run.json, summary.csv and windows.parquet and nothing else, so a report
can be made again at any time and comes out the same. The page loads nothing from elsewhere.
Everything that comes from a file is escaped; what was not measured shows as a dash, never as 0.
"""

from __future__ import annotations

from harness.report.page import REPORT_NAME, write_report
from harness.report.repeat import repeat_commands

__all__ = ["REPORT_NAME", "repeat_commands", "write_report"]
