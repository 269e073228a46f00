"""A trained network in floats, evaluated by numpy: reports and the quantiser need no torch.

The equations are those of harness/models/ (torch), against which tests hold them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.base import Standardisation
from harness.errors import ModelFileError
from harness.reference import CELLS, Dims
from harness.reference.ornn import LEAK

MAGIC = "harness-float"
VERSION = 1
MAX_FILE_BYTES = 64 << 20

Array = NDArray[np.float32]


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
        step = _STEPS[self.cell](self)
        n = len(x)
        state = {name: np.zeros((n, self.dims.hidden), np.float32) for name in _states(self.cell)}
        peaks: dict[str, float] = {}
        for t in range(x.shape[1]):
            state = step(x[:, t], state, peaks)
            for name, value in state.items():
                _peak(peaks, name, value)
        logits = state["h"] @ self.tensors["F"].T + self.tensors["b_F"]
        return FloatRun(logits, np.argmax(logits, axis=1), peaks)

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
        write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> FloatModel:
        """Read a file that `save` wrote. Raises ModelFileError."""
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ValueError(f"larger than {MAX_FILE_BYTES:,} bytes")
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
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


def write_atomically(path: Path, data: bytes) -> None:
    """A reader sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    partial.write_bytes(data)
    partial.replace(path)


# -- the cells -----------------------------------------------------------------------------------

Peaks = dict[str, float]
State = dict[str, Array]
Step = Callable[[Array, State, Peaks], State]


def _states(cell: str) -> tuple[str, ...]:
    return CELLS[cell].states


def _peak(peaks: Peaks, name: str, value: Array) -> None:
    peaks[name] = max(peaks.get(name, 0.0), float(np.abs(value).max(initial=0.0)))


def _sigmoid(a: Array) -> Array:
    half = np.float32(0.5)
    result: Array = half * np.tanh(half * a) + half
    return result


def _matmul(v: Array, matrix: Array) -> Array:
    product: Array = v @ matrix.T
    return product


def _product(model: FloatModel, name: str, v: Array, peaks: Peaks) -> Array:
    t = model.tensors
    if name in t:
        return _matmul(v, t[name])
    inner = _matmul(v, t[f"{name}2T"])
    _peak(peaks, f"{name.lower()}_mid", inner)
    return _matmul(inner, t[f"{name}1"])


def _fastgrnn(model: FloatModel) -> Step:
    zeta, nu = np.float32(model.scalars["zeta"]), np.float32(model.scalars["nu"])
    b_z, b_h = model.tensors["b_z"], model.tensors["b_h"]

    def step(x: Array, state: State, peaks: Peaks) -> State:
        h = state["h"]
        a = _product(model, "W", x, peaks) + _product(model, "U", h, peaks)
        z, c = _sigmoid(a + b_z), np.tanh(a + b_h)
        return {"h": (zeta * (1 - z) + nu) * c + z * h}

    return step


def _lstm(model: FloatModel) -> Step:
    def step(x: Array, state: State, peaks: Peaks) -> State:
        a = _product(model, "W", x, peaks) + _product(model, "U", state["h"], peaks)
        a_i, a_f, a_g, a_o = np.split(a + model.tensors["b"], 4, axis=1)
        c = _sigmoid(a_f) * state["c"] + _sigmoid(a_i) * np.tanh(a_g)
        return {"h": _sigmoid(a_o) * np.tanh(c), "c": c}

    return step


def _gru(model: FloatModel) -> Step:
    def step(x: Array, state: State, peaks: Peaks) -> State:
        h = state["h"]
        w_r, w_z, w_n = np.split(_product(model, "W", x, peaks) + model.tensors["b"], 3, axis=1)
        u_r, u_z, u_n = np.split(_product(model, "U", h, peaks), 3, axis=1)
        z = _sigmoid(w_z + u_z)
        n = np.tanh(w_n + _sigmoid(w_r + u_r) * (u_n + model.tensors["b_hn"]))
        return {"h": (1 - z) * n + z * h}

    return step


def _ornn(model: FloatModel) -> Step:
    slope = np.float32(LEAK / 256)

    def step(x: Array, state: State, peaks: Peaks) -> State:
        a = _product(model, "W", x, peaks) + _product(model, "U", state["h"], peaks)
        a = a + model.tensors["b"]
        _peak(peaks, "pre", a)
        return {"h": np.maximum(a, slope * a)}

    return step


_STEPS: dict[str, Callable[[FloatModel], Step]] = {
    "fastgrnn": _fastgrnn,
    "lstm": _lstm,
    "gru": _gru,
    "ornn": _ornn,
}
