"""The tree of errors a user can meet. Imports nothing.

Every error says what went wrong and, in `hint`, what to try. The command line prints both and
exits with `exit_code`; anything that is not a HarnessError is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable


class HarnessError(Exception):
    """Root of all expected errors. `hint` is one line: what to try next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(HarnessError):
    """The command line, a plan or a description file asks for something that does not exist."""

    exit_code = 2


class LabError(HarnessError):
    """A board, a port, a tool or a cable failed; the model is not to blame."""

    exit_code = 3


class ResultError(HarnessError):
    """A measurement came out wrong: mismatch, damaged model, failed check."""


class DataError(HarnessError):
    """A data set is missing, damaged or has the wrong shape."""


class ModelFileError(HarnessError):
    """A stored QModel is damaged, hostile or of another version."""


class DoesNotFit(HarnessError):
    """A model needs more memory than the board has. `over_bytes` says by how much."""

    def __init__(self, message: str, *, over_bytes: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.over_bytes = over_bytes


class BuildError(HarnessError):
    """The compiler or PlatformIO failed; the message carries the tool's own words."""

    exit_code = 3


class StorageError(HarnessError):
    """The disk is full, or may not be written. Not a LabError: another try on the board is in vain.

    What was written before is kept, and the same command goes on from there.
    """

    exit_code = 3


class FlashError(LabError):
    """The uploader failed or ran past its deadline; the message carries its own words."""


class LinkError(LabError):
    """The serial link failed: nothing answered in time, or what came could not be trusted."""


class LinkTimeout(LinkError):
    """Nothing (or too little) arrived before the deadline."""


class Interrupted(HarnessError):
    """The user pressed Ctrl-C; what was done so far is kept."""

    exit_code = 130


def near_miss(what: str, name: str, known: Iterable[str]) -> UsageError:
    """A UsageError for an unknown `name`, with the nearest known names as the hint."""
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
    listing = f"known: {', '.join(names)}"
    return UsageError(f"unknown {what} {name!r}", hint=f"{hint} ({listing})" if hint else listing)
