"""QModel + board settings -> a flat folder of C sources that any C compiler builds.

Templates render data only: cell, kernels and HAL are chosen by which files are copied, the rest by
macros of the generated `model_data.h`. Equal arguments give equal bytes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from numpy.typing import NDArray

from harness.errors import ModelFileError, UsageError, near_miss
from harness.firmware.ascode import PREFIX, CodeForm, Routine
from harness.firmware.cores import Core, core_of
from harness.firmware.hals import HALS, Hal
from harness.firmware.plan import CLASSIFIER, WIDE_BIASES, Plan, make_plan
from harness.paths import shipped
from harness.qmodel import QModel

SOURCE_SUFFIXES = (".c", ".cpp", ".S")
BOARD_NAME_BYTES = 16
MIN_PAYLOAD = 2  # the header of a STEP
MAX_PAYLOAD = 32_000
LINE_VALUES = 16
INPUT_STAGE = ("pre_companded", "pre_multiplier", "pre_offset")
MAX_CHANNELS = 255  # counted by a byte
NARROW_TABLES = ("z", "g", "c")  # pages of bytes that follow each other


@dataclass(frozen=True)
class Rendered:
    """What was written, and what it will weigh.

    Fields
        folder         where the files lie, all side by side
        sources        the files to compile, sorted
        linker_script  the HAL's own, or None where the platform's default serves
        storage        matrix name -> form: dense, index, ...
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
    page: bool = False  # starts at a multiple of 256

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
    core: str = "",
    optimise: str = "size",
    flash_bytes: int | None = None,
    measure_cell: bool = False,
) -> Rendered:
    """Write the sources of one firmware flat into `destination`, replacing what was there.

    board_name   as HELLO reports it, at most 16 ASCII characters
    hal          a name of `hals.HALS`
    max_payload  largest payload the board takes in a frame (its credit), in bytes
    bench_raw    int16 [S, D], the window that BENCH runs
    core         as boards.yaml calls it; decides which kernels there are beside the portable ones
    optimise     how matrices are kept: see `plan.make_plan`
    flash_bytes  what the board has for all of it; None: no limit to weights as code
    measure_cell leave the input stage out of what the firmware measures as a step
    """
    if hal not in HALS:
        raise near_miss("HAL", hal, HALS)
    _check_settings(model, board_name, max_payload, bench_raw)
    known = core_of(core)
    room_bytes = (
        None if flash_bytes is None else flash_bytes - known.rest_bytes - 2 * bench_raw.size
    )
    plan = make_plan(model, known, optimise, room_bytes)
    routines = _routines(plan)
    # Sorted: a model has no order of its own, fresh from training or loaded from a file.
    arrays = sorted([*_arrays(model, plan, bench_raw), *_identity(model, board_name)], key=_name)
    settings = {"CLOCK_HZ": f"{clock_hz}UL", "BAUD": f"{baud}UL", "MAX_PAYLOAD": str(max_payload)}
    settings["BENCH_STEPS"] = str(len(bench_raw))
    settings["MEASURE_CELL"] = str(int(measure_cell))
    context = {
        "model": model,
        "board_name": board_name,
        "macros": sorted((_macros(model, plan, optimise) | _prefixed(settings)).items()),
        "kernels": sorted(_kernels(plan, known)),
        "arrays": arrays,
        "routines": sorted(routines),
    }
    texts = {f"{name}.S": routine.text for name, routine in routines.items()}
    texts |= _linker_script(hal, HALS[hal])
    _write_tree(destination, context, _sources(model, hal, plan, known), known, texts)
    return Rendered(
        folder=destination,
        sources=tuple(sorted(p for p in destination.iterdir() if p.suffix in SOURCE_SUFFIXES)),
        linker_script=next(destination.glob("*.ld"), None),
        storage=plan.storage,
        model_bytes=_weigh(arrays, "rnn_model_") + sum(r.code_bytes for r in routines.values()),
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


def _kernels(plan: Plan, core: Core) -> set[str]:
    """The products that are called by themselves: rnn_matvec_<storage>_<weight>_<vector>."""
    called = [(p, f) for p, f in plan.kept if p.name == CLASSIFIER or f.name not in core.fused]
    return {
        f"rnn_matvec_{form.name}_s8_{product.vector}"
        for product, form in called
        if not isinstance(form, CodeForm)
    }


def _routines(plan: Plan) -> dict[str, Routine]:
    """Weights as code, by the name of their function."""
    return {
        PREFIX + product.name: form.routine(product)
        for product, form in plan.kept
        if isinstance(form, CodeForm)
    }


def _sources(model: QModel, hal: str, plan: Plan, core: Core) -> list[str]:
    """Templates to copy beside the headers: exactly the sources that are called."""
    kernels = _kernels(plan, core)
    if model.tensors["pre_companded"].any():
        kernels.add("rnn_compand_s16")
    return [
        *(f"kernels/{name}.c" for name in sorted(kernels) if not _is_inline(name, core)),
        *_cell_sources(model.cell_class.source or model.cell, plan.narrow),
        f"core/rnn_input{'_narrow' if _narrow_input(model, plan) else ''}.c",
        "core/rnn_model.c",
        *(f"wire/{name}.c" for name in ("cobs", "crc32", "frame")),
        *(f"app/{name}.c" for name in ("app", "measure", "requests")),
        *HALS[hal].files,
    ]


def _is_inline(kernel: str, core: Core) -> bool:
    """Does a core have the kernel as a header only?"""
    root = shipped("firmware_templates")
    own = _found(root, f"kernels/{kernel}.c", core)
    header = _found(root, f"kernels/{kernel}.h", core)
    return header.parent.name in core.folders and own.parent.name not in core.folders


def _cell_sources(cell: str, narrow: bool) -> list[str]:
    """The cell, its products, and its update where that is a file of its own, which a core may
    replace; or a core's own file with all of them."""
    if narrow:
        return [f"cells/rnn_cell_{cell}_narrow.c"]
    names = [f"cells/rnn_{part}_{cell}.c" for part in ("cell", "update")]
    found = [name for name in names if shipped("firmware_templates", name).is_file()]
    return [*found, "cells/rnn_products.c"]


def _macros(model: QModel, plan: Plan, optimise: str) -> dict[str, str]:
    dims = model.dims
    values: dict[str, object] = {
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
        "PRE_BITS": model.acc_bounds["pre"].bit_length() + 1,
        "COMPANDED": int(model.tensors["pre_companded"].any()),
        "JOINT": int(plan.joint),
        "BIAS_COLUMN": int(plan.bias_column),
        "INTERLEAVED": int(plan.bias_column),
        "WIDE_BIAS": int(plan.wide_biases),
        "NARROW": int(plan.narrow),
        "UNROLL": 8 if optimise == "size" else 32,
        "X_ALIGN": plan.x_align,
        "SUM_PAD": max(form.pad for _, form in plan.kept),
        "H_TYPE": plan.vectors.h,
        "X_TYPE": plan.vectors.x,
        "T_TYPE": plan.vectors.t,
    }
    values |= {
        name.upper() if name.endswith(("_align", "_mid")) else f"{name.upper()}_SHIFT": shift
        for name, shift in model.shifts.items()
    }
    if plan.narrow:
        last = next(product for product, _ in plan.kept if product.starts is not None)
        values["SUM_BITS"] = last.bound.bit_length() + 1
    macros = _prefixed(values)
    for product, form in plan.kept:
        macros[f"RNN_{product.name}_STORAGE"] = form.name
        macros[f"RNN_{product.name}_VECTOR"] = product.vector
        prefix = PREFIX if isinstance(form, CodeForm) else "rnn_model_"
        macros[f"RNN_{product.name}_DATA"] = prefix + product.name
        own = form.macros(product)
        macros |= {f"RNN_{product.name}_{name}": str(value) for name, value in own.items()}
    cell = model.cell_class
    choices = {k: v for k, v in cell.choices(dims.options).items() if k not in cell.training}
    return macros | {f"RNN_OPTION_{k}_{v}".upper(): "1" for k, v in choices.items()}


def _prefixed(values: Mapping[str, object]) -> dict[str, str]:
    return {f"RNN_{name}": str(value) for name, value in values.items()}


def _arrays(model: QModel, plan: Plan, bench_raw: NDArray[np.int16]) -> Iterator[_Array]:
    for product, form in plan.kept:
        if isinstance(form, CodeForm):
            continue
        rows, cols = product.matrix.shape
        packed = form.pack(product)
        yield _array(f"rnn_model_{product.name}", packed, f"[{rows}, {cols}] {form.name}")
    if plan.wide_biases:
        pairs = np.column_stack([model.tensors[name] for name in WIDE_BIASES]).astype(np.int32)
        yield _array("rnn_model_b_zh", pairs << model.shifts["b_align"])
    elsewhere = {*model.matrices, CLASSIFIER, *(WIDE_BIASES if plan.wide_biases else ())}
    elsewhere |= {"b"} if plan.bias_column else set()
    elsewhere |= {*WIDE_BIASES} if plan.narrow else set()
    elsewhere |= {*INPUT_STAGE} if _narrow_input(model, plan) else set()
    for name, array in model.tensors.items():
        if name not in elsewhere:
            kind = "table" if name.startswith("pre_") else "model"
            yield _array(f"rnn_{kind}_{name}", array)
    if _narrow_input(model, plan):
        yield _array("rnn_table_pre", _channels(model))
    if plan.narrow:
        pages = [model.tables[name].astype(np.int8).view(np.uint8) for name in NARROW_TABLES]
        yield replace(_array("rnn_table_zgc", np.concatenate(pages)), page=True)
    for name, table in model.tables.items():
        if plan.narrow and name in NARROW_TABLES:
            continue
        if name != "compander" or model.tensors["pre_companded"].any():
            yield _array(f"rnn_table_{name}", table)
    yield _array("rnn_bench_window", bench_raw)


def _narrow_input(model: QModel, plan: Plan) -> bool:
    """Is there a short input stage: a step of narrow sums, a shift by two bytes, and offsets whose
    lowest byte is 0 and which leave a sum of 32 bits room for 2^23 more?"""
    offset = model.tensors["pre_offset"]
    short = (
        model.shifts["pre"] == 16
        and not (offset & 0xFF).any()
        and model.dims.features <= MAX_CHANNELS
    )
    return plan.narrow and bool(short and np.abs(offset).max() < 1 << 29)


def _channels(model: QModel) -> NDArray[np.uint8]:
    """The input stage by channel, as kernels/avr/rnn_input_narrow.S reads it."""
    companded, multiplier, offset = (model.tensors[name] for name in INPUT_STAGE)
    columns = [
        multiplier.astype("<i2").view(np.uint8).reshape(-1, 2),
        (offset + (1 << 23)).astype("<i4").view(np.uint8).reshape(-1, 4)[:, 1:],
    ]
    return np.hstack([companded[:, None], *columns] if companded.any() else columns).ravel()


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


def _write_tree(
    destination: Path,
    context: Mapping[str, Any],
    sources: list[str],
    core: Core,
    texts: Mapping[str, str],
) -> None:
    root = shipped("firmware_templates")
    partial = destination.with_name(f".{destination.name}.{os.getpid()}.tmp")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    headers = [p for folder in ("kernels", "cells", "core", "wire", "app", "hal")
               for p in sorted((root / folder).glob("*.h"))]  # fmt: skip
    for folder in reversed(core.folders):  # its headers replace those of their name
        own = root / "kernels" / folder
        headers += sorted([*own.glob("*.h"), *own.glob("*.inc")])
    for path in (*headers, *(_found(root, name, core) for name in sources)):
        shutil.copyfile(path, partial / path.name)
    for name in ("model_data.h", "model_data.c"):
        texts = {**texts, name: _template(name).render(context)}
    for name, text in texts.items():
        (partial / name).write_text(text, encoding="utf-8", newline="\n")
    shutil.rmtree(destination, ignore_errors=True)
    partial.rename(destination)


def _linker_script(hal: str, chip: Hal) -> dict[str, str]:
    """The linker script of a HAL whose chip's memories are known here, by its file name."""
    if chip.memory is None:
        return {}
    return {f"{hal}.ld": _template("armv7m.ld").render(chip=hal, memory=chip.memory)}


def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(shipped("firmware_templates") / "generated"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(f"{name}.j2")


def _found(root: Path, name: str, core: Core) -> Path:
    """A template: the core's own where it has one of that name."""
    for folder in core.folders:
        own = root / "kernels" / folder / Path(name).name
        for path in (own.with_suffix(".S"), own) if own.suffix == ".c" else (own,):
            if path.is_file():
                return path
    return root / name
