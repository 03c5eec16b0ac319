"""Files that may be read without being waited for.

Who opens a named pipe waits until somebody writes to it, and a device has no end. Neither belongs in a results folder,
but one may come with a stranger's.
"""

from __future__ import annotations

import errno
import stat
from pathlib import Path


class NotRegularError(OSError):
    """A path where something other than a file is."""


def read_regular(path: Path) -> bytes:
    """Returns all bytes of a regular file.

    Raises:
        NotRegularError: It is something else.
        OSError: There is none, or it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise NotRegularError(errno.EINVAL, "Not a regular file", str(path))
    return path.read_bytes()


def is_special(path: Path) -> bool:
    """Returns whether there is a pipe, a socket or a device, not behind a link."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
