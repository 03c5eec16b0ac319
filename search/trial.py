"""In a worker: turns jobs into trainings, with trainers kept warm between them. Knows no Optuna and no TensorBoard.

An architecture is built and traced once; each later trial of it only resets the trainer.
"""

from __future__ import annotations

import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator

from colorgan.backend import memory_ran_out
from colorgan.config import DataConfig, PrecisionConfig, TrainConfig
from colorgan.disk import cannot_write, explain
from colorgan.errors import CannotRunError
from colorgan.photos import Photos, open_photos
from colorgan.progress import NonFiniteLossError
from colorgan.run import resume, train
from colorgan.trainer import Trainer
from colorgan.validation import Validator
from search.messages import BaselinesMeasured, EpochDone, Event, Job, TrialEnded, TrialStarted
from search.shelf import Shelf, shelf

MAX_TRAINERS = 16  # kept built; the least recently used goes first


class TrialRunner:
    """Runs one job after another."""

    def __init__(self) -> None:
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
        except NonFiniteLossError as error:
            yield self._ended(job, "failed", reason=str(error))
        except Exception as error:  # noqa: BLE001 - a failing trial is data: it must not take the worker with it
            yield self._failed(job, error)

    def _train(self, job: Job, place: Shelf, stop: Callable[[], bool | None]) -> Iterator[Event]:
        started, self._doing = time.perf_counter(), "while the networks were built"
        photos = self._open(job.config.data)
        trainer, built = self._trainer(job.config, photos)
        if job.baselines:
            yield BaselinesMeasured(trainer.baselines())
        self._doing = "while the checkpoint was read"
        note = resume(trainer, job.config, place.path)
        setup = time.perf_counter() - started
        yield TrialStarted(job.number, built, setup, tuple(trainer.history), trainer.parameters, note)
        self._doing = f"in epoch {trainer.epoch + 1}"
        last = min(job.until or job.config.schedule.epochs, job.config.schedule.epochs)
        for result in train(trainer, place.path, until=last, saved=lambda: place.keep(trainer.step)):
            if result is not None:
                yield EpochDone(job.number, result)
                self._doing = f"in epoch {trainer.epoch + 1}"
            save = stop()
            if save is not None and trainer.epoch < last:
                if save:
                    trainer.save(place.path)
                    place.keep(trainer.step)
                yield self._ended(job, "stopped")
                return
        yield self._ended(job, "complete" if last == job.config.schedule.epochs else "paused")

    def _failed(self, job: Job, error: Exception) -> TrialEnded:
        """Returns what became of a trial: the machine's fault, or its own."""
        trace = "".join(traceback.format_exception(error))
        if memory_ran_out(error):
            crowded = bool(self._trainers.keys() - {job.config.architecture()})
            self._trainers.clear()
            self._validators.clear()
            reason = f"memory ran out {self._doing}"
            return TrialEnded(job.number, "out of memory", reason, trace, crowded=crowded)
        if isinstance(error, CannotRunError):
            return self._ended(job, "blocked", reason=str(error))
        if isinstance(error, OSError) and cannot_write(error):
            return self._ended(job, "blocked", reason=explain(error))
        self._trainers.pop(job.config.architecture(), None)
        reason = f"{type(error).__name__}: {str(error).strip() or 'no message'}".splitlines()[0]
        return self._ended(job, "failed", reason=reason, trace=trace)

    def _ended(self, job: Job, how: str, *, reason: str = "", trace: str = "") -> TrialEnded:
        return TrialEnded(job.number, how, reason, trace, frozenset(self._trainers))  # type: ignore[arg-type]

    def _open(self, data: DataConfig) -> Photos:
        if data not in self._photos:
            self._photos[data] = open_photos(data)
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
        self._trainers[key] = Trainer(config, photos, validator=validator)
        if len(self._trainers) > MAX_TRAINERS:
            self._trainers.popitem(last=False)
        return self._trainers[key], True
