"""Values as words of the page; what was not measured is a dash, never 0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness import plots

DASH = "–"


def text(value: Any) -> str:
    """Any value as words for the page; missing is a dash."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text(v)}" for key, v in value.items()) or DASH
    if isinstance(value, list | tuple):
        return ", ".join(text(v) for v in value) or DASH
    return str(value) or DASH


def number(value: Any) -> str:
    """A count with thin spaces between thousands; a real number with up to four digits."""
    if value is None or pd.isna(value):
        return DASH
    if float(value).is_integer():
        return f"{int(value):,}".replace(",", "\u202f")
    size = abs(float(value))
    decimals = 1 if size >= 100 else 3
    return f"{float(value):,.{decimals}f}".replace(",", "\u202f").rstrip("0").rstrip(".")


def percent(value: Any) -> str:
    """`94.25`; the heading says %."""
    return DASH if value is None or pd.isna(value) else f"{100 * float(value):.2f}"


def milliseconds(value: Any) -> str:
    """Three significant digits."""
    return DASH if pd.isna(value) else plots.format_ms(float(value))


def cycles(row: Mapping[str, Any]) -> str:
    """The median; or both ends of a bracket, which has no median."""
    if pd.isna(row["cycles_lo"]) or pd.isna(row["cycles_hi"]):
        return number(row["cycles_median"])
    return f"{number(row['cycles_lo'])} to {number(row['cycles_hi'])}"


def interval(row: Mapping[str, Any]) -> str:
    """Wilson interval of the accuracy on the board in per cent; empty if not measured."""
    if pd.isna(row["accuracy_board"]) or pd.isna(row["windows"]) or row["windows"] <= 0:
        return ""
    low, high = plots.wilson(float(row["accuracy_board"]), int(row["windows"]))
    return f"{100 * low:.1f} to {100 * high:.1f}"
