"""The single definition of the integer arithmetic. numpy only; readable before fast.

`CELLS` is the registry of integer cells; `run` evaluates a model on raw windows.
"""

from __future__ import annotations

from harness.reference.cell import Dims, ReferenceCell, accumulator_bounds
from harness.reference.fastgrnn import FastGRNN
from harness.reference.gru import GRU
from harness.reference.lstm import LSTM
from harness.reference.ornn import ORNN

CELLS: dict[str, type[ReferenceCell]] = {cell.name: cell for cell in (FastGRNN, LSTM, GRU, ORNN)}

__all__ = ["CELLS", "Dims", "ReferenceCell", "accumulator_bounds"]
