"""An engine whose workers train nothing: they say what a training would have said, when it would have said it.

Time is a number that jumps to the next thing that happens, so an hour of a thousand workers takes as long as the
driver needs to handle what they say.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from colorgan.config import TrainConfig
from colorgan.epoch import EpochResult
from search.messages import BaselinesMeasured, EpochDone, Event, Job, TrialEnded, TrialStarted, WorkerReady

BASELINES = {"gray": {"valid/delta_e": 20.21}, "tint": {"valid/delta_e": 21.57}}  # of the bundled photos at 64 px


@dataclass(frozen=True)
class Training:
    """What training one configuration to its end would say.

    Attributes:
        epochs: Its results, from the first epoch to the last.
        parameters: Trainable weights of the generator.
    """

    epochs: Sequence[EpochResult]
    parameters: int = 0


@dataclass(frozen=True)
class Costs:
    """Seconds of a worker beside training and validation, as measured where most of the recording was made.

    Attributes:
        start: From a worker's start until it takes jobs.
        build: A trial whose architecture is new to its worker.
        reset: Any other.
    """

    start: float = 6.9
    build: float = 0.9
    reset: float = 0.02


@dataclass
class _Worker:
    number: int
    job: Job | None = None
    training: Training | None = None
    ready: bool = False
    built: set[str] = field(default_factory=set)
    due: int = 0  # number of the message that it will say next; others are void


class SimulatedEngine:
    """A pool of workers in simulated time. See `search.engines.Engine` for the methods.

    Attributes:
        count: How many workers.
        now: The simulated time, in seconds.
        heard: How many messages the driver was given.
    """

    def __init__(self, *, workers: int, train: Callable[[int, TrainConfig], Training], costs: Costs = Costs()) -> None:
        """Prepares the pool.

        Args:
            workers: How many.
            train: Returns what a trial of this number and configuration says; asked at each of its dispatches.
            costs: What workers need beside training.
        """
        self.count, self.now, self.heard = workers, 0.0, 0
        self._train, self._costs = train, costs
        self._workers = {number: _Worker(number) for number in range(workers)}
        self._having: dict[int, _Worker] = {}  # by number of the trial
        self._idle: dict[int, None] = {}  # in the order in which they fell idle
        self._done: dict[int, int] = {}  # epochs by trial that is not finished: its checkpoint
        self._released: list[float] = []  # when each worker ended
        self._agenda: list[tuple[float, int, int, Event]] = []
        self._ids = itertools.count(1)

    def start(self) -> None:
        """Starts the workers."""
        for worker in self._workers.values():
            if not worker.due and not worker.ready:
                self._say(worker, WorkerReady(worker.number, "simulated", self._costs.start), after=self._costs.start)

    def idle(self) -> Sequence[int]:
        """Returns the workers that wait for a job."""
        return list(self._idle)

    def takes(self, worker: int, architecture: str, *, alone: bool = False) -> bool:  # noqa: ARG002 - it has one place
        """Returns whether a worker that waits could take a trial of this architecture now, or have it `alone`."""
        return True

    def holds(self, worker: int, architecture: str) -> bool:
        """Returns whether a worker keeps a trainer built for this architecture."""
        return architecture in self._workers[worker].built

    def dispatch(self, number: int, job: Job) -> None:
        """Gives an idle worker a job."""
        del self._idle[number]
        worker, architecture = self._workers[number], job.config.architecture()
        training = self._train(job.number, job.config)
        worker.job, worker.training, self._having[job.number] = job, training, worker
        built = architecture not in worker.built
        worker.built.add(architecture)
        seconds = self._costs.build if built else self._costs.reset
        history = tuple(training.epochs[: self._done.get(job.number, 0)])
        started = TrialStarted(job.number, built, seconds, history, training.parameters)
        if job.baselines:
            self._say(worker, BaselinesMeasured(BASELINES), after=0.0, alone=True)
        self._say(worker, started, after=seconds)

    def stop(self, number: int, *, save: bool) -> None:  # noqa: ARG002 - an epoch that has ended is always saved
        """Lets a trial end now."""
        if worker := self._having.get(number):
            self._say(worker, TrialEnded(number, "stopped", architectures=frozenset(worker.built)), after=0.0)

    def kill(self, number: int) -> None:
        """Lets a trial end now; nothing of a simulated worker is lost."""
        self.stop(number, save=False)

    def release_idle(self) -> None:
        """Ends the workers that wait for a job."""
        for number in self._idle:
            del self._workers[number]
            self._released.append(self.now)
        self._idle.clear()

    def wait(self, seconds: float) -> list[Event]:
        """Returns what is said next, all of one moment; the time is then that of it."""
        while self._agenda and not self._due(*self._agenda[0][1:3]):
            heapq.heappop(self._agenda)
        if not self._agenda:
            self.now += seconds
            return []
        self.now = self._agenda[0][0]
        events: list[Event] = []
        while self._agenda and self._agenda[0][0] <= self.now:
            _, message, number, event = heapq.heappop(self._agenda)
            if self._due(message, number):
                self._go_on(self._workers[number], event)
                events.append(event)
        self.heard += len(events)
        return events

    def worker_seconds(self) -> float:
        """Returns the summed life time of all workers so far."""
        return sum(self._released) + self.now * len(self._workers)

    def close(self) -> None:
        """Ends all workers."""
        self._agenda.clear()

    def _due(self, message: int, number: int) -> bool:
        """Returns whether a message is still to be said: it is its worker's last word, or one that nothing unsays."""
        worker = self._workers.get(number)
        return worker is not None and (message < 0 or worker.due == message)

    def _say(self, worker: _Worker, event: Event, *, after: float, alone: bool = False) -> None:
        """Has a worker say something later, and nothing else unless it is said `alone`."""
        message = next(self._ids)
        if not alone:
            worker.due = message
        heapq.heappush(self._agenda, (self.now + after, -message if alone else message, worker.number, event))

    def _go_on(self, worker: _Worker, said: Event) -> None:
        """Has a worker that said something plan what comes next."""
        match said:
            case WorkerReady():
                worker.ready = True
                self._idle[worker.number] = None
            case EpochDone(number, result):
                self._done[number] = result.epoch
                self._train_on(worker)
            case TrialStarted():
                self._train_on(worker)
            case TrialEnded(number, how):
                if how == "complete":
                    self._done.pop(number, None)
                worker.job = worker.training = None
                del self._having[number]
                self._idle[worker.number] = None

    def _train_on(self, worker: _Worker) -> None:
        """Has a worker say its next epoch when that is trained, or at once that its trial ends here."""
        if worker.job is None or worker.training is None:
            return
        epochs, done = worker.training.epochs, self._done.get(worker.job.number, 0)
        last = min(worker.job.until or len(epochs), len(epochs))
        if done == last:
            how: Literal["complete", "paused"] = "complete" if last == len(epochs) else "paused"
            self._say(worker, TrialEnded(worker.job.number, how, architectures=frozenset(worker.built)), after=0.0)
            return
        result = epochs[done]
        self._say(worker, EpochDone(worker.job.number, result), after=result.train_seconds + result.valid_seconds)
