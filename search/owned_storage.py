"""A study's storage with all of its trials in memory, as the driver is the only one that writes to them.

Optuna's own cache reads every unfinished trial anew, each time that it is asked for trials, as others may have
written to them. With a thousand workers those are a thousand trials a question, and a question comes with each new
trial and each report. Here nobody else writes (`ownership.py`), so trials are read once and then kept in step.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.storages import BaseStorage, RDBStorage, _CachedStorage
from optuna.trial import FrozenTrial, TrialState

from search.gathered import ANOTHER_DRIVER, REPORTS, SYSTEM_ATTRIBUTES, USER_ATTRIBUTES, Gathered
from search.outage import PatientStorage
from search.storage import StorageError

WAITING = (TrialState.WAITING,)


class OwnedStorage(_CachedStorage):
    """Optuna's cached storage for the one process that writes to a study, which asks for all of its trials first.

    A trial in memory is never changed, but replaced by a changed copy, so what was returned stays as it was. What is
    written is durable at once, or, within `gathered`, before the next trial is made and when `settle` is called.
    """

    def __init__(self, backend: PatientStorage) -> None:
        """Knows no trial yet."""
        super().__init__(cast(RDBStorage, backend))
        self._writer, self._read = backend, set[int]()
        self._waiting: dict[int, set[int]] = {}  # trials by study
        self._gathered, self.gathers = Gathered(), False

    def settle(self) -> None:
        """Makes durable what was gathered."""
        if self._gathered:
            self._writer.write(self._gathered)
            self._gathered = Gathered()

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Returns a trial; Optuna writes into that of one that is not finished."""
        known = self._known(trial_id)
        return known if known.state.is_finished() else _copied(known)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Returns the trials in these states by number, of all states by default.

        Those that wait, which Optuna asks for at each new trial, are found without a look at the others.
        """
        self._read_trials_from_remote_storage(study_id)
        study = self._studies[study_id]
        if states == WAITING:
            found = [self._known(trial_id) for trial_id in sorted(self._waiting[study_id])]
        elif states is None:
            found = list(study.trials.values())
        else:
            found = [trial for trial in study.trials.values() if trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """Returns the best complete trial."""
        self.settle()
        return super().get_best_trial(study_id)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Makes a trial, in one transaction with what was gathered; what a template's values became is read back.

        Raises:
            StorageError: Another driver has made one as well.
        """
        self._read_trials_from_remote_storage(study_id)
        known = self._studies[study_id].trials
        number = len(known)
        if template_trial is not None:
            self.settle()
            trial_id = super().create_new_trial(study_id, template_trial)
            if number not in known:
                raise StorageError(ANOTHER_DRIVER)
            self._keep(self._backend.get_trial(trial_id))
            return trial_id
        newest = known[number - 1]._trial_id if known else 0
        trial = self._writer.create(study_id, number, self._gathered, after=newest)
        self._gathered = Gathered()
        self._add_trials_to_cache(study_id, [trial])
        self._keep(trial)
        return trial._trial_id

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Writes an attribute of the study, after what was told before."""
        self.settle()
        super().set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Writes an attribute of the study that is Optuna's, a sampler's say, after what was told before."""
        self.settle()
        super().set_study_system_attr(study_id, key, value)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Writes a parameter; it stays as it was first set."""
        trial = self._changeable(trial_id)
        study_id, _ = self._trial_id_to_study_id_and_number[trial_id]
        if param_name in trial.params:
            return
        if known := self._studies[study_id].param_distribution.get(param_name):
            check_distribution_compatibility(known, distribution)
            self._gathered.parameter(trial_id, param_name, param_value_internal, distribution)
        else:
            super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
        trial.params[param_name] = distribution.to_external_repr(param_value_internal)
        trial.distributions[param_name] = known if known == distribution else distribution
        self._keep(trial)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Writes how a trial stands; returns whether it could.

        Raises:
            StorageError: It is to begin, and another driver has begun it.
        """
        trial = self._changeable(trial_id)
        if state == TrialState.RUNNING:
            self.settle()
            trial.state, trial.datetime_start = state, self._writer.begin(trial_id)
            self._keep(trial)
            return True
        if not state.is_finished() or trial.values is not None:
            self.settle()
            done = super().set_trial_state_values(trial_id, state, values)
            trial = self._backend.get_trial(trial_id)
            self._keep(trial)
            return done
        trial.state, trial.values, trial.datetime_complete = state, values, datetime.now()
        self._gathered.end(trial)
        self._keep(trial)
        return True

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Writes a report."""
        trial = self._changeable(trial_id)
        if step in trial.intermediate_values and not self._gathered.has(REPORTS, trial_id, step):
            super().set_trial_intermediate_value(trial_id, step, intermediate_value)
        else:
            self._gathered.report(trial_id, step, intermediate_value)
        trial.intermediate_values[step] = intermediate_value
        self._keep(trial)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Writes an attribute."""
        trial = self._changeable(trial_id)
        if key in trial.user_attrs and not self._gathered.has(USER_ATTRIBUTES, trial_id, key):
            super().set_trial_user_attr(trial_id, key, value)
        else:
            self._gathered.attribute(USER_ATTRIBUTES, trial_id, key, value)
        trial.user_attrs[key] = _stored(value)
        self._keep(trial)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Writes an attribute of Optuna's."""
        trial = self._changeable(trial_id)
        if key in trial.system_attrs and not self._gathered.has(SYSTEM_ATTRIBUTES, trial_id, key):
            super().set_trial_system_attr(trial_id, key, value)
        else:
            self._gathered.attribute(SYSTEM_ATTRIBUTES, trial_id, key, value)
        trial.system_attrs[key] = _stored(value)
        self._keep(trial)

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        """Reads a study's trials when they are first asked for; those made since then are known."""
        if study_id not in self._read:
            super()._read_trials_from_remote_storage(study_id)
            self._read.add(study_id)
            trials = self._studies[study_id].trials.values()
            self._waiting[study_id] = {trial._trial_id for trial in trials if trial.state == TrialState.WAITING}

    def _known(self, trial_id: int) -> FrozenTrial:
        study_id, number = self._trial_id_to_study_id_and_number[trial_id]
        return self._studies[study_id].trials[number]

    def _changeable(self, trial_id: int) -> FrozenTrial:
        """Returns a copy of a trial that is not finished, to be changed and kept."""
        known = self._known(trial_id)
        self.check_trial_is_updatable(trial_id, known.state)
        return _copied(known)

    def _keep(self, trial: FrozenTrial) -> None:
        """Puts a changed trial in its place, once the change is durable or gathered."""
        if not self.gathers:
            self.settle()
        study_id, number = self._trial_id_to_study_id_and_number[trial._trial_id]
        study = self._studies[study_id]
        study.trials[number] = trial
        _hold(study.unfinished_trial_ids, trial._trial_id, not trial.state.is_finished())
        _hold(self._waiting[study_id], trial._trial_id, trial.state == TrialState.WAITING)


