"""One worker on Ray as the driver holds it: its actor, the question that it will answer, and what it is doing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayActorError, RayError

from search.engines.handle import LEAST_LOAD
from search.engines.ray_actor import HEAR_SECONDS, Heard, Home, TrialActor
from search.engines.workload import Workload
from search.messages import Job, StopTrial, WorkerReady
from search.settings import MAX_FUSED

UNEXPECTED = "Worker unexpectedly exits"  # Ray's words for a process that a signal has ended
NODE_DIED = ("node has died", "node was dead", "node failure", "The node")
REASON_LENGTH = 300
ANSWER_SECONDS = 1.0


class RayWorker:
    """An actor.

    Attributes:
        number: Its own alone; the worker that takes its place has another.
        asked: The answer that is awaited, a reference of Ray's.
        ready: Whether it takes jobs.
        ready_at: Monotonic time since when it lives, None before it is ready.
        load: What it has to do and has done.
        memory_bytes: Its resident memory when it was last heard.
        killed: Why it was killed, if it was.
    """

    def __init__(
        self, number: int, study: str, home: Home, options: Mapping[str, Any], *, places: int | None = 1
    ) -> None:
        """Has Ray make the actor wherever there is room, now or later.

        Args:
            number: Its number.
            study: The study's name.
            home: As in `TrialActor`.
            options: Ray's, what it needs among them.
            places: For so many trials at a time; None lets it measure.
        """
        name = f"{study}/worker-{number}"
        self.number, self._study = number, study
        groups = {"hear": 1, "stop": 1, "train": MAX_FUSED if places is None else places}
        actors = ray.remote(concurrency_groups=groups)(TrialActor)  # type: ignore[call-overload]
        self._actor = actors.options(name=name, **options).remote(number, name, home, places)
        self.made_at = self._alive_at = time.monotonic()
        self.ready_at: float | None = None
        self.load = Workload(places)
        self.memory_bytes, self.killed = 0, ""
        self._computed = 0.0
        self.asked = self._ask()

    @property
    def ready(self) -> bool:
        """Whether it takes jobs."""
        return self.ready_at is not None

    @property
    def idle(self) -> bool:
        """Whether it does nothing but wait for a job."""
        return self.ready and not self.load.jobs

    @property
    def free(self) -> int:
        """How many more jobs it would take."""
        return self.load.free if self.ready else 0

    def begin(self, job: Job) -> None:
        """Gives it a job, which Ray's dashboard shows by name."""
        self._alive_at = time.monotonic()
        self.load.begin(job)
        absolute = replace(job, checkpoint=job.checkpoint.absolute())
        self._actor.train.options(name=f"{self._study} trial {job.number}").remote(absolute)

    def stop(self, wish: StopTrial) -> None:
        """Asks it to leave a trial."""
        self._actor.stop.remote(wish)

    def hear(self) -> Heard:
        """Returns its answer, notes what it has said, and asks again.

        Raises:
            RayError: It is gone.
        """
        heard: Heard = ray.get(self.asked)
        now = time.monotonic()
        if heard.events or heard.cpu_seconds - self._computed > LEAST_LOAD * (now - self._alive_at):
            self._alive_at, self._computed = now, heard.cpu_seconds
        self.memory_bytes = heard.memory_bytes
        for event in heard.events:
            if isinstance(event, WorkerReady):
                self.ready_at = now - event.seconds
            self.load.take(event)
        self.asked = self._ask()
        return heard

    def stuck_seconds(self) -> float:
        """Returns for how long it has neither said nor computed anything, nor answered, though it had to."""
        if not self.load.jobs:
            self._alive_at = time.monotonic()
        return time.monotonic() - self._alive_at

    def excuse(self, seconds: float) -> None:
        """Counts so much less of that time: nobody was there to hear it."""
        self._alive_at = min(time.monotonic(), self._alive_at + seconds)

    def kill(self, reason: str) -> None:
        """Ends it at once, a stopped one too; where the network is down its node does so later."""
        self.killed = self.killed or reason
        ray.kill(self._actor)

    def gone(self) -> bool:
        """Returns whether Ray knows that it has ended."""
        try:
            ray.get(self._actor.hear.remote(0.0), timeout=ANSWER_SECONDS)
        except GetTimeoutError:
            return False
        except RayError:
            return True
        return False

    def await_end(self, seconds: float) -> None:
        """Waits until Ray knows that it has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.gone():
            time.sleep(0.05)

    def ending(self, error: RayError) -> str:
        """Returns how it ended, by the error that told of it."""
        said = " ".join(str(error).split())
        if self.killed:
            return self.killed
        if isinstance(error, ActorUnavailableError):
            return "its worker cannot be reached"
        if isinstance(error, RayActorError) and UNEXPECTED in said:
            return "its worker process ended without a word, as if killed"
        if self.placeless(error):
            return "its worker's node is gone"
        return f"its worker ended: {said[-REASON_LENGTH:]}"

    def placeless(self, error: RayError) -> bool:
        """Returns whether it ended with its node, which is no fault of its own."""
        return any(words in str(error) for words in NODE_DIED)

    def perhaps_memory(self, error: RayError) -> bool:
        """Returns whether it ended as processes do that get no memory."""
        return not self.killed and (UNEXPECTED in str(error) or "memory" in str(error).lower())

    def _ask(self) -> Any:
        return self._actor.hear.remote(HEAR_SECONDS)
