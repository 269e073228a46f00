"""A figure into files. The only I/O of the plots."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from harness.files import write_atomic
from harness.plots.style import styled

PNG_DPI = 300
_NO_DATE: dict[str, Any] = {
    "png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None},
}  # fmt: skip


@styled()
def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write NAME.png (300 dpi) and NAME.svg, each whole or absent; no dates in either."""
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    for path in (png, svg):
        write_atomic(path, drawn(figure, path.suffix.removeprefix(".")))
    return png, svg


@styled()
def drawn(figure: Figure, kind: str) -> bytes:
    """The figure as a file of kind png (300 dpi), svg or pdf, without a date."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=PNG_DPI, metadata=_NO_DATE[kind])
    return buffer.getvalue()
