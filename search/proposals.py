"""Asks a method of Optuna for configurations, each of them new.

A method is made anew for each trial, so that what a trial is given depends on the seed, its number and the history
alone. All its parameters are drawn before Optuna is told any of them. So a configuration that was trained before is
drawn again, and costs neither a trial nor its number.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any, cast

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import FrozenTrial, TrialState

from search.history import History
from search.joint_sampler import JointSampler
from search.parameter import FloatParameter
from search.space import Key, Params, Space

ATTEMPTS = 20  # by the method itself
RANDOM_ATTEMPTS = 1000  # thereafter: the method knows nothing but what is there


class Proposer(BaseSampler):
    """The sampler of a study: a method's, with its proposals checked."""

    def __init__(
        self,
        make: Callable[[int], BaseSampler],
        space: Space,
        *,
        view: Callable[[optuna.Study], History],
        repeat: bool,
    ) -> None:
        """Wraps a method.

        Args:
            make: Makes the method for a trial's number.
            space: The study's.
            view: Returns what the method sees of a study.
            repeat: Take proposals as they are, be they new or not.
        """
        self._make, self._space, self._view = make, space, view
        self._repeat = repeat
        self._made: tuple[int, BaseSampler] | None = None  # for the trial that was asked for last
        self._common: IntersectionSearchSpace | None = None  # the parameters that all trials have
        self._drawn: dict[int, Params] = {}
        self._tried: set[Key] = set()
        self._looked_at, self._unseen = 0, list[int]()  # trials below that number, but for those that had nothing yet

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Makes the trial's method."""
        method, seen = self._method(trial.number), self._view(study)
        method.before_trial(_study(seen), seen.shifted(trial))

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Draws all parameters of the trial, and returns their distributions."""
        seen, method = self._view(study), self._method(trial.number)
        if self._repeat:
            return method.infer_relative_search_space(_study(seen), seen.shifted(trial))
        known = self._known(study)
        for attempt in range(ATTEMPTS + RANDOM_ATTEMPTS):
            if attempt == ATTEMPTS:
                method = optuna.samplers.RandomSampler(seed=trial.number)
            draft = _Draft(method, _study(seen), seen.shifted(trial))
            params = self._space.suggest(cast(optuna.Trial, draft))
            if self._space.key(params) not in known:
                break
        else:
            if left := self._left(known):
                draft = _Draft(_Given(self._space, left), _study(seen), seen.shifted(trial))
                params = self._space.suggest(cast(optuna.Trial, draft))
        self._drawn[trial.number] = params
        return draft.distributions

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns what was drawn."""
        if self._repeat:
            seen = self._view(study)
            drawn = self._method(trial.number).sample_relative(_study(seen), seen.shifted(trial), search_space)
            return {name: self._exact(name, value) for name, value in drawn.items()}
        return dict(self._drawn.pop(trial.number))

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draws what a trial lacks that an enqueued configuration gave only in part."""
        seen, method = self._view(study), self._method(trial.number)
        drawn = method.sample_independent(_study(seen), seen.shifted(trial), param_name, param_distribution)
        return self._exact(param_name, drawn)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Lets the method note what it notes of a finished trial."""
        if state == TrialState.FAIL:
            self._common = None  # a trial counted while it was paused, and does no more
        seen = self._view(study)
        self._method(trial.number).after_trial(_study(seen), seen.shifted(trial), state, values)

    def _left(self, known: Container[Key]) -> Params | None:
        """Returns a configuration that nobody has, where they can be counted and there is one."""
        all_of_them = self._space.configurations() if self._space.finite else ()
        return next((params for params in all_of_them if self._space.key(params) not in known), None)

    def _exact(self, name: str, value: Any) -> Any:
        """Returns a value that was drawn as the space has it, so that what is kept of equal trials is equal."""
        parameter = self._space.parameters[name]
        return parameter.exact(value) if isinstance(parameter, FloatParameter) else value

    def _known(self, study: optuna.Study) -> set[Key]:
        """Returns the configurations that other trials of a study have; each is looked at once it has parameters."""
        trials = study._get_trials(deepcopy=False, use_cache=True)  # by number
        unseen = [*self._unseen, *range(self._looked_at, len(trials))]
        self._unseen = [n for n in unseen if not trials[n].params and not trials[n].state.is_finished()]
        self._tried.update(self._space.key(trials[n].params) for n in unseen if n not in self._unseen)
        self._looked_at = len(trials)
        return self._tried

    def _method(self, number: int) -> BaseSampler:
        """Returns a trial's method; one made anew, which has drawn nothing, where another's was asked for since."""
        if self._made is None or self._made[0] != number:
            self._made = number, self._make(number)
            self._share(self._made[1])
        return self._made[1]

    def _share(self, method: BaseSampler) -> None:
        """Lets a method go on from what the one before found all trials to have, instead of from the first trial."""
        if isinstance(getattr(method, "_search_space", None), IntersectionSearchSpace):
            self._common = self._common or method._search_space  # type: ignore[attr-defined]
            method._search_space = self._common  # type: ignore[attr-defined]


class _Given(JointSampler):
    """Chooses what it is given."""

    def __init__(self, space: Space, params: Params) -> None:
        super().__init__(space)
        self._params = params

    def choose(self, study: optuna.Study, trial: FrozenTrial) -> Params:  # noqa: ARG002 - as all do
        """Returns it."""
        return self._params


class _Draft:
    """A trial whose parameters are drawn but not told; `Space.suggest` takes it for Optuna's."""

    def __init__(self, method: BaseSampler, study: optuna.Study, trial: FrozenTrial) -> None:
        self._method, self._study, self._trial = method, study, trial
        space = method.infer_relative_search_space(study, trial)
        self._relative = method.sample_relative(study, trial, space)
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """As Optuna's."""
        return float(self._draw(name, FloatDistribution(low, high, log=log, step=step)))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """As Optuna's."""
        return int(self._draw(name, IntDistribution(low, high, log=log, step=step)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """As Optuna's."""
        return self._draw(name, CategoricalDistribution(choices))

    def _draw(self, name: str, distribution: BaseDistribution) -> Any:
        self.distributions[name] = distribution
        if distribution.single():
            return optuna.distributions._get_single_value(distribution)
        if name in self._relative and distribution._contains(distribution.to_internal_repr(self._relative[name])):
            return self._relative[name]
        return self._method.sample_independent(self._study, self._trial, name, distribution)


def _study(seen: History) -> optuna.Study:
    return cast(optuna.Study, seen)
