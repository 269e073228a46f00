"""Random but valid QModels and inputs for tests of the reference, the kernels and the boards."""

from __future__ import annotations

import numpy as np

from harness.qmodel import QModel
from harness.reference import CELLS, Dims
from harness.reference.preprocess import compander_table


def random_qmodel(
    cell: str,
    seed: int = 0,
    *,
    features: int = 9,
    hidden: int = 16,
    classes: int = 6,
    rank_w: int | None = None,
    rank_u: int | None = None,
    state_bits: int = 16,
    steps: int = 8,
    density: float = 1.0,
    companded: bool = True,
    options: dict[str, str] | None = None,
) -> QModel:
    """A model with random weights whose pre-activations spread over the tables."""
    rng = np.random.default_rng(seed)
    kind = CELLS[cell]
    chosen = {name: values[0] for name, values in kind.options.items()} | (options or {})
    hidden += -hidden % kind.multiple
    rank_u = rank_u if kind.recurrent else None
    dims = Dims(features, hidden, classes, rank_w, rank_u, chosen)
    tensors, floats = {}, {}
    for name, (dtype, shape) in kind.tensor_spec(dims).items():
        if dtype == "int16":
            floats[name] = rng.uniform(0.02, 0.98, shape)
        elif dtype == "int8":
            values = np.clip(rng.normal(0, 40, shape), -127, 127).astype(np.int8)
            if len(shape) == 2 and name != "F":
                values[rng.random(shape) >= density] = 0
            tensors[name] = values
        else:
            tensors[name] = rng.integers(-100_000, 100_000, shape).astype(np.int32)
    tensors["pre_companded"] = (
        (np.arange(features) % 3 != 2).astype(np.uint8)
        if companded
        else np.zeros(features, np.uint8)
    )
    tensors["pre_multiplier"] = rng.integers(-300, 300, features).astype(np.int16)
    tensors["pre_offset"] = rng.integers(-20_000, 20_000, features).astype(np.int32)
    h_frac = 13 if state_bits == 16 else 6
    acc_frac = 8 + h_frac  # as if the weights had frac 8
    fracs = {"x": 4, "h": h_frac, "c": 11}
    scalars = {"zeta": 0.7, "nu": 0.02, "alpha": 0.1}
    own, tables = kind.plan(acc_frac, fracs, scalars, chosen)
    more, coefficients = kind.coefficients(fracs, floats, chosen)
    tensors |= coefficients
    shifts = {"pre": 14, "w_align": acc_frac - 12, "b_align": acc_frac - 5}
    shifts |= {"u_align": 0} if kind.recurrent else {}
    shifts |= own | more
    if rank_w is not None:
        shifts["w_mid"] = 3
    if rank_u is not None:
        shifts["u_mid"] = 7
    if rank_u is not None or (rank_w is not None and not kind.recurrent):
        shifts["w_align"] = max(0, shifts["w_align"] - 1)
    if companded:
        tables["compander"] = compander_table()
    return QModel(
        cell=cell,
        name=cell,
        dataset="random",
        steps=steps,
        dims=dims,
        state_bits=state_bits,
        fracs=fracs,
        shifts=shifts,
        tensors=tensors,
        tables=tables,
        raw_step=np.full(features, 0.01),
        class_names=tuple(f"class {i}" for i in range(classes)),
    )


def random_raw(model: QModel, n: int, seed: int = 0) -> np.ndarray:
    """Raw windows [N, T, D] int16 of mixed magnitudes, corner values included."""
    rng = np.random.default_rng(seed)
    shape = (n, model.steps, model.dims.features)
    magnitude = 2.0 ** rng.uniform(0, 15, shape)
    raw = np.clip(rng.normal(0, 1, shape) * magnitude, -32768, 32767).astype(np.int16)
    raw.flat[::37] = -32768
    raw.flat[5::41] = 32767
    return raw
