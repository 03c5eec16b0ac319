"""Which photos train, validate and confirm.

The part of a photo follows from its contents and the seed alone, or from a split that its folder brings along
(`split.csv`, or an `ATTRIBUTION.csv` with a `split` column). Reads no pixels.
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, get_args

from colorgan.folder import PhotoFile, PhotosError

if TYPE_CHECKING:
    from colorgan.config import DataConfig

Part = Literal["train", "valid", "confirm"]
PARTS: tuple[Part, ...] = get_args(Part)
NEEDED: tuple[Part, ...] = ("train", "valid")  # no run without a photo in each
SPLIT_FILES = ("split.csv", "ATTRIBUTION.csv")  # the first that is there counts


@dataclass(frozen=True)
class HashedPhoto:
    """A photo file with the SHA-256 of its bytes and its place in [0, 1) in the seeded order."""

    file: PhotoFile
    digest: str
    place: float


def hash_photo(file: PhotoFile, data: bytes, seed: int) -> HashedPhoto:
    """Returns the photo with its content hash and the place that hash and seed give it."""
    digest = hashlib.sha256(data).hexdigest()
    place = int(hashlib.sha256(f"{seed}:{digest}".encode()).hexdigest()[:13], 16) / 16**13
    return HashedPhoto(file, digest, place)


def find_split_file(folder: Path) -> Path | None:
    """Returns the file by which a folder brings its own split, if any."""
    for path in (folder / name for name in SPLIT_FILES):
        if path.is_file() and (path.name == "split.csv" or _has_split(path)):
            return path
    return None


def _has_split(path: Path) -> bool:
    """Returns whether a file that need not be a split is one; others may be anything."""
    with suppress(OSError), path.open("rb") as file:
        if b"split" not in file.readline():
            return False
    return "split" in _read_rows(path)[0]


def split_photos(
    photos: Iterable[HashedPhoto], listed: dict[str, Part] | None, config: DataConfig
) -> dict[Part, list[HashedPhoto]]:
    """Returns the photos of each part in the seeded order, identical files once.

    `listed` is the folder's own split, which must name all photos. Without it the places up to
    `valid_fraction` validate and the last `confirm_fraction` confirm, so that adding photos moves none. A part that
    chance leaves empty although its fraction is not 0 gets the photo nearest to it, so small folders work too.

    Raises:
        PhotosError: The folder's own split puts identical files into different parts.
    """
    unique: dict[str, HashedPhoto] = {}
    for photo in sorted(photos, key=lambda photo: (photo.place, photo.file.name)):
        first = unique.setdefault(photo.digest, photo)
        if listed is not None and listed[first.file.name] != listed[photo.file.name]:
            raise PhotosError(
                f"{first.file.name} ({listed[first.file.name]}) and {photo.file.name} ({listed[photo.file.name]}) are "
                "the same photo in different parts of the folder's split: give both the same part, or remove one"
            )
    ordered = list(unique.values())
    if listed is not None:
        return {part: [photo for photo in ordered if listed[photo.file.name] == part] for part in PARTS}
    num_valid = sum(photo.place < config.valid_fraction for photo in ordered)
    num_confirm = sum(photo.place >= 1 - config.confirm_fraction for photo in ordered)
    num_valid = _clamp(num_valid, config.valid_fraction, len(ordered) - 1)
    num_confirm = _clamp(num_confirm, config.confirm_fraction, len(ordered) - 1 - num_valid)
    end = len(ordered) - num_confirm
    return {"train": ordered[num_valid:end], "valid": ordered[:num_valid], "confirm": ordered[end:]}


def split_readable(
    photos: Iterable[HashedPhoto],
    listed: dict[str, Part] | None,
    config: DataConfig,
    broken: Callable[[dict[Part, list[HashedPhoto]]], set[str]],
) -> dict[Part, list[HashedPhoto]]:
    """Splits photos of which some cannot be decoded; where a small folder's only one of a part is, without the broken.

    Args:
        photos: Whose bytes could be read.
        listed: As in `split_photos`.
        config: As in `split_photos`.
        broken: Decodes the photos of a split, and returns the digests of broken ones where these leave none in a part
            of `NEEDED`, else nothing.

    Returns:
        The parts, in which broken photos may still be.
    """
    kept = list(photos)
    while unusable := broken(parts := split_photos(kept, listed, config)):
        kept = [photo for photo in kept if photo.digest not in unusable]
    return parts


def _clamp(count: int, fraction: float, spare: int) -> int:
    return max(0, min(max(count, 1 if fraction else 0), spare))


def read_split(path: Path) -> dict[str, Part]:
    """Reads a folder's own split: columns `file` and `split`, and optionally `group`, whose photos stay together.

    Raises:
        PhotosError: Missing columns, an unknown part, a file twice, or a group in two parts; all lines are named.
    """
    columns, rows = _read_rows(path)
    missing = {"file", "split"} - set(columns)
    if missing:
        raise PhotosError(f"{path}: no column {' and '.join(sorted(missing))}; needed are file, split[, group]")
    split: dict[str, Part] = {}
    groups: dict[str, dict[Part, int]] = defaultdict(dict)
    mistakes = []
    for line, row in rows:
        name, group = str(PurePosixPath(row.get("file") or "")), row.get("group")
        part = next((part for part in PARTS if part == row.get("split")), None)
        if part is None:
            mistakes.append(f"{path}:{line}: split is {row.get('split')!r}; allowed are {', '.join(PARTS)}")
            continue
        if name in split or name == ".":
            mistakes.append(f"{path}:{line}: {f'{name} is listed twice' if name in split else 'no file is named'}")
        split[name] = part
        if group:
            groups[group].setdefault(part, line)
    for group, lines in groups.items():
        if len(lines) > 1:
            where = ", ".join(f"{part} (line {line})" for part, line in lines.items())
            mistakes.append(f"{path}: group {group} is in {where}; its photos must all be in one part")
    if mistakes:
        raise PhotosError("\n".join(mistakes))
    return split


def _read_rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = [(reader.line_num, row) for row in reader]
            return list(reader.fieldnames or []), rows
    except OSError as error:
        raise PhotosError(f"{path}: cannot be read: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise PhotosError(f"{path}: not a CSV file in UTF-8: {error}") from None
