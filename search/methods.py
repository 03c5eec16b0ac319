"""The sampler and the pruner of a study, ready for Optuna; how they are written and checked is `method.py`'s."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search.method import PRUNERS, SAMPLERS, Pruner, make_silently

if TYPE_CHECKING:
    import optuna

    from search.space import Space
    from search.study import StudySpec


def make_sampler(study: StudySpec, space: Space) -> optuna.samplers.BaseSampler:
    """Returns the study's sampler.

    It draws for each trial from a generator of its own, seeded with `search.seed` and the trial's number. So what a
    trial is given depends on these and on the history alone, and a study that was stopped and goes on, with one
    worker, is the same as one that never stopped.
    """
    sampler, seed = study.search.sampler, study.search.seed
    match sampler.name:
        case "grid":  # its order must stay, as trials are numbered by it
            return _per_trial(lambda _: make_silently(SAMPLERS, "grid", {"search_space": space.grid(), "seed": seed}))
        case "qmc":  # the same sequence for all trials, of which each takes the next point
            return _per_trial(lambda number: _qmc(sampler.arguments, seed, _mix(seed, number)))
    return _per_trial(
        lambda number: make_silently(SAMPLERS, sampler.name, {**sampler.arguments, "seed": _mix(seed, number)})
    )


def make_pruner(study: StudySpec) -> optuna.pruners.BasePruner:
    """Returns the study's pruner. Hyperband's `max_resource` is the length of a trial unless it is given."""
    pruner: optuna.pruners.BasePruner = _pruner(study.search.pruner, study.train.schedule.epochs)
    return pruner


def _pruner(pruner: Pruner, epochs: int) -> Any:
    arguments = pruner.arguments
    if "warmup_epochs" in arguments:
        arguments["n_warmup_steps"] = arguments.pop("warmup_epochs") + 1
    if pruner.name == "hyperband" and arguments.get("max_resource", "auto") == "auto":
        arguments["max_resource"] = epochs
    if pruner.name == "patient":
        wrapped = arguments.pop("wrapped", None)
        arguments["wrapped_pruner"] = None if wrapped is None else _pruner(Pruner(**wrapped), epochs)
    return make_silently(PRUNERS, pruner.name, arguments)


def _qmc(arguments: Mapping[str, Any], seed: int, trial_seed: int) -> Any:
    independent = make_silently(SAMPLERS, "random", {"seed": trial_seed})
    return make_silently(SAMPLERS, "qmc", {**arguments, "seed": seed, "independent_sampler": independent})


def _mix(seed: int, number: int) -> int:
    """Returns a seed for one trial, unrelated to those of its neighbours."""
    import numpy as np

    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _per_trial(make: Callable[[int], Any]) -> optuna.samplers.BaseSampler:
    """Returns a sampler that makes a new one for each trial's number."""
    import optuna

    class SamplerPerTrial(optuna.samplers.BaseSampler):
        def __init__(self) -> None:
            self._samplers: dict[int, optuna.samplers.BaseSampler] = {}

        def _of(self, trial: optuna.trial.FrozenTrial) -> optuna.samplers.BaseSampler:
            if trial.number not in self._samplers:
                self._samplers[trial.number] = make(trial.number)
            return self._samplers[trial.number]

        def before_trial(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
            self._of(trial).before_trial(study, trial)

        def infer_relative_search_space(
            self, study: optuna.Study, trial: optuna.trial.FrozenTrial
        ) -> dict[str, optuna.distributions.BaseDistribution]:
            return self._of(trial).infer_relative_search_space(study, trial)

        def sample_relative(
            self,
            study: optuna.Study,
            trial: optuna.trial.FrozenTrial,
            search_space: dict[str, optuna.distributions.BaseDistribution],
        ) -> dict[str, Any]:
            return self._of(trial).sample_relative(study, trial, search_space)

        def sample_independent(
            self,
            study: optuna.Study,
            trial: optuna.trial.FrozenTrial,
            param_name: str,
            param_distribution: optuna.distributions.BaseDistribution,
        ) -> Any:
            return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

        def after_trial(
            self,
            study: optuna.Study,
            trial: optuna.trial.FrozenTrial,
            state: optuna.trial.TrialState,
            values: Sequence[float] | None,
        ) -> None:
            sampler = self._of(trial)
            del self._samplers[trial.number]
            finite = (optuna.samplers.GridSampler, optuna.samplers.BruteForceSampler)
            if not isinstance(sampler, finite):  # these only stop `Study.optimize`; `Space.limit` knows their end
                sampler.after_trial(study, trial, state, values)

    return SamplerPerTrial()
