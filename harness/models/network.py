"""A cell and a linear classifier on its last state."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from harness.models.cell import Cell


class Network(nn.Module):
    """logits = F h_T + b_F. F [C, H], b_F [C]."""

    def __init__(self, cell: Cell, classes: int) -> None:
        super().__init__()
        self.cell = cell
        self.classifier = nn.Linear(cell.hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Windows x [N, T, D] -> logits [N, C]."""
        logits: Tensor = self.classifier(self.cell(x))
        return logits

    def export(self) -> dict[str, Any]:
        """All tensors as float32 numpy arrays, under the names of the integer model."""
        tensors = {**self.cell.export(), "F": self.classifier.weight, "b_F": self.classifier.bias}
        return {name: t.detach().numpy().copy() for name, t in tensors.items()}
