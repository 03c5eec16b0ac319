"""One worker process as the local engine holds it: its pipe, what it is doing, and whether it still does anything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from search.engines.workload import Workload
from search.messages import Event, Job, StopTrial, WorkerReady

LEAST_LOAD = 0.01  # of a core; a process that waits for something that never comes takes less
TAIL_BYTES = 600
MEMORY_SIGNALS = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)
"""What ends a process without memory: the kernel's OOM killer, a `bad_alloc` that nobody catches, and TensorFlow's
CPU kernels, which write to the address that they were not given."""


class WorkerHandle:
    """A worker process.

    What it says is read by a thread of its own: a worker that is stopped in the middle of a message keeps only that
    thread waiting.

    Attributes:
        number: Its place in the pool.
        started: Monotonic time of its start.
        ready: Whether it has imported what it needs.
        load: What it has to do and has done.
        killed: Why it was killed, if it was.
    """

    def __init__(
        self,
        number: int,
        log: Path,
        settings: Mapping[str, str],
        heard: Callable[[WorkerHandle, Event | None], None],
        *,
        places: int | None = 1,
    ) -> None:
        """Starts the process.

        Args:
            number: Its place in the pool.
            log: File that takes what it prints.
            settings: Environment variables of its own.
            heard: Called by the reading thread with each event, and with None when the process is gone.
            places: For so many trials at a time; None lets it measure.
        """
        self.number, self.started = number, time.monotonic()
        self.ready, self.killed = False, ""
        self.load = Workload(places)
        self._log, self._heard = log, heard
        self._alive_at, self._computed = self.started, 0.0
        self._connection: Connection[Any, Event]
        self._connection, theirs = Pipe()
        environment = {**os.environ, **settings}
        environment.pop("COLORGAN_STORAGE", None)  # with its password, which a worker has no use for
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "search.engines.worker",
                    str(theirs.fileno()),
                    str(number),
                    str(places or "auto"),
                ],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # the terminal's Ctrl-C is for the driver, which tells the workers
            )
        theirs.close()
        threading.Thread(target=self._listen, name=f"worker-{number}", daemon=True).start()

    @property
    def idle(self) -> bool:
        """Whether it does nothing but wait for a job."""
        return self.ready and not self.load.jobs

    @property
    def free(self) -> int:
        """How many more jobs it would take."""
        return self.load.free if self.ready else 0

    def tell(self, message: object) -> None:
        """Sends it something; of one that is dead the reading thread says so."""
        with suppress(BrokenPipeError, ConnectionResetError, OSError):
            self._connection.send(message)

    def stop(self, wish: StopTrial) -> None:
        """Asks it to leave a trial."""
        self.tell(wish)

    def begin(self, job: Job) -> None:
        """Gives it a job."""
        self._alive_at = time.monotonic()
        self.load.begin(job)
        self.tell(job)

    def take(self, event: Event) -> None:
        """Notes what it has said."""
        self._alive_at = time.monotonic()
        self.ready |= isinstance(event, WorkerReady)
        self.load.take(event)

    def stuck_seconds(self) -> float:
        """Returns for how long it has neither said nor computed anything, though it had to."""
        now, computed = time.monotonic(), self._cpu_seconds()
        if self.idle or computed - self._computed > LEAST_LOAD * (now - self._alive_at):
            self._alive_at, self._computed = now, computed
        return now - self._alive_at

    def excuse(self, seconds: float) -> None:
        """Counts so much less of that time: nobody was there to hear it."""
        self._alive_at = min(time.monotonic(), self._alive_at + seconds)

    def kill(self, reason: str) -> None:
        """Ends it at once, a stopped one too."""
        self.killed = self.killed or reason
        self._process.kill()

    def memory_bytes(self) -> int:
        """Returns its resident memory; 0 where it is gone."""
        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def gone(self) -> bool:
        """Returns whether the process has ended."""
        return self._process.poll() is not None

    def end(self, seconds: float = 0.0) -> str:
        """Waits for its end, kills it when that takes longer than `seconds`, and returns how it ended."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code >= 0:
            return f"its worker process ended with exit code {code}"
        return self.killed or f"its worker process was ended by {signal.Signals(-code).name}"

    @property
    def perhaps_memory(self) -> bool:
        """Whether it ended as processes do that get no memory, and not because it was killed by us."""
        return not self.killed and -(self._process.poll() or 0) in MEMORY_SIGNALS

    def last_words(self) -> str:
        """Returns the last lines of its log on one line."""
        with suppress(OSError):
            return " ".join(self._log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").split())
        return ""

    def _cpu_seconds(self) -> float:
        try:
            times = psutil.Process(self._process.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)

    def _listen(self) -> None:
        with self._connection as connection, suppress(EOFError, OSError):  # it died, perhaps in mid-message
            while True:
                self._heard(self, connection.recv())
        self._heard(self, None)
