"""QModel + board settings -> a flat folder of C sources that any C compiler builds.

Templates render data only: cell, kernels and HAL are chosen by which files are copied, the rest by
macros of the generated `model_data.h`. Equal arguments give equal bytes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from harness.errors import ModelFileError, UsageError, near_miss
from harness.firmware.storage import STORAGES, pack, pick
from harness.paths import shipped
from harness.qmodel import QModel

POLICIES = ("size", "speed", *STORAGES)
HALS: Mapping[str, tuple[str, ...]] = {
    "avr": ("app/main.c", "hal/hal_avr.c"),
    "samd21": (
        "app/main.c",
        "hal/hal_samd21.c",
        "hal/startup_samd21.c",
        "hal/samd21g18_0x2000.ld",
    ),
    "arduino": ("hal/hal_arduino.cpp",),
    "posix": ("hal/hal_posix.c",),
}
BOARD_NAME_BYTES = 16
MIN_PAYLOAD = 2  # the header of a STEP
MAX_PAYLOAD = 32_000
LINE_VALUES = 16


@dataclass(frozen=True)
class Rendered:
    """What was written, and what it will weigh.

    Fields
        folder         where the files lie, all side by side
        sources        the files to compile, sorted
        linker_script  the HAL's own, or None where the platform's default serves
        storage        matrix name -> dense, index or bitmap
        model_bytes    bytes of the `rnn_model_*` arrays: weights, their places, biases, classifier
        table_bytes    bytes of the `rnn_table_*` arrays: non-linearities, and the input stage
                       (compander, 7 bytes a channel of standardisation)
        bench_bytes    bytes of the `rnn_bench_*` array
        digest         `source_digest` of the tree
    """

    folder: Path
    sources: tuple[Path, ...]
    linker_script: Path | None
    storage: Mapping[str, str]
    model_bytes: int
    table_bytes: int
    bench_bytes: int
    digest: str


@dataclass(frozen=True)
class _Array:
    """One constant array of `model_data.c`; without rows it is only declared."""

    name: str
    ctype: str
    size: int
    rows: tuple[str, ...] = ()
    note: str = ""

    @property
    def bytes(self) -> int:
        return self.size * (int(self.ctype.strip("uint_")) // 8)


def render_sources(
    model: QModel,
    *,
    board_name: str,
    hal: str,
    clock_hz: int,
    baud: int,
    max_payload: int,
    bench_raw: NDArray[np.int16],
    destination: Path,
    storage: str = "size",
) -> Rendered:
    """Write the sources of one firmware flat into `destination`, replacing what was there.

    board_name   as HELLO reports it, at most 16 ASCII characters
    hal          'avr', 'samd21', 'arduino' or 'posix'
    max_payload  largest payload the board takes in a frame (its credit), in bytes
    bench_raw    int16 [S, D], the window that BENCH runs
    storage      'size' or 'speed', or one form for every matrix: 'dense', 'index', 'bitmap' (a
                 matrix too wide or too full for an index list becomes a bitmap)
    """
    if hal not in HALS:
        raise near_miss("HAL", hal, HALS)
    if storage not in POLICIES:
        raise near_miss("storage", storage, POLICIES)
    _check_settings(model, board_name, max_payload, bench_raw)
    chosen = {name: pick(matrix, storage) for name, matrix in model.matrices.items()}
    # Sorted: a model has no order of its own, fresh from training or loaded from a file.
    arrays = sorted([*_arrays(model, chosen, bench_raw), *_identity(model, board_name)], key=_name)
    macros = sorted(_macros(model, chosen, clock_hz, baud, max_payload, len(bench_raw)).items())
    context = {
        "model": model,
        "board_name": board_name,
        "macros": macros,
        "arrays": arrays,
    }
    _write_tree(destination, context, _sources(model, hal, chosen))
    return Rendered(
        folder=destination,
        sources=tuple(sorted(p for p in destination.iterdir() if p.suffix in (".c", ".cpp"))),
        linker_script=next(destination.glob("*.ld"), None),
        storage=chosen,
        model_bytes=_weigh(arrays, "rnn_model_"),
        table_bytes=_weigh(arrays, "rnn_table_"),
        bench_bytes=_weigh(arrays, "rnn_bench_"),
        digest=source_digest(destination),
    )


def source_digest(folder: Path) -> str:
    """sha256 (hex) over names and bytes of every file under `folder`, in order of name.

    The firmware's id is in none of these files: the build passes it as `firmware_id_flag`.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix().encode()
        data = path.read_bytes()
        digest.update(b"%d %s %d\n" % (len(name), name, len(data)))
        digest.update(data)
    return digest.hexdigest()


