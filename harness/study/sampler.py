"""The parameters of a point: given ones first, then Optuna's TPE, seeded by the point's number.

So one process alone always draws the same points, also after a kill; with several, a point that
TPE draws depends on which others had ended by then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial

RANDOM_POINTS = 8  # ended ones, before TPE takes over from uniform draws


class PointSampler(BaseSampler):
    """Draws one point at a time; `begin` says which."""

    def __init__(self) -> None:
        self.begin(0, {})

    def begin(self, point: int, given: Mapping[str, Any]) -> None:
        """The next draws are for this point; `given` parameters are taken as they are."""
        self.given = given
        self.tpe = TPESampler(seed=point, n_startup_trials=RANDOM_POINTS)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The parameters that TPE draws together; none where they are given."""
        return {} if self.given else self.tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """TPE's values of them."""
        return self.tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A given value, or TPE's for a parameter that it does not draw with the others."""
        if param_name in self.given:
            return self.given[param_name]
        return self.tpe.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: Any, values: Sequence[float] | None
    ) -> None:
        """Nothing is kept from trial to trial."""
