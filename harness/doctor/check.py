"""What a look at this computer found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: is it as it should be, what was found, and what to do if not.

    warning: it works, but something will go wrong some day; `fix` says what to do.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""
    needed_for: str = ""  # empty: for everything
    warning: bool = False

    @property
    def state(self) -> str:
        """In one word."""
        return ("warning" if self.warning else "ok") if self.ok else "MISSING"
