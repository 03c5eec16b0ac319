"""Files that may be read without being waited for.

Who opens a named pipe waits until somebody writes to it, and a device has no end. Neither belongs in a results folder,
but one may come with a stranger's.
"""

from __future__ import annotations

import errno
import stat
from pathlib import Path


def read_regular(path: Path) -> bytes:
    """Returns all bytes of a regular file.

    Raises:
        OSError: There is none, it cannot be read, or it is something else.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return path.read_bytes()


def is_special(path: Path) -> bool:
    """Returns whether there is a pipe, a socket or a device, not behind a link."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
