"""Which photos a study began with: kept in its folder, and compared whenever photos are opened for it.

The split is by content, so other photos under the same path would be measured on others, and train on some that were
kept for confirmation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from colorgan.config import DataConfig, Part
from colorgan.errors import BadInputError
from colorgan.photos import Photos
from colorgan.record import write_whole
from colorgan.regular_file import read_regular
from colorgan.seal import SealError, sealed, unsealed


class KnownPhotosError(BadInputError):
    """What was kept of a study's photos is damaged; the message names the file."""


class KnownPhotos(Part):
    """What is kept of photos.

    Attributes:
        fingerprint: As in `Photos`.
        train: Number of photos to train on.
        valid: Of those that the objective is measured on.
        confirm: Of those that no trial sees.
    """

    fingerprint: str
    train: int
    valid: int
    confirm: int

    @classmethod
    def of(cls, photos: Photos) -> Self:
        """Returns what is kept of opened photos."""
        return cls(
            fingerprint=photos.fingerprint,
            train=photos.train_photos,
            valid=photos.valid_photos,
            confirm=photos.confirm_photos,
        )

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Reads what was kept; None where nothing was, as by an older version.

        Raises:
            KnownPhotosError: It is damaged.
        """
        try:
            return cls.model_validate_json(unsealed(read_regular(path).decode()))
        except FileNotFoundError:
            return None
        except (OSError, SealError, UnicodeDecodeError, ValidationError) as error:
            raise KnownPhotosError(
                f"{path}: damaged ({str(error).splitlines()[0]}). If the photos are surely those that the study began "
                "with, remove this file: it is then written anew"
            ) from None

    def write(self, path: Path) -> None:
        """Keeps it.

        Raises:
            OSError: The disk is full or the folder cannot be written.
        """
        write_whole(path, sealed(self.model_dump_json(indent=1)))

    def difference(self, photos: Photos) -> str:
        """Returns in words what other photos these are, or nothing where they are the same."""
        now = self.of(photos)
        if now.fingerprint == self.fingerprint:
            return ""
        if now._counts() == self._counts():
            return f"other photos than the study began with, as many as then ({self._counts()})"
        return f"other photos than the study began with: {self._counts()} then, {now._counts()} now"

    def _counts(self) -> str:
        return f"{self.train} train, {self.valid} valid, {self.confirm} confirm"


@dataclass(frozen=True)
class StudyPhotos:
    """A study's photos, as a worker is told of them.

    Attributes:
        data: Where they are; a trial may take fewer of them, or show them otherwise.
        known: Which they are.
    """

    data: DataConfig
    known: KnownPhotos
