"""Float networks in torch, one cell a file. Their integer twins are in harness/reference/."""

from __future__ import annotations

from harness.models.cell import Cell
from harness.models.fastgrnn import FastGRNN
from harness.models.gru import GRU
from harness.models.lstm import LSTM
from harness.models.network import Network
from harness.models.ornn import ORNN

CELLS: dict[str, type[Cell]] = {cell.name: cell for cell in (FastGRNN, LSTM, GRU, ORNN)}

__all__ = ["CELLS", "Cell", "FastGRNN", "GRU", "LSTM", "Network", "ORNN"]
