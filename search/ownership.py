"""Who drives a study: a lock file that is free again when its owner ends, however it ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import RawIOBase
from pathlib import Path

import psutil

from colorgan.errors import CannotRunError
from colorgan.regular_file import read_regular
from search.words import duration

CLOCK_SLACK_SECONDS = 5.0  # between a process's start by the kernel's clock and by ours


class StudyBusyError(CannotRunError):
    """Another driver runs this study."""


@dataclass(frozen=True)
class Owner:
    """A driver.

    Attributes:
        process: Its number.
        host: The machine it runs on.
        since: Seconds since the epoch, when it took the study.
    """

    process: int
    host: str
    since: float

    @classmethod
    def me(cls) -> Owner:
        """Returns this process as an owner from now on."""
        return cls(os.getpid(), socket.gethostname(), time.time())

    @classmethod
    def named_in(cls, path: Path) -> Owner | None:
        """Returns the owner that a lock file names, who may be dead; None where it names nobody."""
        try:
            found = json.loads(read_regular(path))
            return cls(int(found["process"]), str(found["host"]), float(found["since"]))
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None

    @property
    def is_alive(self) -> bool | None:
        """Whether it still runs; None on another machine, where that cannot be seen."""
        if self.host != socket.gethostname():
            return None
        try:
            return psutil.Process(self.process).create_time() <= self.since + CLOCK_SLACK_SECONDS
        except psutil.NoSuchProcess:
            return False

    def __str__(self) -> str:
        """Returns it for people."""
        return f"process {self.process} on {self.host}, for {duration(max(0.0, time.time() - self.since))}"


@contextmanager
def owned(path: Path, *, takeover: bool = False) -> Iterator[Owner | None]:
    """Makes this process the only owner of a lock file; the lock ends with the process.

    Yields the owner before, if it ended without giving the lock back.

    Args:
        path: The file; its folder is made if missing.
        takeover: Take it from an owner on another machine, which a network file system may keep locked after its death.
            An owner that runs on this machine keeps it.

    Raises:
        StudyBusyError: Another process has it.
        OSError: It cannot be written, with `path` as its file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    before = Owner.named_in(path)
    with _lock(path, takeover) as file:
        _sign(path, file)
        try:
            yield before
        finally:
            file.truncate(0)


def _sign(path: Path, file: RawIOBase) -> None:
    """Writes who has the lock, through the file that holds it: to close another of the same could let it go."""
    try:
        file.write(json.dumps(asdict(Owner.me())).encode())
    except OSError as error:  # which names no file
        raise OSError(error.errno, error.strerror, str(path)) from error


def _lock(path: Path, takeover: bool) -> RawIOBase:
    """Returns the locked and emptied file."""
    while True:
        file = path.open("a+b", buffering=0)  # so that closing it writes nothing
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            _make_way(path, takeover)
            continue
        if _is_at(path, file):
            file.truncate(0)
            return file
        file.close()  # somebody took it over in between


def _make_way(path: Path, takeover: bool) -> None:
    """Puts the locked file of an owner that is to be replaced away.

    Raises:
        StudyBusyError: It keeps it.
    """
    owner = Owner.named_in(path)
    if takeover and owner is not None and not owner.is_alive:
        path.unlink(missing_ok=True)
        return
    remedy = "wait for it or stop it, or use other results"
    if owner is not None and owner.is_alive is None:
        remedy += "; if that machine is surely dead, give --takeover"
    raise StudyBusyError(f"{path.parent}: this study is being run by {owner or 'another process'}; {remedy}")


def _is_at(path: Path, file: RawIOBase) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
