"""QModel: a frozen model in integers. The narrow waist between training and hardware.

Left of it is torch and research, right of it numpy, C and boards. A QModel is stored as an `.npz`
without pickles, with magic, version and sha256; a damaged or hostile file is refused with a
message.
The meaning of every number is in docs/arithmetic.md.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import ModelFileError
from harness.files import write_atomic
from harness.npzfile import read_npz
from harness.reference import CELLS, Dims, ReferenceCell, accumulator_bounds
from harness.reference.preprocess import COMPANDER_SIZE

MAGIC = "harness-qmodel"
VERSION = 2
MAX_FILE_BYTES = 8 << 20
MAX_FEATURES, MAX_HIDDEN, MAX_CLASSES, MAX_STEPS = 512, 512, 255, 65535
MAX_SHIFT = 30
HASHED_META = (
    "cell", "name", "dataset", "steps", "dims", "state_bits", "weight_bits",
    "fracs", "shifts", "class_names",
)  # fmt: skip

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class QModel:
    """One quantised network.

    Fields
        cell         name of the integer cell (`harness.reference.CELLS`)
        name         model name with suffix, as on the command line
        dataset      data set it was trained on
        steps        T, time steps of a window
        dims         D, H, C and ranks
        state_bits   width of the hidden state, 8 or 16
        fracs        bits after the point of `x`, `h` and the weights (information only)
        shifts       right and left shifts of the arithmetic, 0..30
        tensors      int8 weights and biases, int32 classifier bias, input stage
        tables       256-entry non-linearities; the compander (192 int16, or empty)
        raw_step     float64 [D]: physical value of one count of a raw sample (host side only)
        class_names  C strings
    """

    cell: str
    name: str
    dataset: str
    steps: int
    dims: Dims
    state_bits: int
    fracs: Mapping[str, int]
    shifts: Mapping[str, int]
    tensors: Arrays
    tables: Arrays
    raw_step: NDArray[np.float64]
    class_names: tuple[str, ...]
    weight_bits: int = 8
    info: Mapping[str, Any] = field(default_factory=dict)  # provenance; not part of the hash

    def __post_init__(self) -> None:
        _validate(self)
        for array in (*self.tensors.values(), *self.tables.values(), self.raw_step):
            array.setflags(write=False)

    @property
    def cell_class(self) -> type[ReferenceCell]:
        """The integer cell that evaluates this model."""
        return CELLS[self.cell]

    @cached_property
    def acc_bounds(self) -> dict[str, int]:
        """Proved largest |accumulator| per kind of sum; see `reference.accumulator_bounds`."""
        bounds = accumulator_bounds(
            self.cell_class, self.dims, self.state_bits, self.tensors, self.shifts
        )
        return bounds | self.cell_class.update_bounds(
            self.state_bits, self.tensors, self.tables, self.dims.options
        )

    @property
    def acc_bits(self) -> int:
        """Width of a signed accumulator that provably suffices for every sum, at most 32."""
        return max(self.acc_bounds.values()).bit_length() + 1

    @property
    def matrices(self) -> dict[str, NDArray[np.int8]]:
        """The weight matrices of the cell (not the classifier): W or W1, W2T; U or U1, U2T."""
        return {k: v for k, v in self.tensors.items() if k in ("W", "W1", "W2T", "U", "U1", "U2T")}

    @property
    def params_nonzero(self) -> int:
        """Nonzero weights, biases and classifier entries."""
        names = [n for n in self.tensors if not n.startswith("pre_")]
        return int(sum(np.count_nonzero(self.tensors[n]) for n in names))

    def density(self, side: str) -> float:
        """Share of nonzero weights on the input ('W') or recurrent ('U') side; 1 without any."""
        parts = [m for k, m in self.matrices.items() if k.startswith(side)]
        size = sum(p.size for p in parts)
        return float(sum(np.count_nonzero(p) for p in parts) / size) if size else 1.0

    @cached_property
    def sha256(self) -> str:
        """Hash of everything that decides a prediction; equal hashes mean equal integers."""
        digest = hashlib.sha256()
        digest.update(f"{MAGIC} {VERSION}\n".encode())
        meta = {k: v for k, v in _meta(self).items() if k in HASHED_META}
        digest.update(json.dumps(meta, sort_keys=True, separators=(",", ":")).encode())
        for name, array in sorted(_arrays(self).items()):
            digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write the model atomically: a reader sees the old file or the whole new one."""
        meta = _meta(self) | {"magic": MAGIC, "version": VERSION, "sha256": self.sha256}
        meta["info"] = dict(self.info)
        text = np.frombuffer(json.dumps(meta, sort_keys=True).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, meta=text, **_arrays(self))
        write_atomic(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> QModel:
        """Read and check a model file. Raises ModelFileError with what is wrong and where."""
        meta, arrays = _read_npz(path)
        try:
            model = _from_parts(meta, arrays)
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error.message}", hint=error.hint) from error
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ModelFileError(f"{path}: malformed model: {error!r}") from error
        if model.sha256 != meta.get("sha256"):
            raise ModelFileError(
                f"{path}: content does not match its sha256 (stored {meta.get('sha256')}, "
                f"computed {model.sha256})",
                hint="the file was damaged or edited; train or copy it again",
            )
        return model


