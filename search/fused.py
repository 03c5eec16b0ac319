"""In a worker on JAX: several trials of one architecture at a time, as one program (`search.fuse`).

Each is built, continued, measured and saved as a lone trial is (`trial.py`); only their steps are taken together. Knows
no Optuna and no TensorBoard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

from colorgan.fused_trainer import FusedTrainer, best_places
from colorgan.run import checkpoint_due
from search.messages import EpochDone, Event, Job, PlacesMeasured, Quit, StopTrial, TrialEnded
from search.shelf import Shelf, shelf
from search.trial import TrialRunner


@dataclass
class _Member:
    """A trial at its place.

    Attributes:
        held: What is to be closed when it leaves.
        save: Whether to save before it leaves at the next pause; None: it stays.
    """

    job: Job
    shelf: Shelf
    held: ExitStack
    save: bool | None = None


class FusedRunner:
    """Runs jobs of one architecture side by side."""

    def __init__(self, places: int | None) -> None:
        """Has no trial.

        Args:
            places: For so many at a time; None measures for each architecture how many are fastest.
        """
        self._runner, self._places = TrialRunner(warm_step=False), places
        self._fused: FusedTrainer | None = None
        self._members: dict[int, _Member] = {}

    @property
    def busy(self) -> bool:
        """Whether it has a trial."""
        return bool(self._members)

    def serve(
        self, receive: Callable[[], Job | StopTrial | Quit], waits: Callable[[], bool], say: Callable[[Event], object]
    ) -> None:
        """Trains what it is told to until it is told to end.

        Args:
            receive: Returns the next message, waiting for it.
            waits: Returns whether there is one.
            say: Takes what the driver should hear.
        """
        while True:
            while not self.busy or waits():
                match receive():
                    case Quit():
                        return
                    case StopTrial() as wish:
                        self.stop(wish)
                    case Job() as job:
                        for event in self.begin(job):
                            say(event)
            for event in self.advance():
                say(event)

    def begin(self, job: Job) -> Iterator[Event]:
        """Takes a trial in, of the architecture of the others, if there are any; yields what the driver should hear."""
        held = ExitStack()
        try:
            place = held.enter_context(shelf(job))
            trainer = yield from self._runner.start(job, place)
            if trainer.epoch >= job.last:
                held.close()
                yield self._runner.ended(job, job.ending)
                return
            if self._fused is None or not self._fused.uses(trainer):
                places = self._places or best_places(trainer)
                self._fused = FusedTrainer(trainer, places)
                yield PlacesMeasured(trainer.architecture, places)
            self._members[self._fused.enter()] = _Member(job, place, held)
        except Exception as error:  # noqa: BLE001 - a failing trial is data: it must not take the worker with it
            held.close()
            yield self._runner.failed(job, error, alone=not self._members)

    def stop(self, wish: StopTrial) -> None:
        """Lets a trial leave at the next pause; one that has ended meanwhile is no matter."""
        for member in self._members.values():
            if member.job.number == wish.number:
                member.save = wish.save

    def advance(self) -> Iterator[Event]:
        """Trains all for about half a second, and yields what the driver should hear; only while it is `busy`."""
        fused = self._fused
        if fused is None:
            return
        try:
            broken = fused.train()
        except Exception as error:  # noqa: BLE001 - as above; it is all members' alike
            crowded = len(self._members) > 1
            for member in self._members.values():
                member.held.close()
                failed = self._runner.failed(member.job, error)
                yield replace(failed, crowded=failed.crowded or crowded)
            self._members, self._fused = {}, None
            return
        for place, loss in broken.items():
            yield self._fail(fused, place, loss)
        for place in fused.at_epoch_end():
            yield from self._finish_epoch(fused, place)
        for place, member in list(self._members.items()):
            if member.save is not None:
                yield self._stop(fused, place, member)

    def _finish_epoch(self, fused: FusedTrainer, place: int) -> Iterator[Event]:
        member = self._members[place]
        job = member.job
        try:
            trainer = fused.look(place)
            result = trainer.finish_epoch()
            if checkpoint_due(job.config, result.epoch, last=job.last):
                self._save(fused, place)
            yield EpochDone(job.number, result)
            if result.epoch >= job.last:
                yield self._leave(fused, place, self._runner.ended(job, job.ending))
        except Exception as error:  # noqa: BLE001 - as above
            yield self._fail(fused, place, error)

    def _stop(self, fused: FusedTrainer, place: int, member: _Member) -> Event:
        try:
            if member.save:
                self._save(fused, place)
        except Exception as error:  # noqa: BLE001 - as above
            return self._fail(fused, place, error)
        return self._leave(fused, place, self._runner.ended(member.job, "stopped"))

    def _save(self, fused: FusedTrainer, place: int) -> None:
        trainer, kept = fused.look(place), self._members[place].shelf
        trainer.save(kept.path)
        kept.keep(trainer.step)

    def _fail(self, fused: FusedTrainer, place: int, error: Exception) -> Event:
        failed = self._runner.failed(self._members[place].job, error, alone=len(self._members) == 1)
        return self._leave(fused, place, failed)

    def _leave(self, fused: FusedTrainer, place: int, ended: TrialEnded) -> TrialEnded:
        fused.leave(place)
        self._members.pop(place).held.close()
        return ended
