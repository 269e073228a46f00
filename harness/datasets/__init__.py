"""Data sets as windows: float32 [N, T, D] in physical units, split by subject. No torch here.

`load` reads, `features` standardises for training, `raw` gives the int16 counts of a sensor. Text
corpora are not windows: `load_text` reads them.
The formats are described in docs/datasets.md.
"""

from __future__ import annotations

from harness.datasets.base import (
    SPLITS,
    Dataset,
    Progress,
    Standardisation,
    Windows,
    features,
    raw,
    standardisation,
)
from harness.datasets.fetch import fetch
from harness.datasets.loader import available, data_dirs, import_file, load, load_text
from harness.datasets.registry import SOURCES, Source
from harness.datasets.text import TextDataset

__all__ = [
    "SOURCES",
    "SPLITS",
    "Dataset",
    "Progress",
    "Source",
    "Standardisation",
    "TextDataset",
    "Windows",
    "available",
    "data_dirs",
    "features",
    "fetch",
    "import_file",
    "load",
    "load_text",
    "raw",
    "standardisation",
]