def _meta(model: QModel) -> dict[str, Any]:
    dims = model.dims
    return {
        "cell": model.cell,
        "name": model.name,
        "dataset": model.dataset,
        "steps": model.steps,
        "dims": {
            "features": dims.features,
            "hidden": dims.hidden,
            "classes": dims.classes,
            "rank_w": dims.rank_w,
            "rank_u": dims.rank_u,
            "options": dict(dims.options),
        },
        "state_bits": model.state_bits,
        "weight_bits": model.weight_bits,
        "fracs": dict(model.fracs),
        "shifts": dict(model.shifts),
        "class_names": list(model.class_names),
    }


def _arrays(model: QModel) -> dict[str, NDArray[Any]]:
    arrays = {f"t.{name}": array for name, array in model.tensors.items()}
    arrays |= {f"lut.{name}": array for name, array in model.tables.items()}
    arrays["raw_step"] = model.raw_step
    return arrays


def _from_parts(meta: Mapping[str, Any], arrays: Arrays) -> QModel:
    return QModel(
        cell=str(meta["cell"]),
        name=str(meta["name"]),
        dataset=str(meta["dataset"]),
        steps=_integer(meta["steps"], "steps"),
        dims=_dims(meta["dims"]),
        state_bits=_integer(meta["state_bits"], "state_bits"),
        weight_bits=_integer(meta["weight_bits"], "weight_bits"),
        fracs={str(k): _integer(v, f"frac {k}") for k, v in meta["fracs"].items()},
        shifts={str(k): _integer(v, f"shift {k}") for k, v in meta["shifts"].items()},
        tensors={k[2:]: v for k, v in arrays.items() if k.startswith("t.")},
        tables={k[4:]: v for k, v in arrays.items() if k.startswith("lut.")},
        raw_step=arrays["raw_step"],
        class_names=tuple(str(c) for c in meta["class_names"]),
        info=dict(meta.get("info", {})),
    )


def _dims(values: Mapping[str, Any]) -> Dims:
    ranks = {k: values[k] for k in ("rank_w", "rank_u")}
    return Dims(
        features=_integer(values["features"], "features"),
        hidden=_integer(values["hidden"], "hidden"),
        classes=_integer(values["classes"], "classes"),
        **{k: None if v is None else _integer(v, k) for k, v in ranks.items()},
        options={str(k): str(v) for k, v in values["options"].items()},
    )


