"""A study's storage with all of its trials in memory, as the driver is the only one that writes to them.

Optuna's own cache reads every unfinished trial anew, each time that it is asked for trials, as others may have
written to them. With a thousand workers those are a thousand trials a question, and a question comes with each new
trial and each report. Here nobody else writes (`ownership.py`), so trials are read once and then kept in step.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import RDBStorage, _CachedStorage
from optuna.trial import FrozenTrial, TrialState


class OwnedStorage(_CachedStorage):
    """Optuna's cached storage for the one process that writes to a study; what is written is durable as before.

    A trial in memory is never changed, but replaced by a changed copy, so what was returned stays as it was.
    """

    def __init__(self, backend: RDBStorage) -> None:
        """Knows no trial yet; a study's are read when they are first asked for."""
        super().__init__(backend)
        self._read: set[int] = set()

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Returns a trial; Optuna writes into that of one that is not finished."""
        known = self._known(trial_id)
        if known is None:
            return super().get_trial(trial_id)
        return known if known.state.is_finished() else _apart(known)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Makes a trial; what a template's values became on their way is read back."""
        trial_id = super().create_new_trial(study_id, template_trial)
        if template_trial is not None:
            self._keep(self._backend.get_trial(trial_id))
        return trial_id

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Writes a parameter."""
        super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
        if trial := self._apart(trial_id):
            trial.params[param_name] = distribution.to_external_repr(param_value_internal)
            trial.distributions[param_name] = distribution
            self._keep(trial)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Writes how a trial stands, and reads back when; returns whether it could."""
        done = super().set_trial_state_values(trial_id, state, values)
        if done and self._known(trial_id):
            self._keep(self._backend.get_trial(trial_id))
        return done

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Writes a report."""
        super().set_trial_intermediate_value(trial_id, step, intermediate_value)
        if trial := self._apart(trial_id):
            trial.intermediate_values[step] = intermediate_value
            self._keep(trial)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Writes an attribute."""
        super().set_trial_user_attr(trial_id, key, value)
        if trial := self._apart(trial_id):
            trial.user_attrs[key] = _stored(value)
            self._keep(trial)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Writes an attribute of Optuna's."""
        super().set_trial_system_attr(trial_id, key, value)
        if trial := self._apart(trial_id):
            trial.system_attrs[key] = _stored(value)
            self._keep(trial)

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        """Reads a study's trials when they are first asked for; those made since then are known."""
        if study_id not in self._read:
            super()._read_trials_from_remote_storage(study_id)
            self._read.add(study_id)

    def _known(self, trial_id: int) -> FrozenTrial | None:
        place = self._trial_id_to_study_id_and_number.get(trial_id)
        return None if place is None else self._studies[place[0]].trials[place[1]]

    def _apart(self, trial_id: int) -> FrozenTrial | None:
        """Returns a copy of a trial to be changed; None where it was not read yet."""
        known = self._known(trial_id)
        return None if known is None else _apart(known)

    def _keep(self, trial: FrozenTrial) -> None:
        study_id, number = self._trial_id_to_study_id_and_number[trial._trial_id]
        self._studies[study_id].trials[number] = trial


def _apart(trial: FrozenTrial) -> FrozenTrial:
    """Returns a trial that can be written to; what it holds is not."""
    apart = copy.copy(trial)
    apart.params, apart.distributions = dict(trial.params), dict(trial.distributions)
    apart.user_attrs, apart.system_attrs = dict(trial.user_attrs), dict(trial.system_attrs)
    apart.intermediate_values = dict(trial.intermediate_values)
    return apart


def _stored(value: Any) -> Any:
    """Returns a value as the storage gives it back."""
    return json.loads(json.dumps(value))
