"""Where the bytes go: flash by part, RAM static and on the stack."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness import plots
from harness.report.record import records
from harness.report.values import number, text

# Column -> heading; together they are flash_bytes.
FLASH_PARTS = {
    "model_flash_bytes": "model",
    "table_flash_bytes": "tables",
    "kernel_flash_bytes": "kernels",
    "link_flash_bytes": "link",
    "app_flash_bytes": "app",
    "hal_flash_bytes": "HAL",
    "libc_flash_bytes": "C library",
    "other_flash_bytes": "gaps",
}
TOTALS = {
    "flash_bytes": "flash",
    "ram_static_bytes": "RAM, static",
    "stack_peak_bytes": "RAM, stack",
}


def memory(summary: pd.DataFrame) -> dict[str, Any]:
    """Headings and cells of the table, one row for each model that was built; no rows if none."""
    columns = FLASH_PARTS | TOTALS
    built = summary[summary["flash_bytes"].notna()]
    rows = [
        {
            "model": text(row["model"]),
            "highlight": plots.is_highlighted(text(row["model"])),
            "cells": [number(row[column]) for column in columns],
        }
        for row in records(built)
    ]
    return {"headings": list(columns.values()), "rows": rows}
