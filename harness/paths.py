"""Where things lie: files shipped with the package, the cache of things built or trained, and what
is remembered of the lab."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE_DIR = Path(__file__).resolve().parent


def shipped(*parts: str) -> Path:
    """A file shipped with the harness (`boards.yaml`, `firmware_templates/...`).

    In a checkout these lie at the top of the repository, in an installed wheel under
    `harness/_data`.
    """
    packed = PACKAGE_DIR / "_data"
    root = packed if packed.is_dir() else PACKAGE_DIR.parent
    return root.joinpath(*parts)


def cache_dir(*parts: str) -> Path:
    """A folder under the cache, created if missing.

    The cache is `$HARNESS_CACHE_DIR`, else `$XDG_CACHE_HOME/harness`, else `~/.cache/harness`.
    Everything in it can be deleted at any time; it is made again when needed.
    """
    base = os.environ.get("HARNESS_CACHE_DIR")
    if base:
        root = Path(base)
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "harness"
    folder = root.joinpath(*parts).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def state_dir(*parts: str) -> Path:
    """A folder for what must not be lost, created if missing: how the boards have fared.

    It lies in `$HARNESS_STATE_DIR`, else `$XDG_STATE_HOME/harness`, else `~/.local/state/harness`.
    """
    base = os.environ.get("HARNESS_STATE_DIR")
    if base:
        root = Path(base)
    else:
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        root = home / "harness"
    folder = root.joinpath(*parts).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
