"""What is done while a study's storage is locked or away: its calls wait, for minutes if need be, and then count once.

What a database's errors mean is the `address.py` room's to say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import RDBStorage
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import exc
from sqlalchemy.engine import ExceptionContext

from search.address import GOES_ON, Address, StorageLostError
from search.gathered import Gathered, began, begin_trial, new_trial
from search.storage import StorageError

PATIENCE_SECONDS = 300.0  # a server's restart or fail-over takes up to minutes
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
STOPPED_SECONDS = 4.0  # once the study was asked to stop
SILENT_SECONDS = 1.0  # shorter waits are not worth a line
Result = TypeVar("Result")


class Patience:
    """How long a lost storage is waited for, and who is told.

    Attributes:
        say: Called with a line for people.
    """

    def __init__(self, say: Callable[[str], None] = lambda _: None, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Prepares to wait.

        Args:
            say: Called with a line when waiting begins, and when it was not in vain.
            seconds: How long to wait each time.
        """
        self.say, self._seconds, self._stopped = say, seconds, False

    def stop(self) -> None:
        """Makes all waiting short, now and from now on; a signal's handler may call it at any moment."""
        self._stopped = True

    def repeat(self, call: Callable[[], Result], again: Callable[[], Result] | None = None) -> Result:
        """Returns what a call returns, made again and again while the storage is lost.

        Args:
            call: What to do.
            again: What to do instead from the second time on, as the first may have been done though it seemed lost.

        Raises:
            StorageError: The storage stayed lost for too long, or has a fault that waiting does not mend.
        """
        started, pause, said = time.monotonic(), 0.0, False
        while True:
            try:
                result = again() if again and pause else call()
            except StorageLostError as error:
                waited = time.monotonic() - started
                if waited >= (min(self._seconds, STOPPED_SECONDS) if self._stopped else self._seconds):
                    raise StorageError(f"{error}; waited {waited:.0f} s. {GOES_ON}") from None
                if not said and waited >= SILENT_SECONDS:
                    said = True
                    self.say(f"{error}; waiting for it, up to {self._seconds:.0f} s")
                pause = min(2 * pause or FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
                time.sleep(pause)
            except StorageError as error:
                raise error from None  # its cause may quote more than people should see
            else:
                if said:
                    self.say(f"the study's storage answers again, after {time.monotonic() - started:.0f} s")
                return result


class PatientStorage:
    """An `RDBStorage` each of whose calls waits for a lost storage, and counts once however often it was made.

    A method of `RDBStorage` is one transaction: done whole or not at all. Where a connection breaks during the commit
    nobody knows which. To set a value twice is no harm; before what is more than that is repeated, it is looked whether
    it was done. For this the driver must be the only one that writes to its study.
    """

    def __init__(self, storage: RDBStorage, address: Address, patience: Patience) -> None:
        """Takes a storage over; from now on its database's errors are raised as `StorageError`."""
        self._storage, self._patience, self._newest = storage, patience, -1
        sqlalchemy.event.listen(storage.engine, "handle_error", lambda context: _raise_fault(context, address))

    def __getattr__(self, name: str) -> Any:
        """Returns what the storage has of this name; a method waits."""
        found = getattr(self._storage, name)
        if not callable(found):
            return found
        return lambda *args, **kwargs: self._patience.repeat(lambda: found(*args, **kwargs))

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """Makes a study, or returns the one that an attempt which seemed lost has made.

        Raises:
            DuplicatedStudyError: There is one of this name.
        """

        def create() -> int:
            return self._storage.create_new_study(directions, study_name)

        def again() -> int:
            try:
                return create()
            except DuplicatedStudyError:
                return self._storage.get_study_id_from_name(str(study_name))

        return self._patience.repeat(create, again)

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        """Makes a trial, or returns the one that an attempt which seemed lost has made."""
        self._look(study_id)

        def create() -> FrozenTrial:
            return self._storage._create_new_trial(study_id, template_trial)

        def again() -> FrozenTrial:
            made = self._storage._get_trials(study_id, None, set(), self._newest)
            return made[0] if made else create()

        trial = self._patience.repeat(create, again)
        self._newest = trial._trial_id
        return trial

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Sets state and values; returns whether it did, be it in an attempt which seemed lost."""

        def put() -> bool:
            return self._storage.set_trial_state_values(trial_id, state, values)

        def again() -> bool:
            return self._storage.get_trial(trial_id).state == state or put()

        return self._patience.repeat(put, again)

    def begin(self, trial_id: int) -> datetime:
        """Takes a trial from the queue; returns when it began.

        Raises:
            StorageError: Another driver has taken it.
        """
        started = datetime.now()

        def put() -> None:
            with _create_scoped_session(self._storage.scoped_session) as session:
                begin_trial(session, trial_id, started=started)

        def again() -> None:
            if not began(self._storage.get_trial(trial_id), started):
                put()

        self._patience.repeat(put, again)
        return started

    def write(self, gathered: Gathered) -> None:
        """Writes what was gathered in one transaction; rows that are there already are those of a seeming loss."""

        def put() -> None:
            with _create_scoped_session(self._storage.scoped_session) as session:
                gathered.write(session)

        def again() -> None:
            with suppress(exc.IntegrityError):
                put()

        self._patience.repeat(put, again)

    def create(self, study_id: int, number: int, gathered: Gathered, *, after: int) -> FrozenTrial:
        """Makes a new trial, in one transaction with what was gathered; returns it.

        Args:
            study_id: Its study.
            number: Its own, which nobody else gives; Optuna would count the trials before it.
            gathered: What was told before.
            after: The id of the study's newest trial, as far as this driver knows.

        Raises:
            StorageError: There is a newer one.
        """
        started = datetime.now()

        def put() -> FrozenTrial:
            with _create_scoped_session(self._storage.scoped_session) as session:
                new = new_trial(session, study_id, number, after=after, started=started)
                gathered.write(session)
                return new

        def again() -> FrozenTrial:
            made = self._storage._get_trials(study_id, None, set(), after)
            return made[0] if made and began(made[0], started) else put()

        trial = self._patience.repeat(put, again)
        self._newest = trial._trial_id
        return trial

    def _look(self, study_id: int) -> None:
        """Looks once which trial is the newest."""
        if self._newest < 0:
            known = self._patience.repeat(lambda: self._storage.get_all_trials(study_id, deepcopy=False))
            self._newest = max((trial._trial_id for trial in known), default=0)


def _raise_fault(context: ExceptionContext, address: Address) -> None:
    """Raises what a database's error means for the study, for SQLAlchemy to raise in its place.

    Optuna expects values that are there already; SQLAlchemy replaces a broken connection that it only tried out.
    """
    wrapped = context.sqlalchemy_exception
    if wrapped is None or context.is_pre_ping or isinstance(wrapped, exc.IntegrityError):
        return
    lost = context.is_disconnect or isinstance(wrapped, exc.OperationalError | exc.InterfaceError)
    raise address.fault(context.original_exception, lost=lost) from None
