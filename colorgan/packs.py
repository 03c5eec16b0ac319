"""Packs of crops on disk: the cache folder, one array file per part, written once and opened as memory maps.

A pack is a folder `<cache>/photos/<key>/` with `train.npy`, `valid.npy`, `confirm.npy` and `pack.json`, beside it
`<key>-skipped.csv`, the report. It appears whole or not at all: it is built under another name, flushed to disk and
renamed. A lock file lets one process build it while others wait; a lock dies with its process, and the next holder
removes what a killed one left behind. One that the disk has spoiled is recognised: by lengths and headers whenever it
is opened, by checksums of all it holds on demand. Knows nothing of photos.
"""

from __future__ import annotations

import csv
import errno
import fcntl
import io
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from colorgan.crop_file import ArrayInfo, Count, DamagedError, check_array, open_array
from colorgan.disk import flush_folder, remove_drafts, written_whole
from colorgan.errors import BadInputError
from colorgan.regular_file import NotRegularError, read_regular
from colorgan.seal import SealError, sealed, unsealed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CACHE_VARIABLE = "COLORGAN_CACHE"
_GIVE_CACHE = "give an absolute path of a folder for packed photos in this environment variable, or unset it"
_FOLDER = "photos"
_MANIFEST = "pack.json"
_KEY_LENGTH = 32


class CacheError(BadInputError):
    """No folder for packs can be where one was wanted."""


class Manifest(BaseModel):
    """What a pack says of itself; written last, so a pack that has one was finished."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: str
    """The folder that it was packed from, for people; a pack does not need it any more."""
    fingerprint: str
    parts: dict[str, ArrayInfo]
    duplicates: Count
    skipped: list[str]


@dataclass(frozen=True, eq=False)
class OpenPack:
    """A pack that was found whole: its manifest, and its arrays by part as read-only memory maps."""

    manifest: Manifest
    arrays: dict[str, NDArray[np.uint8]]
    report: Path


def cache_folder(cache: Path | None = None) -> Path:
    """Returns the cache folder: the argument, else $COLORGAN_CACHE, else colorgan in $XDG_CACHE_HOME or ~/.cache.

    Raises:
        CacheError: $COLORGAN_CACHE is no absolute path, or there is no home folder.
    """
    if cache is not None:
        return _with_home(str(cache))
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen is None:
        base = os.environ.get("XDG_CACHE_HOME", "")
        return (Path(base) if Path(base).is_absolute() else _with_home("~/.cache")) / "colorgan"
    folder = _with_home(chosen)
    if not folder.is_absolute():  # every working folder would have a cache of its own
        raise CacheError(f"{CACHE_VARIABLE}={chosen}: {_GIVE_CACHE}")
    return folder


def _with_home(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise CacheError(f"{CACHE_VARIABLE}: nobody's home is known for {path}; {_GIVE_CACHE}") from None


class Pack:
    """The place of one pack in a cache folder, whether it is there yet or not."""

    def __init__(self, cache: Path, key: str) -> None:
        """`key`: 32 hexadecimal digits that stand for the photos and the settings."""
        self.folder = cache / _FOLDER / key
        self.report = self.folder.with_name(f"{key}-skipped.csv")
        self._lock = self.folder.with_name(f"{key}.lock")

    def open(self, *, whole: bool = False) -> OpenPack | None:
        """Opens the pack, or returns None where there is none.

        Args:
            whole: Read all of it and compare checksums, not only lengths and headers.

        Raises:
            DamagedError: It is not as it was written.
            OSError: It may not be read, or not now.
        """
        if not self.folder.exists():
            return None
        try:
            manifest = Manifest.model_validate_json(unsealed(read_regular(self.folder / _MANIFEST).decode()))
            arrays = {part: open_array(self.folder / f"{part}.npy", info) for part, info in manifest.parts.items()}
            for part, info in manifest.parts.items() if whole else ():
                check_array(self.folder / f"{part}.npy", info)
        except ValidationError:
            raise DamagedError(f"{_MANIFEST} cannot be read") from None
        except (SealError, UnicodeDecodeError) as error:
            raise DamagedError(f"{_MANIFEST}: {error}") from None
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, NotRegularError) as error:
            raise DamagedError(str(error)) from None
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            raise DamagedError(str(error)) from None
        if not self.report.is_file():
            raise DamagedError(f"{self.report.name} is gone")
        return OpenPack(manifest=manifest, arrays=arrays, report=self.report)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Waits until no other process builds this pack, and keeps others waiting in turn."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock(self._lock, wait=True):
            yield

    @contextmanager
    def building(self) -> Iterator[Path]:
        """Yields an empty folder to build in, and makes it the pack where nothing is raised. Needs the lock."""
        for leftover in self.folder.parent.glob(f"{self.folder.name}.tmp*"):
            shutil.rmtree(leftover)
        remove_drafts(self.report)
        folder = self.folder.with_name(f"{self.folder.name}.tmp{os.getpid()}")
        old = folder.with_name(f"{folder.name}-old")
        folder.mkdir()
        try:
            yield folder
            flush_folder(folder)
            if self.folder.exists():  # damaged; its photos are there, so nothing is lost with it
                self.folder.replace(old)
            folder.replace(self.folder)
            flush_folder(self.folder.parent)
        finally:
            for leftover in (folder, old):
                shutil.rmtree(leftover, ignore_errors=True)

    def write_report(self, rows: Iterable[tuple[str, str]]) -> None:
        """Writes the report of skipped files, a CSV of name and reason. Needs the lock."""
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([("file", "reason"), *rows])
        with written_whole(self.report) as file:
            file.write(table.getvalue().encode())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Finishes a pack that was built in this folder."""
    with written_whole(folder / _MANIFEST) as file:
        file.write(sealed(manifest.model_dump_json(indent=1)).encode())


