"""`harness train`, `compress`, `build`, `flash`, `stream`: one stage of the chain at a time."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from harness.cli.options import (
    WindowCount,
    board_options,
    data_options,
    names,
    optimise_option,
    parse_overrides,
)
from harness.cli.progress import Display
from harness.cli.tables import echo_json, echo_table, percent
from harness.events import Event
from harness.files import write_atomic
from harness.instances import Instance, resolve

MODEL_FILE = click.argument(
    "model_file", metavar="MODEL.npz", type=click.Path(dir_okay=False, path_type=Path)
)


def _trained(
    models: str,
    dataset: str,
    preset: str,
    seed: int,
    data_dir: Path | None,
    compand: bool,
    overrides: tuple[str, ...],
    device: str,
) -> list[Any]:
    """Trained models with a progress display."""
    from harness import datasets, events, pipeline, presets

    for name in names(models):
        presets.parse_model_name(name)
    presets.check_preset(preset)
    replaced = parse_overrides(overrides)
    data = datasets.load(dataset, data_dir, compand=compand)
    found = []
    with Display() as display:
        for name in names(models):
            progress = events.training_progress(display, name)
            trained = pipeline.train_model(
                name, data, preset, seed, progress=progress, overrides=replaced, device=device
            )
            display(events.trained(name, trained.train_seconds, trained.cached))
            found.append(trained)
    return found


@click.command("train")
@click.argument("models", metavar="MODEL[,MODEL...]")
@data_options
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path),
    help="Also copy the QModels here, as DATASET-MODEL-seedS.npz.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True)
def train_command(
    models: str,
    dataset: str,
    preset: str,
    seed: int,
    data_dir: Path | None,
    compand: bool,
    overrides: tuple[str, ...],
    device: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Train, compress and quantise models; a second call finds them in the cache.

    \b
    Example:
      harness train fastgrnn,lstm --dataset digits --preset smoke --out models
    """
    rows = []
    for trained in _trained(models, dataset, preset, seed, data_dir, compand, overrides, device):
        name = trained.spec.name
        path = trained.folder / "model.npz" if trained.qmodel else None
        if path and out:
            data, path = path.read_bytes(), out / f"{dataset}-{name}-seed{seed}.npz"
            write_atomic(path, data)
        rows.append(
            {
                "model": name,
                "accuracy_float": trained.accuracy_float,
                "accuracy_integer": trained.accuracy_host,
                "state_bound": trained.state_bound,
                "state_format": _format(trained.qmodel),
                "model_sha256": trained.qmodel.sha256 if trained.qmodel else None,
                "file": str(path) if path else None,
            }
        )
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(
            f"{row['model']}  float {percent(row['accuracy_float'])}"
            f"  integer {percent(row['accuracy_integer']) or '-'}"
            f"  |h| {_bound(row['state_bound'])} {row['state_format'] or ''}"
            f"  {row['file'] or 'float form: no integer model'}"
        )


def _format(model: Any) -> str | None:
    """The state's fixed-point format: Q3.12 has 3 bits before the point and 12 after."""
    if model is None:
        return None
    frac = model.fracs["h"]
    return f"Q{model.state_bits - 1 - frac}.{frac}"


def _bound(bound: float | None) -> str:
    return "has no proved bound" if bound is None else f"<= {bound:.2f}"


@click.command("compress")
@click.argument("models", metavar="MODEL[,MODEL...]")
@data_options
@click.option("--json", "as_json", is_flag=True)
def compress_command(
    models: str,
    dataset: str,
    preset: str,
    seed: int,
    data_dir: Path | None,
    compand: bool,
    overrides: tuple[str, ...],
    device: str,
    as_json: bool,
) -> None:
    """Accuracy and bytes after each stage: low rank (L), sparse (S), quantised (Q).

    \b
    Example:
      harness compress fastgrnn,gru --dataset digits --preset smoke
    """
    trained = _trained(models, dataset, preset, seed, data_dir, compand, overrides, device)
    rows = [{"model": t.spec.name, **asdict(stage)} for t in trained for stage in t.stages]
    if as_json:
        echo_json(rows)
    else:
        echo_table(f"compression, {dataset}", tuple(rows[0]), [tuple(r.values()) for r in rows])


def _built(model_file: Path, board: Any, optimise: str) -> tuple[Any, Any]:
    from harness.firmware.build import build_firmware
    from harness.qmodel import QModel
    from harness.reference.model import bench_window

    model = QModel.load(model_file)
    with Display() as display:
        display(Event("build", model.name))
        firmware = build_firmware(model, board, bench_raw=bench_window(model), optimise=optimise)
        detail = f"{board.kind}" + (", cached" * firmware.cached)
        display(Event("build", model.name, 1, 1, detail, finished=True))
    return model, firmware


