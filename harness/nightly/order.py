"""In which order a board works: forth, and back.

The first repeat goes through all data sets, seeds and models; the second goes the same way back,
the third forth again. So with two repeats (or any even number) every model is measured, on average,
at the same time: what drifts steadily over the night (the room's temperature, a board's supply)
favours none, and a night that is cut short has measured everything once before anything twice. With
one repeat, every other data set and seed has its models in reverse.

Ref: ABBA (counterbalanced) order; Cox, Planning of Experiments, Wiley 1958, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.nightly.plan import Plan


@dataclass(frozen=True, slots=True)
class Piece:
    """Models of one data set and seed, one after the other on one board: one run of the harness.

    repeat  from 1
    """

    dataset: str
    seed: int
    repeat: int
    models: tuple[str, ...]

    @property
    def name(self) -> str:
        """Unique in a night's board, and fit for a folder."""
        return f"{self.dataset}-seed{self.seed}-{self.repeat}"


def pieces(plan: Plan) -> list[Piece]:
    """What every board does, in order."""
    forth: list[Piece] = []
    for dataset in plan.datasets:
        for seed in plan.seeds:
            models = plan.models if len(forth) % 2 == 0 else plan.models[::-1]
            forth.append(Piece(dataset, seed, 1, models))
    back = [replace(piece, models=piece.models[::-1]) for piece in reversed(forth)]
    return [
        replace(piece, repeat=repeat)
        for repeat in range(1, plan.repeats + 1)
        for piece in (forth if repeat % 2 else back)
    ]
