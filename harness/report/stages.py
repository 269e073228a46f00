"""The compression stages of each model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness import plots
from harness.report.record import Run, mapping, whole
from harness.report.values import DASH, number, percent, text

STAGE_NAMES = {
    "dense": "full rank, float",
    "low-rank": "L, float",
    "sparse": "S, float",
    "quantised": "Q, integer",
    "L": "low rank",
    "S": "sparse",
    "Q": "byte quantised",
}
STAGE_DETAILS = ("params_nonzero", "density_w", "density_u")


def stages(run: Run, order: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One entry per model, in the order of the table: its compression stages.

    Sizes come also relative to the first stage.
    """
    recorded = mapping(run, "stages")
    for model in [m for m in order if m in recorded] + [m for m in recorded if m not in order]:
        entries = recorded[model]
        known = [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
        sizes = [_stage_bytes(stage) for stage in known]
        first = next((size for size in sizes if size is not None), None)
        rows = [_stage(stage, first) for stage in known]
        if rows:
            yield {"model": model, "highlight": plots.is_highlighted(model), "rows": rows}


def _stage(stage: Run, first_bytes: int | None) -> dict[str, str]:
    size = _stage_bytes(stage)
    accuracy, kind = _stage_accuracy(stage)
    smaller = DASH if size is None or first_bytes is None else f"{first_bytes / size:.1f} ×"
    name = text(stage.get("stage"))
    details = {key: stage[key] for key in STAGE_DETAILS if stage.get(key) is not None}
    detail = stage.get("detail") or {key: _brief(value) for key, value in details.items()}
    return {
        "stage": name,
        "meaning": STAGE_NAMES.get(name, ""),
        "accuracy": percent(accuracy),
        "kind": text(kind),
        "bytes": number(size),
        "smaller": smaller,
        "detail": text(detail),
    }


def _brief(value: Any) -> str:
    return number(value) if isinstance(value, int | float) else text(value)


def _stage_bytes(stage: Run) -> int | None:
    return whole(stage.get("bytes", stage.get("model_bytes")))


def _stage_accuracy(stage: Run) -> tuple[float | None, str | None]:
    """(accuracy, what it is of): of the integer model once there is one."""
    for key, kind in (
        ("accuracy", stage.get("accuracy_kind")),
        ("accuracy_integer", f"integer, {text(stage.get('evaluated_on'))}"),
        ("accuracy_float", f"float, {text(stage.get('evaluated_on'))}"),
    ):
        value = stage.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value), kind
    return None, None
