"""Whether a folder can be where somebody wants it, asked before anything is written.

What is wrong otherwise shows late and in the system's words: a path that is too long for one file, but not for others,
or a link to itself, of which `mkdir` says that it exists.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from colorgan.errors import BadInputError

PATH_BYTES = 4096 - 256  # Linux' PATH_MAX, with room for the longest name inside: TensorBoard's, with that of the host
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})


class PlaceError(BadInputError):
    """A path where no folder can be."""


def check_place(folder: Path, option: str, *, path_bytes: int = PATH_BYTES) -> None:
    """Checks that a folder, which need not be there, could be made and filled.

    Args:
        folder: Where files shall be written.
        option: What names another one, for the message.
        path_bytes: How long its absolute path may be.

    Raises:
        PlaceError: It is too long, leads through a file, or is a link to nothing or to itself.
        OSError: It may not be looked at.
    """
    give = f"give another folder in {option}"
    if (size := len(os.fsencode(folder.absolute()))) > path_bytes:
        raise PlaceError(f"{folder}: a path of {size} bytes; at most {path_bytes} are allowed here; {give}")
    nearest, mode = _nearest(folder)
    if nearest.is_symlink() and not stat.S_ISDIR(mode):
        raise PlaceError(f"{nearest}: a symbolic link that leads to no folder; {give}")
    if not stat.S_ISDIR(mode):
        raise PlaceError(f"{nearest}: not a folder; {give}")
    name_bytes = os.pathconf(nearest, "PC_NAME_MAX")
    for name in folder.relative_to(nearest).parts:
        if len(os.fsencode(name)) > name_bytes:
            raise PlaceError(f"{folder}: a name of {len(os.fsencode(name))} bytes; at most {name_bytes} fit; {give}")


def too_long(error: OSError) -> str:
    """Returns what to say of an error that is somebody's too long path, nothing of others."""
    if error.errno != errno.ENAMETOOLONG:
        return ""
    return f"{error.filename or 'a path'}: {error.strerror}; allowed are 255 bytes a name and 4096 a path at most"


def _nearest(folder: Path) -> tuple[Path, int]:
    """Returns the innermost of a folder and those around it that is there, be it only as a link, and its mode."""
    for place in (folder, *folder.parents):
        try:
            return place, place.stat().st_mode
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise
            if os.path.islink(place):  # noqa: PTH114 - no error for any name
                return place, 0
    return folder, 0  # whoever works in a folder that was removed
