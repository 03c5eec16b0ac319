"""A study as a method of Optuna sees it: with trials of earlier studies, and with what stopped trials have shown."""

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from search.aims import MEASURED


class History:
    """A study as a method sees it: with trials of earlier studies, and with what stopped trials have shown.

    It has what methods ask a study for; the rest is the study's own.
    """

    def __init__(
        self, study: optuna.Study, *, learned: Sequence[FrozenTrial], see: Callable[[FrozenTrial], FrozenTrial]
    ) -> None:
        """Wraps a study.

        Args:
            study: The real one.
            learned: Finished trials from elsewhere, shown before its own; they must have its distributions.
            see: Turns a trial of the study into what is shown of it.
        """
        self._real, self._learned, self._see = study, learned, see
        self._shown: list[FrozenTrial] | None = None  # when it was last looked at

    def __getattr__(self, name: str) -> Any:
        """Returns what is the study's own."""
        return getattr(self._real, name)

    def shifted(self, trial: FrozenTrial) -> FrozenTrial:
        """Returns a trial under the number that it has here."""
        if not self._learned:
            return trial
        moved = copy.copy(trial)
        moved.number = trial.number + len(self._learned)
        return moved

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        """Returns the trials in these states, of all states by default."""
        return self._get_trials(deepcopy, states)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        if self._shown is None or not use_cache:
            own = self._real._get_trials(deepcopy=False, use_cache=use_cache)
            self._shown = [*self._learned, *(self.shifted(self._see(trial)) for trial in own)]
        found = [trial for trial in self._shown if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found


class Remembered:
    """What is shown of a trial, worked out once for as long as the trial stays as it is.

    A storage has another object for a trial that has changed (`owned_storage.py`, Optuna's in memory), and methods do
    not change what they are shown.
    """

    def __init__(self, see: Callable[[FrozenTrial], FrozenTrial]) -> None:
        """Remembers nothing yet.

        Args:
            see: Turns a trial into what is shown of it.
        """
        self._see = see
        self._seen: dict[int, tuple[FrozenTrial, FrozenTrial]] = {}

    def __call__(self, trial: FrozenTrial) -> FrozenTrial:
        """Returns what is shown of a trial."""
        known = self._seen.get(trial.number)
        if known is None or known[0] is not trial:
            known = self._seen[trial.number] = (trial, self._see(trial))
        return known[1]


def stopped_as_pruned(trial: FrozenTrial) -> FrozenTrial:
    """Returns a trial that has reported but is not finished as one that was pruned there: a paused one, above all."""
    if trial.state != TrialState.RUNNING or not trial.intermediate_values:
        return trial
    return _as(trial, TrialState.PRUNED, trial.intermediate_values[max(trial.intermediate_values)])


def pruned_as_complete(trial: FrozenTrial) -> FrozenTrial:
    """Returns a pruned trial as one that ended with its last report, for methods that look at complete ones only."""
    if trial.state != TrialState.PRUNED or not trial.intermediate_values:
        return trial
    return _as(trial, TrialState.COMPLETE, trial.intermediate_values[max(trial.intermediate_values)])


def pruned_as_measured(trial: FrozenTrial) -> FrozenTrial:
    """Returns a pruned trial of several objectives as one that ended with what its last report measured.

    Optuna's samplers compare pruned trials by a single objective alone. So one that does not know all of its
    objectives is shown without reports.
    """
    if trial.state != TrialState.PRUNED:
        return trial
    measured = trial.user_attrs.get(MEASURED)
    if measured and measured["values"] is not None:
        return _as(trial, TrialState.COMPLETE, *measured["values"])
    seen = copy.copy(trial)
    seen.intermediate_values = {}
    return seen


def with_constraints(trial: FrozenTrial) -> FrozenTrial:
    """Returns a trial that is not finished with the constraints of its last report, as if it had been told them."""
    measured = trial.user_attrs.get(MEASURED)
    if trial.state.is_finished() or not measured:
        return trial
    seen = copy.copy(trial)
    seen._system_attrs = dict(trial._system_attrs)  # which the copy shares
    for key, violation in measured["violations"].items():
        seen.set_constraint(key, violation)
    return seen


def feasible(trial: FrozenTrial) -> bool:
    """Returns whether a trial's constraints hold, as far as they are known."""
    return all(violation <= 0 for violation in trial.constraints.values())


def _as(trial: FrozenTrial, state: TrialState, *values: float) -> FrozenTrial:
    seen = copy.copy(trial)
    seen.state, seen.values = state, list(values)
    return seen
