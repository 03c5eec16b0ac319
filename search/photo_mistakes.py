"""What is wrong with a study's photos as far as their folder's listing tells. Reads no photo, so it costs a moment."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from colorgan.config import ConfigError, TrainConfig
from colorgan.folder import SAMPLE, PhotosError, expanded, list_photos, printable
from colorgan.mistakes import Mistake
from colorgan.split import NEEDED, find_split_file, read_split

if TYPE_CHECKING:
    from colorgan.strict_yaml import YamlFile

_PHOTOS, _PART = ("train", "data", "photos"), ("train", "validation", "part")


def photo_mistakes(study: YamlFile, photos: str | None) -> list[Mistake]:
    """Returns what keeps a study's trials from their photos; nothing where it does not say what they are.

    Args:
        study: Its file; mistakes of other kinds may be in it.
        photos: Those to use instead of its own.
    """
    try:
        train = TrainConfig.model_validate(study.value.get("train", {}))
        train = train if photos is None else train.with_values({"data.photos": photos})
    except (AttributeError, ConfigError, ValidationError):
        return []
    return _mistakes(train, study.path.parent)


def _mistakes(train: TrainConfig, beside: Path) -> list[Mistake]:
    try:
        listing = list_photos(train.data.photos, most=len(NEEDED))
        split_file = find_split_file(listing.folder)
        split = read_split(split_file) if split_file is not None else None
    except PhotosError as error:
        return [Mistake(_PHOTOS, str(error).removeprefix("data.photos: ") + _meant(train.data.photos, beside))]
    if len(listing.files) < len(NEEDED):
        message = (
            f"{printable(str(listing.folder))}: too few photos: {len(listing.files)} files; the least are {len(NEEDED)}"
        )
        return [Mistake(_PHOTOS, f"{message}, JPEG, PNG or WebP")]
    part = train.validation.part
    if split is not None and part not in split.values():
        message = f"{part}: {printable(str(split_file))} gives it no photo; name some there, or measure another part"
        return [Mistake(_PART, message)]
    if split is None and part == "confirm" and not train.data.confirm_fraction:
        message = "confirm: there are no such photos, as data.confirm_fraction is 0; raise it, or measure another part"
        return [Mistake(_PART, message)]
    return []


def _meant(photos: str, beside: Path) -> str:
    """Returns where else a relative path leads to a folder, or nothing."""
    there, here = (beside / photos).absolute(), expanded(photos)
    with suppress(OSError):  # a name that is too long
        if photos != SAMPLE and not here.is_absolute() and not here.exists() and there.is_dir():
            start = printable(str(beside.absolute()))
            return f". There is one beside the study: give {printable(str(there))}, or start the command in {start}"
    return ""
