"""Turns a folder's listing into the array files of a pack: hash all, split, decode in parallel, write in order.

The order of the crops, which photos a limit takes and what is reported as skipped are the same whatever the threads'
timing. Memory holds a few photos per thread at a time, however many there are.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from colorgan.crop_file import ArrayInfo, write_array
from colorgan.decode import PhotoError, read_crops, read_file
from colorgan.errors import CannotRunError
from colorgan.folder import Listing, PhotoFile, Skipped
from colorgan.split import NEEDED, PARTS, HashedPhoto, Part, hash_photo, split_readable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from colorgan.config import DataConfig

FORMAT = 2  # raise it when equal photos and settings give other crops than before
RENEWED: tuple[Part, ...] = ("train", "valid")  # parts that get new photos during a run
_MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE}  # errors that are no file's own
MAX_THREADS = 32  # bounds memory; Pillow decodes thousands of photos a second with fewer
Progress = Callable[[int, int], None]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Packed:
    """What was packed and what was not."""

    parts: dict[Part, ArrayInfo]
    fingerprint: str
    duplicates: int
    skipped: tuple[Skipped, ...]


def pack_photos(
    listing: Listing, listed: dict[str, Part] | None, config: DataConfig, folder: Path, progress: Progress | None
) -> Packed:
    """Writes `train.npy`, `valid.npy` and `confirm.npy` into a folder, which must exist.

    `listed` is the folder's own split by file name, if it has one. Parts may be left empty; the caller judges.
    """
    threads = min(MAX_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool, warnings.catch_warnings(action="ignore"):  # Pillow's; ours are reasons
        packer = _Packer(pool, config, progress, folder)
        files = listing.files if listed is None else packer.keep_listed(listing.files, listed)
        hashed = packer.hash_all(files)
        split_readable(hashed, listed, config, packer.write_all)
    skipped = sorted((*listing.skipped, *packer.skipped), key=lambda item: item.name)
    return Packed(packer.written, packer.fingerprint(), packer.duplicates, tuple(skipped))


class _Packer:
    """The state of one packing: what was found out about files so far, and how far it is."""

    def __init__(self, pool: ThreadPoolExecutor, config: DataConfig, progress: Progress | None, folder: Path) -> None:
        self._pool, self._config, self._progress, self._folder = pool, config, progress, folder
        self._done = self._total = 0
        self._digests: dict[Part, list[str]] = {}
        self.skipped: list[Skipped] = []
        self.written: dict[Part, ArrayInfo] = {}
        self.duplicates = 0

    def keep_listed(self, files: Sequence[PhotoFile], listed: dict[str, Part]) -> list[PhotoFile]:
        """Returns the files that the folder's own split names; notes the others, and names without a file."""
        names = {file.name for file in files}
        self.skipped += [Skipped(name, "not named in the folder's own split") for name in sorted(names - set(listed))]
        self.skipped += [Skipped(name, "named in the split, but no such photo") for name in sorted(set(listed) - names)]
        return [file for file in files if file.name in listed]

    def hash_all(self, files: Sequence[PhotoFile]) -> list[HashedPhoto]:
        """Returns all files that can be read and are not empty, with their content hashes."""
        self._total = 2 * len(files)
        hashed = []
        for file, result in _in_order(self._pool, partial(_hash, seed=self._config.seed), files):
            if isinstance(result, PhotoError):
                self.skipped.append(Skipped(file.name, str(result)))
            else:
                hashed.append(result)
            self._advance()
        self.duplicates = len(hashed) - len({photo.digest for photo in hashed})
        return hashed

    def write_all(self, parts: dict[Part, list[HashedPhoto]]) -> set[str]:
        """Writes the array files of all parts; of parts whose photos are renewed, those of all photos.

        Returns:
            What `split_readable` wants to know of the broken ones.
        """
        config, renewed = self._config, self._config.renew_epochs is not None
        limits = {"train": config.train_limit, "valid": config.valid_limit, "confirm": config.confirm_limit}
        limits |= dict.fromkeys(RENEWED if renewed else ())
        self._total = self._done + sum(min(len(parts[part]), limits[part] or len(parts[part])) for part in PARTS)
        broken: set[str] = set()
        for part in PARTS:
            crops = self._crops(part, parts[part], limits[part], broken)
            self.written[part] = write_array(self._folder / f"{part}.npy", crops, config.size, count_each=renewed)
        return set() if all(self.written[part].photos for part in NEEDED) else broken

    def fingerprint(self) -> str:
        """Returns a hash of the packed photos' contents, their order and what shapes their crops."""
        config = self._config
        settings = [FORMAT, config.size, sorted(set(config.crop_scales)), config.crop_stride]
        return hashlib.sha256(json.dumps([settings, self._digests], sort_keys=True).encode()).hexdigest()[:16]

    def _crops(
        self, part: Part, photos: list[HashedPhoto], limit: int | None, broken: set[str]
    ) -> Iterator[NDArray[np.uint8]]:
        """Yields the crops of each photo of a part, and notes the broken ones."""
        taken = self._digests[part] = []
        for photo, result in _in_order(self._pool, partial(_decode, config=self._config), photos):
            self._advance()
            if isinstance(result, PhotoError):
                broken.add(photo.digest)
                self.skipped.append(Skipped(photo.file.name, str(result)))
                continue
            taken.append(photo.digest)
            yield result
            if len(taken) == limit:
                break

    def _advance(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(min(self._done, self._total), self._total)


def _hash(file: PhotoFile, seed: int) -> HashedPhoto | PhotoError:
    try:
        return hash_photo(file, read_file(file.path), seed)
    except PhotoError as error:
        return _of_the_photo(error, file)


def _decode(photo: HashedPhoto, config: DataConfig) -> NDArray[np.uint8] | PhotoError:
    try:
        data = read_file(photo.file.path)
        if hashlib.sha256(data).hexdigest() != photo.digest:
            return PhotoError("changed while the photos were packed")
        return read_crops(data, config)
    except PhotoError as error:
        return _of_the_photo(error, photo.file)


def _of_the_photo(error: PhotoError, file: PhotoFile) -> PhotoError:
    """Returns what is wrong with a photo; what was wrong with the machine must not be kept in a pack as the photo's.

    Raises:
        CannotRunError: The machine could not read or decode it.
    """
    cause = error.__cause__
    if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno in _MACHINE):
        raise CannotRunError(
            f"{file.path}: {error}, which is no fault of the photo; give the same command again"
        ) from None
    return error


def _in_order(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[tuple[Item, Result]]:
    """Yields each item with its result in the items' order, working only a few items ahead."""
    ahead = 2 * min(MAX_THREADS, os.cpu_count() or 1)
    pending: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            pending.append((item, pool.submit(function, item)))
            if len(pending) > ahead:
                first, future = pending.popleft()
                yield first, future.result()
        while pending:
            first, future = pending.popleft()
            yield first, future.result()
    finally:
        for _, future in pending:
            future.cancel()