@contextmanager
def gathered(study: optuna.Study) -> Iterator[None]:
    """Lets what is written of a study's trials wait for `settle`; an error leaves it as a killed process would."""
    storage = study._storage
    if isinstance(storage, OwnedStorage):
        storage.gathers = True
    yield
    settle(storage)
    if isinstance(storage, OwnedStorage):
        storage.gathers = False


def settle(storage: BaseStorage) -> None:
    """Makes durable what a storage has gathered; others gather nothing."""
    if isinstance(storage, OwnedStorage):
        storage.settle()


def _hold(numbers: set[int], number: int, wanted: bool) -> None:
    (numbers.add if wanted else numbers.discard)(number)


def _copied(trial: FrozenTrial) -> FrozenTrial:
    """Returns a trial that can be written to; what it holds is not."""
    copied = copy.copy(trial)
    copied.params, copied.distributions = dict(trial.params), dict(trial.distributions)
    copied.user_attrs, copied.system_attrs = dict(trial.user_attrs), dict(trial.system_attrs)
    copied.intermediate_values = dict(trial.intermediate_values)
    return copied


def _stored(value: Any) -> Any:
    """Returns a value as the storage gives it back."""
    return json.loads(json.dumps(value), object_pairs_hook=_with_shared_keys)


def _with_shared_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    return {sys.intern(key): value for key, value in pairs}