@click.command("build")
@MODEL_FILE
@board_options
@optimise_option
@click.option("--json", "as_json", is_flag=True)
def build_command(
    model_file: Path, board: str, virtual: bool, port: str | None, optimise: str, as_json: bool
) -> None:
    """Build the firmware of a stored QModel and say what it takes.

    \b
    Example:
      harness build models/digits-fastgrnn-seed0.npz --board uno
    """
    model, firmware = _built(model_file, resolve(board, virtual).board, optimise)
    facts = {
        "model": model.name,
        "image": str(firmware.image),
        "elf": str(firmware.elf),
        **firmware.memory.columns(),
        "optimise": firmware.optimise,
        "storage": " ".join(f"{k}={v}" for k, v in sorted(firmware.storage.items())),
        "firmware_id": firmware.firmware_id.hex(),
        "elf_sha256": firmware.elf_sha256,
        "compiler": firmware.compiler,
        "compiler_flags": firmware.compiler_flags,
    }
    if as_json:
        echo_json(facts)
    else:
        for key, value in facts.items():
            click.echo(f"{key:<18} {value}")


def _port(instance: Instance, port: str | None) -> str:
    """The port to use; a virtual board must be up already and named."""
    from harness.errors import UsageError
    from harness.lab import find_board_port

    port = port or instance.port
    if not port and instance.virtual:
        raise UsageError(
            "a virtual board needs --port",
            hint=f"`harness virtual up {instance.kind}` keeps one running and prints its port",
        )
    return port or find_board_port(instance)


def _say_who_has_it(holder: str) -> None:
    click.echo(f"waiting for the board: {holder} has it", err=True)


@click.command("flash")
@MODEL_FILE
@board_options
@optimise_option
def flash_command(
    model_file: Path, board: str, virtual: bool, port: str | None, optimise: str
) -> None:
    """Build a QModel's firmware and put it on a board with the board's own uploader.

    \b
    Example:
      harness flash models/digits-fastgrnn-seed0.npz --board uno
    """
    from harness.lab import ensure_firmware, reached
    from harness.paths import cache_dir

    instance = resolve(board, virtual)
    target, at = instance.board, _port(instance, port)
    model, firmware = _built(model_file, target, optimise)
    log = cache_dir("logs") / f"flash-{target.kind}.log"
    with reached(target, at, on_wait=_say_who_has_it, instance=instance) as attachment:
        dut, flashed = ensure_firmware(
            attachment, model, firmware, log=log, on_wait=_say_who_has_it
        )
        dut.close()
    click.echo(
        f"{at}: {model.name} "
        + (f"flashed with {flashed.tool}" if flashed else "already runs there")
    )


@click.command("stream")
@MODEL_FILE
@board_options
@optimise_option
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path))
@click.option("--no-compand", is_flag=True, help="The data set without companding.")
@click.option("--windows", type=WindowCount(), default="100", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def stream_command(
    model_file: Path,
    board: str,
    virtual: bool,
    port: str | None,
    optimise: str,
    data_dir: Path | None,
    no_compand: bool,
    windows: int | None,
    seed: int,
    as_json: bool,
) -> int:
    """Stream test windows of the model's data set to the board that runs it, and compare.

    \b
    Example:
      harness stream models/digits-fastgrnn-seed0.npz --board uno --windows 50
    """
    import tempfile

    from harness import bench, datasets, results
    from harness.lab import ensure_firmware, reached
    from harness.reference.model import bench_window
    from harness.rows import board_row

    instance = resolve(board, virtual)
    target, at = instance.board, _port(instance, port)
    model, firmware = _built(model_file, target, optimise)
    data = datasets.load(model.dataset, data_dir, compand=not no_compand)
    test = data.part("test")
    index = bench.draw_windows(len(test), windows, seed)
    chosen = bench.Windows(datasets.raw(data, "test")[index], test.y[index], index)
    with (
        tempfile.TemporaryDirectory() as scratch,
        reached(target, at, on_wait=_say_who_has_it, instance=instance) as attachment,
        Display() as display,
    ):
        log = Path(scratch) / "flash.log"
        dut, _ = ensure_firmware(attachment, model, firmware, log=log, on_wait=_say_who_has_it)
        try:
            measured = bench.measure(
                dut,
                model,
                chosen,
                bench_window(model),
                results.Journal(Path(scratch) / "journal.jsonl"),
                witness=attachment.witness,
                time_unit=target.time_unit,
                on_window=lambda done, total: display(Event("stream", model.name, done, total)),
            )
        finally:
            dut.close()
        display(Event("stream", model.name, 1, 1, f"{len(chosen)} windows", finished=True))
    row = board_row(target, model, firmware, measured, {})
    if as_json:
        echo_json(row)
    else:
        for key, value in row.items():
            click.echo(f"{key:<24} {value}")
    return 0 if row["status"] == results.STATUS_OK else 1
