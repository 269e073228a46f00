"""Which products a step has on a core, and how each matrix is kept.

A plan is chosen as a whole, by bytes or by cycles, from all that the core offers: element types,
joint or separate products, and a form for each matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import near_miss
from harness.firmware.ascode import CodeForm
from harness.firmware.avr_narrow import PAGE_BYTES
from harness.firmware.cores import Core, Vectors
from harness.firmware.storage import STORAGES, Form, Product
from harness.qmodel import QModel
from harness.reference.reach import reach_of

OPTIMISE = ("size", "balanced", "speed")
POLICIES = (*OPTIMISE, *STORAGES)
CLASSIFIER = "F"
WIDE_BIASES = ("b_z", "b_h")
FALLBACK = "bitmap"  # takes any matrix
LIMITS = {"s8": 1 << 7, "s16": 1 << 15, "s32": 1 << 31}  # largest |element|
SIDES_APART = ("gru",)  # cells that look at W x and U h apart


@dataclass(frozen=True, slots=True)
class Plan:
    """The products of a step.

    Fields
        kept         each product and its form
        vectors      element types of h, x and t
        joint        whether W and U (or W1 and U1) are one matrix
        bias_column  whether that matrix also holds the bias, times a constant element; then the
                     rows of a unit follow each other (RNN_INTERLEAVED)
        wide_biases  whether both biases of a FastGRNN unit are words at the scale of the sums
        narrow       whether the step is one function with sums of 16 bits (RNN_NARROW); its biases
                     are in the last product
        x_align      x is kept as x * 2^x_align
        bias_bytes   of the biases that are not in a column
    """

    kept: tuple[tuple[Product, Form | CodeForm], ...]
    vectors: Vectors
    joint: bool = False
    bias_column: bool = False
    wide_biases: bool = False
    narrow: bool = False
    x_align: int = 0
    bias_bytes: int = 0

    @property
    def storage(self) -> dict[str, str]:
        """Matrix -> form."""
        return {product.name: form.name for product, form in self.kept}

    @property
    def bytes(self) -> int:
        """Flash that matrices and biases take."""
        return sum(form.size(product) for product, form in self.kept) + self.bias_bytes

    @property
    def cycles(self) -> float:
        """Expected cycles of the products of a step."""
        return sum(form.cycles(product) for product, form in self.kept)


def make_plan(model: QModel, core: Core, optimise: str, room_bytes: int | None = None) -> Plan:
    """The best plan.

    optimise    'size': fewest bytes; 'balanced': fewest cycles with weights as data; 'speed':
                fewest cycles, with weights as code where they fit; or one portable form for every
                matrix ('dense', 'index', 'bitmap'; a matrix too wide or too full for an index list
                becomes a bitmap)
    room_bytes  flash for all matrices of a plan for speed; None: no limit

    Raises UsageError when `optimise` is none of these.
    """
    if optimise not in POLICIES:
        raise near_miss("choice to optimise for", optimise, POLICIES)
    drafts = _drafts(model, core)
    if optimise in STORAGES:
        return _keep(next(drafts), model, core, optimise, room_bytes)
    plans = [_keep(draft, model, core, optimise, room_bytes) for draft in drafts]
    if optimise == "size":
        return min(plans, key=lambda plan: (plan.bytes, plan.cycles))
    return min(plans, key=lambda plan: (plan.cycles, plan.bytes))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A plan whose forms are not chosen yet."""

    products: tuple[Product, ...]
    vectors: Vectors
    joint: bool = False
    bias_column: bool = False
    narrow: bool = False
    x_align: int = 0


def _keep(draft: _Draft, model: QModel, core: Core, optimise: str, room_bytes: int | None) -> Plan:
    kept = [(p, choose_form(p, core, optimise)) for p in draft.products]
    chosen = (
        _as_code(kept, core.code, room_bytes) if optimise == "speed" and core.code else tuple(kept)
    )
    biases = model.cell_class.bias_sizes(model.dims)
    wide = core.wide_biases and optimise in ("balanced", "speed") and set(biases) == {*WIDE_BIASES}
    within = draft.bias_column or draft.narrow
    return Plan(
        chosen,
        draft.vectors,
        draft.joint,
        draft.bias_column,
        wide,
        draft.narrow,
        draft.x_align,
        0 if within else sum(biases.values()) * (4 if wide else 1),
    )


