"""Checkpoints where workers of several machines reach them: a folder that they share, or a bucket.

`<URL>/<study>/0007/checkpoint-<step>.npz`, of a trial the last two. Every state has a name of its own, so none is
overwritten, and one that arrived damaged has the one before it. What a place needs to know of its user (keys, an
endpoint) is in each machine's own environment and never here. `<URL>/<study>/.driver` holds a word of the driver's, by
which a worker knows that it sees the same place, and no folder of that name on another machine.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from colorgan.checkpoint import previous_checkpoint
from colorgan.disk import written_whole
from colorgan.errors import CannotRunError
from colorgan.plain_text import error_line

KEPT = 2  # states of a trial
PATIENCE_SECONDS = 60.0  # with a place that does not answer; below `search.stuck_seconds`, which it stands still for
LONGEST_WAIT_SECONDS = 10.0
FINAL = (FileNotFoundError, PermissionError, NotADirectoryError)
"""Errors that waiting does not mend."""
_PASSWORD = re.compile(r"://[^/]*:(?!\d+(/|$)).*@")
_T = TypeVar("_T")


class StoreError(CannotRunError):
    """The place for checkpoints cannot be used; ends the study resumably."""


class CheckpointStore:
    """The checkpoints of one study.

    Attributes:
        place: Where they are.
        key: What another process makes the same of.
    """

    def __init__(self, place: str, study: str, word: str = "") -> None:
        """Connects to nothing yet.

        Args:
            place: A folder, or a URL that fsspec knows, e.g. `s3://bucket/prefix`.
            study: The study's name.
            word: The driver's; a driver is given a new one.

        Raises:
            StoreError: It needs a package that is missing, or nobody knows such URLs, or others would see its password.
        """
        if _PASSWORD.search(place):
            raise StoreError(
                f"--checkpoints {place.partition('://')[0]}://...: a password in a URL is seen by others, in the "
                "list of processes and in messages; set it in each machine's environment, e.g. FSSPEC_SFTP_PASSWORD"
            )
        self.place = place if "://" in place else str(Path(place).absolute())
        self._word = word or secrets.token_hex(8)
        self.key = self.place, study, self._word
        try:
            self._files, root = fsspec.url_to_fs(self.place)
        except (ImportError, ValueError) as error:
            advice = " (make setup EXTRAS=s3)" if place.startswith("s3") else ""
            raise StoreError(f"--checkpoints {place}: {error}{advice}") from None
        self._root = f"{root.rstrip('/')}/{study}"

    def check(self) -> None:
        """Writes a small file and removes it.

        Raises:
            StoreError: That cannot be done.
        """
        probe = f"{self._root}/probe"
        try:
            if isinstance(self._files, LocalFileSystem):  # elsewhere it might make a bucket
                Path(self._root).mkdir(parents=True, exist_ok=True)
            self._files.pipe_file(probe, b"colorgan")
            self._files.rm_file(probe)
        except Exception as error:  # noqa: BLE001 - each kind of place has errors of its own
            raise StoreError(f"--checkpoints {self.place}: {error_line(error)[:300]}") from None

    def sign(self) -> None:
        """Leaves the driver's word there.

        Raises:
            StoreError: The place does not answer, or refuses.
        """
        self._patiently(lambda: self._files.pipe_file(self._witness, self._word.encode()))

    def is_the_drivers(self) -> bool:
        """Returns whether the driver's word is there.

        Raises:
            StoreError: The place does not answer.
        """
        try:
            return bool(self._patiently(lambda: self._files.cat_file(self._witness)) == self._word.encode())
        except FileNotFoundError:
            return False

    def upload(self, number: int, path: Path, *, step: int) -> None:
        """Keeps a trial's state at a step, and of its older ones the last."""
        target = f"{self._folder(number)}/{_name(step)}"
        self._patiently(lambda: self._put(path, target))
        self._discard(self._states(number)[KEPT:])

    def go_on(self, number: int, *, step: int) -> None:
        """Removes a trial's states beyond the step that its training now goes on from.

        They are damaged, or another configuration's, where that had its number; as the last ones they would be kept.
        """
        last = _name(step)
        self._discard([state for state in self._states(number) if state.rpartition("/")[2] > last])

    def download(self, number: int, path: Path) -> bool:
        """Writes a trial's last state to a file and the one before beside it, where there are any; returns whether."""
        states = self._states(number)[:KEPT]
        for state, target in zip(states, (path, previous_checkpoint(path)), strict=False):
            self._get(state, target)
        return bool(states)

    def bring(self, number: int, path: Path) -> None:
        """Writes a trial's last whole state to a file, if it has any, and removes it from here."""
        for state in self._states(number):
            self._get(state, path)
            if _whole(path):
                break
        self.remove(number)

    def adopt(self, number: int, path: Path) -> None:
        """Keeps the state that a trial has in a file from before it had this place."""
        if path.exists() and not self._states(number):
            self.upload(number, path, step=0)

    def remove(self, number: int) -> None:
        """Removes all that a trial has."""
        with suppress(FileNotFoundError):
            self._patiently(lambda: self._files.rm(self._folder(number), recursive=True))

    def has(self, number: int) -> bool:
        """Returns whether a trial has any state here."""
        return bool(self._states(number))

    def numbers(self) -> set[int]:
        """Returns the numbers of the trials that have any state here."""
        found = self._patiently(lambda: self._files.find(self._root))
        names = [path.removeprefix(f"{self._root}/").partition("/")[0] for path in found]
        return {int(name) for name in names if name.isdecimal()}

    @property
    def _witness(self) -> str:
        return f"{self._root}/.driver"

    def _folder(self, number: int) -> str:
        return f"{self._root}/{number:04d}"

    def _states(self, number: int) -> list[str]:
        """Returns a trial's states, the last first."""
        found = self._patiently(lambda: self._files.find(self._folder(number)))
        return sorted((path for path in found if path.endswith(".npz")), reverse=True)

    def _discard(self, states: Iterable[str]) -> None:
        for state in states:
            with suppress(FileNotFoundError):  # a worker that was thought dead removes as well
                self._patiently(partial(self._files.rm_file, state))

    def _put(self, path: Path, target: str) -> None:
        if isinstance(self._files, LocalFileSystem):
            if not Path(self._root).is_dir():  # which the driver made: here or anywhere is only its empty place now
                raise StoreError("the study's folder there is gone; see that what it lies on is still mounted")
            Path(target).parent.mkdir(exist_ok=True)
            with path.open("rb") as source, written_whole(Path(target)) as copy:
                shutil.copyfileobj(source, copy)
        else:
            self._files.put_file(str(path), target)

    def _get(self, state: str, path: Path) -> None:
        self._patiently(lambda: self._files.get_file(state, str(path)))

    def _patiently(self, call: Callable[[], _T]) -> _T:
        """Returns what the place answers, asked again for a while where it does not.

        Raises:
            FileNotFoundError: It answers that there is no such thing.
            StoreError: It does not answer, or refuses.
        """
        deadline, wait = time.monotonic() + PATIENCE_SECONDS, 0.5
        while True:
            try:
                self._files.invalidate_cache()
                return call()
            except FileNotFoundError:
                raise
            except Exception as error:  # noqa: BLE001 - each kind of place has errors of its own
                if isinstance(error, FINAL) or time.monotonic() + wait > deadline:
                    raise StoreError(f"checkpoints at {self.place}: {error_line(error)[:300]}") from None
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)


def _name(step: int) -> str:
    return f"checkpoint-{step:012d}.npz"  # by name they are in the order of their steps


def _whole(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, ValueError):
        return False
