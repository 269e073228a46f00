"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness.firmware.plan import OPTIMISE

Decorated = Callable[..., Any]
BOARD_HELP = "A kind of board, or one that the lab's own file describes; see `harness boards`."
PORT_HELP = "Its serial port, found by what USB tells when not given; or ssh://USER@HOST."


def board_options(function: Decorated) -> Decorated:
    """--board NAME [--virtual] [--port PORT]."""
    function = click.option("--port", help=PORT_HELP)(function)
    function = click.option("--virtual", is_flag=True, help="Use the board's emulated twin.")(
        function
    )
    return click.option("-b", "--board", required=True, help=BOARD_HELP)(function)


def device_option(function: Decorated) -> Decorated:
    """--device cpu|cuda."""
    return click.option(
        "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True,
        help="Where torch trains; a GPU has bits and cache entries of its own.",
    )(function)  # fmt: skip


def optimise_option(function: Decorated) -> Decorated:
    """--optimise size|balanced|speed."""
    return click.option(
        "--optimise", type=click.Choice(OPTIMISE), default=OPTIMISE[0], show_default=True,
        help="How weights are stored: fewest bytes, fewest cycles from data, or as code.",
    )(function)  # fmt: skip


def fault_option(function: Decorated) -> Decorated:
    """--fault SPEC."""
    return click.option(
        "--fault", "faults", metavar="SPEC", default="",
        help="What the virtual board is to do wrong, e.g. flip=1e-4,drop=1e-4,seed=7; "
        "docs/faults.md has the words.",
    )(function)  # fmt: skip


def wait_option(function: Decorated) -> Decorated:
    """--wait SECONDS."""
    return click.option(
        "--wait", "wait_s", type=click.FloatRange(0), default=600, show_default=True,
        metavar="SECONDS", help="How long to wait for a board that somebody else has.",
    )(function)  # fmt: skip


def data_options(function: Decorated) -> Decorated:
    """--dataset --preset --seed --set --data-dir --compand --device."""
    for option in (
        device_option,
        click.option(
            "--compand/--no-compand", default=True, show_default=True,
            help="HAR: asinh on the sensors that tell sitting from standing; off = the paper's.",
        ),
        click.option(
            "--data-dir", type=click.Path(file_okay=False, path_type=Path),
            help="Folder of data sets (default: $HARNESS_DATA_DIR, then the cache).",
        ),
        click.option(
            "--set", "overrides", multiple=True, metavar="NAME=VALUE",
            help="Replace a hyper-parameter of the preset; may be given again.",
        ),
        click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True),
        click.option(
            "--preset", default="quick", show_default=True,
            help="smoke (seconds a model), quick (minutes) or paper (Table 11).",
        ),
        click.option(
            "--dataset", default="digits", show_default=True, help="See `harness data list`."
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def parse_overrides(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`--set hidden=16` and so on: name=value, the value read as YAML (so null is None)."""
    from harness.errors import UsageError
    from harness.yamlfile import parse_yaml

    overrides = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--set {pair!r} is not NAME=VALUE", hint="e.g. --set hidden=16")
        overrides[name.strip()] = parse_yaml(value, f"--set {name}")
    return overrides


class WindowCount(click.ParamType[int | None]):
    """A number of test windows, or `all`."""

    name = "N|all"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | None:
        """None means all."""
        if value is None or value == "all":
            return None
        try:
            count = int(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor 'all'", param, ctx)
        if count < 1:
            self.fail("at least one window is needed", param, ctx)
        return count


def names(text: str) -> tuple[str, ...]:
    """Comma-separated names, without repetitions, in order."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
