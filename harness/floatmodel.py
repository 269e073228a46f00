"""A trained network in floats, evaluated by numpy: reports and the quantiser need no torch.

The equations are the cells' `float_step`; tests hold harness/models/ (torch) to them.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.base import Standardisation
from harness.errors import ModelFileError
from harness.files import write_atomic
from harness.npzfile import read_npz
from harness.reference import CELLS, Dims
from harness.reference.floats import Array, Floats, matmul

MAGIC = "harness-float"
VERSION = 1
MAX_FILE_BYTES = 64 << 20


@dataclass(frozen=True)
class FloatRun:
    """logits [N, C] float32, labels [N], and the largest |value| of each intermediate (`h`, LSTM's
    `c`, low rank's `w_mid` and `u_mid`)."""

    logits: Array
    labels: NDArray[np.int64]
    peaks: dict[str, float]


@dataclass(frozen=True)
class FloatModel:
    """Float tensors under the integer model's names, and the input's standardisation.

    scalars: FastGRNN's zeta and nu. raw_step, companded: as in `Dataset`.
    """

    cell: str
    dims: Dims
    steps: int
    dataset: str
    class_names: tuple[str, ...]
    tensors: Mapping[str, Array]
    scalars: Mapping[str, float]
    standardisation: Standardisation
    raw_step: NDArray[np.float64]
    companded: NDArray[np.bool_]

    @cached_property
    def sha256(self) -> str:
        """Hash of everything that decides a prediction."""
        meta = {k: v for k, v in self._meta().items() if k not in ("magic", "version")}
        digest = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
        for name, array in sorted(self._arrays().items()):
            digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def run(self, x: Array) -> FloatRun:
        """Classify standardised windows x [N, T, D]."""
        kind = CELLS[self.cell]
        floats = Floats(self.tensors, self.scalars, self.dims.options)
        sizes = kind.state_sizes(self.dims)
        state = {name: np.zeros((len(x), size), np.float32) for name, size in sizes.items()}
        for t in range(x.shape[1]):
            state = kind.float_step(floats, x[:, t], state)
            for name, value in state.items():
                floats.peak(name, value)
        logits = matmul(state["h"], self.tensors["F"]) + self.tensors["b_F"]
        return FloatRun(logits, np.argmax(logits, axis=1), floats.peaks)

    def accuracy(self, x: Array, y: NDArray[np.int64]) -> float:
        """Share of windows classified right."""
        return float((self.run(x).labels == y).mean())

    def _meta(self) -> dict[str, Any]:
        return {
            "magic": MAGIC,
            "version": VERSION,
            "cell": self.cell,
            "dims": asdict(self.dims),
            "steps": self.steps,
            "dataset": self.dataset,
            "class_names": list(self.class_names),
            "scalars": dict(self.scalars),
        }

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {f"t.{n}": a for n, a in self.tensors.items()}
        arrays["mean"], arrays["std"] = self.standardisation.mean, self.standardisation.std
        arrays["raw_step"], arrays["companded"] = self.raw_step, self.companded
        return arrays

    def save(self, path: Path) -> None:
        """Write atomically."""
        buffer = io.BytesIO()
        text = np.frombuffer(json.dumps(self._meta(), sort_keys=True).encode(), np.uint8)
        arrays = {"meta": text, **self._arrays()}
        np.savez(buffer, allow_pickle=False, **arrays)
        write_atomic(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> FloatModel:
        """Read a file that `save` wrote. Raises ModelFileError."""
        try:
            arrays = read_npz(path, MAX_FILE_BYTES, MAX_FILE_BYTES)
            meta = json.loads(arrays["meta"].tobytes())
            if meta["magic"] != MAGIC or meta["version"] != VERSION:
                raise ValueError(f"not {MAGIC} version {VERSION}")
            return cls(
                cell=meta["cell"],
                dims=Dims(**meta["dims"]),
                steps=meta["steps"],
                dataset=meta["dataset"],
                class_names=tuple(meta["class_names"]),
                tensors={n[2:]: a for n, a in arrays.items() if n.startswith("t.")},
                scalars=meta["scalars"],
                standardisation=Standardisation(arrays["mean"], arrays["std"]),
                raw_step=arrays["raw_step"],
                companded=arrays["companded"],
            )
        except Exception as error:  # zip, numpy and json raise a dozen kinds for damaged bytes
            raise ModelFileError(f"{path}: not a float model: {error}") from error