def _integer(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ModelFileError(f"{what} must be an integer, not {value!r}")
    return value


def _read_npz(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The meta object and the arrays of a model file, bounded before anything is unpacked."""
    try:
        arrays = read_npz(path, MAX_FILE_BYTES, 4 * MAX_FILE_BYTES)
        meta = json.loads(arrays.pop("meta").tobytes())
    except (ValueError, KeyError, RecursionError) as error:
        raise ModelFileError(f"{path}: not a model file: {error}") from error
    if not isinstance(meta, dict) or meta.get("magic") != MAGIC:
        raise ModelFileError(f"{path}: not a model file: no magic {MAGIC!r}")
    if meta.get("version") != VERSION:
        raise ModelFileError(
            f"{path}: model file version {meta.get('version')}, this harness reads {VERSION}",
            hint="train it again with this version",
        )
    return meta, arrays


# -- validation ----------------------------------------------------------------------------------


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ModelFileError(message)


def _validate(model: QModel) -> None:
    _require(
        model.cell in CELLS, f"unknown cell {model.cell!r} (known: {', '.join(sorted(CELLS))})"
    )
    _validate_sizes(model)
    _validate_options(model)
    _validate_arrays(model)
    _validate_shifts(model)
    for what, bound in model.acc_bounds.items():
        _require(
            bound < 1 << 31,
            f"the {what} accumulator can reach {bound:,}, an int32 holds 2,147,483,647",
        )


def _validate_sizes(model: QModel) -> None:
    dims = model.dims
    for what, value, limit in (
        ("features", dims.features, MAX_FEATURES),
        ("hidden", dims.hidden, MAX_HIDDEN),
        ("classes", dims.classes, MAX_CLASSES),
        ("steps", model.steps, MAX_STEPS),
        ("rank_w", 1 if dims.rank_w is None else dims.rank_w, MAX_HIDDEN),
        ("rank_u", 1 if dims.rank_u is None else dims.rank_u, MAX_HIDDEN),
    ):
        _require(1 <= value <= limit, f"{what} is {value}, must be 1..{limit}")
    multiple, recurrent = model.cell_class.multiple, model.cell_class.recurrent
    _require(
        dims.hidden % multiple == 0,
        f"hidden is {dims.hidden}, must be a multiple of {multiple} for cell {model.cell!r}",
    )
    _require(
        recurrent or dims.rank_u is None,
        f"rank_u is {dims.rank_u}, but cell {model.cell!r} has no recurrent matrix",
    )
    _require(model.state_bits in (8, 16), f"state_bits is {model.state_bits}, must be 8 or 16")
    _require(model.weight_bits == 8, f"weight_bits is {model.weight_bits}, must be 8")
    _require(
        len(model.class_names) == dims.classes,
        f"{len(model.class_names)} class names for {dims.classes} classes",
    )


def _validate_options(model: QModel) -> None:
    allowed, given = model.cell_class.options, model.dims.options
    _require(
        set(given) == set(allowed),
        f"options of {model.cell} are {sorted(given)}, must be {sorted(allowed)}",
    )
    for name, value in given.items():
        _require(value in allowed[name], f"option {name} is {value!r}, must be of {allowed[name]}")


def _expected_arrays(model: QModel) -> dict[str, tuple[str, tuple[int, ...]]]:
    features = model.dims.features
    expected = {f"tensor {n}": s for n, s in model.cell_class.tensor_spec(model.dims).items()}
    expected["tensor pre_companded"] = ("uint8", (features,))
    expected["tensor pre_multiplier"] = ("int16", (features,))
    expected["tensor pre_offset"] = ("int32", (features,))
    expected |= {
        f"table {n}": (d, (256,)) for n, d in model.cell_class.table_spec(model.dims).items()
    }
    if "compander" in model.tables:
        expected["table compander"] = ("int16", (COMPANDER_SIZE,))
    expected["raw_step"] = ("float64", (features,))
    return expected


def _validate_arrays(model: QModel) -> None:
    expected = _expected_arrays(model)
    found: dict[str, NDArray[Any]] = {f"tensor {n}": a for n, a in model.tensors.items()}
    found |= {f"table {n}": a for n, a in model.tables.items()}
    found["raw_step"] = model.raw_step
    for name in sorted(expected.keys() | found.keys()):
        _require(name in found, f"{name} is missing")
        _require(name in expected, f"{name} does not belong to cell {model.cell!r}")
        dtype, shape = expected[name]
        array = found[name]
        _require(
            array.dtype == np.dtype(dtype) and array.shape == shape,
            f"{name} is {array.dtype} {array.shape}, must be {dtype} {shape}",
        )
    _require(bool(np.isfinite(model.raw_step).all()), "raw_step is not finite")
    _require(bool((model.raw_step > 0).all()), "raw_step must be positive")
    companded = model.tensors["pre_companded"]
    _require(bool((companded <= 1).all()), "pre_companded must be 0 or 1")
    _require(
        not companded.any() or "compander" in model.tables,
        "channels are companded but there is no compander table",
    )
    offset = int(np.abs(model.tensors["pre_offset"].astype(np.int64)).max())
    _require(offset < 1 << 30, f"pre_offset reaches {offset:,}, must stay below 2^30")


def _validate_shifts(model: QModel) -> None:
    wanted = set(model.cell_class.shift_names(model.dims))
    _require(
        set(model.shifts) == wanted,
        f"shifts are {sorted(model.shifts)}, must be {sorted(wanted)}",
    )
    for name, value in model.shifts.items():
        _require(0 <= value <= MAX_SHIFT, f"shift {name} is {value}, must be 0..{MAX_SHIFT}")
