"""Where a study's files lie, who owns them, and its Optuna study.

results/<study>/study.yaml  study.db  summary.json  trials.csv  epochs.csv  tensorboard/  workers/
results/<study>/trials/0007/config.yaml  result.json  checkpoint.npz  examples.png  log.txt
results/<study>/confirm/ (a study)  promoted/  plots/  report.html
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna

from colorgan.errors import CannotRunError
from colorgan.record import RecordError, TrialRecord, read_record

SQLITE_TIMEOUT_SECONDS = 60


class StudyBusyError(CannotRunError):
    """Another driver runs this study."""


class StorageError(CannotRunError):
    """The study's storage cannot be opened; the message names it without its password."""


@dataclass(frozen=True)
class TrialFolder:
    """The files of one trial."""

    path: Path

    @property
    def config(self) -> Path:
        """The trial's `TrainConfig`, ready for `python -m colorgan train`."""
        return self.path / "config.yaml"

    @property
    def record(self) -> Path:
        """Its `TrialRecord`."""
        return self.path / "result.json"

    @property
    def checkpoint(self) -> Path:
        """Its whole training state."""
        return self.path / "checkpoint.npz"

    @property
    def examples(self) -> Path:
        """Its last examples: gray | real | generated."""
        return self.path / "examples.png"

    @property
    def log(self) -> Path:
        """What happened to it, a line each."""
        return self.path / "log.txt"


@dataclass(frozen=True)
class StudyFolder:
    """The files of one study."""

    path: Path

    @property
    def study(self) -> Path:
        """The study as it ran, every default written out."""
        return self.path / "study.yaml"

    @property
    def database(self) -> Path:
        """The Optuna storage, unless another was given."""
        return self.path / "study.db"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's log directory."""
        return self.path / "tensorboard"

    @property
    def workers(self) -> Path:
        """What worker processes print."""
        return self.path / "workers"

    @property
    def trials_table(self) -> Path:
        """One row a trial."""
        return self.path / "trials.csv"

    @property
    def epochs_table(self) -> Path:
        """One row a trial and epoch."""
        return self.path / "epochs.csv"

    @property
    def summary(self) -> Path:
        """The study's outcome for machines."""
        return self.path / "summary.json"

    @property
    def confirmation(self) -> StudyFolder:
        """The study that confirms this one's best trials."""
        return StudyFolder(self.path / "confirm")

    @property
    def promoted(self) -> Path:
        """What the confirmation promoted."""
        return self.path / "promoted"

    def trial(self, number: int) -> TrialFolder:
        """Returns the folder of a trial; it need not exist."""
        return TrialFolder(self.path / "trials" / f"{number:04d}")

    def records(self) -> list[TrialRecord]:
        """Returns the records of all trials by number; a damaged one is warned of and left out."""
        records = []
        for path in sorted(self.path.glob("trials/[0-9]*/result.json")):
            try:
                records.append(read_record(path))
            except RecordError as error:
                warnings.warn(str(error), stacklevel=2)
        return sorted(records, key=lambda record: record.number)

    def read_summary(self) -> dict[str, Any]:
        """Returns what `summary.json` holds; empty where there is none yet."""
        try:
            found = json.loads(self.summary.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Makes this process the only driver of the study; the lock ends with the process, however it ends.

        Raises:
            StudyBusyError: Another process has it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".driver").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                owner = file.read().strip() or "another process"
                raise StudyBusyError(
                    f"{self.path}: this study is being run by {owner}; wait for it or stop it, or use other results"
                ) from None
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
            yield
            file.truncate(0)


def open_study(
    folder: StudyFolder,
    *,
    name: str,
    direction: Literal["minimize", "maximize"],
    url: str | None = None,
    sampler: optuna.samplers.BaseSampler | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
) -> optuna.Study:
    """Opens the Optuna study, creating it if there is none.

    Args:
        folder: The study's files.
        name: The study's name in the storage.
        direction: "minimize" or "maximize".
        url: Any Optuna storage URL; None is SQLite in the folder.
        sampler: For new trials.
        pruner: For running trials.

    Raises:
        StorageError: The storage cannot be reached or read.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.path.mkdir(parents=True, exist_ok=True)
    try:
        return optuna.create_study(
            storage=_storage(folder, url),
            study_name=name,
            direction=direction,
            sampler=sampler,
            pruner=pruner,
            load_if_exists=True,
        )
    except Exception as error:  # noqa: BLE001 - any driver of any database; its message may quote the URL
        kind = type(error).__name__
        raise StorageError(f"{_shown(folder, url)}: the study's storage cannot be opened ({kind})") from None


def _storage(folder: StudyFolder, url: str | None) -> optuna.storages.BaseStorage:
    if url is not None:
        return optuna.storages.get_storage(url)
    path = folder.database.resolve()

    def connect() -> sqlite3.Connection:  # by hand: a URL has meanings of its own for ?, %, { and }
        return sqlite3.connect(path, timeout=SQLITE_TIMEOUT_SECONDS, check_same_thread=False)

    return optuna.storages.RDBStorage("sqlite:///study.db", engine_kwargs={"creator": connect})


def _shown(folder: StudyFolder, url: str | None) -> str:
    """Returns the storage as people may see it: without user, password and options, where passwords stand too."""
    if url is None:
        return str(folder.database)
    scheme, found, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}" if found else "the URL given"
