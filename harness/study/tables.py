"""The tables of a study, read from its runs: means over seeds with 95 % intervals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from harness import paths, results
from harness.study.stats import Mean, mean_interval

GROUP = ["model", "companded"]


def rows_of(folders: Iterable[Path]) -> pd.DataFrame:
    """One row per run and model: summary.csv with the run's own options beside it."""
    frames = []
    for folder in folders:
        options = json.loads((folder / "run.json").read_text())["options"]
        frame = results.read_summary(folder)
        frame["companded"] = bool(options["compand"])
        frame["preset"] = options["preset"]
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def stages_of(folders: Iterable[Path]) -> pd.DataFrame:
    """One row per run, model and compression stage."""
    found: list[dict[str, Any]] = []
    for folder in folders:
        facts = json.loads((folder / "run.json").read_text())
        for model, stages in facts["stages"].items():
            base = {"model": model, "seed": facts["seed"], "companded": facts["options"]["compand"]}
            found += [base | {"order": i} | stage for i, stage in enumerate(stages)]
    return pd.DataFrame(found)


def _mean(values: Sequence[float] | pd.Series[Any]) -> Mean | None:
    known = [float(v) for v in values if not pd.isna(v)]
    return mean_interval(known) if known else None


def _columns(name: str, value: Mean | None) -> dict[str, Any]:
    return {
        name: None if value is None else value.mean,
        f"{name}_half_width": None if value is None else value.half_width,
    }


def _middle(values: pd.Series[Any]) -> float | None:
    known = values.dropna()
    return None if known.empty else float(known.median())


def models_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Per model (and input companding): accuracy over seeds, bytes, cycles.

    `accuracy` is that of the form the name means, over the whole test set: integers where the
    model is quantised (bit for bit what the board computes), floats for -q and the like.
    """
    table = []
    for (model, companded), group in rows.groupby(GROUP, sort=False):
        integer = group["accuracy_host_test"]
        form = integer if integer.notna().all() else group["accuracy_float_test"]
        table.append(
            {
                "model": model,
                "companded": companded,
                "seeds": len(group),
                **_columns("accuracy", _mean(form)),
                **_columns("accuracy_float", _mean(group["accuracy_float_test"])),
                "accuracy_each_seed": " ".join(f"{v:.4f}" for v in form),
                "model_flash_bytes": _middle(group["model_flash_bytes"]),
                "flash_bytes": _middle(group["flash_bytes"]),
                "params_nonzero": _middle(group["params_nonzero"]),
                "cycles_median": _middle(group["cycles_median"]),
                "latency_ms": _middle(group["latency_ms"]),
                "board": group["board"].iloc[0],
                "board_kind": group["board_kind"].iloc[0],
                "windows_on_board": int(group["windows"].fillna(0).sum()),
                "mismatches": int(group["mismatches"].fillna(0).sum()),
                "hidden": _middle(group["hidden"]),
                "density_w": _middle(group["density_w"]),
                "density_u": _middle(group["density_u"]),
            }
        )
    return pd.DataFrame(table)


def compression_table(rows: pd.DataFrame, stages: pd.DataFrame) -> pd.DataFrame:
    """Per model and stage: accuracy, what the stage cost, and bytes counted three ways.

    `bytes_cheapest_form` is our storage estimate and `bytes_paper` the paper's account, both after
    the stage; `model_flash_bytes` is read from the linked ELF and stands in the last stage only.
    """
    linked = rows.groupby(GROUP)["model_flash_bytes"].median().to_dict()
    table: list[dict[str, Any]] = []
    before: dict[tuple[Any, Any], float] = {}
    keys = [*GROUP, "order", "stage"]
    for (model, companded, _, stage), group in stages.groupby(keys, sort=False):
        integer = group["accuracy_integer"]
        value = _mean(integer if integer.notna().all() else group["accuracy_float"])
        mean = None if value is None else value.mean
        earlier = before.get((model, companded))
        is_last = stage == "quantised"
        table.append(
            {
                "model": model,
                "companded": companded,
                "stage": stage,
                "seeds": len(group),
                **_columns("accuracy", value),
                "cost_points": None if earlier is None or mean is None else 100 * (earlier - mean),
                "params_nonzero": _middle(group["params_nonzero"]),
                "bytes_cheapest_form": _middle(group["model_bytes"]),
                "bytes_paper": _middle(group["paper_bytes"]),
                "model_flash_bytes": linked.get((model, companded)) if is_last else None,
                "seconds": _middle(group["seconds"]),
            }
        )
        if mean is not None:
            before[(model, companded)] = mean
    return pd.DataFrame(table)


@cache
def paper_figures() -> pd.DataFrame:
    """The paper's Table 3: `harness/study/paper.csv`, with sources in its header."""
    return pd.read_csv(paths.PACKAGE_DIR / "study" / "paper.csv", comment="#")


def paper_table(rows: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Our rows beside the paper's of the same method; differences in points and in bytes."""
    figures = paper_figures()
    figures = figures[figures["dataset"] == dataset].set_index("model")
    ours = models_table(rows)
    ours["paper_accuracy"] = ours["model"].map(figures["accuracy"]) / 100
    ours["paper_bytes"] = ours["model"].map(figures["kilobytes"]) * 1024
    ours["points_above_paper"] = 100 * (ours["accuracy"] - ours["paper_accuracy"])
    return ours
