"""A study's Optuna storage: opened whole, or one message says what is wrong with it and what to do.

What is said of a storage that fails later is `address.py`'s, how one is waited for `outage.py`'s.
"""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from shlex import quote
from typing import Literal

import optuna
from optuna.exceptions import DuplicatedStudyError, StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import DBAPIError, IntegrityError

from colorgan.disk import set_aside
from search.address import Address, DamagedStorageError, file_address, url_address
from search.outage import Patience, PatientStorage
from search.owned_storage import OwnedStorage
from search.restore import disagreement
from search.storage import StorageError, StudyFolder

TRIES = 10  # of a driver to find the tables that another is making
Direction = Literal["minimize", "maximize"]
_OPTUNAS = {"studies", "trials", "version_info"}  # some of its tables
_TORN = (ValueError, LookupError, TypeError, AttributeError)  # what reading torn text may raise in Optuna


def open_study(
    folder: StudyFolder,
    *,
    name: str,
    directions: Sequence[Direction],
    url: str | None = None,
    sampler: optuna.samplers.BaseSampler | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
    patience: Patience | None = None,
) -> optuna.Study:
    """Opens the Optuna study, creating it if there is none. Its calls wait for the storage, as `patience` says.

    A SQLite file in the folder that is damaged, or contradicts the trials' records, is moved aside and said to be; the
    study is then without trials, for `restore` to fill it.

    SQLite keeps its usual journal, no write-ahead log: one process writes, and readers hold the file for milliseconds.
    So it may lie on a network file system, is one file to copy, and can be read where nothing may be written.

    Args:
        folder: The study's files.
        name: The study's name in the storage.
        directions: "minimize" or "maximize" for each objective.
        url: Any storage URL that SQLAlchemy reads; None is SQLite in the folder.
        sampler: For new trials.
        pruner: For running trials.
        patience: How long a storage that is locked or away is waited for.

    Raises:
        StorageUrlError: The URL is none.
        StorageError: The storage cannot be reached, read or written, or holds another study of this name.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.path.mkdir(parents=True, exist_ok=True)
    patience = patience or Patience()
    address = file_address(folder.database) if url is None else url_address(url)

    def opened() -> tuple[optuna.Study, bool]:
        study, new = _open(address, name, directions, patience)
        study.sampler, study.pruner = sampler or study.sampler, pruner or study.pruner
        return study, new

    if url is not None:
        return _refuse_another(*opened(), folder, address)
    try:
        patience.repeat(lambda: _check_file(folder.database, address))
        study, _ = opened()
        if difference := disagreement(study, folder.records(), directions, whole=True):
            raise DamagedStorageError(f"{folder.database}: the study's storage is damaged ({difference})")
    except DamagedStorageError as error:
        aside = set_aside(folder.database)
        patience.say(f"{error}; kept as {aside.name}, and made anew from the trials' records")
        return opened()[0]
    return study


def _open(
    address: Address, name: str, directions: Sequence[Direction], patience: Patience
) -> tuple[optuna.Study, bool]:
    """Opens a study and reads all of it once, as what is torn may show only then; returns also whether it is new."""
    backend = patience.repeat(lambda: _connect(address))
    storage = PatientStorage(backend, address, patience)
    weakref.finalize(storage, backend.engine.dispose)  # an Optuna study has no end at which to close connections
    owned, new = OwnedStorage(storage), True
    try:
        try:  # of drivers that begin at once, one alone makes it
            study = optuna.create_study(storage=owned, study_name=name, directions=directions)
        except DuplicatedStudyError:
            study, new = optuna.load_study(storage=owned, study_name=name), False
        study.get_trials(deepcopy=False)
    except _TORN as error:
        reason = f"{type(error).__name__}: {address.quoted(error)}"
        raise DamagedStorageError(f"{address.shown}: the study's storage is damaged ({reason})") from None
    return study, new


def _refuse_another(study: optuna.Study, new: bool, folder: StudyFolder, address: Address) -> optuna.Study:
    """Returns a study in a database that others may use too, unless it is another one of the same name."""
    records, directions = folder.records(), [direction.name.lower() for direction in study.directions]
    stranger = "" if new or records else _stranger(study, folder)
    if difference := stranger or disagreement(study, records, directions, whole=False):
        raise StorageError(
            f"{address.shown}: holds a study {study.study_name!r} that is not the one in {folder.path}: {difference}. "
            "Go on with it where it ran, or give this one another name"
        )
    return study


def _stranger(study: optuna.Study, folder: StudyFolder) -> str:
    """Returns why a study that is there, but has no record here, was not begun here, or nothing.

    The folder of one that was begun has its `study.yaml`, and may have no record yet; a finished trial has one.
    """
    trials = study.get_trials(deepcopy=False)
    if any(trial.state.is_finished() for trial in trials):
        return "its trials did not run here"
    if folder.study.exists():
        return ""
    remove = f"optuna delete-study --study-name {quote(study.study_name)} --storage URL"
    perhaps = "" if trials else f", or here by a driver that ended in that moment, after which it can go ({remove})"
    return f"it was begun elsewhere{perhaps}"


def _check_file(path: Path, address: Address) -> None:
    """Refuses a SQLite file that is damaged, no Optuna storage, or not to be written."""
    if not os.path.lexists(path):
        return
    if not path.is_file():
        raise StorageError(f"{path}: is no file; move it away")
    try:
        with closing(sqlite3.connect(path, timeout=0)) as connection:
            connection.execute("BEGIN IMMEDIATE")  # nobody else writes
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute(f"PRAGMA user_version = {version}")  # it can be written, and a journal beside it
            problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            connection.rollback()
    except sqlite3.Error as error:
        raise address.fault(error, lost=False) from None
    except UnicodeDecodeError:  # of what SQLite says of the damage
        problem, tables = "its tables are torn", set()
    if problem != "ok":
        raise DamagedStorageError(f"{path}: the study's storage is damaged ({' '.join(problem.split())})")
    if tables and not tables & _OPTUNAS:
        raise StorageError(f"{path}: is a SQLite file, but holds no Optuna study; move it away")


def _connect(address: Address) -> RDBStorage:
    """Returns a storage with its tables made, of this Optuna's version."""
    try:
        storage = _make_tables(address)
        found, wanted, known = storage.get_current_version(), storage.get_head_version(), storage.get_all_versions()
    except Exception as error:  # noqa: BLE001 - any driver of any database; its message may quote the URL
        raise _opening_fault(address, error) from None
    if found != wanted:
        storage.engine.dispose()
        older = "an older Optuna; make a copy of it, then: optuna storage upgrade --storage URL"
        newer = f"a newer Optuna than {optuna.__version__}; go on with that one"
        raise StorageError(f"{address.shown}: the study's storage was made by {older if found in known else newer}")
    return storage


def _make_tables(address: Address) -> RDBStorage:
    """Returns a storage; of drivers that begin in an empty database at once, one makes the tables and others fail."""
    tries = TRIES
    while True:
        tries -= 1
        try:
            return RDBStorage(address.url, engine_kwargs=dict(address.arguments), skip_compatibility_check=True)
        except DBAPIError as error:
            if not tries or not (isinstance(error, IntegrityError) or "already exists" in str(error.orig)):
                raise
        time.sleep(0.5)


def _opening_fault(address: Address, error: Exception) -> StorageError:
    """Returns why a storage cannot be opened. A server that does not answer now is rather a mistake than an outage."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if isinstance(cause, DBAPIError) and isinstance(cause.orig, sqlite3.Error):
        return address.fault(cause.orig, lost=False)
    if isinstance(cause, DBAPIError) and cause.orig is not None:
        advice = "look whether the server runs, and at host, database, user and password in the URL"
        return StorageError(f"{address.shown}: the storage cannot be opened ({address.quoted(cause.orig)}); {advice}")
    return StorageError(f"{address.shown}: the storage cannot be opened ({type(error).__name__})")