def choose_form(product: Product, core: Core, optimise: str) -> Form:
    """The form of one matrix as data under a policy (`make_plan`)."""
    usable = [form for form in core.forms if form.usable(product)]
    if core.fused and product.name == CLASSIFIER:  # the others are part of rnn_products
        usable = [form for form in usable if form.name in STORAGES]
    if optimise in STORAGES:
        # The classifier runs once a window: always the plain one.
        wanted = "dense" if product.name == CLASSIFIER else optimise
        named = {form.name: form for form in usable}
        return named[wanted if wanted in named else FALLBACK]
    if optimise == "size" or product.name == CLASSIFIER:
        return min(usable, key=lambda form: (form.size(product), form.cycles(product)))
    return min(usable, key=lambda form: form.cycles(product))


def _as_code(
    kept: list[tuple[Product, Form]], code: CodeForm, room_bytes: int | None
) -> tuple[tuple[Product, Form | CodeForm], ...]:
    """Code where it is faster; the best gains for their bytes first, while there is room."""
    room = float("inf") if room_bytes is None else room_bytes - sum(f.size(p) for p, f in kept)
    gains = []
    for product, form in kept:
        if product.name != CLASSIFIER and code.usable(product):
            gain = form.cycles(product) - code.cycles(product)
            more_bytes = code.size(product) - form.size(product)
            gains.append((gain / max(more_bytes, 1), gain, more_bytes, product.name))
    chosen = set()
    for _, gain, more_bytes, name in sorted(gains, reverse=True):
        if gain > 0 and more_bytes <= room:
            chosen.add(name)
            room -= more_bytes
    return tuple((p, code if p.name in chosen else form) for p, form in kept)


# -- the products of a step ----------------------------------------------------------------------


def _drafts(model: QModel, core: Core) -> Iterator[_Draft]:
    """Every way to write the products: first the separate ones, then others where they fit."""
    for vectors in core.vectors:
        natural = Vectors(
            vectors.h or f"s{model.state_bits}", vectors.x or "s8", vectors.t or _inner_type(model)
        )
        yield _separate(model, natural)
        joint = _joint(model, natural) if core.joins else None
        if joint:
            yield joint
    narrow = _narrow(model) if core.narrow_step else None
    if narrow:
        yield narrow


def _separate(model: QModel, vectors: Vectors) -> _Draft:
    second = _second_side(model)
    products = []
    for name, matrix in model.matrices.items():
        adds = name[0] == second and not name.endswith("2T")
        vector, reach = _vector_of(model, name, vectors, matrix.shape[1])
        products.append(Product(name, matrix, vector, reach, adds))
    return _Draft((*products, _classifier(model, vectors)), vectors)


def _second_side(model: QModel) -> str:
    """W or U: whose product is added to the other's (cells/rnn_products.h); '' without a second."""
    if not model.cell_class.recurrent:
        return ""
    return "U" if model.shifts["w_align"] >= model.shifts["u_align"] else "W"


def _vector_of(
    model: QModel, matrix: str, vectors: Vectors, cols: int
) -> tuple[str, NDArray[np.int64]]:
    """Type and reach of the vector that a matrix is multiplied with."""
    if matrix in ("W", "W2T"):
        return vectors.x, np.full(cols, 1 << 7)
    if matrix in ("W1", "U1"):
        return vectors.t, _inner_reach(model, matrix[0])
    return vectors.h, np.full(cols, 1 << (model.state_bits - 1))


def _inner_reach(model: QModel, side: str) -> NDArray[np.int64]:
    """Proved largest |t| of each inner value of a side, W or U: rshift of its largest sum."""
    matrix, shift = model.tensors[f"{side}2T"], model.shifts[f"{side.lower()}_mid"]
    v_max = 1 << 7 if side == "W" else 1 << (model.state_bits - 1)
    sums = np.abs(matrix.astype(np.int64)).sum(axis=1) * v_max
    reach: NDArray[np.int64] = np.minimum(1 << 15, (sums + (1 << shift >> 1)) >> shift)
    return reach


def _inner_type(model: QModel) -> str:
    """The narrower of s8 and s16 that holds the inner values of both sides."""
    sides = [name[0] for name in model.matrices if name.endswith("2T")]
    reach = max((int(_inner_reach(model, side).max()) for side in sides), default=0)
    return "s16" if not sides or reach >= LIMITS["s8"] else "s8"


def _classifier(model: QModel, vectors: Vectors) -> Product:
    matrix = model.tensors["F"]
    return Product(CLASSIFIER, matrix, *_vector_of(model, CLASSIFIER, vectors, matrix.shape[1]))


