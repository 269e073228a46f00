"""What a night is to do: a YAML file -> a frozen `Plan`. Unknown keys are errors with a hint."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from harness import presets
from harness.datasets import SOURCES, available
from harness.errors import UsageError, near_miss
from harness.firmware.plan import OPTIMISE
from harness.instances import Instance, load_instances, read_instance
from harness.run import SESSIONS
from harness.virtual.faults import parse_faults
from harness.yamlfile import read_yaml

MAX_CELLS = 100_000
MAX_CEILING_MINUTES = 7 * 24 * 60.0
EXAMPLE = "examples/nightly.yaml is a plan"
# What lies beside the boards' folders in a night's.
RESERVED = frozenset(
    {"site", "training", "junit.xml", "night.json", "verdict.json", "verdict.md", "verdict.html"}
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The matrix of a night, and how patient it is.

    boards           which boards, each at the same time as the others
    models, datasets, seeds  what each board runs
    repeats          how often; every other time in the reverse order (order.py)
    windows          test windows to stream; None = the full test set
    attempts         sessions of a cell before it is lab trouble
    give_up_after    cells of lab trouble in a row after which a board is left alone
    ceiling_minutes  wall time of the whole night, its report included
    overrides        hyper-parameters that replace the preset's, by name, for every model
    """

    boards: tuple[Instance, ...]
    models: tuple[str, ...]
    datasets: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    preset: str = "quick"
    repeats: int = 2
    windows: int | None = None
    optimise: str = "size"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = SESSIONS
    give_up_after: int = 2
    ceiling_minutes: float = 480.0

    @property
    def cells(self) -> int:
        """How many models are measured, repeats counted."""
        return math.prod(
            len(part) for part in (self.boards, self.models, self.datasets, self.seeds)
        ) * (self.repeats)

    def to_json(self) -> dict[str, Any]:
        """As `from_json` takes it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Plan:
        """A plan that `to_json` made. Raises UsageError when it is none."""
        try:
            boards = values["boards"]
            given = {b["name"]: {k: v for k, v in b.items() if k != "name"} for b in boards}
            return parse(dict(values) | {"boards": given}, "plan")
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"not the plan of a night: {error!r}") from error


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises UsageError that says where, what and what to try."""
    return parse(read_yaml(path), str(path))


def parse(values: Any, where: str) -> Plan:
    """A plan from a mapping. Raises UsageError for what is unknown, missing or ill-typed."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{where}: must be a mapping of keys, not {_short(values)}", hint=EXAMPLE)
    known = {f.name for f in fields(Plan)}
    for key in values:
        if key not in known:
            error = near_miss("key", str(key), known)
            raise UsageError(f"{where}: {error.message}", hint=error.hint)
    for key in ("boards", "models", "datasets"):
        if key not in values:
            raise UsageError(f"{where}: missing {key}", hint=EXAMPLE)
    plan = Plan(**{key: READERS[key](value, f"{where}: {key}") for key, value in values.items()})
    if plan.cells > MAX_CELLS:
        raise UsageError(f"{where}: {plan.cells:,} cells, a night has {MAX_CELLS:,} at most")
    for dataset in plan.datasets:
        for model in plan.models:
            spec = presets.parse_model_name(model)
            presets.hyper(plan.preset, dataset, spec.cell, plan.overrides)
    return plan


# -- one reader a key ---------------------------------------------------------------------------

Reader = Callable[[Any, str], Any]


def _boards(value: Any, where: str) -> tuple[Instance, ...]:
    """Boards described here by name, or names of boards that the lab's own file describes."""
    if isinstance(value, Mapping) and value:
        boards = tuple(read_instance(str(name), fields, where) for name, fields in value.items())
    elif isinstance(value, list) and value:
        boards = tuple(_of_the_lab(name, where) for name in value)
    else:
        raise UsageError(
            f"{where}: must be boards by name, not {_short(value)}",
            hint="uno-1: {kind: uno, virtual: true}",
        )
    _check_boards(boards, where)
    return boards


