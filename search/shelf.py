"""Where a worker has the checkpoint of the trial that it trains: the trial's own file, or a copy of the store's.

The copy lies in a folder of this process's own among the machine's temporary files. What killed workers have left there
is removed by those that come later: a folder is locked for as long as its process lives.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from search.checkpoint_store import CheckpointStore
from search.messages import Job

PREFIX = "colorgan-worker-"


@dataclass(frozen=True)
class Shelf:
    """The checkpoint of one trial.

    Attributes:
        number: The trial's.
        path: The file that training writes and goes on from.
        store: Where its states are kept, if it is not the file alone.
    """

    number: int
    path: Path
    store: CheckpointStore | None = None

    def go_on(self, step: int) -> None:
        """Lets go of what is kept of later steps than the one that the trial goes on from."""
        if self.store is not None:
            self.store.go_on(self.number, step=step)

    def keep(self, step: int) -> None:
        """Makes what was written to the file outlast this worker."""
        if self.store is not None:
            self.store.upload(self.number, self.path, step=step)


@contextmanager
def shelf(job: Job) -> Iterator[Shelf]:
    """Yields where a job's checkpoint is, with the state that is kept of it.

    Raises:
        StoreError: The store does not answer.
    """
    if job.store is None:
        yield Shelf(job.number, job.checkpoint)
        return
    folder = _scratch() / f"{job.number:04d}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        store = CheckpointStore(*job.store)
        store.download(job.number, folder / job.checkpoint.name)
        yield Shelf(job.number, folder / job.checkpoint.name, store)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _scratch() -> Path:
    """Returns this process's folder, and removes those of processes that have ended."""
    for old in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            _remove_unless_locked(old)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    _lock(folder)  # until the process ends, however it does
    return folder


def _remove_unless_locked(folder: Path) -> None:
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        return
    descriptor = _lock(folder)
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def _lock(folder: Path) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
