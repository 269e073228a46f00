"""YAML from people: boards, labs, plans, options. Plain data only, bounded, no key twice.

Aliases are refused: a few lines of them stand for billions of values, and no file here needs them.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from harness.errors import UsageError
from harness.files import read_bounded

MAX_BYTES = 1 << 20
MAX_DEPTH = 32


def read_yaml(path: Path) -> Any:
    """What a YAML file holds. Raises UsageError that names the file, and the line where known."""
    return parse_yaml(read_bounded(path, MAX_BYTES), str(path))


def parse_yaml(text: str | bytes, where: str) -> Any:
    """What YAML of at most MAX_BYTES holds; `where` is what a UsageError calls it."""
    if len(text) > MAX_BYTES:
        raise UsageError(f"{where}: {len(text):,} bytes, at most {MAX_BYTES:,} are read")
    try:
        return _Loader(text).get_single_data()
    except Exception as error:  # PyYAML raises a dozen kinds for damaged dates, numbers and bytes
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        words = getattr(error, "problem", None) or error
        raise UsageError(f"{where}{line}: cannot read as YAML: {words}") from error


class _Loader(yaml.SafeLoader):
    """A SafeLoader that refuses aliases, deep nesting and a key that is given twice."""

    def __init__(self, stream: str | bytes) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """As SafeLoader's, but bounded."""
        if self.check_event(yaml.AliasEvent):
            raise _refusal(self.get_mark(), "aliases are not read")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _refusal(self.get_mark(), f"nested deeper than {MAX_DEPTH}")
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """As SafeLoader's, but no key twice."""
        mapping = super().construct_mapping(node, deep)
        if len(mapping) != len(node.value):
            raise _refusal(node.start_mark, "a key is given twice")
        return mapping


def _refusal(place: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place)
