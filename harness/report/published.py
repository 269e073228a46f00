"""Our latencies beside those that the FastGRNN paper printed for the same board and data set."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from harness.report.record import records
from harness.report.values import milliseconds, number, text

TABLE = Path(__file__).with_name("published.csv")


@lru_cache
def _table() -> dict[tuple[str, str, str], float]:
    rows = pd.read_csv(TABLE, comment="#")
    keys = zip(rows["board"], rows["dataset"], rows["model"], strict=True)
    return dict(zip(keys, rows["latency_ms"], strict=True))


def published_ms(board: str, dataset: str, model: str) -> float | None:
    """Milliseconds of a window in Table 12 of arXiv:1901.02358, or None where it has none.

    A variant of a cell (`fastgrnn+tanh`) is looked up as the cell; the paper's choice of gate
    differs from data set to data set.
    """
    cell, dash, suffix = model.partition("-")
    return _table().get((board, dataset, cell.partition("+")[0] + dash + suffix))


def published(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """One entry for each model with a latency of ours and one of the paper's."""
    rows = []
    for row in records(summary[summary["latency_ms"].notna()]):
        paper = published_ms(text(row["board"]), text(row["dataset"]), text(row["model"]))
        if paper is not None:
            rows.append(
                {
                    "model": text(row["model"]),
                    "hidden": number(row["hidden"]),
                    "model_flash_bytes": number(row["model_flash_bytes"]),
                    "latency": milliseconds(row["latency_ms"]),
                    "timing_source": text(row["timing_source"]),
                    "paper": f"{paper:g}",
                    "ratio": f"{paper / float(row['latency_ms']):.1f}",
                }
            )
    return rows
