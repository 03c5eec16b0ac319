"""A folder of results that appears whole or not at all, and never replaces an earlier one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from colorgan.disk import draft_of
from colorgan.errors import BadInputError, CannotRunError
from colorgan.links import real_path
from colorgan.place import check_place


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yields an empty folder to write into, and gives it its name `path` where nothing is raised.

    Raises:
        BadInputError: There is something at `path` already, or nothing can be written there.
        CannotRunError: What was written could not be kept, because the disk is full, say.
    """
    path = real_path(path)
    if not os.path.exists(path):  # noqa: PTH110 - no error for any name
        check_place(path, "--out")
    elif not (path.is_dir() and not any(path.iterdir())):
        raise BadInputError(f"{path}: already there, and nothing is overwritten; remove it or give another --out")
    draft = draft_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written: {error.strerror}; give another --out") from None
    try:
        yield draft
        draft.replace(path)
    except OSError as error:
        reason = f"{error.strerror or error}; make room there, or give another --out"
        raise CannotRunError(f"{path}: cannot be written: {reason}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def free_name(path: Path) -> Path:
    """Returns the first of `path`, `path-2`, `path-3` and so on that is not there yet."""
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found
