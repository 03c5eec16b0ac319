"""What the driver and a worker say to each other. Plain frozen data: no TensorFlow, no Optuna.

The driver hands out a `Job`; the worker answers with events until `TrialEnded`. `WorkerLost` is said by the engine on
behalf of a worker that can say nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from colorgan.config import TrainConfig
from colorgan.epoch import EpochResult
from search.known_photos import StudyPhotos

How = Literal["complete", "paused", "stopped", "failed", "out of memory", "blocked"]


@dataclass(frozen=True)
class Job:
    """One trial to train, from its checkpoint if there is one.

    Attributes:
        number: The trial's number.
        config: What to train; the seed inside.
        checkpoint: Where the trial's checkpoint lies or will lie.
        until: The epoch after which it pauses, with a checkpoint; None trains it to its end.
        baselines: Whether to measure the gray and the tint baseline first.
        store: Key of the store that keeps its states; None: the checkpoint itself is kept.
        photos: The study's, which the worker compares its own with when it opens them; None: they are not compared.
        alone: Whether its worker, though it has places for several trials, shall have no other beside it.
    """

    number: int
    config: TrainConfig
    checkpoint: Path
    until: int | None = None
    baselines: bool = False
    store: tuple[str, str, str] | None = None
    photos: StudyPhotos | None = None
    alone: bool = False

    @property
    def last(self) -> int:
        """The last epoch to train now."""
        epochs = self.config.schedule.epochs
        return min(self.until or epochs, epochs)

    @property
    def ending(self) -> How:
        """How it ends after that epoch."""
        return "complete" if self.last == self.config.schedule.epochs else "paused"


@dataclass(frozen=True)
class StopTrial:
    """To a worker: leave this trial at the next pause, after writing a checkpoint if `save`."""

    number: int
    save: bool


@dataclass(frozen=True)
class Quit:
    """To a worker: end."""


@dataclass(frozen=True)
class WorkerReady:
    """The worker has imported what it needs and takes jobs.

    Attributes:
        device: What it computes on, for people.
        seconds: From its start until now.
    """

    worker: int
    device: str
    seconds: float


@dataclass(frozen=True)
class PlacesMeasured:
    """How many trials of an architecture the worker trains fastest at a time; the engine's matter."""

    architecture: str
    places: int


@dataclass(frozen=True)
class BaselinesMeasured:
    """Metrics of `gray` and `tint` on the validation photos."""

    metrics: dict[str, dict[str, float]]


@dataclass(frozen=True)
class TrialStarted:
    """The trial trains from now on.

    Attributes:
        built: Whether its networks had to be built; else a built trainer was reset.
        setup_seconds: From the receipt of the job until now.
        history: Results of the epochs that its checkpoint had done, without examples.
        parameters: Trainable weights of the generator.
        note: What a reader of the trial's log should know, e.g. that a damaged checkpoint was set aside.
    """

    number: int
    built: bool
    setup_seconds: float
    history: tuple[EpochResult, ...]
    parameters: int
    note: str = ""


@dataclass(frozen=True)
class EpochDone:
    """The trial has done an epoch and saved its checkpoint where one was due."""

    number: int
    result: EpochResult


@dataclass(frozen=True)
class TrialEnded:
    """The worker has left the trial and is free.

    Attributes:
        how: All epochs done, paused where its job says, stopped by the driver, failed by itself, out of memory, or
            blocked because this machine cannot write or has other photos.
        reason: One line for `failed`, `out of memory` and `blocked`, else empty.
        traceback: Of what nobody foresaw, for the trial's log; the engine replaces the worker.
        architectures: Keys of the architectures whose trainers the worker now keeps.
        crowded: Whether other trials may be to blame: the same program trained them, or a worker out of memory kept
            networks of theirs.
    """

    number: int
    how: How
    reason: str = ""
    traceback: str = ""
    architectures: frozenset[str] = frozenset()
    crowded: bool = False


@dataclass(frozen=True)
class WorkerLost:
    """A worker is gone.

    Attributes:
        number: The trial it had, if any.
        reason: How it ended.
        perhaps_memory: Whether it ended in a way in which processes end that get no memory.
    """

    worker: int
    number: int | None
    reason: str
    perhaps_memory: bool = False


Event = WorkerReady | PlacesMeasured | BaselinesMeasured | TrialStarted | EpochDone | TrialEnded | WorkerLost
