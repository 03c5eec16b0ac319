"""Packs of crops on disk: the cache folder, one array file per part, written once and opened as memory maps.

A pack is a folder `<cache>/photos/<key>/` with `train.npy`, `valid.npy`, `confirm.npy` and `pack.json`, beside it
`<key>-skipped.csv`, the report. It appears whole or not at all: it is built under another name, flushed to disk and
renamed. A lock file lets one process build it while others wait; a lock dies with its process, and the next holder
removes what a killed one left behind. Knows nothing of photos.
"""

from __future__ import annotations

import csv
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

CACHE_VARIABLE = "COLORGAN_CACHE"
_FOLDER = "photos"
_MANIFEST = "pack.json"
_KEY_LENGTH = 32
Count = Annotated[int, Field(ge=0)]


class ArrayInfo(BaseModel):
    """One array file of a pack: how many photos it holds, its crops (count, size, size, 3), its length on disk."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    photos: Count
    crops: Count
    size: Count
    file_bytes: Count


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
    """Returns the cache folder: the argument, else $COLORGAN_CACHE, else colorgan in $XDG_CACHE_HOME or ~/.cache."""
    if cache is not None:
        return cache.expanduser()
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path("~/.cache").expanduser()) / "colorgan"


class Pack:
    """The place of one pack in a cache folder, whether it is there yet or not."""

    def __init__(self, cache: Path, key: str) -> None:
        """`key`: 32 hexadecimal digits that stand for the photos and the settings."""
        self.folder = cache / _FOLDER / key
        self.report = self.folder.with_name(f"{key}-skipped.csv")
        self._lock = self.folder.with_name(f"{key}.lock")

    def open(self) -> OpenPack | None:
        """Opens the pack, or returns None where it is missing, unfinished or damaged."""
        try:
            manifest = Manifest.model_validate_json((self.folder / _MANIFEST).read_bytes())
            arrays = {part: _open_array(self.folder / f"{part}.npy", info) for part, info in manifest.parts.items()}
        except (OSError, ValidationError, ValueError):
            return None
        return OpenPack(manifest=manifest, arrays=arrays, report=self.report) if self.report.is_file() else None

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
        folder = self.folder.with_name(f"{self.folder.name}.tmp{os.getpid()}")
        folder.mkdir()
        try:
            yield folder
            _flush(folder)
            if self.folder.exists():
                shutil.rmtree(self.folder)
            folder.replace(self.folder)
            _flush(self.folder.parent)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def write_report(self, rows: Iterable[tuple[str, str]]) -> None:
        """Writes the report of skipped files, a CSV of name and reason. Needs the lock."""
        temporary = self.report.with_suffix(".tmp")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("file", "reason"), *rows])
        temporary.replace(self.report)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Finishes a pack that was built in this folder."""
    with (folder / _MANIFEST).open("wb") as file:
        file.write(manifest.model_dump_json(indent=1).encode())
        file.flush()
        os.fsync(file.fileno())


def write_array(path: Path, photos: Iterable[NDArray[np.uint8]], size: int) -> ArrayInfo:
    """Writes an .npy file of crops, one photo's (crops, size, size, 3) after the other; holds one in memory."""
    num_photos = num_crops = 0
    with path.open("wb") as file:
        _write_header(file, 0, size)  # numpy leaves room for the final count
        for crops in photos:
            file.write(np.ascontiguousarray(crops).data)
            num_photos += 1
            num_crops += len(crops)
        file_bytes = file.tell()
        file.seek(0)
        _write_header(file, num_crops, size)
        file.flush()
        os.fsync(file.fileno())
    return ArrayInfo(photos=num_photos, crops=num_crops, size=size, file_bytes=file_bytes)


def _write_header(file: IO[bytes], count: int, size: int) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)}
    np.lib.format.write_array_header_1_0(file, header)


def _open_array(path: Path, info: ArrayInfo) -> NDArray[np.uint8]:
    array: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    shape = (info.crops, info.size, info.size, 3)
    if path.stat().st_size != info.file_bytes or array.shape != shape or array.dtype != np.uint8:
        raise ValueError(f"{path}: damaged")
    return array


def _flush(folder: Path) -> None:
    """Makes the names in a folder outlast a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clean_cache(cache: Path | None = None) -> int:
    """Deletes all packs, reports and leftovers of the cache folder but those being built; returns the bytes freed.

    Processes that have a pack open keep it until they end. Anything else in the folder is left alone.
    """
    root = cache_folder(cache) / _FOLDER
    paths = sorted(root.iterdir()) if root.is_dir() else []
    freed = 0
    for key in sorted({path.name[:_KEY_LENGTH] for path in paths if _is_ours(path.name)}):
        with _lock(root / f"{key}.lock", wait=False) as held:
            for path in (path for path in paths if held and path.name.startswith(key) and path.suffix != ".lock"):
                freed += _bytes_on_disk(path)
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
    return freed


def list_cache(cache: Path | None = None) -> list[tuple[Path, str, int]]:
    """Returns folder, source and bytes of each finished pack of the cache folder."""
    root = cache_folder(cache)
    packs = []
    for folder in sorted((root / _FOLDER).glob("[0-9a-f]" * _KEY_LENGTH)):
        pack = Pack(root, folder.name).open()
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
    key, rest = name[:_KEY_LENGTH], name[_KEY_LENGTH:]
    hexadecimal = len(key) == _KEY_LENGTH and not key.strip("0123456789abcdef")
    return hexadecimal and (rest in ("", ".lock") or rest.startswith((".tmp", "-skipped.")))


def _bytes_on_disk(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
