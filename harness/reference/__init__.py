"""The single definition of the integer arithmetic. numpy only; readable before fast.

`CELLS` is the registry of integer cells; `run` evaluates a model on raw windows.
"""

from __future__ import annotations

from harness.reference.cell import Dims, ReferenceCell, accumulator_bounds
from harness.reference.eurnn import EURNN
from harness.reference.factoredrnn import FactoredRNN
from harness.reference.fastgrnn import FastGRNN
from harness.reference.fastrnn import FastRNN
from harness.reference.gru import GRU
from harness.reference.lstm import LSTM
from harness.reference.ornn import ORNN
from harness.reference.qrnn import QRNN
from harness.reference.rnn import RNN
from harness.reference.spectralrnn import SpectralRNN
from harness.reference.ugrnn import UGRNN

CELLS: dict[str, type[ReferenceCell]] = {
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

__all__ = ["CELLS", "Dims", "ReferenceCell", "accumulator_bounds"]
