"""The commands that repeat a run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from harness.report.record import Run, mapping

# They say where, not what.
_LOCAL_OPTIONS = {
    "out", "resume", "json", "port", "data_dir", "wait_s", "instance", "sessions",
}  # fmt: skip


def repeat_commands(run: Run) -> list[str]:
    """Shell lines that repeat the run; paths of the machine it ran on are left out."""
    lines = []
    sha = run.get("git_sha")
    if isinstance(sha, str) and re.fullmatch(r"[0-9a-f]{7,64}", sha):
        lines.append(f"git checkout {sha}")
    options = dict(mapping(run, "options"))
    for key in ("preset", "seed"):
        if options.get(key) is None and run.get(key) is not None:
            options[key] = run[key]
    if options.get("windows", 0) is None:
        options["windows"] = "all"
    words = ["harness", "run"]
    for key, value in options.items():
        words += _option(str(key), value)
    lines.append(shlex.join(words))
    return lines


def _option(key: str, value: Any) -> Sequence[str]:
    flag = "--" + key.replace("_", "-")
    if value is None or key in _LOCAL_OPTIONS:
        return []
    if key == "overrides":
        pairs = value.items() if isinstance(value, dict) else ()
        return [word for name, new in pairs for word in ("--set", f"{name}={json.dumps(new)}")]
    if key == "faults":
        return ["--fault", str(value)] if value else []
    if key == "compand":  # on unless switched off
        return [] if value else ["--no-compand"]
    if isinstance(value, bool):
        return [flag] if value else []
    words = ",".join(str(v) for v in value) if isinstance(value, list | tuple) else str(value)
    return [flag, words]
