"""A sampler that chooses all parameters of a trial together, when the first of them is asked for.

Optuna asks for a space first, which may hold no parameters that depend on others. Ours knows the space itself.
"""
# ruff: noqa: ARG002 - Optuna calls the sampler with these

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from search.space import Params, Space


class JointSampler(optuna.samplers.BaseSampler):
    """Chooses whole configurations."""

    def __init__(self, space: Space) -> None:
        """Takes the study's space."""
        self._space = space
        self._chosen: dict[int, Params] = {}

    @abstractmethod
    def choose(self, study: optuna.Study, trial: FrozenTrial) -> Params:
        """Returns the trial's parameters, those that are active."""

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Returns nothing; a trial that is begun again is chosen anew."""
        self._chosen.pop(trial.number, None)
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns nothing."""
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Returns one parameter of the trial's.

        One that is active only because others were given from outside has its default.
        """
        if trial.number not in self._chosen:
            self._chosen[trial.number] = self.choose(study, trial)
        params = self._chosen[trial.number]
        return params[param_name] if param_name in params else self._space.nearest_default(param_name)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Forgets the trial's parameters."""
        self._chosen.pop(trial.number, None)
