"""KerasTuner's oracles as samplers of an Optuna study, made anew for each trial from the trials before it.

An oracle of KerasTuner keeps its state in its memory and in a project folder. Here it has neither: for each trial an
oracle is told all trials with lower numbers, and asked once. What it answers is noted in the trial before anything
else is, so a driver may be killed at any moment. With one worker a study that stops and goes on is given what one that
never stopped is given; with more, what a trial is given depends on which others have ended by then, as always.

What an oracle learns of a trial: its objective if it is complete, its last report if it was pruned; that it is under
way; or, if it failed, that its configuration is not to be tried again. Where it would end the search because 21 draws
in a row were all known, one of the configurations not yet tried is drawn, and if there is none, any.

It uses inner parts of KerasTuner 1.4.8, because `create_trial` and `end_trial` write files: an oracle's `trials`,
`ongoing_trials` and `start_order`, its hashes of what was tried, the grid's queue, Hyperband's brackets, the process.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from search.brackets import Brackets
from search.hyperparameters import declare, to_params, to_values
from search.joint_sampler import JointSampler
from search.oracle import NOTE, Proposal, proposal
from search.oracles import keras_tuner
from search.space import Key, Params, Space

_CLASSES = {
    "keras_tuner.random": "RandomSearchOracle",
    "keras_tuner.bayesian": "BayesianOptimizationOracle",
    "keras_tuner.hyperband": "HyperbandOracle",
    "keras_tuner.grid": "GridSearchOracle",
}
DRAWS = 21  # as KerasTuner's own, which know nothing of what is rounded to the same


class OracleSampler(JointSampler):
    """Asks an oracle of KerasTuner for the parameters of each trial."""

    def __init__(
        self,
        name: str,
        arguments: Mapping[str, Any],
        space: Space,
        *,
        seed: Callable[[int], int],
        epochs: int,
        repeat: bool,
    ) -> None:
        """Takes what stays the same for all trials; KerasTuner is imported when the first is asked for.

        Args:
            name: As in a study.
            arguments: Checked.
            space: The study's.
            seed: Of a trial's number, below 2**32.
            epochs: Of a whole trial.
            repeat: Whether the Gaussian process may propose what was trained before, as it does where it is sure.
        """
        super().__init__(space)
        self._name, self._seed, self._repeat = name, seed, repeat
        # no end of its own, as the study's `trials` are the limit
        hyperband = {"max_epochs": epochs, "hyperband_iterations": None}
        self._settings = {**arguments, **(hyperband if name == "keras_tuner.hyperband" else {"max_trials": None})}
        self._listed = name == "keras_tuner.grid"
        self._values: dict[int, dict[str, Any]] = {}
        self._walk: Iterator[Params] | None = None
        self._walked: list[Params] = []

    def choose(self, study: optuna.Study, trial: FrozenTrial) -> Params:
        """Returns what was noted for the trial, else asks an oracle and notes it."""
        noted = proposal(trial.system_attrs)
        return noted.params if noted else self._propose(study, trial)

    def _propose(self, study: optuna.Study, trial: FrozenTrial) -> Params:
        past = [other for other in study.get_trials(deepcopy=False) if other.number < trial.number]
        known = {other.number: (other, params) for other in past if (params := _params(other))}
        if self._name == "keras_tuner.grid":
            made = Proposal(params=self._next_point([params for _, params in known.values()]))
        else:
            made = self._ask(known, trial.number, study.direction.name.lower())
        study._storage.set_trial_system_attr(trial._trial_id, NOTE, made.model_dump())
        return made.params

    def _ask(self, known: Mapping[int, tuple[FrozenTrial, Params]], number: int, direction: str) -> Proposal:
        """Returns what a new oracle that has been told all known trials proposes."""
        oracle = self._oracle(self._seed(number) or 1, direction)  # KerasTuner takes 0 for no seed
        tried = {self._space.key(params) for _, params in known.values()}
        for told, (trial, params) in known.items():
            _tell(oracle, trial, self._told(told, trial, params))
        brackets = None
        if self._name == "keras_tuner.hyperband":
            brackets = Brackets(oracle, {told: proposal(trial.system_attrs) for told, (trial, _) in known.items()})
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", module="sklearn"
            )  # that a process found no best length, as it knows little
            if self._name == "keras_tuner.bayesian":
                _fit(oracle)
            oracle.ongoing_trials = {key: trial for key, trial in oracle.trials.items() if trial.status == "RUNNING"}
            answer = oracle.populate_space(str(number))
        if answer["status"] != "RUNNING":
            return Proposal(params=self._untried(oracle, tried, self._seed(number)))
        params = to_params(self._space, answer["values"])
        if brackets:
            return brackets.proposal(number, params)
        if not self._repeat and self._space.key(params) in tried:  # by a process that is sure of it, or rounded to it
            params = self._untried(oracle, tried, self._seed(number))
        return Proposal(params=params)

    def _told(self, number: int, trial: FrozenTrial, params: Params) -> dict[str, Any]:
        if number in self._values:
            return self._values[number]
        values = to_values(self._space, params, listed=self._listed)
        if trial.state.is_finished():
            self._values[number] = values
        return values

    def _oracle(self, seed: int, direction: str) -> Any:
        library = keras_tuner()
        hyperparameters = library.HyperParameters()
        declare(self._space, hyperparameters, listed=self._listed)
        objective = library.Objective("objective", "min" if direction == "minimize" else "max")
        oracle = getattr(library.oracles, _CLASSES[self._name])
        return oracle(objective=objective, seed=seed, hyperparameters=hyperparameters, **self._settings)

    def _untried(self, oracle: Any, tried: Container[Key], seed: int) -> Params:
        """Returns a configuration at random that no trial has had, if there is any; else one that some had."""
        for _ in range(DRAWS):
            if (drawn := oracle._random_values()) is None:
                break
            if self._space.key(params := to_params(self._space, drawn)) not in tried:
                return params
        chance, chosen, count = random.Random(seed), None, 0  # noqa: S311 - no secret
        for params in self._space.configurations() if self._space.finite else ():
            if self._space.key(params) not in tried:
                count += 1
                chosen = params if chance.random() * count < 1 else chosen
        if chosen is not None:
            return chosen
        oracle._tried_so_far.clear()
        return to_params(self._space, oracle._random_values())

    def _next_point(self, known: Sequence[Params]) -> Params:
        """Returns the grid's first configuration that no trial has had; past the end its last."""
        if self._walk is None:
            self._walk = self._points()
        tried = {self._space.key(params) for params in known}
        for params in self._walked:
            if self._space.key(params) not in tried:
                return params
        for params in self._walk:
            self._walked.append(params)
            if self._space.key(params) not in tried:
                return params
        return self._walked[-1]

    def _points(self) -> Iterator[Params]:
        """Yields all configurations in the order of KerasTuner's grid, the default first."""
        oracle, number = self._oracle(1, "minimize"), 0
        while (answer := oracle.populate_space(str(number)))["status"] == "RUNNING":
            values = answer["values"]
            oracle.trials[str(number)] = _trial(oracle, number, values, "COMPLETED")
            oracle.start_order.append(str(number))
            if number:  # the oracle notes the first itself
                oracle._populate_next.append(str(number))
            yield to_params(self._space, values, listed=True)
            number += 1