def firmware_id_flag(firmware_id: bytes) -> str:
    """The compiler flag that puts 8 bytes into HELLO's `firmware_id`: a list of C constants."""
    if len(firmware_id) != 8:
        raise ValueError(f"firmware id of {len(firmware_id)} bytes, must be 8")
    return "-DRNN_FIRMWARE_ID=" + ",".join(f"0x{byte:02x}" for byte in firmware_id)


def _check_settings(
    model: QModel, board_name: str, max_payload: int, bench_raw: NDArray[np.int16]
) -> None:
    encoded = board_name.encode("ascii", errors="replace")
    if not board_name.isascii() or not 0 < len(encoded) <= BOARD_NAME_BYTES:
        raise UsageError(
            f"board name {board_name!r} must be 1..{BOARD_NAME_BYTES} ASCII characters"
        )
    step = MIN_PAYLOAD + 2 * model.dims.features
    if not step <= max_payload <= MAX_PAYLOAD:
        raise UsageError(
            f"a payload of {max_payload:,} bytes; one time step of {model.dims.features} features "
            f"needs {step:,}, and {MAX_PAYLOAD:,} is the most",
            hint="raise max_payload of the board, or use fewer features",
        )
    if bench_raw.dtype != np.int16 or bench_raw.ndim != 2:
        raise ValueError(f"bench_raw is {bench_raw.dtype} {bench_raw.shape}, must be int16 [S, D]")
    if bench_raw.shape[1] != model.dims.features or not 0 < len(bench_raw) <= 65_535:
        raise ValueError(f"bench_raw is {bench_raw.shape}, the model has D={model.dims.features}")
    if "compander" in model.tables and int(model.tables["compander"].min()) < 0:
        raise ModelFileError("the compander table has a negative entry; it holds magnitudes")


# -- what goes in ---------------------------------------------------------------------------------


def _sources(model: QModel, hal: str, chosen: Mapping[str, str]) -> list[str]:
    """Templates to copy: every header, and exactly the .c files that are called."""
    kernels = {f"rnn_matvec_dense_s8_s{model.state_bits}"}  # the classifier
    for name, storage in chosen.items():
        kernels.add(f"rnn_matvec_{storage}_s8_{_vector_type(model, name)}")
    if model.tensors["pre_companded"].any():
        kernels.add("rnn_compand_s16")
    return [
        *(f"kernels/{name}.c" for name in kernels),
        f"cells/rnn_cell_{model.cell_class.source or model.cell}.c",
        "cells/rnn_products.c",
        "core/rnn_model.c",
        *(f"wire/{name}.c" for name in ("cobs", "crc32", "frame")),
        *(f"app/{name}.c" for name in ("app", "measure", "requests")),
        *HALS[hal],
    ]


def _vector_type(model: QModel, matrix: str) -> str:
    """Type of the vector that a matrix is multiplied with."""
    if matrix in ("W", "W2T"):
        return "s8"
    return "s16" if matrix in ("W1", "U1") else f"s{model.state_bits}"