def _joint(model: QModel, vectors: Vectors) -> _Draft | None:
    """[U | W | b] [h; x; 1] or, low rank, [U1 | W1 | b] [tu; tw; 1]; None where it cannot be.

    The scales of both sides are brought together in the vector: x, or the t of one side, is kept
    multiplied by a power of two, which must fit its type.
    """
    dims, shifts = model.dims, model.shifts
    low = dims.rank_u is not None
    if model.cell in SIDES_APART or not model.cell_class.recurrent:
        return None
    if low != (dims.rank_w is not None) or min(shifts["w_align"], shifts["u_align"]) > 0:
        return None
    u, w = ("U1", "W1") if low else ("U", "W")
    parts = [
        Product(name, model.tensors[name], *_scaled(model, name, vectors, shifts[align]))
        for name, align in ((u, "u_align"), (w, "w_align"))
    ]
    if not low and (shifts["u_align"] or vectors.h != vectors.x):
        return None  # h cannot be kept scaled: the classifier reads it too
    bias = _bias_part(model, parts[0].vector)
    parts += [bias] if bias else []
    if any(part.reach.max() > LIMITS[part.vector] for part in parts):
        return None
    matrix = np.hstack([part.matrix for part in parts])
    if bias:
        blocks = matrix.reshape(-1, dims.hidden, matrix.shape[1])
        matrix = blocks.swapaxes(0, 1).reshape(matrix.shape)
    whole = Product(
        u + w,
        matrix,
        parts[0].vector,
        np.concatenate([part.reach for part in parts]),
    )
    first = [p for p in _separate(model, vectors).products if p.name not in (u, w)]
    x_align = 0 if low else shifts["w_align"]
    return _Draft((*first, whole), vectors, True, bias is not None, x_align=x_align)


def _narrow(model: QModel) -> _Draft | None:
    """FastGRNN's step with [U1 | W1] as one matrix; None unless every sum is proved to fit int16
    and every element a byte."""
    dims, shifts, t = model.dims, model.shifts, model.tensors
    if model.cell != "fastgrnn" or model.state_bits != 8:
        return None
    if dims.rank_u is None or dims.rank_w is None or shifts["w_align"] or shifts["u_align"]:
        return None
    reach = reach_of(model.cell_class, 8, t, model.tables, shifts)
    inner = np.concatenate([reach.inner["U"], reach.inner["W"]])
    x_place, inner_place, end = np.cumsum([dims.hidden, dims.features, len(inner)]).tolist()
    if (
        max(*reach.first.values(), reach.pre) >= LIMITS["s16"]
        or inner.max() >= LIMITS["s8"]
        or not _are_bytes(model.tables)
        or not all(1 <= shifts[table] <= 8 for table in ("z", "c"))
        or end > PAGE_BYTES
    ):
        return None
    h, x = np.full(dims.hidden, reach.state), np.full(dims.features, LIMITS["s8"])
    products = (
        Product("U2T", t["U2T"], "s8", h, proved=reach.first["U"], place=0),
        Product("W2T", t["W2T"], "s8", x, proved=reach.first["W"], place=x_place),
        Product(
            "U1W1",
            np.hstack([t["U1"], t["W1"]]),
            "s8",
            inner,
            proved=reach.pre,
            place=inner_place,
            starts=_starts(model),
        ),
    )
    vectors = Vectors("s8", "s8", "s8")
    return _Draft((*products, _classifier(model, vectors)), vectors, narrow=True)


def _are_bytes(tables: Mapping[str, NDArray[Any]]) -> bool:
    c = tables["c"]
    return tables["z"].dtype == np.uint8 and c.min() >= -128 and c.max() < 128


def _starts(model: QModel) -> NDArray[np.int64]:
    """Of each row: b_z, and what makes b_h of it; each with the middle of its table, 2^(7 + s)."""
    shifts = model.shifts
    z, h = (
        (model.tensors[bias].astype(np.int64) << shifts["b_align"]) + (1 << (7 + shifts[table]))
        for bias, table in (("b_z", "z"), ("b_h", "c"))
    )
    return np.column_stack([z, h - z])


def _scaled(
    model: QModel, name: str, vectors: Vectors, align: int
) -> tuple[str, NDArray[np.int64]]:
    vector, reach = _vector_of(model, name, vectors, model.tensors[name].shape[1])
    return vector, reach << align


def _bias_part(model: QModel, vector: str) -> Product | None:
    """The bias as a column, where the cell has one for every row."""
    rows = model.cell_class.rows(model.dims)
    one = 1 << model.shifts["b_align"]
    if model.cell_class.bias_sizes(model.dims) != {"b": rows} or one >= LIMITS[vector]:
        return None
    return Product("b", model.tensors["b"][:, None], vector, np.array([one]))
