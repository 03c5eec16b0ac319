"""The local engine: a pool of warm worker processes on this machine, each with its core or its GPU.

A worker is a new Python process (`engines/worker.py`) joined by a pipe, so nothing of the driver is forked into it and
no `__main__` is imported again. A worker that dies is noticed by the pipe's end and replaced; one that grew too
large or old is replaced between two trials.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import psutil

from colorgan.errors import CannotRunError
from search.messages import Event, Job, Quit, StopTrial, TrialEnded, WorkerLost, WorkerReady

QUIT_SECONDS = 5.0
TAIL_BYTES = 600
MAX_EARLY_DEATHS = 3  # of workers before they were ready, in a row: it will not get better by itself
THREAD_VARIABLES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


class EngineError(CannotRunError):
    """No worker can be started; ends the study."""


@dataclass
class _Worker:
    number: int
    process: subprocess.Popen[bytes]
    connection: Connection[Any, Event]
    log: Path
    started: float
    ready: bool = False
    job: Job | None = None
    trials: int = 0
    killed: bool = False
    architectures: frozenset[str] = field(default_factory=frozenset)


class LocalEngine:
    """Warm worker processes on this machine. See `Engine` for the methods."""

    def __init__(
        self,
        *,
        workers: int | None,
        logs: Path,
        most: int | None = None,
        trials_per_worker: int | None = None,
        worker_memory_bytes: int | None = None,
    ) -> None:
        """Prepares the pool.

        Args:
            workers: How many; None is one per GPU, else one per core.
            logs: Folder for what workers print.
            most: Never more workers than this, as there is no more to do.
            trials_per_worker: Replace a worker after this many trials.
            worker_memory_bytes: Replace a worker whose resident memory is above this after a trial.
        """
        self._gpus = visible_gpus()
        self.count = min(workers or len(self._gpus) or usable_cores(), most or sys.maxsize)
        self._logs, self._max_trials, self._max_bytes = logs, trials_per_worker, worker_memory_bytes
        self._workers: dict[int, _Worker] = {}
        self._retired: list[subprocess.Popen[bytes]] = []
        self._ended_seconds, self._early_deaths = 0.0, 0

    def start(self) -> None:
        """Starts the workers that are missing."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for number in range(self.count):
            if number not in self._workers:
                self._workers[number] = self._spawn(number)

    def idle(self) -> Sequence[int]:
        """Returns the workers that wait for a job."""
        return [worker.number for worker in self._workers.values() if worker.ready and worker.job is None]

    def holds(self, worker: int, architecture: str) -> bool:
        """Returns whether a worker keeps a trainer built for this architecture."""
        return architecture in self._workers[worker].architectures

    def dispatch(self, worker: int, job: Job) -> None:
        """Gives an idle worker a job."""
        self._workers[worker].job = job
        self._tell(self._workers[worker], job)

    def stop(self, number: int, *, save: bool) -> None:
        """Asks the worker of a trial to leave it at the next pause."""
        for worker in self._having(number):
            self._tell(worker, StopTrial(number, save))

    def kill(self, number: int) -> None:
        """Ends the worker of a trial at once."""
        for worker in self._having(number):
            worker.killed = True
            worker.process.kill()

    def release_idle(self) -> None:
        """Ends the workers that wait for a job."""
        for number in self.idle():
            self._retire(self._workers[number])

    def wait(self, seconds: float) -> list[Event]:
        """Returns what workers said, waiting up to `seconds` for something.

        Raises:
            EngineError: Workers die before they are ready, again and again.
        """
        by_connection = {worker.connection: worker for worker in self._workers.values()}
        return [event for c in wait(list(by_connection), seconds) for event in self._hear(by_connection[c])]  # type: ignore[index]

    def worker_seconds(self) -> float:
        """Returns the summed life time of all workers so far."""
        now = time.monotonic()
        return self._ended_seconds + sum(now - worker.started for worker in self._workers.values())

    def memory_bytes(self) -> dict[int, int]:
        """Returns the resident memory of each worker that runs."""
        return {number: _memory_bytes(worker.process) for number, worker in self._workers.items()}

    def close(self) -> None:
        """Ends all workers, those with a trial at once, and waits until they are gone."""
        for worker in list(self._workers.values()):
            if worker.job is not None or not worker.ready:
                worker.process.kill()
            self._retire(worker)
        for process in self._retired:
            try:
                process.wait(QUIT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._retired.clear()

    def _spawn(self, number: int) -> _Worker:
        ours, theirs = Pipe()
        log = self._logs / f"worker-{number}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "search.engines.worker", str(theirs.fileno()), str(number)],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **self._settings(number)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # the terminal's Ctrl-C is for the driver, which tells the workers
            )
        theirs.close()
        return _Worker(number, process, ours, log, time.monotonic())

    def _settings(self, number: int) -> dict[str, str]:
        """Returns the environment that gives a worker its GPU or its one thread; TensorFlow reads it at import."""
        quiet = {"TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")}
        if not self._gpus:
            return quiet | dict.fromkeys(THREAD_VARIABLES, "1")
        gpu = self._gpus[number % len(self._gpus)]
        return quiet | {"CUDA_VISIBLE_DEVICES": gpu, "TF_FORCE_GPU_ALLOW_GROWTH": "true"}

    def _having(self, number: int) -> list[_Worker]:
        return [worker for worker in self._workers.values() if worker.job and worker.job.number == number]

    def _tell(self, worker: _Worker, message: object) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it is dead: `wait` says so
            worker.connection.send(message)

    def _hear(self, worker: _Worker) -> list[Event]:
        try:
            event = worker.connection.recv()
        except (EOFError, OSError):  # it died, perhaps in the middle of a message
            return [self._bury(worker)]
        if isinstance(event, WorkerReady):
            worker.ready, self._early_deaths = True, 0
        elif isinstance(event, TrialEnded):
            worker.job, worker.architectures = None, event.architectures
            worker.trials += 1
            if self._outlived(worker):
                self._retire(worker)
                self._workers[worker.number] = self._spawn(worker.number)
        return [event]

    def _outlived(self, worker: _Worker) -> bool:
        """Returns whether a worker between two trials should be replaced."""
        old = self._max_trials is not None and worker.trials >= self._max_trials
        return old or (self._max_bytes is not None and _memory_bytes(worker.process) > self._max_bytes)

    def _retire(self, worker: _Worker) -> None:
        """Lets a worker without a trial go; it ends by itself."""
        self._tell(worker, Quit())
        worker.connection.close()
        self._forget(worker)
        self._retired = [process for process in self._retired if process.poll() is None] + [worker.process]

    def _bury(self, worker: _Worker) -> WorkerLost:
        """Replaces a worker that has died, and says what it had."""
        worker.connection.close()
        self._forget(worker)
        code = worker.process.wait()
        if not worker.ready:
            self._early_deaths += 1
            if self._early_deaths >= MAX_EARLY_DEATHS:
                raise EngineError(f"workers die before they are ready ({_ending(code)}): {_tail(worker.log)}")
        self._workers[worker.number] = self._spawn(worker.number)
        number = worker.job.number if worker.job else None
        return WorkerLost(worker.number, number, _ending(code), expected=worker.killed)

    def _forget(self, worker: _Worker) -> None:
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


def _ending(code: int) -> str:
    """Returns how a process ended, in words."""
    if code >= 0:
        return f"its worker process ended with exit code {code}"
    return f"its worker process was ended by {signal.Signals(-code).name}"


def _tail(log: Path) -> str:
    """Returns the last lines of a log on one line."""
    with suppress(OSError):
        return " ".join(log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").split())
    return ""


def _memory_bytes(process: subprocess.Popen[bytes]) -> int:
    try:
        return int(psutil.Process(process.pid).memory_info().rss)
    except psutil.Error:
        return 0
