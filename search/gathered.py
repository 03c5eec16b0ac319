"""What a driver wants written of its trials, gathered so that one transaction writes it all.

A transaction costs the same whatever it holds: to Optuna, which looks for what it is about to write, and to the disk,
which has to be waited for. These are Optuna's tables, as its `RDBStorage` fills them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.storage import StorageError

REPORTS, VALUES = models.TrialIntermediateValueModel, models.TrialValueModel
USER_ATTRIBUTES, SYSTEM_ATTRIBUTES = models.TrialUserAttributeModel, models.TrialSystemAttributeModel


ANOTHER_DRIVER = (
    "the study's storage has a trial that this driver has not made or begun: another one runs the study, with a copy "
    "of its folder or where this machine's locks are not seen. Stop that one; then the same command goes on"
)


class Gathered:
    """New rows by table, trial and key, and how trials ended; a key that comes again replaces its row."""

    def __init__(self) -> None:
        """Starts empty."""
        self._rows: dict[tuple[Any, int, str | int], dict[str, Any]] = {}
        self._ended: list[FrozenTrial] = []

    def __bool__(self) -> bool:
        """Returns whether there is anything to write."""
        return bool(self._rows or self._ended)

    def has(self, table: Any, trial_id: int, key: str | int) -> bool:
        """Returns whether a row waits here."""
        return (table, trial_id, key) in self._rows

    def parameter(self, trial_id: int, name: str, value: float, distribution: BaseDistribution) -> None:
        """Takes a parameter's value, in Optuna's numbers."""
        text = distribution_to_json(distribution)
        self._take(models.TrialParamModel, trial_id, name, param_name=name, param_value=value, distribution_json=text)

    def report(self, trial_id: int, step: int, value: float) -> None:
        """Takes a report."""
        stored, kind = REPORTS.intermediate_value_to_stored_repr(value)
        self._take(REPORTS, trial_id, step, step=step, intermediate_value=stored, intermediate_value_type=kind)

    def attribute(self, table: Any, trial_id: int, key: str, value: Any) -> None:
        """Takes an attribute, the user's or Optuna's by its table."""
        self._take(table, trial_id, key, key=key, value_json=json.dumps(value))

    def end(self, trial: FrozenTrial) -> None:
        """Takes how and when a trial ended; its values are not in the storage yet."""
        for objective, value in enumerate(trial.values or ()):
            stored, kind = VALUES.value_to_stored_repr(value)
            self._take(VALUES, trial._trial_id, objective, objective=objective, value=stored, value_type=kind)
        self._ended.append(trial)

    def write(self, session: Any) -> None:
        """Writes all into a database's session, which commits it."""
        tables = defaultdict[Any, list[dict[str, Any]]](list)
        for (table, trial_id, _), columns in self._rows.items():
            tables[table].append({"trial_id": trial_id, **columns})
        for table, rows in tables.items():
            session.execute(table.__table__.insert(), rows)
        for trial in self._ended:
            stored = models.TrialModel.find_or_raise_by_id(trial._trial_id, session)
            stored.state, stored.datetime_complete = trial.state, trial.datetime_complete

    def _take(self, table: Any, trial_id: int, key: str | int, /, **columns: Any) -> None:
        self._rows[table, trial_id, key] = columns


def new_trial(session: Any, study_id: int, number: int, *, after: int, started: datetime) -> FrozenTrial:
    """Writes a new trial into a database's session, which commits it, and returns it.

    Args:
        session: Of SQLAlchemy.
        study_id: The study's.
        number: The trial's.
        after: The id of the study's newest trial, as far as this driver knows.
        started: When it begins, by which its driver knows it again.

    Raises:
        StorageError: There is a newer one.
    """
    models.StudyModel.find_or_raise_by_id(study_id, session, for_update=True)  # nobody makes one until the commit
    trial: Any = models.TrialModel(study_id=study_id, number=number, state=TrialState.RUNNING)
    trial.datetime_start = started
    session.add(trial)
    session.flush()  # it is given its id, and SQLite, which cannot lock a study, lets nobody else write
    others = session.query(models.TrialModel.trial_id).filter_by(study_id=study_id)
    newer = others.filter(models.TrialModel.trial_id > after, models.TrialModel.trial_id != trial.trial_id)
    if newer.first() is not None:
        raise StorageError(ANOTHER_DRIVER)
    new = create_trial(state=TrialState.RUNNING)
    new.number, new._trial_id, new.datetime_start = number, trial.trial_id, started
    return new


def begin_trial(session: Any, trial_id: int, *, started: datetime) -> None:
    """Writes into a database's session, which commits it, that a trial that waited runs.

    Args:
        session: Of SQLAlchemy.
        trial_id: The trial's.
        started: When it begins, by which its driver knows it again.

    Raises:
        StorageError: It does not wait any more.
    """
    waits = session.query(models.TrialModel).filter_by(trial_id=trial_id, state=TrialState.WAITING)
    begun = {"state": TrialState.RUNNING, "datetime_start": started}
    if not waits.update(begun, synchronize_session=False):  # looked and written in one: SQLite locks no row
        raise StorageError(ANOTHER_DRIVER)


def began(trial: FrozenTrial, started: datetime) -> bool:
    """Returns whether a trial, as a database gives it back, is the one that began then; MySQL keeps whole seconds."""
    stored = trial.datetime_start
    rounded = stored is not None and not stored.microsecond and abs(stored - started) < timedelta(seconds=1)
    return stored == started or rounded
