"""In a worker: turns jobs into trainings, with trainers kept warm between them. Knows no Optuna and no TensorBoard.

An architecture is built and traced once; each later trial of it only resets the trainer.
"""

from __future__ import annotations

import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from colorgan.backend import keep_to_share, memory_ran_out
from colorgan.config import DataConfig, PrecisionConfig, TrainConfig
from colorgan.disk import cannot_write, explain
from colorgan.errors import CannotRunError
from colorgan.photos import Photos, PhotosError, open_photos
from colorgan.progress import NonFiniteLossError
from colorgan.run import resume, train
from colorgan.trainer import Trainer
from colorgan.validation import Validator
from search.messages import BaselinesMeasured, EpochDone, Event, How, Job, TrialEnded, TrialStarted
from search.shelf import Shelf, shelf

MAX_TRAINERS = 16  # kept built; the least recently used goes first


class TrialRunner:
    """Runs one job after another."""

    def __init__(self, *, warm_step: bool = True) -> None:
        """Keeps nothing yet, and its process to its part of a GPU.

        Args:
            warm_step: As in `Trainer`.
        """
        keep_to_share()
        self._warm_step = warm_step
        self._trainers: OrderedDict[str, Trainer] = OrderedDict()
        self._validators: dict[tuple[int, PrecisionConfig], Validator] = {}
        self._photos: dict[DataConfig, Photos] = {}
        self._doing = ""

    def run(self, job: Job, stop: Callable[[], bool | None]) -> Iterator[Event]:
        """Trains the job's trial, yielding what the driver should hear; the last event is `TrialEnded`.

        Args:
            job: The trial.
            stop: Asked about every half second: None to go on, else whether to save a checkpoint before stopping.
        """
        try:
            with shelf(job) as place:
                yield from self._train(job, place, stop)
        except Exception as error:  # noqa: BLE001 - a failing trial is data: it must not take the worker with it
            yield self.failed(job, error)

    def start(self, job: Job, place: Shelf) -> Generator[Event, None, Trainer]:
        """Builds or resets what the job's trial needs, goes on from its checkpoint, says so, and returns its trainer.

        Args:
            job: The trial.
            place: Where its checkpoint is, if there is one.
        """
        started, self._doing = time.perf_counter(), "while the networks were built"
        photos = self._open(job)
        trainer, built = self._trainer(job.config, photos)
        if job.baselines:
            yield BaselinesMeasured(trainer.baselines())
        self._doing = "while the checkpoint was read"
        note = resume(trainer, job.config, place.path)
        place.go_on(trainer.step)
        setup = time.perf_counter() - started
        yield TrialStarted(job.number, built, setup, tuple(trainer.history), trainer.parameters, note)
        self._doing = f"in epoch {trainer.epoch + 1}"
        return trainer

    def failed(self, job: Job, error: Exception, *, alone: bool = True) -> TrialEnded:
        """Returns what became of a trial: the machine's fault, or its own.

        Args:
            job: The trial.
            error: What ended it.
            alone: Whether nobody else is trained with its trainer, which the error may have left in any state.
        """
        if isinstance(error, NonFiniteLossError):
            return self.ended(job, "failed", reason=str(error))
        trace = "".join(traceback.format_exception(error))
        if memory_ran_out(error):
            key, reason = job.config.architecture(), f"memory ran out {self._doing}"
            crowded = not alone or bool(self._trainers.keys() - {key})
            self._trainers = OrderedDict(
                (one, kept) for one, kept in self._trainers.items() if one == key and not alone
            )
            self._validators.clear()
            return TrialEnded(job.number, "out of memory", reason, trace, crowded=crowded)
        if isinstance(error, CannotRunError):
            return self.ended(job, "blocked", reason=str(error))
        if isinstance(error, OSError) and cannot_write(error):
            return self.ended(job, "blocked", reason=explain(error))
        if job.store is None and not (folder := job.checkpoint.parent).is_dir():  # which the driver made
            reason = f"{folder}: this folder is gone; see that what it lies on is still mounted"
            return self.ended(job, "blocked", reason=reason)
        if alone:
            self._trainers.pop(job.config.architecture(), None)
        reason = f"{type(error).__name__}: {str(error).strip() or 'no message'}".splitlines()[0]
        return replace(self.ended(job, "failed", reason=reason), traceback=trace, crowded=not alone)

    def ended(self, job: Job, how: How, *, reason: str = "") -> TrialEnded:
        """Returns what is said of a trial that the worker has left."""
        return TrialEnded(job.number, how, reason, architectures=frozenset(self._trainers))

    def _train(self, job: Job, place: Shelf, stop: Callable[[], bool | None]) -> Iterator[Event]:
        trainer = yield from self.start(job, place)
        for result in train(trainer, place.path, until=job.last, saved=lambda: place.keep(trainer.step)):
            if result is not None:
                yield EpochDone(job.number, result)
                self._doing = f"in epoch {trainer.epoch + 1}"
            save = stop()
            if save is not None and trainer.epoch < job.last:
                if save:
                    trainer.save(place.path)
                    place.keep(trainer.step)
                yield self.ended(job, "stopped")
                return
        yield self.ended(job, job.ending)

    def _open(self, job: Job) -> Photos:
        data = job.config.data
        if data not in self._photos:
            self._photos[data] = _known_photos(job)
        return self._photos[data]

    def _trainer(self, config: TrainConfig, photos: Photos) -> tuple[Trainer, bool]:
        """Returns a trainer that has started the configuration's run, and whether it had to be built."""
        key = config.architecture()
        if trainer := self._trainers.get(key):
            self._trainers.move_to_end(key)
            trainer.reset(config, photos=photos)
            return trainer, False
        shape = (config.validation.batch_size, config.precision)
        validator = self._validators.setdefault(shape, Validator(batch_size=shape[0], precision=shape[1]))
        self._trainers[key] = Trainer(config, photos, validator=validator, warm_step=self._warm_step)
        if len(self._trainers) > MAX_TRAINERS:
            self._trainers.popitem(last=False)
        return self._trainers[key], True


def _known_photos(job: Job) -> Photos:
    """Opens a trial's photos, and sees that the study's are still those that it began with.

    Raises:
        PhotosError: They cannot be used.
        CannotRunError: They are others, or gone, since the study began: no fault of the trial.
    """
    data, study = job.config.data, job.photos
    if study is None:
        return open_photos(data)
    try:
        photos = open_photos(data)
        changed = study.known.difference(photos if data == study.data else open_photos(study.data))
    except PhotosError as error:
        raise CannotRunError(str(error).splitlines()[0]) from error
    if changed:
        raise CannotRunError(f"data.photos: {data.photos}: {changed}; put the photos back")
    return photos
