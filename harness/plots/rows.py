"""Which rows of the table a figure shows, and what follows from them.

Ref: E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference,
     J. Am. Stat. Assoc. 22 (1927) 209-212: the interval of a proportion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from harness.results import STATUS_DOES_NOT_FIT, STATUS_OK

Z_95 = 1.959964  # 97.5 % quantile of the normal distribution


def is_highlighted(model: str) -> bool:
    """True for FastGRNN with or without a compression suffix."""
    return model.split("-")[0] == "fastgrnn"


def wilson(accuracy: float, n: int) -> tuple[float, float]:
    """95 % Wilson score interval of a proportion measured on `n` windows; n > 0."""
    z2 = Z_95 * Z_95 / n
    centre = (accuracy + z2 / 2) / (1 + z2)
    half = Z_95 / (1 + z2) * math.sqrt(accuracy * (1 - accuracy) / n + z2 / (4 * n))
    return max(0.0, min(accuracy, centre - half)), min(1.0, max(accuracy, centre + half))


def drawable(summary: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The rows that have all of `columns` and ran on the board, in the order of the table."""
    fits = (summary["status"] != STATUS_DOES_NOT_FIT).fillna(True)
    return summary[fits & summary[list(columns)].notna().all(axis=1)]


def best_model(summary: pd.DataFrame, windows: pd.DataFrame) -> str | None:
    """The most accurate model on the board; of equals the smallest, then the first by name.

    A model whose logits differ from the reference counts only when no other ran.
    """
    measured = set(windows.loc[windows["label_board"] >= 0, "model"])
    rows = drawable(summary, ["accuracy_board"])
    rows = rows[rows["model"].isin(measured)]
    sound = rows[(rows["status"] == STATUS_OK).fillna(False)]
    rows = rows if sound.empty else sound
    if rows.empty:
        return None
    order = rows.sort_values(
        ["accuracy_board", "model_flash_bytes", "model"], ascending=[False, True, True]
    )
    return str(order["model"].iloc[0])
