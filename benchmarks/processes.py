"""Fresh child processes with a given number of threads, timed and watched from outside. Imports no TensorFlow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from colorgan.backend_choice import thread_variables

ROOT = Path(__file__).resolve().parents[1]
TAIL_CHARACTERS = 1500


class ChildError(RuntimeError):
    """A child process failed; the message says which and the last lines it wrote."""


@dataclass(frozen=True)
class Finished:
    """A child process that ended well.

    Attributes:
        seconds: From its start to its end.
        cpu_seconds: Processor time of it and of its children that it waited for.
        output: What it printed.
    """

    seconds: float
    cpu_seconds: float
    output: str

    @property
    def result(self) -> Any:
        """The JSON in the last line that it printed."""
        return json.loads(self.output.splitlines()[-1])


def environment(threads: int, *, gpu: bool = False) -> dict[str, str]:
    """Returns the environment of a child that computes on the CPU with so many threads, or on the GPU."""
    if gpu:
        return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    settings = thread_variables("tensorflow", threads) | thread_variables("jax", threads)
    return {**os.environ, **settings, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}


def run_python(
    arguments: Sequence[str],
    *,
    threads: int,
    watch: Callable[[psutil.Process], None] | None = None,
    every: float = 0.1,
    gpu: bool = False,
) -> Finished:
    """Runs `python ARGUMENTS` in the project's folder.

    Args:
        arguments: E.g. `-m`, `search`, `--help`.
        threads: Of each process.
        watch: Called about every `every` seconds with the child while it runs.
        every: In seconds.
        gpu: Whether it may use this machine's GPUs.

    Raises:
        ChildError: It did not end with exit code 0.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=environment(threads, gpu=gpu), stdout=output, stderr=errors,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        usage, code = _wait(child, watch, every)
        seconds = time.perf_counter() - started
        if code:
            raise ChildError(f"python {' '.join(arguments)} ended with {code}: {tail(errors)} {tail(output)}")
        output.seek(0)
        text = output.read()
    return Finished(seconds, usage.ru_utime + usage.ru_stime, text)


def tail(file: IO[str]) -> str:
    """Returns the end of what a child wrote to a file."""
    file.seek(0)
    return file.read()[-TAIL_CHARACTERS:].strip()


def resident_bytes(process: psutil.Process) -> int:
    """Returns a process's resident memory; 0 if it has ended."""
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def private_bytes(process: psutil.Process) -> int:
    """Returns the same without pages of files, which the system takes back when it needs memory."""
    with suppress(psutil.Error):
        memory = process.memory_info()
        return int(memory.rss - getattr(memory, "shared", 0))
    return 0


def _wait(
    child: subprocess.Popen[bytes], watch: Callable[[psutil.Process], None] | None, every: float
) -> tuple[Any, int]:
    """Returns the child's resource usage and exit code."""
    process = psutil.Process(child.pid)
    try:
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG if watch else 0)
            if pid:
                child.returncode = os.waitstatus_to_exitcode(status)
                return usage, child.returncode
            if watch:
                watch(process)
            time.sleep(every)
    finally:
        if child.returncode is None:
            child.kill()
            child.wait()
