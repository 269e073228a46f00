"""From floats to integers: choose the formats, prove that nothing overflows, make the QModel.

Every scale is a power of two. Weights take the largest that fits their maximum; the hidden state
takes the largest for which its reach is proved where a proof exists (gated cells, by running the
integer recurrence on its worst case), else one with head room over training windows. Then formats
are lowered until QModel's proof holds. docs/arithmetic.md says what the numbers mean.
With `sum_bits` 16 they are lowered further, until every sum is proved to fit int16.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import ResultError
from harness.floatmodel import FloatModel
from harness.qmodel import MAX_SHIFT, QModel
from harness.reference import CELLS, ReferenceCell, accumulator_bounds
from harness.reference.floats import Array
from harness.reference.ops import TANH_STEP_LOG2
from harness.reference.preprocess import COMPANDER_FRAC, compander_table
from harness.reference.reach import reach_of

MAX_FRAC = 15
INPUT_PERCENTILE = 99.99
CALIBRATION_WINDOWS = 2048
SHORT_SHIFT = 16  # of an input stage for an AVR: whole bytes
NARROW_CELLS = ("fastgrnn",)  # that may have sums of 16 bits
MIN_WEIGHT_BITS = 6  # of low rank's outer weights, before inner values are made coarser
MIN_INPUT_FRAC, MAX_INPUT_FRAC = 4, 6  # the standardisation keeps x within +-8
HEAD_ROOM = {"x": 1.5, "h": 2.0, "c": 1.5, "w_mid": 1.5, "u_mid": 1.5}  # over calibration
MATRIX_NAMES = ("W", "W1", "W2T", "U", "U1", "U2T", "F")


def frac_for(largest: float, bits: int) -> int:
    """Most bits after the point with which `largest` fits `bits` bits, signed; at most 15."""
    if not largest > 0:
        return MAX_FRAC
    return min(MAX_FRAC, math.floor(math.log2(((1 << (bits - 1)) - 1) / largest)))


def to_int(values: NDArray[Any], frac: int, bits: int) -> NDArray[np.int64]:
    """Round half up to 2^-frac and clamp, symmetric: -(2^(bits-1) - 1) .. 2^(bits-1) - 1."""
    limit = (1 << (bits - 1)) - 1
    scaled = np.floor(values.astype(np.float64) * 2.0**frac + 0.5)
    return np.clip(scaled, -limit, limit).astype(np.int64)


@dataclass
class _Formats:
    """Bits after the point: `x`, `h`, LSTM's `c`, and each weight; shifts after low rank's first
    product."""

    frac: dict[str, int]
    mid: dict[str, int] = field(default_factory=dict)

    def acc(self, matrix: str, v: str) -> int:
        """Frac of a product of `matrix` with `v` ('x' or 'h') before alignment."""
        if matrix in self.frac:
            return self.frac[matrix] + self.frac[v]
        return self.frac[f"{matrix}1"] + self.inner(matrix, v)

    def inner(self, matrix: str, v: str) -> int:
        """Frac of low rank's first product."""
        return self.frac[f"{matrix}2T"] + self.frac[v] - self.mid[f"{matrix.lower()}_mid"]