def clean_cache(cache: Path | None = None) -> int:
    """Deletes all packs, reports and leftovers of the cache folder but those being built; returns the bytes freed.

    Processes that have a pack open keep it until they end. Anything else in the folder is left alone.
    """
    root = cache_folder(cache) / _FOLDER
    paths = sorted(root.iterdir()) if root.is_dir() else []
    freed = 0
    ours = {path: path.name.removeprefix(".")[:_KEY_LENGTH] for path in paths if _is_ours(path.name)}
    for key in sorted(set(ours.values())):
        with _lock(root / f"{key}.lock", wait=False) as held:
            for path in (path for path in ours if held and ours[path] == key and path.suffix != ".lock"):
                freed += _bytes_on_disk(path)
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
    return freed


def list_cache(cache: Path | None = None) -> list[tuple[Path, str, int]]:
    """Returns folder, source and bytes of each finished pack of the cache folder; of a damaged one what is wrong."""
    root = cache_folder(cache)
    packs = []
    for folder in sorted((root / _FOLDER).glob("[0-9a-f]" * _KEY_LENGTH)):
        try:
            pack = Pack(root, folder.name).open()
        except (DamagedError, OSError) as error:
            packs.append((folder, f"damaged: {error}", _bytes_on_disk(folder)))
            continue
        if pack is not None:
            packs.append((folder, pack.manifest.source, _bytes_on_disk(folder)))
    return packs


@contextmanager
def _lock(path: Path, *, wait: bool) -> Iterator[bool]:
    """Holds an exclusive lock, or yields False where another process has it and `wait` is off."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if _is_current(path, descriptor):
                break
        except BlockingIOError:
            os.close(descriptor)
            yield False
            return
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)  # while it is held: whoever waits on this file sees that it is gone and retries
        os.close(descriptor)


def _is_current(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _is_ours(name: str) -> bool:
    name = name.removeprefix(".")  # of a draft that a killed process has left
    key, rest = name[:_KEY_LENGTH], name[_KEY_LENGTH:]
    hexadecimal = len(key) == _KEY_LENGTH and not key.strip("0123456789abcdef")
    return hexadecimal and (rest in ("", ".lock") or rest.startswith((".tmp", "-skipped.")))


def _bytes_on_disk(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
