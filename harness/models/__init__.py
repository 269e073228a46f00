"""Float networks in torch, one cell a file. Their integer twins are in harness/reference/."""

from __future__ import annotations

from harness.models.cell import Cell
from harness.models.eurnn import EURNN
from harness.models.factoredrnn import FactoredRNN
from harness.models.fastgrnn import FastGRNN
from harness.models.fastrnn import FastRNN
from harness.models.gru import GRU
from harness.models.lstm import LSTM
from harness.models.network import Network
from harness.models.ornn import ORNN
from harness.models.qrnn import QRNN
from harness.models.rnn import RNN
from harness.models.spectralrnn import SpectralRNN
from harness.models.ugrnn import UGRNN

CELLS: dict[str, type[Cell]] = {
    cell.name: cell
    for cell in (
        FastGRNN,
        LSTM,
        GRU,
        ORNN,
        RNN,
        FastRNN,
        UGRNN,
        SpectralRNN,
        FactoredRNN,
        QRNN,
        EURNN,
    )
}

__all__ = [
    "CELLS",
    "Cell",
    "EURNN",
    "FactoredRNN",
    "FastGRNN",
    "FastRNN",
    "GRU",
    "LSTM",
    "Network",
    "ORNN",
    "QRNN",
    "RNN",
    "SpectralRNN",
    "UGRNN",
]
