"""Where a study's files lie. Its Optuna storage is opened by `database.py`, its lock held by `ownership.py`.

results/<study>/study.yaml  photos.json  study.db  summary.json  trials.csv  epochs.csv  tensorboard/  workers/
results/<study>/trials/0007/config.yaml  result.json  copy-of-result.json  checkpoint.npz  examples.png  log.txt
results/<study>/confirm/ (a study)  promoted/  plots/  report.html
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorgan.config import TrainConfig
from colorgan.disk import append, remove_drafts
from colorgan.errors import CannotRunError
from colorgan.plain_text import plain
from colorgan.record import RecordError, TrialRecord, read_record, record_copy, write_record, write_whole
from search.snapshot import group_name
from search.summary import read_summary

if TYPE_CHECKING:
    from search.events import Session


RECORDS = ("result.json", record_copy(Path("result.json")).name)  # of a trial, the second once it is finished


class StorageError(CannotRunError):
    """The study's storage cannot be used; the message names it without its password."""


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
        return self.path / RECORDS[0]

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

    def prepare(self, config: TrainConfig) -> None:
        """Makes the folder, where there is one for all trials, and writes the trial's configuration."""
        self.path.mkdir(exist_ok=True)
        for path in (self.record, self.config, self.examples):
            remove_drafts(path)  # of a driver that was killed while it wrote
        write_whole(self.config, config.to_yaml())

    def write_record(self, record: TrialRecord) -> None:
        """Writes the trial's record in place of an older one."""
        write_record(self.record, record)

    def append_log(self, text: str) -> None:
        """Appends to the trial's log."""
        append(self.log, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {plain(text)}\n".encode())


@dataclass(frozen=True)
class StudyFolder:
    """The files of one study."""

    path: Path

    @property
    def study(self) -> Path:
        """The study as it ran, every default written out."""
        return self.path / "study.yaml"

    @property
    def photos(self) -> Path:
        """Which photos it began with (`known_photos.py`)."""
        return self.path / "photos.json"

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
    def learned(self) -> Path:
        """Trials of earlier studies that this one learns from."""
        return self.path / "learned.json"

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

    def prepare(self) -> None:
        """Makes the folder of all trials, once: later it is missing only where what it lies on is no longer mounted."""
        self.trial(0).path.parent.mkdir(parents=True, exist_ok=True)

    def trial(self, number: int) -> TrialFolder:
        """Returns the folder of a trial; it need not exist."""
        return TrialFolder(self.path / "trials" / f"{number:04d}")

    def session(self, number: int) -> Path:
        """Returns the run directory of a trial in TensorBoard; it need not exist."""
        return self.tensorboard / group_name(number)

    def open_session(
        self, record: TrialRecord, shown: Mapping[str, bool | int | float | str], *, run: Path | None = None
    ) -> Session:
        """Returns a trial's session in TensorBoard.

        Args:
            record: The trial's.
            shown: Its parameters as the dashboard shows them.
            run: Where it is written; None: where TensorBoard reads it.
        """
        from search.events import Session  # TensorBoard, which few that look at a study's files need

        own = self.session(record.number)
        return Session(run or own, hparams=shown, group=record.group or own.name, start_seconds=record.started)

    def withdraw(self, number: int) -> None:
        """Moves a trial's event files, if they are in TensorBoard's log directory, to the trial's folder."""
        run = self.session(number)
        if run.is_dir():
            for file in run.glob("*"):
                file.replace(self.trial(number).path / file.name)
            run.rmdir()

    def trials(self) -> list[TrialFolder]:
        """Returns the folders of all trials that have begun, by number; of some only the record's copy may be left."""
        paths = {path.parent for name in RECORDS for path in self.path.glob(f"trials/[0-9]*/{name}")}
        return [TrialFolder(path) for path in sorted(paths, key=lambda path: (len(path.name), path.name))]

    def records(self) -> list[TrialRecord]:
        """Returns the records of all trials by number; a damaged one is warned of, and its copy used or it left out."""
        records = []
        for trial in self.trials():
            try:
                records.append(read_record(trial.record))
            except RecordError as error:
                warnings.warn(str(error), stacklevel=2)
                with suppress(RecordError):
                    records.append(read_record(record_copy(trial.record)))
        return sorted(records, key=lambda record: record.number)

    def read_summary(self) -> dict[str, Any]:
        """Returns what `summary.json` holds; empty where there is none yet."""
        return read_summary(self.summary)

    @property
    def lock(self) -> Path:
        """Names the driver that runs the study, and is locked by it (`ownership.py`)."""
        return self.path / ".driver"
