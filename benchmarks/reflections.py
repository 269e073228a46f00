"""U h as a dense matrix or as Householder reflections: bytes, MACs and cycles of a step's product.

Example: python benchmarks/reflections.py
A reflection h - v (2 / v'v) (v'h) reads v twice: H - j weights for the dot product and as many for
the update, where vector j has zeros before entry j. Bytes: int8 weights, an int16 factor a
reflection, for SpectralRNN int16 singular values. Cycles are the MACs times the cost of one dense
int8 x int16 MAC, measured on the virtual board from the steps of a plain cell at three sizes. For
reflections that is a lower bound: an update also rounds, clamps and stores, and H values are
rounded in each of the k reflections, where the dense product rounds once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from common import VIRTUAL, arguments, emit, on_board
from kernels import measure

SIZES = (16, 32, 64)
BASES = {"ornn": 1, "spectralrnn": 2}  # orthogonal matrices in U
FACTOR_BYTES = 2


def reflected(hidden: int, count: int) -> int:
    """Weights of `count` reflections: H + (H - 1) + ..."""
    return count * hidden - count * (count - 1) // 2


def costs(hidden: int, count: int | None, bases: int) -> tuple[int, int]:
    """(bytes, MACs) of U h: dense for count None, else `count` reflections in each basis."""
    if count is None:
        return hidden**2, hidden**2
    weights = bases * reflected(hidden, count)
    scaled = hidden if bases == 2 else 0
    return weights + FACTOR_BYTES * (bases * count + scaled), 2 * weights + scaled


def mac_cycles(board: str) -> float:
    """Cycles of one dense MAC: the quadratic term of a step's cycles through three sizes."""
    with on_board(board) as attachment:
        shapes = [{"cell": "ornn", "hidden": size} for size in SIZES]
        cycles = [float(measure(attachment, shape)["cycles_per_step"]) for shape in shapes]
    return float(np.polyfit(SIZES, cycles, 2)[0])


def rows(cycles: dict[str, float]) -> list[dict[str, Any]]:
    """One row per cell, size and number of reflections."""
    table = []
    for cell, bases in BASES.items():
        for hidden in SIZES:
            for count in (None, hidden // 4, hidden // 2, hidden):
                size, macs = costs(hidden, count, bases)
                row: dict[str, Any] = {
                    "cell": cell,
                    "hidden": hidden,
                    "form": "dense" if count is None else f"{count} reflections",
                    "bytes": size,
                    "macs": macs,
                }
                table.append(row | {f"cycles_{b}": round(c * macs) for b, c in cycles.items()})
    return table


def markdown(table: list[dict[str, Any]], cell: str) -> str:
    """One cell's rows as docs/cells/ shows them."""
    chosen = [{k: v for k, v in row.items() if k != "cell"} for row in table if row["cell"] == cell]
    lines = ["| " + " | ".join(name.replace("_", " ") for name in chosen[0]) + " |"]
    lines.append("|" + "---|" * len(chosen[0]))
    for row in chosen:
        values = [f"{v:,}" if isinstance(v, int) else v for v in row.values()]
        lines.append("| " + " | ".join(values) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table of each cell, in Markdown or as JSON."""
    options = arguments(__doc__ or "")
    cycles = {board: mac_cycles(board) for board in VIRTUAL}
    table = rows(cycles)
    each = {f"cycles_per_mac_{board}": round(c, 2) for board, c in cycles.items()}
    if options.json:
        emit({**each, "rows": table}, as_json=True)
        return
    emit(each, as_json=False)
    for cell in BASES:
        print(f"\n{cell}\n\n{markdown(table, cell)}")


if __name__ == "__main__":
    main()
