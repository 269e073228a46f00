"""What happened since the previous run of every cell: the first thing to read in the morning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.history.compare import BETTER, MOVED, Comparison, Difference, compare_pairs
from harness.history.record import Entry
from harness.history.trend import Track, tracks


@dataclass(frozen=True)
class Verdict:
    """comparison  the latest run of every cell with its previous one, where both say something
    trouble     cells whose latest run ended in lab trouble: nothing is known of the model
    new         cells with one run only
    """

    comparison: Comparison
    trouble: tuple[Track, ...]
    new: tuple[Track, ...]

    @property
    def regressions(self) -> list[Difference]:
        """What got worse by more than noise."""
        return self.comparison.regressions

    @property
    def moved(self) -> list[Difference]:
        """What got better by more than noise, or moved without being better or worse."""
        return [d for d in self.comparison.differences if d.verdict in (BETTER, MOVED)]


def since_previous(history: Sequence[Entry], night: str = "") -> Verdict:
    """The verdict on a history, oldest entry first; on what one night ran, where it is named."""
    found = [t for t in tracks(history) if not night or t.latest.night == night]
    trouble = [t for t in found if t.latest.is_lab_trouble]
    told = [t for t in found if not t.latest.is_lab_trouble]
    pairs = [(t.previous, t.latest) for t in told if t.previous is not None]
    new = [t for t in told if t.previous is None]
    return Verdict(compare_pairs(pairs, history), tuple(trouble), tuple(new))
