"""What a worker has to do and has done, as its engine keeps it: its trials, and whether it takes more."""

from __future__ import annotations

import time

from search.messages import Event, Job, PlacesMeasured, TrialEnded


class Workload:
    """The trials of one worker, all of one architecture, each at a place of its own.

    Attributes:
        jobs: What it is doing, by trial.
        leaving: Whether it takes no more.
        trials: How many it has done.
        architectures: Those whose trainers it keeps.
    """

    def __init__(self, places: int | None = 1) -> None:
        """Has nothing to do yet.

        Args:
            places: For so many trials at a time; None: for as many as the worker measures to be best.
        """
        self.jobs: dict[int, Job] = {}
        self._overdue: dict[int, float] = {}  # when it was told to leave them, monotonic
        self.leaving, self.trials = False, 0
        self.architectures: frozenset[str] = frozenset()
        self._places = places
        self._architecture = ""  # of its jobs, worked out once: it is asked for whenever the driver looks for places
        self._measured: dict[str, int] = {}  # places by architecture

    @property
    def free(self) -> int:
        """How many more jobs it would take."""
        if self.leaving or self._has_lone:
            return 0
        places = self._places or (self._measured.get(self._architecture, 1) if self.jobs else 1)
        return max(0, places - len(self.jobs))

    def takes(self, architecture: str, *, alone: bool = False) -> bool:
        """Returns whether a trial of this architecture could be trained beside those that it has, or `alone`."""
        return not self.jobs or not (alone or self._has_lone or architecture != self._architecture)

    def begin(self, job: Job) -> None:
        """Notes that it has been given a job."""
        self.jobs[job.number] = job
        self._architecture = job.config.architecture()

    def take(self, event: Event) -> None:
        """Notes what it has said."""
        if isinstance(event, PlacesMeasured):
            self._measured[event.architecture] = event.places
        elif isinstance(event, TrialEnded):
            self.jobs.pop(event.number, None)
            self._overdue.pop(event.number, None)
            self.architectures = event.architectures
            self.trials += 1

    @property
    def _has_lone(self) -> bool:
        """Whether it has a trial that is to be alone."""
        return any(job.alone for job in self.jobs.values())

    def must_leave(self, number: int) -> None:
        """Notes that it is told to leave a trial that has run for too long."""
        self._overdue.setdefault(number, time.monotonic())

    def deaf_seconds(self) -> float:
        """Returns for how long it has had a trial that it must leave; 0 where there is none."""
        return time.monotonic() - min(self._overdue.values()) if self._overdue else 0.0

    def excuse(self, seconds: float) -> None:
        """Counts so much less of that time: nobody was there to hear that it has left one."""
        now = time.monotonic()
        self._overdue = {number: min(now, told + seconds) for number, told in self._overdue.items()}

    def outlives(
        self, event: TrialEnded, *, memory_bytes: int, most_trials: int | None, most_bytes: int | None
    ) -> bool:
        """Returns whether the worker is to be replaced now: it takes no more trials, and has none left.

        What nobody foresaw may have left its process in any state: a GPU's error comes back in whatever is next.

        Args:
            event: A trial of it has ended so.
            memory_bytes: Its resident memory.
            most_trials: After which it takes no more.
            most_bytes: Above which it takes no more.
        """
        old = most_trials is not None and self.trials >= most_trials
        large = most_bytes is not None and memory_bytes > most_bytes
        broken = event.how == "out of memory" or bool(event.traceback)
        self.leaving |= broken or old or large
        return self.leaving and not self.jobs
