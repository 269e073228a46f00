"""What would repeat a run: commit, versions, machine. Goes into run.json."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from harness import __version__, paths

PACKAGES = ("numpy", "torch", "pandas", "platformio", "pyserial", "scikit-learn", "matplotlib")


def collect() -> dict[str, Any]:
    """Commit and dirty flag of this harness (None outside a checkout), versions, machine."""
    sha = _git("rev-parse", "HEAD")
    return {
        "harness_version": __version__,
        "git_sha": sha,
        "git_dirty": bool(_git("status", "--porcelain")) if sha else None,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpu": platform.processor() or platform.machine(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _git(*arguments: str) -> str | None:
    """Output of git in the harness's own checkout; None when it is not one."""
    root = paths.PACKAGE_DIR.parent
    if not (root / ".git").exists():
        return None
    try:
        result = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
