"""What is kept of a training run: one JSON file in the run's folder, rewritten whole after each epoch.

A run by hand is a trial without a study, so it keeps the same. Records hold what Optuna's storage has no place for
(all metrics of all epochs, seconds, worker, retries), so that tables, status and a resumed driver need nothing else.
They are sealed with a checksum, so that a digit that the disk has changed is not taken for a result. A finished run's
record, which nothing can write anew, has a copy beside it.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Literal, get_args

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from colorgan.config import Part
from colorgan.disk import written_whole
from colorgan.epoch import EpochResult
from colorgan.regular_file import read_regular
from colorgan.seal import SealError, sealed, unsealed

Outcome = Literal["complete", "pruned", "failed"]
State = Literal["waiting", "running", "paused"] | Outcome
FINISHED: tuple[Outcome, ...] = get_args(Outcome)
Value = bool | int | float | str | None


_CHECKED = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)  # as `Part` is


class RecordError(ValueError):
    """A record file that cannot be read; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_CHECKED)
class EpochRecord:
    """One epoch of a trial; metrics that are not finite are left out.

    Slots, as a study has a record of each epoch of each trial in memory: a model would take twice the room.
    """

    epoch: int
    step: int
    objective: float | None
    metrics: dict[str, float]
    train_seconds: float
    valid_seconds: float

    @classmethod
    def of(cls, result: EpochResult, objective: float | None) -> EpochRecord:
        """Returns the record of an epoch's result; all records share their keys, half of what they would take."""
        return cls(
            epoch=result.epoch,
            step=result.step,
            objective=objective,
            metrics={sys.intern(key): value for key, value in result.metrics.items() if math.isfinite(value)},
            train_seconds=result.train_seconds,
            valid_seconds=result.valid_seconds,
        )


class TrialRecord(Part):
    """One trial.

    Attributes:
        number: In its study; 0 for a run by hand.
        reason: Why it was pruned or failed, or what became of its worker.
        prune_reason: Why it is to be pruned, decided while its worker has not left it yet.
        objective: The objective at its last report; for a complete trial its final value.
        further: The further objectives at its last report, by name.
        violations: By how much of its bound each constraint is violated, at most 0 where it holds (`search/aims.py`).
        params: What was sampled, by dotted path; a tied parameter as the sampled factor.
        group: Name that the seeds of one configuration share; empty for a trial of its own.
        started: Seconds since the epoch, of its first dispatch.
        seconds: From dispatch to end, summed over its attempts.
        setup_seconds: Of that, before training began.
        built: How often its networks had to be built, 0 in a warm worker.
        retries: How often a worker was lost.
        parameters: Trainable weights of the generator.
        baselines: The metrics of `gray` and `tint` on a run's photos; a study keeps them once, in its summary.
        best_metric: What the `best.npz` of a run by hand is the best by; empty for a trial, and in older records.
        photos: Fingerprint of the photos that a run by hand is trained on; empty as `best_metric` is.
    """

    number: int
    state: State
    reason: str = ""
    prune_reason: str = ""
    objective: float | None = None
    further: dict[str, float] = Field(default_factory=dict)
    violations: dict[str, float] = Field(default_factory=dict)
    params: dict[str, Value] = Field(default_factory=dict)
    seed: int
    group: str = ""
    worker: int | None = None
    started: float | None = None
    seconds: float = 0.0
    setup_seconds: float = 0.0
    built: int = 0
    retries: int = 0
    parameters: int | None = None
    epochs: tuple[EpochRecord, ...] = ()
    baselines: dict[str, dict[str, float]] = Field(default_factory=dict)
    best_metric: str = ""
    photos: str = ""

    @property
    def epochs_done(self) -> int:
        """Number of its last epoch, 0 before the first."""
        return self.epochs[-1].epoch if self.epochs else 0

    @property
    def steps_done(self) -> int:
        """Training steps until the end of its last epoch."""
        return self.epochs[-1].step if self.epochs else 0

    @property
    def reports(self) -> dict[int, float]:
        """The objective after each epoch that has one."""
        return {epoch.epoch: epoch.objective for epoch in self.epochs if epoch.objective is not None}

    @property
    def training_seconds(self) -> float:
        """Time spent in training steps and validation."""
        return sum(epoch.train_seconds + epoch.valid_seconds for epoch in self.epochs)

    @property
    def feasible(self) -> bool:
        """Whether its constraints hold, as far as they are known."""
        return all(violation <= 0 for violation in self.violations.values())

    @property
    def metrics(self) -> dict[str, float]:
        """The last epoch's training losses and the last validation's metrics."""
        return {key: value for epoch in self.epochs for key, value in epoch.metrics.items()}


def after_last_epoch(record: TrialRecord) -> int:
    """Returns the number of the epoch that a trial did not do, where what became of it is reported."""
    return 1 + record.epochs_done


def write_record(path: Path, record: TrialRecord) -> None:
    """Writes a record in place of an older one, atomically, and a finished run's a second time.

    Raises:
        OSError: The disk is full or the folder cannot be written; the older record is untouched.
    """
    text = sealed(record.model_dump_json(indent=1))
    write_whole(path, text)
    if record.state in FINISHED:
        write_whole(record_copy(path), text)


def record_copy(path: Path) -> Path:
    """Returns where a finished run's record is kept a second time."""
    return path.with_name(f"copy-of-{path.name}")


def write_whole(path: Path, text: str) -> None:
    """Writes a text file in place of an older one; a reader, or a crash, meets one of the two and never a torn one.

    Raises:
        OSError: The disk is full or the folder cannot be written; the older file is untouched.
    """
    with written_whole(path) as file:
        file.write(text.encode())


def read_record(path: Path) -> TrialRecord:
    """Reads a record.

    Raises:
        RecordError: There is none, or it is damaged.
    """
    try:
        return TrialRecord.model_validate_json(unsealed(read_regular(path).decode()))
    except (OSError, SealError, UnicodeDecodeError, ValidationError) as error:
        raise RecordError(f"{path}: no usable trial record ({str(error).splitlines()[0]})") from None
