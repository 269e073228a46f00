"""Writes fastcells.json: FastRNN and FastGRNN step by step, for others to test with.

Run: python tests/golden/conformance/make_fastcells.py

What the fields mean is in docs/conformance.md. The equations are written out here unit by unit in
Python's own floats (IEEE 754 doubles), from Kusupati et al., NeurIPS 2018, arXiv:1901.02358, eq.
(2), (6), (7); nothing of harness is used. tests/unit/test_conformance.py holds our cells to it.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

FORMAT, VERSION = "harness-fastcells", 1
SEED = 20240607
FEATURES, HIDDEN, STEPS, RANK_W, RANK_U = 3, 4, 6, 2, 3
DECIMALS = 4  # of weights and inputs; states are given to 12

Vector = list[float]
Matrix = list[Vector]


def sigmoid(a: float) -> float:
    return 1.0 / (1.0 + math.exp(-a))


def relu(a: float) -> float:
    return max(a, 0.0)


FUNCTIONS = {"sigmoid": sigmoid, "tanh": math.tanh, "relu": relu}


def times(matrix: Matrix, v: Vector) -> Vector:
    """matrix [R][K] times v [K]."""
    return [math.fsum(m * x for m, x in zip(row, v, strict=True)) for row in matrix]


def product(weights: dict, name: str, v: Vector) -> Vector:
    """W v, or W1 (W2 v) with W2 [r][K], the transpose of the paper's W2."""
    if name in weights:
        return times(weights[name], v)
    return times(weights[f"{name}1"], times(weights[f"{name}2T"], v))


def fastrnn(w: dict, options: dict, a: Vector, h: Vector) -> Vector:
    """h_t = alpha act(a + b) + beta h; vector form: beta = zeta (1 - alpha) + nu, per unit."""
    act = FUNCTIONS[options["activation"]]
    if options["form"] == "vector":
        alpha = [sigmoid(raw) for raw in w["alpha_raw"]]
        beta = [sigmoid(w["zeta_raw"]) * (1.0 - one) + sigmoid(w["nu_raw"]) for one in alpha]
    else:
        alpha, beta = ([sigmoid(w[f"{name}_raw"])] * len(h) for name in ("alpha", "beta"))
    return [alpha[j] * act(a[j] + w["b"][j]) + beta[j] * h[j] for j in range(len(h))]


def fastgrnn(w: dict, options: dict, a: Vector, h: Vector) -> Vector:
    """z = gate(a + b_z), c = tanh(a + b_h), h_t = (zeta (1 - z) + nu) c + z h."""
    gate = FUNCTIONS[options["gate"]]
    zeta, nu = sigmoid(w["zeta_raw"]), sigmoid(w["nu_raw"])
    result = []
    for j, before in enumerate(h):
        z, c = gate(a[j] + w["b_z"][j]), math.tanh(a[j] + w["b_h"][j])
        result.append((zeta * (1.0 - z) + nu) * c + z * before)
    return result


UPDATES = {"fastrnn": fastrnn, "fastgrnn": fastgrnn}


def states(cell: str, options: dict, weights: dict, inputs: Matrix) -> Matrix:
    """h after every step, from h = 0."""
    h, found = [0.0] * HIDDEN, []
    for x in inputs:
        sides = zip(product(weights, "W", x), product(weights, "U", h), strict=True)
        h = UPDATES[cell](weights, options, [of_x + of_h for of_x, of_h in sides], h)
        found.append([round(v, 12) for v in h])
    return found


def drawn(rng: random.Random, *shape: int, centre: float = 0.0, spread: float = 1.0):
    """A number, or lists of numbers, with a few decimals."""
    if not shape:
        return round(rng.gauss(centre, spread), DECIMALS)
    return [drawn(rng, *shape[1:], centre=centre, spread=spread) for _ in range(shape[0])]


def matrices(rng: random.Random, low_rank: bool) -> dict:
    if not low_rank:
        return {"W": drawn(rng, HIDDEN, FEATURES), "U": drawn(rng, HIDDEN, HIDDEN)}
    return {
        "W1": drawn(rng, HIDDEN, RANK_W),
        "W2T": drawn(rng, RANK_W, FEATURES),
        "U1": drawn(rng, HIDDEN, RANK_U),
        "U2T": drawn(rng, RANK_U, HIDDEN),
    }


def scalars(rng: random.Random, cell: str, options: dict) -> dict:
    if cell == "fastgrnn":
        return {
            "b_z": drawn(rng, HIDDEN), "b_h": drawn(rng, HIDDEN),
            "zeta_raw": drawn(rng, centre=1.0, spread=0.5),
            "nu_raw": drawn(rng, centre=-3.0, spread=0.5),
        }  # fmt: skip
    if options["form"] == "scalar":
        return {
            "b": drawn(rng, HIDDEN),
            "alpha_raw": drawn(rng, centre=-1.0, spread=0.5),
            "beta_raw": drawn(rng, centre=2.0, spread=0.5),
        }
    return {
        "b": drawn(rng, HIDDEN),
        "alpha_raw": drawn(rng, HIDDEN, centre=-1.0, spread=0.5),
        "zeta_raw": drawn(rng, centre=2.0, spread=0.5),
        "nu_raw": drawn(rng, centre=-3.0, spread=0.5),
    }


def variants() -> list[tuple[str, dict]]:
    fast = [{"activation": a, "form": f} for a in FUNCTIONS for f in ("scalar", "vector")]
    gated = [{"gate": "sigmoid"}, {"gate": "tanh"}]
    return [("fastrnn", o) for o in fast] + [("fastgrnn", o) for o in gated]


def cases() -> list[dict]:
    rng = random.Random(SEED)
    result = []
    for cell, options in variants():
        for low_rank in (False, True):
            weights = {**matrices(rng, low_rank), **scalars(rng, cell, options)}
            inputs = drawn(rng, STEPS, FEATURES)
            name = "-".join([cell, *options.values(), "low" if low_rank else "full"])
            result.append({
                "name": name, "cell": cell, "options": options, "weights": weights,
                "inputs": inputs, "states": states(cell, options, weights, inputs),
            })  # fmt: skip
    return result


def text() -> str:
    """The whole file; a vector a line."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "generator": "tests/golden/conformance/make_fastcells.py",
        "seed": SEED,
        "sizes": {"features": FEATURES, "hidden": HIDDEN, "steps": STEPS},
        "cases": [],
    }
    lines = []
    for case in cases():
        fields = [f'    "{k}": {json.dumps(v)}' for k, v in case.items() if k not in BROKEN]
        fields += [f'    "{k}": {_lines(case[k])}' for k in BROKEN]
        lines.append("  {\n" + ",\n".join(fields) + "\n  }")
    opening = json.dumps(head, indent=1).removesuffix("[]\n}")
    return opening + "[\n" + ",\n".join(lines) + "\n ]\n}\n"


BROKEN = ("weights", "inputs", "states")


def _lines(value: dict | Matrix) -> str:
    if isinstance(value, dict):
        rows = [f'      "{k}": {json.dumps(v)}' for k, v in value.items()]
        return "{\n" + ",\n".join(rows) + "\n    }"
    return "[\n" + ",\n".join(f"      {json.dumps(row)}" for row in value) + "\n    ]"


if __name__ == "__main__":
    Path(__file__).with_name("fastcells.json").write_text(text(), encoding="utf-8")
