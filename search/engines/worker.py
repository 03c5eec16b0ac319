"""The worker process: takes jobs from a pipe, trains them, reports, and never outlives its driver.

Started by `engines/local.py` as `python -m search.engines.worker FD NUMBER PLACES` with the pipe's file descriptor and
how many trials it trains at a time, or `auto`. Signals of the terminal do not reach it (it is in a session of its own);
the driver tells it to stop.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from search.engines.warm_start import new_fused_runner, new_runner
from search.messages import Event, Job, Quit, StopTrial, WorkerReady

ORPHAN_POLL_SECONDS = 1.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Runs the worker until the driver says `Quit` or is gone."""
    started = time.perf_counter()
    connection: Connection[Event, Any] = Connection(int(sys.argv[1]))
    number, places, driver = int(sys.argv[2]), sys.argv[3], os.getppid()
    threading.Thread(target=_exit_with_driver, args=(driver,), daemon=True).start()
    try:
        if places == "1":
            _work(connection, number, started)
        else:
            _work_fused(connection, number, None if places == "auto" else int(places), started)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(1)  # the driver is gone; nobody is left to hear more
    sys.stdout.flush()
    os._exit(0)  # a backend's own clean-up would take a second and keep nothing


def _work(connection: Connection[Event, Any], number: int, started: float) -> None:
    runner = new_runner()  # imports Keras and its backend, so not before the watch over the driver runs
    connection.send(WorkerReady(number, _device(), time.perf_counter() - started))
    while not isinstance(message := connection.recv(), Quit):
        if isinstance(message, Job):
            for event in runner.run(message, lambda job=message: _stop_wanted(connection, job)):  # type: ignore[misc]
                connection.send(event)


def _work_fused(connection: Connection[Event, Any], number: int, places: int | None, started: float) -> None:
    runner = new_fused_runner(places)
    connection.send(WorkerReady(number, _device(), time.perf_counter() - started))
    runner.serve(connection.recv, connection.poll, connection.send)


def _stop_wanted(connection: Connection[Event, Any], job: Job) -> bool | None:
    """Returns None to go on, else whether to save first. A stop for an earlier trial came too late and is dropped."""
    wanted = None
    while connection.poll():
        message = connection.recv()
        if isinstance(message, StopTrial) and message.number == job.number:
            wanted = message.save
    return wanted


def _exit_with_driver(driver: int) -> None:
    """Ends this process when the driver does. The kernel is asked to, as it ends a stopped process too."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    while os.getppid() == driver:  # also where there is no such kernel, or the driver has died meanwhile
        time.sleep(ORPHAN_POLL_SECONDS)
    os._exit(1)


def _device() -> str:
    return f"GPU {gpu}" if (gpu := os.environ.get("CUDA_VISIBLE_DEVICES")) else "CPU"


if __name__ == "__main__":
    main()
