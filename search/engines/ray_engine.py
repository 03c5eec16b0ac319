"""The Ray engine: a pool of warm workers, each an actor, on all nodes of a cluster or on this machine.

Ray places the actors, starts their processes, carries messages and says who has died. Which trial is whose stays the
driver's. Workers are added as nodes join, and go with nodes that leave.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import ray
from ray.exceptions import RayError

from colorgan.config import Backend
from search.engines import MAX_EARLY_DEATHS, EngineError
from search.engines.pool import ON_PURPOSE, Pool
from search.engines.ray_actor import Home
from search.engines.ray_cluster import RayCluster, actor_needs, actor_options
from search.engines.ray_worker import RayWorker
from search.messages import Event, TrialEnded, WorkerLost, WorkerReady
from search.settings import Search
from search.words import counted

END_SECONDS = 10.0
MOST_AWAITED = 1024  # of the workers that were let go, whose end is awaited when all is over
LOOK_SECONDS = 2.0  # between two looks at nodes and workers
PATIENCE_SECONDS = 30.0  # after which it is said that workers wait for room


class RayEngine(Pool[RayWorker]):
    """Warm workers on Ray. See `Engine` for the methods."""

    def __init__(
        self,
        settings: Search,
        *,
        study: str,
        home: Home,
        address: str | None,
        say: Callable[[str], None],
        backend: Backend = "tensorflow",
        places: int | None = 1,
    ) -> None:
        """Prepares the pool; the cluster is joined, or started, with the first workers.

        Args:
            settings: How many workers, what each is given, and when one is replaced.
            study: Its name.
            home: What every node must have.
            address: The cluster's; None starts one on this machine.
            say: Called with a line for people.
            backend: What the workers compute with.
            places: How many trials of one architecture a worker trains at a time, as one program; None lets those with
                a GPU measure.
        """
        super().__init__(home.photos)
        self._settings, self._study, self._home, self._say = settings, study, home, say
        self._backend = backend
        self._wanted = None if settings.workers == "auto" else settings.workers
        self._cluster = RayCluster(address, cores=(self._wanted or 1) * settings.resources.cpu)
        self._need: dict[str, float] = {}
        self._places, self.count = places, self._wanted or 1  # until the cluster has been joined
        self._retired: list[RayWorker] = []
        self._parked: list[RayWorker] = []
        self._unfit = ""  # what was said of the last of them
        self._made, self._early_deaths, self._ended_seconds = 0, 0, 0.0
        self._growing, self._ever_ready, self._said_room, self._looked = False, False, False, time.monotonic()

    def start(self) -> None:
        """Starts the workers that are missing.

        Raises:
            EngineError: There is no such cluster.
        """
        if not self._cluster.joined:
            self._join()
        self._growing = True
        self._fill()

    def release_idle(self) -> None:
        """Ends the workers that wait for a job, and those that never got room."""
        self._growing = False
        for worker in list(self._workers.values()):
            if not worker.load.jobs:
                self._retire(worker)

    def wait(self, seconds: float) -> list[Event]:
        """Returns what workers said, waiting up to `seconds` for something.

        Raises:
            EngineError: A node lacks what the study needs, or workers die before they are ready, again and again.
        """
        events = self._listen(seconds)
        self._look()  # not before: what a worker has said shows that it lives
        return events

    def worker_seconds(self) -> float:
        """Returns the summed life time of all workers so far."""
        return self._ended_seconds + sum(_life(worker) for worker in self._workers.values())

    def memory_bytes(self) -> dict[int, int]:
        """Returns the resident memory of each worker when it was last heard."""
        return {number: worker.memory_bytes for number, worker in self._workers.items()}

    def close(self) -> None:
        """Ends all workers and waits until they are gone; stops the Ray that was started for them."""
        self._growing = False
        for worker in list(self._workers.values()):
            self._retire(worker)
        for worker in self._parked:
            worker.kill(ON_PURPOSE)
        deadline = time.monotonic() + END_SECONDS  # for all of them: a cluster that is gone says nothing of any
        for worker in [*self._retired, *self._parked]:
            worker.await_end(deadline - time.monotonic())
        self._retired.clear()
        self._cluster.close()

    def _listen(self, seconds: float) -> list[Event]:
        """Returns what workers said, waiting up to `seconds` for something."""
        asked = {worker.asked: worker for worker in self._workers.values()}
        if not asked:
            time.sleep(seconds)
            return []
        answered, _ = ray.wait(list(asked), num_returns=1, timeout=seconds)
        if answered:  # all that have, not only the first
            answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0)
        return [event for answer in answered for event in self._hear(asked[answer])]

    def _join(self) -> None:
        self._cluster.join()
        self._need = actor_needs(self._settings.resources, gpus=self._cluster.gpus())
        if not self._cluster.may_grow and not self._cluster.room(self._need):
            needs = f"each worker needs {_words(self._need)} (search.resources)"
            raise EngineError(f"no worker has room on this machine: {needs}, it has {_words(self._cluster.largest())}")
        self._places = self._places if self._need.get("GPU") else self._places or 1
        self.count = self._allowed()

    def _allowed(self) -> int:
        """Returns how many workers there shall be: at least one, which waits for room where there is none."""
        most = math.ceil(self._settings.most_trials / (self._places or 1))
        return min(self._wanted or max(1, self._room()), most)

    def _room(self) -> int:
        """Returns for how many workers there is room beside those that can do nothing where they are."""
        return self._cluster.room(self._need) - len(self._parked)

    def _fill(self) -> None:
        while len(self._workers) < self.count:
            options = actor_options(self._need, self._backend)
            worker = RayWorker(self._made, self._study, self._home, options, places=self._places)
            self._workers[self._made] = worker
            self._made += 1

    def _look(self) -> None:
        """Follows the nodes that come and go, and kills workers that do nothing any more.

        Raises:
            EngineError: No node is left that has what the study needs.
        """
        now = time.monotonic()
        if not self._cluster.joined or now - self._looked < LOOK_SECONDS:
            return
        self._parked = [worker for worker in self._parked if not worker.gone()]
        self._looked, self.count = now, self._allowed()
        if self._parked and self._room() <= 0 and not any(worker.ready for worker in self._workers.values()):
            raise EngineError(f"no worker is left that can be used: {self._unfit}")
        if self._growing:
            self._fill()
        waiting = [worker for worker in self._workers.values() if not worker.ready]
        for worker in waiting[: max(0, len(self._workers) - self.count)]:
            self._retire(worker)
        if waiting and not self._said_room and now - waiting[0].made_at > PATIENCE_SECONDS:
            self._said_room = True
            needs = _words(self._need) + ("" if self._cluster.room(self._need) else ", more than any of its nodes has")
            self._say(f"{counted(len(waiting), 'worker')} without room in the cluster yet; each needs {needs}")
        self._end_stuck(self._settings.stuck_seconds)

    def _hear(self, worker: RayWorker) -> Sequence[Event]:
        try:
            heard = worker.hear()
        except RayError as error:
            return self._bury(worker, error)
        if heard.unfit:
            self._park(worker, heard.unfit)
        for event in heard.events:
            if isinstance(event, WorkerReady):
                self._early_deaths, self._ever_ready = 0, True
            elif isinstance(event, TrialEnded) and self._outlived(worker, event) and worker.number in self._workers:
                self._retire(worker)  # once, where several of its trials have ended at a time
                self._fill()
        return heard.events

    def _park(self, worker: RayWorker, unfit: str) -> None:
        """Lets a worker that can do nothing here keep its place, so that no other is made there.

        Raises:
            EngineError: No other has been able to do anything either: what is wrong can be mended before the start.
        """
        self._unfit = f"worker {worker.number}: {unfit}"
        if not self._ever_ready:
            raise EngineError(self._unfit)
        self._say(f"worker {worker.number} is not used: {unfit}")
        self._parked.append(self._workers.pop(worker.number))

    def _outlived(self, worker: RayWorker, event: TrialEnded) -> bool:
        """Returns whether a worker, a trial of which has ended so, is to be replaced now."""
        return worker.load.outlives(
            event,
            memory_bytes=worker.memory_bytes,
            most_trials=self._settings.trials_per_worker,
            most_bytes=self._settings.worker_memory_bytes,
        )

    def _bury(self, worker: RayWorker, error: RayError) -> Sequence[Event]:
        """Replaces a worker that is gone, and says of each trial that it had, or of none, that it is lost."""
        ending, perhaps_memory = worker.ending(error), worker.perhaps_memory(error)
        self._retire(worker)  # one that only cannot be reached must not go on
        if not worker.ready and not worker.placeless(error):
            self._early_deaths += 1
            if self._early_deaths >= MAX_EARLY_DEATHS:
                raise EngineError(f"workers die before they are ready: {ending}")
        self._fill()
        had: list[int | None] = [*worker.load.jobs] or [None]
        return [WorkerLost(worker.number, number, ending, perhaps_memory) for number in had]

    def _retire(self, worker: RayWorker) -> None:
        worker.kill(ON_PURPOSE)
        del self._workers[worker.number]
        self._ended_seconds += _life(worker)
        self._retired = [*self._retired[-MOST_AWAITED:], worker]


def _life(worker: RayWorker) -> float:
    return 0.0 if worker.ready_at is None else time.monotonic() - worker.ready_at


def _words(need: dict[str, float]) -> str:
    return ", ".join(f"{name} {amount:g}" for name, amount in need.items())
