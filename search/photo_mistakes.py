"""What is wrong with a study's photos as far as their folder's listing tells. Reads no photo, so it costs a moment."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from colorgan.config import ConfigError, TrainConfig
from colorgan.folder import SAMPLE, PhotosError, expanded, list_photos, photo_folder, printable
from colorgan.mistakes import Mistake
from colorgan.split import NEEDED, Part, find_split_file, read_split

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
    part = train.validation.part
    try:
        listing = list_photos(train.data.photos, most=len(NEEDED))
        empty, unmeasured = [reason for one in NEEDED if (reason := why_empty(train, one))], why_empty(train, part)
    except PhotosError as error:
        return [Mistake(_PHOTOS, str(error).removeprefix("data.photos: ") + _meant(train.data.photos, beside))]
    if len(listing.files) < len(NEEDED):
        message = (
            f"{printable(str(listing.folder))}: too few photos: {len(listing.files)} files; the least are {len(NEEDED)}"
        )
        return [Mistake(_PHOTOS, f"{message}, JPEG, PNG or WebP")]
    mistakes = [Mistake(_PHOTOS, reason) for reason in empty]
    if part not in NEEDED and unmeasured:
        mistakes.append(Mistake(_PART, f"{unmeasured}, or measure the part valid"))
    return mistakes


def why_empty(train: TrainConfig, part: Part) -> str:
    """Returns why no photo is in a part, and what to do, as far as can be told without reading any; else nothing.

    Raises:
        PhotosError: The folder's own split is malformed.
    """
    if (split_file := find_split_file(photo_folder(train.data.photos))) is not None:
        named = part in read_split(split_file).values()
        return "" if named else f"{printable(str(split_file))} names no photo to {part}; name some there"
    fractions = {"valid": train.data.valid_fraction, "confirm": train.data.confirm_fraction}
    return "" if fractions.get(part, 1.0) else f"no photos to {part}, as data.{part}_fraction is 0; raise it"


def why_unconfirmable(train: TrainConfig) -> str:
    """Returns why nothing can be confirmed on photos that no trial saw, as far as can be told without reading any."""
    if train.validation.part == "confirm":
        return "trials are measured on the `confirm` photos"
    with suppress(PhotosError):  # which `promote` names
        return why_empty(train, "confirm")
    return ""


def _meant(photos: str, beside: Path) -> str:
    """Returns where else a relative path leads to a folder, or nothing."""
    there, here = (beside / photos).absolute(), expanded(photos)
    with suppress(OSError):  # a name that is too long
        if photos != SAMPLE and not here.is_absolute() and not here.exists() and there.is_dir():
            start = printable(str(beside.absolute()))
            return f". There is one beside the study: give {printable(str(there))}, or start the command in {start}"
    return ""
