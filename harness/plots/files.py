"""A figure into files. The only I/O of the plots."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure

from harness.files import write_atomic
from harness.plots.style import styled

PNG_DPI = 300


@styled()
def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write NAME.png (300 dpi) and NAME.svg, each whole or absent; no dates in either."""
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    for path, metadata in ((png, {"Software": None}), (svg, {"Date": None})):
        buffer = io.BytesIO()
        kind = path.suffix.removeprefix(".")
        figure.savefig(buffer, format=kind, dpi=PNG_DPI, metadata=metadata)
        write_atomic(path, buffer.getvalue())
    return png, svg