def _macros(
    model: QModel,
    chosen: Mapping[str, str],
    clock_hz: int,
    baud: int,
    max_payload: int,
    bench_steps: int,
) -> dict[str, str]:
    dims = model.dims
    sizes = {
        "FEATURES": dims.features,
        "HIDDEN": dims.hidden,
        "CLASSES": dims.classes,
        "ROWS": model.cell_class.rows(dims),
        "INPUTS": model.cell_class.inputs(dims),
        "RECURRENT": int(model.cell_class.recurrent),
        "STEPS": model.steps,
        "W_RANK": dims.rank_w or 0,
        "U_RANK": dims.rank_u or 0,
        "STATE_BITS": model.state_bits,
        "COMPANDED": int(model.tensors["pre_companded"].any()),
        "BENCH_STEPS": bench_steps,
        "MAX_PAYLOAD": max_payload,
    }
    shifts = {
        name.upper() if name.endswith(("_align", "_mid")) else f"{name.upper()}_SHIFT": value
        for name, value in model.shifts.items()
    }
    macros = {f"RNN_{name}": str(value) for name, value in (sizes | shifts).items()}
    macros["RNN_STATE_TYPE"] = f"s{model.state_bits}"
    macros |= {f"RNN_{name}_STORAGE": form for name, form in chosen.items()}
    cell = model.cell_class
    choices = {k: v for k, v in cell.choices(dims.options).items() if k not in cell.training}
    macros |= {f"RNN_OPTION_{k}_{v}".upper(): "1" for k, v in choices.items()}
    return macros | {"RNN_CLOCK_HZ": f"{clock_hz}UL", "RNN_BAUD": f"{baud}UL"}


def _arrays(
    model: QModel, chosen: Mapping[str, str], bench_raw: NDArray[np.int16]
) -> Iterator[_Array]:
    for name, array in model.tensors.items():
        if name in chosen:
            note = f"[{array.shape[0]}, {array.shape[1]}] {chosen[name]}"
            yield _array(f"rnn_model_{name}", pack(array, chosen[name]), note)
        else:
            kind = "table" if name.startswith("pre_") else "model"
            yield _array(f"rnn_{kind}_{name}", array)
    for name, table in model.tables.items():
        if name != "compander" or model.tensors["pre_companded"].any():
            yield _array(f"rnn_table_{name}", table)
    yield _array("rnn_bench_window", bench_raw)


def _identity(model: QModel, board_name: str) -> Iterator[_Array]:
    name = board_name.encode("ascii").ljust(BOARD_NAME_BYTES, b"\0")
    yield _array("rnn_identity_board", np.frombuffer(name, np.uint8))
    yield _array("rnn_identity_model", np.frombuffer(bytes.fromhex(model.sha256), np.uint8))
    yield _Array("rnn_identity_firmware", "uint8_t", 8)


def _array(name: str, values: NDArray[Any], note: str = "") -> _Array:
    flat = [_literal(int(v), values.dtype.itemsize) for v in values.ravel()]
    rows = tuple(", ".join(flat[i : i + LINE_VALUES]) for i in range(0, len(flat), LINE_VALUES))
    ctype = f"{values.dtype.name}_t"
    return _Array(name, ctype, len(flat), rows, note or str(list(values.shape)))


def _literal(value: int, itemsize: int) -> str:
    """A C constant of `value`; the most negative one cannot be written as minus something."""
    suffix = "L" if itemsize == 4 else ""
    if itemsize >= 2 and value == -(1 << (8 * itemsize - 1)):
        return f"(-{-(value + 1)}{suffix} - 1)"
    return f"{value}{suffix}"


def _name(array: _Array) -> str:
    return array.name


def _weigh(arrays: list[_Array], prefix: str) -> int:
    return sum(array.bytes for array in arrays if array.name.startswith(prefix))


# -- writing --------------------------------------------------------------------------------------


def _write_tree(destination: Path, context: Mapping[str, Any], sources: list[str]) -> None:
    root = shipped("firmware_templates")
    partial = destination.with_name(f".{destination.name}.{os.getpid()}.tmp")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    headers = [p for folder in ("kernels", "cells", "core", "wire", "app", "hal")
               for p in sorted((root / folder).glob("*.h"))]  # fmt: skip
    for path in (*headers, *(root / name for name in sources)):
        shutil.copyfile(path, partial / path.name)
    templates = Environment(
        loader=FileSystemLoader(root / "generated"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    for name in ("model_data.h", "model_data.c"):
        text = templates.get_template(f"{name}.j2").render(context)
        (partial / name).write_text(text, encoding="utf-8", newline="\n")
    shutil.rmtree(destination, ignore_errors=True)
    partial.rename(destination)
