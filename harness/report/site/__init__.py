"""The history as a small web site that needs no server and no network.

`write_site(history, folder)` writes index.html (what regressed, what is lab trouble, what is new),
a page for every board and every model, and their figures. The same history gives the same files.
Everything that comes from a file is escaped.
"""

from __future__ import annotations

from harness.report.site.pages import write_site

__all__ = ["write_site"]