def _of_the_lab(name: Any, where: str) -> Instance:
    known = load_instances()
    if not isinstance(name, str) or name not in known:
        error = near_miss("board of the lab", str(name), known)
        raise UsageError(f"{where}: {error.message}", hint=error.hint)
    return known[name]


def _check_boards(boards: Sequence[Instance], where: str) -> None:
    """Each is known, told apart from the others, and able to do what it is asked."""
    known: dict[str, str] = {}
    for instance in boards:
        if instance.name in RESERVED:
            raise UsageError(f"{where}: {instance.name}: a night has a file of that name")
        if instance.fault:
            parse_faults(instance.fault)
        if instance.fault and not instance.virtual:
            raise UsageError(f"{where}: {instance.name}: a fault is for a virtual board")
        if not instance.board_id:
            raise UsageError(
                f"{where}: {instance.name}: nothing tells this board from others",
                hint="give its serial_number, hub_path or port; `harness boards` shows them",
            )
        if instance.board_id in known:
            raise UsageError(
                f"{where}: {instance.name} is the same board as {known[instance.board_id]}"
            )
        known[instance.board_id] = instance.name
        _ = instance.board  # an unknown kind, or one without a twin


def _names(check: Callable[[str], object]) -> Reader:
    def read(value: Any, where: str) -> tuple[str, ...]:
        return _list(value, where, str, check)

    return read


def _list(value: Any, where: str, kind: type, check: Callable[[Any], object]) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise UsageError(f"{where}: must be a list, not {_short(value)}")
    for item in value:
        if not isinstance(item, kind) or isinstance(item, bool):
            raise UsageError(f"{where}: {_short(item)} is not {kind.__name__}")
        check(item)
        if list(value).count(item) > 1:
            raise UsageError(f"{where}: {_short(item)} is given twice")
    return tuple(value)


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    def check(seed: int) -> None:
        _whole(0, 2**31 - 1)(seed, where)

    return _list(value, where, int, check)


def _whole(low: int, high: int) -> Reader:
    def read(value: Any, where: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise UsageError(f"{where} is {_short(value)}, must be a whole number, {low} to {high}")
        return value

    return read


def _windows(value: Any, where: str) -> int | None:
    if value in (None, "all"):
        return None
    windows: int = _whole(1, 10**9)(value, where)
    return windows


def _ceiling(value: Any, where: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value <= MAX_CEILING_MINUTES:
        raise UsageError(
            f"{where} is {_short(value)}, must be minutes, up to {MAX_CEILING_MINUTES:.0f}"
        )
    return float(value)


def _dataset(name: str) -> None:
    windows = {known for known, source in SOURCES.items() if not source.text} | set(available())
    if name not in windows:
        raise near_miss("data set of windows", name, windows)


def _preset(value: Any, where: str) -> str:
    presets.check_preset(str(value))
    return str(value)


def _optimise(value: Any, where: str) -> str:
    if value not in OPTIMISE:
        raise near_miss("optimise", str(value), OPTIMISE)
    return str(value)


def _overrides(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{where}: must be hyper-parameters by name, not {_short(value)}")
    return {str(name): item for name, item in value.items()}


READERS: Mapping[str, Reader] = {
    "boards": _boards,
    "models": _names(presets.parse_model_name),
    "datasets": _names(_dataset),
    "seeds": _seeds,
    "preset": _preset,
    "repeats": _whole(1, 100),
    "windows": _windows,
    "optimise": _optimise,
    "overrides": _overrides,
    "attempts": _whole(1, 100),
    "give_up_after": _whole(1, 10**6),
    "ceiling_minutes": _ceiling,
}


def _short(value: Any) -> str:
    """What was given, in a few words: aliases can make a small file's value enormous."""
    if isinstance(value, Mapping | list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return repr(value)[:80]
