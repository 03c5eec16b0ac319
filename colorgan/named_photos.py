"""A folder's photos one by one, by name and part, for measuring each of them.

Split, limits and crops are those of training (`split.py`, `decode.py`), but for the crops' scale: a photo is measured
whole, so it is cut at scale 1 alone, where its short side is a crop's. Packs (`photos.py`) hold crops without names.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from colorgan.decode import PhotoError, read_crops, read_file
from colorgan.folder import PhotoFile, PhotosError, Skipped, list_photos, printable
from colorgan.split import (
    NEEDED,
    PARTS,
    HashedPhoto,
    Part,
    find_split_file,
    hash_photo,
    read_split,
    split_readable,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from colorgan.config import DataConfig

    Crops = NDArray[np.uint8]

Selection = Literal["all"] | Part
SCALE = 1.0


@dataclass(frozen=True)
class NamedPhoto:
    """A photo that can be read, and the part that the split gives it."""

    name: str
    part: Part
    file: PhotoFile


@dataclass
class NamedPhotos:
    """A folder's photos.

    Attributes:
        folder: Where they lie.
        config: How they are split and cut.
        parts: Each part's photos in the seeded order, identical files once.
        duplicates: Number of files left out because their contents equal another file's.
        skipped: Files that gave no photo, so far: what cannot be decoded is found out by `read`.
    """

    folder: Path
    config: DataConfig
    parts: dict[Part, list[NamedPhoto]]
    duplicates: int
    skipped: list[Skipped] = field(default_factory=list)

    def select(self, part: Selection) -> list[NamedPhoto]:
        """Returns the photos of a part, or of all parts."""
        return [photo for name in PARTS if part in ("all", name) for photo in self.parts[name]]

    def read(self, photos: Sequence[NamedPhoto], *, limit: int | None = None) -> Iterator[tuple[NamedPhoto, Crops]]:
        """Yields photos with their crops, uint8 sRGB, (crops, size, size, 3); notes the unreadable ones, once each.

        Args:
            photos: Of `select`.
            limit: At most so many readable ones.
        """
        count = 0
        for photo in photos:
            if (crops := self._crops(photo.file)) is None:
                continue
            yield photo, crops
            count += 1
            if count == limit:
                return

    def find_broken(self, parts: dict[Part, list[HashedPhoto]]) -> set[str]:
        """Returns what `split_readable` wants to know; reads no part beyond its first readable photo."""
        first = {part: list(takewhile(lambda photo: self._crops(photo.file) is None, parts[part])) for part in PARTS}
        if all(not parts[part] or len(first[part]) < len(parts[part]) for part in NEEDED):
            return set()
        return {photo.digest for photos in first.values() for photo in photos}

    def _crops(self, file: PhotoFile) -> Crops | None:
        """Returns a photo's crops; of an unreadable one None, and notes it."""
        try:
            with warnings.catch_warnings(action="ignore"):  # Pillow's; ours are reasons
                return read_crops(read_file(file.path), self.config)
        except PhotoError as error:
            note = Skipped(printable(file.name), str(error))
            self.skipped += [note] if note not in self.skipped else []
            return None


def name_photos(config: DataConfig) -> NamedPhotos:
    """Lists and splits a folder's photos; reads every file once, to tell equal ones.

    It decodes a few of them: a small folder's only photo of a part may be broken, and then training took another.

    Raises:
        PhotosError: No such folder, or a malformed split file.
    """
    listing = list_photos(config.photos)
    split_file = find_split_file(listing.folder)
    listed = read_split(split_file) if split_file is not None else None
    skipped = [Skipped(printable(item.name), item.reason) for item in listing.skipped]
    hashed: list[HashedPhoto] = []
    for file in listing.files:
        try:
            if listed is not None and file.name not in listed:
                raise PhotoError("not named in the folder's own split")
            hashed.append(hash_photo(file, read_file(file.path), config.seed))
        except PhotoError as error:
            skipped.append(Skipped(printable(file.name), str(error)))
    whole = config.model_copy(update={"crop_scales": (SCALE,)})
    duplicates = len(hashed) - len({photo.digest for photo in hashed})
    found = NamedPhotos(listing.folder, whole, {}, duplicates, skipped)
    for part, photos in split_readable(hashed, listed, config, found.find_broken).items():
        found.parts[part] = [NamedPhoto(printable(photo.file.name), part, photo.file) for photo in photos]
    return found


def part_limit(config: DataConfig, part: Selection) -> int | None:
    """Returns how many photos of a part training takes at most; of all photos there is no such limit."""
    limits = {"train": config.train_limit, "valid": config.valid_limit, "confirm": config.confirm_limit}
    return limits.get(part)


def no_photos(photos: NamedPhotos, part: Selection) -> PhotosError:
    """Returns the error that says why a part has no readable photo."""
    counts = ", ".join(f"{len(found)} {name}" for name, found in photos.parts.items())
    named = "".join(f"\n  {item.name}: {item.reason}" for item in photos.skipped[:3])
    return PhotosError(
        f"{photos.folder}: no readable photo to measure in part {part} (found: {counts}). Give a folder of JPEG, PNG "
        f"or WebP files, or another --part{named}"
    )
