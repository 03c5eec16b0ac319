"""The local engine: a pool of warm worker processes on this machine, each with its core or its GPU.

A worker is a new Python process (`engines/worker.py`) joined by a pipe (`engines/handle.py`), so nothing of the driver
is forked into it and no `__main__` is imported again. A worker that dies or does nothing any more is replaced; one that
grew too large or old, ran out of memory or had an error that nobody foresaw, is replaced between two trials.
"""

from __future__ import annotations

import math
import os
import subprocess
import time
from pathlib import Path
from queue import Empty, SimpleQueue

from colorgan.config import Backend
from search.doctor.limits import oom_kills
from search.engines import MAX_EARLY_DEATHS, EngineError
from search.engines.environment import worker_environment
from search.engines.handle import WorkerHandle
from search.engines.pool import ON_PURPOSE, Pool
from search.known_photos import StudyPhotos
from search.messages import Event, Quit, TrialEnded, WorkerLost, WorkerReady

QUIT_SECONDS = 5.0
LOOK_SECONDS = 1.0  # between two looks at whether the workers still do something


class LocalEngine(Pool[WorkerHandle]):
    """Warm worker processes on this machine. See `Engine` for the methods."""

    def __init__(
        self,
        *,
        workers: int | None,
        logs: Path,
        most: int | None = None,
        trials_per_worker: int | None = None,
        worker_memory_bytes: int | None = None,
        stuck_seconds: float | None = None,
        backend: Backend = "tensorflow",
        workers_per_gpu: int = 1,
        places: int | None = 1,
        photos: StudyPhotos | None = None,
    ) -> None:
        """Prepares the pool.

        Args:
            workers: How many; None is `workers_per_gpu` per GPU, else one per core.
            logs: Folder for what workers print.
            most: There are never more trials at a time than this, further seeds included, and so no more places.
            trials_per_worker: Replace a worker after this many trials.
            worker_memory_bytes: Replace a worker whose resident memory is above this after a trial.
            stuck_seconds: Replace a worker that for so long neither says nor computes anything, though it should.
            backend: What they compute with.
            workers_per_gpu: How many share a GPU where `workers` is None.
            places: How many trials of one architecture a worker trains at a time, as one program; None lets those with
                a GPU measure.
            photos: The study's, which each worker compares its own with.
        """
        super().__init__(photos)
        self._gpus, self._backend = visible_gpus(), backend
        self._places = places if self._gpus else places or 1
        wanted = workers or len(self._gpus) * workers_per_gpu or usable_cores()
        self.count = min(wanted, math.ceil((most or wanted) / (places or 1)))
        self._logs, self._max_trials, self._max_bytes = logs, trials_per_worker, worker_memory_bytes
        self._stuck_seconds, self._looked = stuck_seconds, time.monotonic()
        self._retired: list[WorkerHandle] = []
        self._mail: SimpleQueue[tuple[WorkerHandle, Event | None]] = SimpleQueue()
        self._ended_seconds, self._early_deaths = 0.0, 0
        self._oom_kills = oom_kills()

    def start(self) -> None:
        """Starts the workers that are missing."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for number in range(self.count):
            if number not in self._workers:
                self._spawn(number)

    def release_idle(self) -> None:
        """Ends the workers that wait for a job."""
        for worker in list(self._workers.values()):
            if worker.idle:
                self._retire(worker)

    def wait(self, seconds: float) -> list[Event]:
        """Returns what workers said, waiting up to `seconds` for something.

        Raises:
            EngineError: Workers die before they are ready, again and again.
        """
        events = self._listen(seconds)
        self._look()  # not before: what a worker has said shows that it lives
        return events

    def worker_seconds(self) -> float:
        """Returns the summed life time of all workers so far."""
        now = time.monotonic()
        return self._ended_seconds + sum(now - worker.started for worker in self._workers.values())

    def memory_bytes(self) -> dict[int, int]:
        """Returns the resident memory of each worker that runs."""
        return {number: worker.memory_bytes() for number, worker in self._workers.items()}

    def close(self) -> None:
        """Ends all workers, those with a trial at once, and waits until they are gone."""
        for worker in list(self._workers.values()):
            if not worker.idle:
                worker.kill(ON_PURPOSE)
            self._retire(worker)
        for worker in self._retired:
            worker.end(QUIT_SECONDS)
        self._retired.clear()

    def _listen(self, seconds: float) -> list[Event]:
        """Returns what workers said, waiting up to `seconds` for something."""
        events: list[Event] = []
        try:
            worker, event = self._mail.get(timeout=seconds)
            while True:
                if self._workers.get(worker.number) is worker:  # else it was let go
                    events += [self._take(worker, event)] if event is not None else self._bury(worker)
                worker, event = self._mail.get_nowait()
        except Empty:
            return events

    def _spawn(self, number: int) -> None:
        log = self._logs / f"worker-{number}.log"
        self._workers[number] = WorkerHandle(
            number, log, self._settings(number), lambda *mail: self._mail.put(mail), places=self._places
        )

    def _settings(self, number: int) -> dict[str, str]:
        """Returns the environment that gives a worker its GPU, or its share of one, or its one thread."""
        if not self._gpus:
            return worker_environment(self._backend)
        place, gpus = number % len(self._gpus), len(self._gpus)
        sharers = len(range(place, self.count, gpus))
        return worker_environment(self._backend, gpu_share=1 / sharers) | {"CUDA_VISIBLE_DEVICES": self._gpus[place]}

    def _look(self) -> None:
        """Kills workers that do nothing any more."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._end_stuck(self._stuck_seconds)

    def _take(self, worker: WorkerHandle, event: Event) -> Event:
        worker.take(event)
        if isinstance(event, WorkerReady):
            self._early_deaths = 0
        elif isinstance(event, TrialEnded) and self._outlived(worker, event):
            self._retire(worker)
            self._spawn(worker.number)
        return event

    def _outlived(self, worker: WorkerHandle, event: TrialEnded) -> bool:
        """Returns whether a worker, a trial of which has ended so, is to be replaced now."""
        memory = worker.memory_bytes() if self._max_bytes is not None else 0
        return worker.load.outlives(
            event, memory_bytes=memory, most_trials=self._max_trials, most_bytes=self._max_bytes
        )

    def _retire(self, worker: WorkerHandle) -> None:
        """Lets a worker without a trial go; it ends by itself."""
        worker.tell(Quit())
        self._forget(worker)
        self._retired = [*(earlier for earlier in self._retired if not earlier.gone()), worker]

    def _bury(self, worker: WorkerHandle) -> list[Event]:
        """Replaces a worker that has died, and says of each trial that it had, or of none, that it is lost."""
        self._forget(worker)
        ending = worker.end(QUIT_SECONDS)
        if not worker.ready:
            self._early_deaths += 1
            if self._early_deaths >= MAX_EARLY_DEATHS:
                raise EngineError(f"workers die before they are ready ({ending}): {worker.last_words()}")
        self._spawn(worker.number)
        if self._killed_for_memory() and worker.perhaps_memory:
            ending += " as memory ran out"
        had: list[int | None] = [*worker.load.jobs] or [None]
        return [WorkerLost(worker.number, number, ending, worker.perhaps_memory) for number in had]

    def _killed_for_memory(self) -> bool:
        """Returns whether the kernel has killed for lack of memory since this was last asked."""
        before, self._oom_kills = self._oom_kills, oom_kills()
        return self._oom_kills > before

    def _forget(self, worker: WorkerHandle) -> None:
        del self._workers[worker.number]
        self._ended_seconds += time.monotonic() - worker.started


def usable_cores() -> int:
    """Returns the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Returns the NVIDIA GPUs this process may use, as CUDA_VISIBLE_DEVICES names them, without loading CUDA."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    try:
        found = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return found.stdout.split() if found.returncode == 0 else []
