"""`harness study sizes`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import names, parse_overrides
from harness.cli.progress import Display
from harness.cli.study_options import study_options
from harness.cli.tables import echo_json, echo_table, frame_records
from harness.errors import UsageError
from harness.files import write_atomic

if TYPE_CHECKING:
    import pandas as pd

    from harness.study.comparison import Measured

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("sizes")
@click.option("--models", default="fastgrnn,gru,lstm", show_default=True)
@click.option(
    "--budgets", default="1024,2048,4096,8192", show_default=True,
    help="Bytes of the linked model that each model is searched for.",
)  # fmt: skip
@click.option(
    "--latencies-ms", "latencies", default="25,50,100,200,400", show_default=True,
    help="Latencies of one window for the second table.",
)  # fmt: skip
@click.option(
    "--trials", type=click.IntRange(1), default=12, show_default=True,
    help="Of each search; every model has as many at every budget.",
)  # fmt: skip
@click.option(
    "--storage", metavar="URL",
    help="Any Optuna storage; many machines may share one. [default: an SQLite file in --out]",
)  # fmt: skip
@click.option("--compand/--no-compand", default=True, show_default=True)
@click.option("--latency-csv", type=FILE, help="Also write the table at equal latency here.")
@click.option("--plot", type=FILE, help="Write the Pareto plot here, as .png and .svg.")
@study_options
def sizes_command(**options: Any) -> None:
    """Models at equal bytes and at equal latency: searched alike, chosen on validation.

    For each model and byte budget, an Optuna search over densities, ranks, learning rate and weight
    decay, with the largest hidden size that fits. The best on validation is trained again with all
    seeds and measured on a virtual board.

    \b
    Example:
      harness study sizes --dataset har2 --seeds 5 --trials 20 --plot sizes.png
    """
    from harness.study import comparison

    measured = _study(options)
    budgets = _numbers("--budgets", options["budgets"], int)
    at_bytes = comparison.bytes_table(measured, budgets)
    at_latency = comparison.latency_table(
        measured, _numbers("--latencies-ms", options["latencies"], float)
    )
    lines = comparison.sentences(measured, budgets)
    _write(options, at_bytes, at_latency)
    if options["as_json"]:
        echo_json(
            {
                "equal_bytes": frame_records(at_bytes),
                "equal_latency": frame_records(at_latency),
                "sentences": lines,
            }
        )
        return
    _echo(f"equal bytes, {options['dataset']}", "budget_bytes", at_bytes)
    _echo(f"equal latency, {options['dataset']}", "latency_budget_ms", at_latency)
    for line in lines:
        click.echo(line)


def _study(options: dict[str, Any]) -> list[Measured]:
    from harness.study import sizes
    from harness.study.search import Search

    out, data_dir = options["out"], options["data_dir"]
    search = Search(
        storage=options["storage"] or sizes.sqlite_in(out, options["dataset"]),
        dataset=options["dataset"],
        models=names(options["models"]),
        budgets_bytes=_numbers("--budgets", options["budgets"], int),
        trials=options["trials"],
        preset=options["preset"],
        compand=options["compand"],
        data_dir=str(data_dir.resolve()) if data_dir else None,
        overrides=parse_overrides(options["overrides"]),
    )
    bench = sizes.Bench(options["board"], options["seeds"], options["windows"])
    with Display() as display:
        return sizes.study_sizes(search, bench, out, count=options["workers"], listen=display)


def _numbers(option: str, text: str, kind: type[Any]) -> tuple[Any, ...]:
    """Comma-separated numbers above 0, in ascending order."""
    try:
        values = sorted({kind(part) for part in text.split(",")})
    except ValueError:
        values = []
    if not values or not values[0] > 0:
        raise UsageError(
            f"{option} {text!r} is not a list of numbers above 0",
            hint=f"e.g. {option} 1024,2048",
        )
    return tuple(values)


def _write(options: dict[str, Any], at_bytes: pd.DataFrame, at_latency: pd.DataFrame) -> None:
    for path, table in ((options["csv"], at_bytes), (options["latency_csv"], at_latency)):
        if path:
            write_atomic(path, table.to_csv(index=False, float_format="%.6g"))
    if options["plot"]:
        from harness import plots

        plots.save(plots.pareto(at_bytes), options["plot"].parent, options["plot"].stem)


def _echo(title: str, limit: str, table: pd.DataFrame) -> None:
    """The table in fewer columns, accuracies in percent; a CSV has all of it."""
    rows = [[record[limit], *_shown(record).values()] for record in frame_records(table)]
    header = [limit, *(_shown(frame_records(table)[0]) if len(table) else ())]
    echo_table(title, header, rows)


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    seeds = " ".join(f"{100 * float(v):.1f}" for v in record["accuracy_each_seed"].split())
    ranks = f", ranks {record['rank_w'] or 'full'} {record['rank_u'] or 'full'}"
    low_rank = record["rank_w"] or record["rank_u"]
    settings = f"W {record['density_w']:.2g}, U {record['density_u']:.2g}" + ranks * bool(low_rank)
    return {
        "model": record["model"],
        "accuracy": _interval(100 * record["accuracy"], record["accuracy_half_width"], 100),
        "each seed": seeds,
        "validation": f"{100 * record['accuracy_validation']:.2f}",
        "bytes": record["model_flash_bytes"],
        "over": "over budget" if record["over_budget"] else "",
        "latency_ms": record["latency_ms"],
        "H": record["hidden"],
        "kept of W, U": settings,
        "lr": record["lr"],
        "decay": record["weight_decay"],
        "trials": record["trials"],
        "behind": _interval(record["points_behind"], record["points_behind_half_width"], 1),
        "p": record["p_seeds"],
        "status": record["status"],
    }


def _interval(value: float | None, half_width: float | None, scale: float) -> str | None:
    if value is None:
        return None
    return f"{value:.2f}" + ("" if half_width is None else f" ± {scale * half_width:.2f}")
