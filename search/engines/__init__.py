"""Where trials run. An engine keeps workers, gives them jobs and passes on what they say; it decides nothing.

`Engine` is all that the driver knows of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from colorgan.errors import CannotRunError
from search.messages import Event, Job

MAX_EARLY_DEATHS = 3  # of workers before they were ready, in a row: it will not get better by itself


class EngineError(CannotRunError):
    """No worker can be started; ends the study."""


class Engine(Protocol):
    """A pool of workers, each with one trial at a time, or with as many as it has places."""

    count: int  # of workers when all run

    def start(self) -> None:
        """Starts the workers; returns at once, each says `WorkerReady` when it is.

        Raises:
            EngineError: There is nowhere to start them.
        """

    def idle(self) -> Sequence[int]:
        """Returns the workers that wait for a job, one with several free places so many times."""

    def takes(self, worker: int, architecture: str, *, alone: bool = False) -> bool:
        """Returns whether a worker that waits could take a trial of this architecture now, or have it `alone`."""

    def holds(self, worker: int, architecture: str) -> bool:
        """Returns whether a worker keeps a trainer built for this architecture."""

    def dispatch(self, worker: int, job: Job) -> None:
        """Gives an idle worker a job."""

    def stop(self, number: int, *, save: bool) -> None:
        """Asks the worker of a trial to leave it at the next pause; `TrialEnded` or `WorkerLost` follows."""

    def kill(self, number: int) -> None:
        """Ends the worker of a trial at once; `WorkerLost` follows, and a new worker is started in its place."""

    def release_idle(self) -> None:
        """Ends the workers that wait for a job, because there will be none."""

    def wait(self, seconds: float) -> list[Event]:
        """Returns what workers said, waiting up to `seconds` for something."""

    def worker_seconds(self) -> float:
        """Returns the summed life time of all workers so far."""

    def close(self) -> None:
        """Ends all workers and waits until they are gone."""
