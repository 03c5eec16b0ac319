"""Which photos are to be coloured, and what the results are called. Reads no photo, knows no model.

A result has its photo's name and suffix with `-colour` (or, side by side, `-compare`) between them, and lies beside the
photo or in a folder that mirrors the tree. No file is ever replaced: of a folder, photos whose result is there are left
out, so that the same command goes on where it ended; for a single photo that is an error.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from colorgan.errors import BadInputError
from colorgan.folder import SUFFIXES, Skipped, list_photos, printable
from colorgan.links import real_path

COLOUR, COMPARE = "colour", "compare"
DEFAULT_SUFFIX = ".png"  # of results of a photo whose own suffix says no format
_ALLOWED = ", ".join(sorted(SUFFIXES))


@dataclass(frozen=True)
class Job:
    """A photo, the file to write, and the photo's name as people may see it."""

    name: str
    source: Path
    target: Path


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        jobs: In the order of the photos' names.
        present: Photos left out because their result is there.
        skipped: Files that could not even be looked at, and why.
    """

    jobs: tuple[Job, ...]
    present: int = 0
    skipped: tuple[Skipped, ...] = ()


def plan_jobs(source: Path, output: Path | None = None, *, word: str = COLOUR) -> Plan:
    """Returns what is to be coloured.

    Args:
        source: A photo, or a folder of them, which is searched recursively.
        output: For a photo a file or a folder, for a folder a folder; None writes beside the photos.
        word: What tells a result's name from its photo's, `COLOUR` or `COMPARE`.

    Raises:
        BadInputError: There is no such photo, the folder holds none, or the output cannot be used.
    """
    if source.is_dir():
        return _plan_folder(source, output, word)
    if not source.exists():
        raise BadInputError(f"{_show(source)}: no such photo or folder")
    target = _target(source, output, word)
    if os.path.lexists(target):
        raise BadInputError(there_already(target))
    return Plan((Job(_show(source), source, target),))


def there_already(target: Path) -> str:
    """Returns what to say of a single photo's result that is there."""
    return f"{_show(target)}: is there already and is not replaced; remove it, or give another --output"


def _target(source: Path, output: Path | None, word: str) -> Path:
    name = _result_name(source, word)
    if output is None:
        return source.with_name(name)
    if output.is_dir() or not output.suffix:
        return output / name
    if output.suffix.lower() in SUFFIXES:
        return output
    raise BadInputError(
        f"--output {_show(output)}: no photo is written as {output.suffix}; allowed are {_ALLOWED}, or a folder, which "
        "must exist if there is a dot in its name"
    )


def _plan_folder(folder: Path, output: Path | None, word: str) -> Plan:
    if output is not None and not output.is_dir() and (output.exists() or output.suffix.lower() in SUFFIXES):
        raise BadInputError(f"--output {_show(output)}: is a file, but {_show(folder)} is a folder; name a folder")
    listing = list_photos(str(real_path(folder)))
    root, inside = output or folder, _below(folder, output)
    names = [Path(file.name) for file in listing.files if not (inside and file.name.startswith(inside))]
    photos = _without_results(names)
    jobs = [
        Job(printable(str(name)), folder / name, (root / name).with_name(_result_name(name, word))) for name in photos
    ]
    todo = tuple(job for job in jobs if not os.path.lexists(job.target))
    if not jobs:
        reasons = "".join(f"\n  {printable(item.name)}: {item.reason}" for item in listing.skipped)
        raise BadInputError(f"{_show(folder)}: no photos in this folder ({_ALLOWED}){reasons}")
    return Plan(todo, len(jobs) - len(todo), listing.skipped)


def _below(folder: Path, output: Path | None) -> str:
    """Returns the start of all names in the output folder if it lies inside the folder of photos, else nothing."""
    target, source = real_path(output or folder), real_path(folder)
    inside = target != source and target.is_relative_to(source)
    return f"{target.relative_to(source).as_posix()}/" if inside else ""


def _without_results(names: list[Path]) -> list[Path]:
    """Returns the names but those of results that an earlier run left beside their photos."""
    photos = set(names)

    def is_result(name: Path) -> bool:
        stem, _, word = name.stem.rpartition("-")
        return bool(stem) and word in (COLOUR, COMPARE) and name.with_name(stem + name.suffix) in photos

    return [name for name in names if not is_result(name)]


def _result_name(photo: Path, word: str) -> str:
    suffix = photo.suffix if photo.suffix.lower() in SUFFIXES else DEFAULT_SUFFIX
    return f"{photo.stem}-{word}{suffix}"


def _show(path: Path) -> str:
    return printable(str(path))
