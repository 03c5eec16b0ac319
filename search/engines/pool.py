"""The part of an engine that is the same wherever its workers are: who takes what, and who has which trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from search.absence import Absence
from search.engines.workload import Workload
from search.known_photos import StudyPhotos
from search.messages import Job, StopTrial

ON_PURPOSE = "its worker process was ended on purpose"


class PoolWorker(Protocol):
    """One worker as its engine holds it."""

    number: int
    load: Workload

    @property
    def free(self) -> int:
        """How many more jobs it would take."""

    def begin(self, job: Job) -> None:
        """Gives it a job."""

    def stop(self, wish: StopTrial) -> None:
        """Asks it to leave a trial."""

    def kill(self, reason: str) -> None:
        """Ends it at once."""

    def stuck_seconds(self) -> float:
        """Returns for how long it has neither said nor computed anything, though it had to."""

    def excuse(self, seconds: float) -> None:
        """Counts so much less of that time: nobody was there to hear it."""


Worker = TypeVar("Worker", bound=PoolWorker)


class Pool(Generic[Worker]):
    """Workers by number. See `Engine` for the methods."""

    def __init__(self, photos: StudyPhotos | None = None) -> None:
        """Has none yet.

        Args:
            photos: The study's, which each worker shall compare its own with.
        """
        self._workers: dict[int, Worker] = {}
        self._photos = photos
        self._absence = Absence()

    def idle(self) -> Sequence[int]:
        """Returns the workers that wait for a job, one with several free places so many times."""
        return [worker.number for worker in self._workers.values() for _ in range(worker.free)]

    def takes(self, worker: int, architecture: str, *, alone: bool = False) -> bool:
        """Returns whether a worker that waits could take a trial of this architecture now, or have it `alone`."""
        return self._workers[worker].load.takes(architecture, alone=alone)

    def holds(self, worker: int, architecture: str) -> bool:
        """Returns whether a worker keeps a trainer built for this architecture."""
        return architecture in self._workers[worker].load.architectures

    def dispatch(self, worker: int, job: Job) -> None:
        """Gives an idle worker a job."""
        self._workers[worker].begin(replace(job, photos=self._photos))

    def stop(self, number: int, *, save: bool) -> None:
        """Asks the worker of a trial to leave it at the next pause."""
        for worker in self._having(number):
            worker.stop(StopTrial(number, save))

    def kill(self, number: int) -> None:
        """Ends the worker of a trial at once; where it trains others as well, the trial leaves at the next pause.

        A worker that comes to none is ended as one that does nothing any more.
        """
        for worker in self._having(number):
            if len(worker.load.jobs) > 1:
                worker.load.must_leave(number)
                worker.stop(StopTrial(number, save=False))
            else:
                worker.kill(ON_PURPOSE)

    def _end_stuck(self, limit: float | None) -> None:
        """Kills workers that do nothing any more: stopped by a signal, or waiting for what never comes.

        Call it when what they have said is read. While the driver was away they may have waited for it.

        Args:
            limit: Seconds for which they may be so; None: for ever.
        """
        away = self._absence.seconds()
        for worker in self._workers.values():
            worker.excuse(away)
            worker.load.excuse(away)
            if limit is not None and worker.stuck_seconds() > limit:
                worker.kill(f"its worker process did nothing for {limit:g} s (stuck_seconds) and was ended")
            elif limit is not None and worker.load.deaf_seconds() > limit:
                worker.kill(f"its worker process came to no pause for {limit:g} s (stuck_seconds) and was ended")

    def _having(self, number: int) -> list[Worker]:
        return [worker for worker in self._workers.values() if number in worker.load.jobs]
