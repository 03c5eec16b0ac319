"""The worker on Ray: an actor that keeps a `TrialRunner`, or a `FusedRunner`, trains and says how it goes.

It is heard by being asked: `hear` waits until there is something to say, so all that the driver holds of a worker is
one call that has not returned, which fails when the worker is gone. Trials, questions and stops have threads of their
own. Whatever a backend reads at its import stands in the process's environment before, put there by Ray.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil
import ray

from colorgan.errors import BadInputError, CannotRunError
from colorgan.photos import open_photos
from colorgan.versions import differing, versions
from search.checkpoint_store import CheckpointStore, StoreError
from search.engines.warm_start import new_fused_runner, new_runner
from search.known_photos import StudyPhotos
from search.messages import Event, Job, Quit, StopTrial, TrialEnded, WorkerReady

HEAR_SECONDS = 2.0  # for which a worker that has nothing to say is waited for, before it says how it stands


@dataclass(frozen=True)
class Home:
    """The driver's place, beside which a worker holds its own: what differs here makes other numbers or loses some.

    Attributes:
        folder: What relative paths of a study are relative to.
        photos: The study's, as they are on the driver's machine.
        versions: Of what shapes a result.
        witness: A file of the study, where its folder is to hold the checkpoints; None where another place does.
        word: What stands in it.
        store: Key of that other place.
    """

    folder: Path
    photos: StudyPhotos
    versions: Mapping[str, str]
    witness: Path | None = None
    word: str = ""
    store: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Heard:
    """What a worker says when it is asked.

    Attributes:
        events: What happened since it was last asked.
        cpu_seconds: Processor time of its process so far.
        memory_bytes: Its resident memory.
        unfit: Why it can train nothing for this study, or nothing.
    """

    events: tuple[Event, ...]
    cpu_seconds: float
    memory_bytes: int
    unfit: str = ""


class TrialActor:
    """What runs in the worker's process."""

    def __init__(self, number: int, name: str, home: Home, places: int | None) -> None:
        """Imports Keras and its backend, and checks that this node can do what the driver's machine would.

        Args:
            number: The worker's.
            name: The same for people, with the study's.
            home: The driver's place.
            places: For so many trials at a time; None lets it measure.
        """
        started = time.perf_counter()
        self._name, self._process = name, psutil.Process()
        self._said: SimpleQueue[Event] = SimpleQueue()
        self._unfit = _misfit(home)
        if not self._unfit:
            self._trials = _OneByOne(self._said.put) if places == 1 else _SideBySide(places, self._said.put)
            self._said.put(WorkerReady(number, _device(), time.perf_counter() - started))

    def __repr__(self) -> str:
        """Is what Ray writes before the lines of its log."""
        return self._name

    @ray.method(concurrency_group="train")
    def train(self, job: Job) -> None:
        """Trains a trial and returns when it has ended; `hear` says how it goes."""
        self._trials.train(job)

    @ray.method(concurrency_group="hear")
    def hear(self, seconds: float) -> Heard:
        """Returns what there is to say, waiting up to `seconds` for something."""
        events: list[Event] = []
        with suppress(Empty):
            events.append(self._said.get(timeout=0.0 if self._unfit else seconds))
            while True:
                events.append(self._said.get_nowait())
        times = self._process.cpu_times()
        return Heard(tuple(events), times.user + times.system, self._process.memory_info().rss, self._unfit)

    @ray.method(concurrency_group="stop")
    def stop(self, wish: StopTrial) -> None:
        """Lets the trial be left at its next pause; one that has ended meanwhile is no matter."""
        self._trials.stop(wish)


class _OneByOne:
    """A worker's trials, one at a time."""

    def __init__(self, say: Callable[[Event], object]) -> None:
        self._runner, self._say = new_runner(), say
        self._wish: StopTrial | None = None

    def train(self, job: Job) -> None:
        for event in self._runner.run(job, lambda: self._stop_wanted(job.number)):
            self._say(event)

    def stop(self, wish: StopTrial) -> None:
        self._wish = wish

    def _stop_wanted(self, number: int) -> bool | None:
        return self._wish.save if self._wish is not None and self._wish.number == number else None


class _SideBySide:
    """A worker's trials, several in one program, which a thread of its own runs."""

    def __init__(self, places: int | None, say: Callable[[Event], object]) -> None:
        self._say, self._inbox = say, SimpleQueue[Job | StopTrial | Quit]()
        self._ended: dict[int, threading.Event] = {}
        self._wishes: dict[int, StopTrial] = {}
        runner = new_fused_runner(places)
        serve = partial(runner.serve, self._inbox.get, lambda: not self._inbox.empty(), self._heard)
        threading.Thread(target=serve, daemon=True).start()

    def train(self, job: Job) -> None:
        ended = self._ended[job.number] = threading.Event()
        self._inbox.put(job)
        if wish := self._wishes.get(job.number):  # its thread was quicker than this one
            self._inbox.put(wish)
        ended.wait()

    def stop(self, wish: StopTrial) -> None:
        self._wishes[wish.number] = wish
        self._inbox.put(wish)

    def _heard(self, event: Event) -> None:
        self._say(event)
        if isinstance(event, TrialEnded):
            self._wishes.pop(event.number, None)
            self._ended.pop(event.number).set()


def _misfit(home: Home) -> str:
    """Returns what makes this node unfit, or nothing."""
    with suppress(OSError):
        os.chdir(home.folder)  # where it is another machine's, only absolute paths lead anywhere
    node = platform.node()
    if other := differing(home.versions, versions()):
        return f"{node} has {other}; install what requirements/lock.txt names on every node"
    try:
        if unseen := _unseen(home):
            return (
                f"{node} does not see {unseen}, so a trial that goes on elsewhere would have lost its checkpoint. Give "
                "--checkpoints a place that all nodes reach (a shared folder, s3://bucket/prefix), or put --results on "
                "a shared folder"
            )
    except StoreError as error:
        return f"{node}: {error}"
    try:
        found = open_photos(home.photos.data)
    except (BadInputError, CannotRunError, OSError) as error:
        return f"{node}: {error} (photos must lie under the same path on every node)"
    changed = home.photos.known.difference(found)
    return f"{node} has other photos at {home.photos.data.photos} than the driver: {changed}" if changed else ""


def _unseen(home: Home) -> str:
    """Returns where checkpoints are to be that this node does not see as the driver does, or nothing.

    Raises:
        StoreError: It does not answer, or needs a package that is missing.
    """
    if home.witness is not None and not _reads(home.witness, home.word):
        return str(home.witness.parent)
    if home.store is not None and not (store := CheckpointStore(*home.store)).is_the_drivers():
        return f"what the driver wrote to {store.place}"
    return ""


def _reads(path: Path, word: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == word
    except (OSError, ValueError):
        return False


def _device() -> str:
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return f"{'CPU' if gpus in ('', '-1') else f'GPU {gpus}'} of {platform.node()}"