def _params(trial: FrozenTrial) -> Params:
    """Returns a trial's parameters; those that it is going to have, where a driver was killed while it got them."""
    noted = None if trial.state.is_finished() else proposal(trial.system_attrs)
    return {**noted.params, **trial.params} if noted else trial.params


def _tell(oracle: Any, trial: FrozenTrial, values: dict[str, Any]) -> None:
    """Tells an oracle of a trial."""
    score = trial.value if trial.state == TrialState.COMPLETE else None
    if trial.state == TrialState.PRUNED and trial.intermediate_values:
        score = trial.intermediate_values[max(trial.intermediate_values)]
    under_way = "RUNNING" if not trial.state.is_finished() else "FAILED"
    told = _trial(oracle, trial.number, values, under_way if score is None else "COMPLETED")
    told.score = score
    oracle.trials[told.trial_id] = told
    oracle._tried_so_far.add(oracle._compute_values_hash(values))


def _trial(oracle: Any, number: int, values: dict[str, Any], status: str) -> Any:
    """Returns a trial of KerasTuner's that shares the oracle's space, as a copy of it takes milliseconds."""
    library = keras_tuner()
    hyperparameters = library.HyperParameters()
    hyperparameters._hps, hyperparameters._space = oracle.hyperparameters._hps, oracle.hyperparameters._space
    hyperparameters.values = values
    return library.engine.trial.Trial(hyperparameters, trial_id=str(number), status=status)


def _fit(oracle: Any) -> None:
    """Fits a new oracle's Gaussian process to what is known for sure.

    It judges the trials under way by the process of the time before; without one, by nothing, as if they were good.
    """
    under_way = {key: trial for key, trial in oracle.trials.items() if trial.status == "RUNNING"}
    if not under_way:
        return
    whole, oracle.trials = oracle.trials, {key: trial for key, trial in oracle.trials.items() if key not in under_way}
    x, y = oracle._vectorize_trials()
    if len(y):
        oracle.gpr.fit(x, y)
    oracle.trials = whole