def quantise(
    model: FloatModel,
    calibration: Array,
    *,
    name: str | None = None,
    state_bits: int = 16,
    sum_bits: int = 32,
) -> QModel:
    """Quantise a float model; `calibration` [N, T, D] are standardised training windows.

    sum_bits  16: every sum is proved to fit int16 and every inner value of low rank int8, both
              products at one scale (docs/arithmetic.md, "Sums of 16 bits"); FastGRNN with
              state_bits 8 only

    Raises ResultError if no formats can be proved safe (weights beyond any use).
    """
    if sum_bits == 16 and (state_bits != 8 or model.cell not in NARROW_CELLS):
        raise ValueError(f"sum_bits is 16 with state_bits {state_bits} of {model.cell}")
    for tensor, values in model.tensors.items():
        if not np.isfinite(values).all():
            raise ResultError(
                f"{model.cell}: tensor {tensor} is not finite, training diverged",
                hint="lower the learning rate",
            )
    options = _cell(model).integer_options(model.dims.options, model.steps)
    model = replace(model, dims=replace(model.dims, options=options))
    stride = -(-len(calibration) // CALIBRATION_WINDOWS)
    windows = calibration[::stride]
    formats = _initial_formats(model, windows, state_bits, may_clamp=sum_bits == 16)
    pre, pre_shift = input_stage(model, formats.frac["x"], short=sum_bits == 16)
    for _ in range(400):
        tensors, shifts, tables = _integers(model, formats)
        if _lower_what_overflows(model, formats, state_bits, tensors, shifts):
            continue
        if sum_bits == 32 or not _lower_to_int16(model, formats, tensors, shifts, tables):
            break
    else:
        of = "" if sum_bits == 32 else f" sums of {sum_bits} bits"
        raise ResultError(
            f"{model.cell}: no formats found that are proved not to overflow{of}",
            hint="the weights are too large; train with weight decay or a lower learning rate",
        )
    tensors |= pre
    shifts["pre"] = pre_shift
    if sum_bits == 16:
        tables = {n: _to_bytes(table) if n == "c" else table for n, table in tables.items()}
    if model.companded.any():
        tables["compander"] = compander_table()
    return QModel(
        cell=model.cell,
        name=name or model.cell,
        dataset=model.dataset,
        steps=model.steps,
        dims=model.dims,
        state_bits=state_bits,
        fracs=formats.frac,
        shifts=shifts,
        tensors=tensors,
        tables=tables,
        raw_step=model.raw_step.astype(np.float64),
        class_names=model.class_names,
    )


def _to_bytes(table: NDArray[Any]) -> NDArray[Any]:
    """A table without the one entry value, 128, that keeps it from fitting int8."""
    return np.clip(table, -128, 127) if table.max() <= 128 else table


def _cell(model: FloatModel) -> type[ReferenceCell]:
    return CELLS[model.cell]


def _initial_formats(
    model: FloatModel, windows: Array, state_bits: int, may_clamp: bool
) -> _Formats:
    peaks = model.run(windows).peaks
    input_peak = float(np.percentile(np.abs(windows), INPUT_PERCENTILE))
    frac = {"x": max(MIN_INPUT_FRAC, min(MAX_INPUT_FRAC, frac_for(HEAD_ROOM["x"] * input_peak, 8)))}
    for name in MATRIX_NAMES:
        if name in model.tensors:
            frac[name] = frac_for(float(np.abs(model.tensors[name]).max()), 8)
    for name in _cell(model).fracs:
        if name in peaks:
            wanted = frac_for(HEAD_ROOM[name] * peaks[name], 16)
            frac[name] = max(TANH_STEP_LOG2, min(wanted, MAX_FRAC))
    frac["h"] = _state_frac(model, frac, peaks, state_bits)
    if may_clamp and frac_for(peaks["h"], state_bits) > frac["h"]:
        frac["h"] += 1  # in a byte every bit counts; training windows stay within
    formats = _Formats(frac)
    for matrix, v in (("W", "x"), ("U", "h")):
        if f"{matrix}2T" in frac:
            key = f"{matrix.lower()}_mid"
            fits = frac_for(HEAD_ROOM[key] * peaks[key], 16)
            formats.mid[key] = min(MAX_SHIFT, max(0, frac[f"{matrix}2T"] + frac[v] - fits))
    return formats


def _state_frac(
    model: FloatModel, frac: Mapping[str, int], peaks: Mapping[str, float], state_bits: int
) -> int:
    cell, limit = _cell(model), (1 << (state_bits - 1)) - 1
    if cell.state_bound(model.scalars, model.steps, model.dims.options) is None:
        widest = frac.get("c", MAX_FRAC)  # h has no finer bits than what it is made of
        return max(0, min(frac_for(HEAD_ROOM["h"] * peaks["h"], state_bits), widest))
    for candidate in range(state_bits - 1, -1, -1):
        fracs = {**frac, "h": candidate}
        own, tables = cell.plan(20, fracs, model.scalars, model.dims.options)
        more, tensors = cell.coefficients(fracs, model.tensors, model.dims.options)
        if cell.state_reach(tensors, tables, own | more, model.steps) <= limit:
            return candidate
    return 0  # beyond any proof: saturations are counted


def _integers(
    model: FloatModel, formats: _Formats
) -> tuple[dict[str, NDArray[Any]], dict[str, int], dict[str, NDArray[Any]]]:
    """Tensors, shifts and tables under these formats (without the input stage)."""
    frac, cell = formats.frac, _cell(model)
    sides = {"w_align": formats.acc("W", "x")}
    if cell.recurrent:
        sides["u_align"] = formats.acc("U", "h")
    acc = max(sides.values())
    own, _ = cell.plan(acc, frac, model.scalars, model.dims.options)
    acc += max(0, -min(own.values()))  # a shift to the right cannot be negative
    biases = [name for name in cell.biases]
    b_max = max(float(np.abs(model.tensors[name]).max()) for name in biases)
    b_frac = min(frac_for(b_max, 8), acc)
    tensors: dict[str, NDArray[Any]] = {
        name: to_int(model.tensors[name], frac[name], 8).astype(np.int8)
        for name in MATRIX_NAMES
        if name in frac
    }
    tensors |= {n: to_int(model.tensors[n], b_frac, 8).astype(np.int8) for n in biases}
    tensors["b_F"] = to_int(model.tensors["b_F"], frac["F"] + frac["h"], 32).astype(np.int32)
    shifts = {
        **{name: acc - side for name, side in sides.items()},
        "b_align": acc - b_frac,
        **formats.mid,
    }
    own, tables = cell.plan(acc, frac, model.scalars, model.dims.options)
    more, coefficients = cell.coefficients(frac, model.tensors, model.dims.options)
    return tensors | coefficients, shifts | own | more, tables


def _lower_what_overflows(
    model: FloatModel,
    formats: _Formats,
    state_bits: int,
    tensors: Mapping[str, NDArray[Any]],
    shifts: Mapping[str, int],
) -> bool:
    """Lower one format if a sum could pass int32 or a shift its range; False when all is proved."""
    frac = formats.frac
    over_shift = max(shifts.values()) > MAX_SHIFT
    safe = {name: min(shift, 40) for name, shift in shifts.items()}
    bounds = accumulator_bounds(_cell(model), model.dims, state_bits, tensors, safe)
    limit = 1 << 31
    if bounds["pre"] >= limit or over_shift:
        w_first = shifts["w_align"] == 0 or "u_align" not in shifts
        matrix, v = ("W", "x") if w_first else ("U", "h")
        if matrix in frac:
            spare = v == "h" and state_bits == 16 and frac["h"] > 10
            frac["h" if spare else matrix] -= 1
        else:
            formats.mid[f"{matrix.lower()}_mid"] += 1
        return True
    for key, name in (("w_mid", "W2T"), ("u_mid", "U2T"), ("classifier", "F")):
        if bounds.get(key, 0) >= limit:
            frac[name] -= 1
            return True
    return False


def _lower_to_int16(
    model: FloatModel,
    formats: _Formats,
    tensors: Mapping[str, NDArray[Any]],
    shifts: Mapping[str, int],
    tables: Mapping[str, NDArray[Any]],
) -> bool:
    """Lower one format if a sum could pass int16 or an inner value int8, or if the two products
    have two scales; False when all is proved."""
    reach = reach_of(_cell(model), 8, tensors, tables, shifts)
    frac, mid = formats.frac, formats.mid
    for side in reach.first:
        if reach.inner[side].max() >= 1 << 7:
            mid[f"{side.lower()}_mid"] += 1
            return True
        if reach.first[side] >= 1 << 15:
            frac[f"{side}2T"] -= 1  # the inner values keep their scale
            mid[f"{side.lower()}_mid"] -= 1
            return True
    aligns = {side: shifts[f"{side.lower()}_align"] for side in "WU" if _has_side(model, side)}
    steps = [shifts[name] for name in _cell(model).shifts]  # a table's step is at most a whole byte
    if reach.pre < 1 << 15 and not any(aligns.values()) and max(steps) <= 8:
        return False
    for side, align in aligns.items():
        if align == 0:
            _lower_last(side, formats, tensors)
    return True


def _has_side(model: FloatModel, side: str) -> bool:
    return side == "W" or _cell(model).recurrent


def _lower_last(side: str, formats: _Formats, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Halve the scale of a side's last product: by its weights, down to six bits of them, else by
    low rank's inner values."""
    matrix = side if side in formats.frac else f"{side}1"
    if matrix == side or np.abs(tensors[matrix]).max() >= 1 << (MIN_WEIGHT_BITS - 1):
        formats.frac[matrix] -= 1
    else:
        formats.mid[f"{side.lower()}_mid"] += 1


def input_stage(
    model: FloatModel, x_frac: int, short: bool = False
) -> tuple[dict[str, NDArray[Any]], int]:
    """Tensors and shift of `x = (v * multiplier + offset) >> shift`: standardisation in integers.

    v is a raw count, or the compander's output at 2^11 per 1.0. `short` prefers a shift by two
    bytes and offsets that are multiples of 256, where multipliers keep seven bits: an AVR moves
    bytes, and shifts bit by bit.
    """
    unit = np.where(model.companded, 2.0**-COMPANDER_FRAC, model.raw_step)
    gain = unit / model.standardisation.std * 2.0**x_frac
    zero = -model.standardisation.mean / model.standardisation.std * 2.0**x_frac
    shifts = range(MAX_SHIFT, -1, -1)
    if short and gain.min() * 2.0**SHORT_SHIFT >= 1 << 7:
        shifts = range(SHORT_SHIFT, -1, -1)
    for shift in shifts:
        coarse = 8 if shift == SHORT_SHIFT and short else 0
        multiplier = np.floor(gain * 2.0**shift + 0.5)
        offset = np.floor(zero * 2.0 ** (shift - coarse) + 0.5) * 2.0**coarse + (1 << shift >> 1)
        if np.abs(multiplier).max() <= 32767 and np.abs(offset).max() < 1 << 30:
            return {
                "pre_companded": model.companded.astype(np.uint8),
                "pre_multiplier": multiplier.astype(np.int16),
                "pre_offset": offset.astype(np.int32),
            }, shift
    raise ResultError(
        "the standardisation does not fit int16 multipliers",
        hint="a channel's raw_step is far above its standard deviation, or its mean far from zero; "
        "give another raw_step in the data file",
    )


# -- sizes ---------------------------------------------------------------------------------------


def matrix_bytes(matrix: NDArray[Any], value_bytes: int) -> int:
    """Bytes of a matrix in the cheapest of three forms: dense, bitmap and values, 1-byte index and
    value."""
    nonzero = int(np.count_nonzero(matrix))
    dense = matrix.size * value_bytes
    bitmap = -(-matrix.size // 8) + nonzero * value_bytes
    index = nonzero * (1 + value_bytes)
    return min(dense, bitmap, index)


def float_bytes(model: FloatModel) -> int:
    """Bytes of a float model, 4 per value, zeros left out where that pays."""
    spec = CELLS[model.cell].tensor_spec(model.dims)
    tensors = {n: a for n, a in model.tensors.items() if n in spec}
    matrices = sum(matrix_bytes(a, 4) for n, a in tensors.items() if n in MATRIX_NAMES)
    rest = sum(4 * a.size for n, a in tensors.items() if n not in MATRIX_NAMES)
    scalars = [n for n in model.scalars if not n.endswith("_raw") and n not in tensors]
    return matrices + rest + 4 * len(scalars)


def integer_bytes(model: QModel) -> int:
    """Bytes of weights, biases, classifier and shifts of an integer model. An estimate for tables:
    the figure of record, `model_flash_bytes`, is read from the linked firmware."""
    spec = model.cell_class.tensor_spec(model.dims)
    matrices = sum(matrix_bytes(model.tensors[n], 1) for n in spec if n in MATRIX_NAMES)
    rest = sum(model.tensors[n].nbytes for n in spec if n not in MATRIX_NAMES)
    return matrices + rest + len(model.shifts)


def paper_bytes(model: FloatModel | QModel) -> int:
    """Bytes of a model by the FastGRNN paper's account: `paper_values`, the classifier's included,
    of a byte when quantised, else of four."""
    unit = 1 if isinstance(model, QModel) else 4
    spec = CELLS[model.cell].tensor_spec(model.dims)
    return unit * paper_values({name: model.tensors[name] for name in spec})


def paper_values(tensors: Mapping[str, NDArray[Any]]) -> int:
    """Values and indices as the FastGRNN paper counts them, as its Table 11 can be reconstructed:
    per matrix a value and an index for each nonzero where fewer than half are, else a value for
    each entry; one value for each bias, scalar and classifier weight."""
    total = 0
    for name, tensor in tensors.items():
        nonzero = int(np.count_nonzero(tensor))
        is_sparse = name in MATRIX_NAMES and nonzero < tensor.size / 2
        total += 2 * nonzero if is_sparse else tensor.size
    return total
