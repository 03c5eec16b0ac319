"""What may not be in a study's or a run's folder: symbolic links that lead out of it, and what is no file.

`results/` and a study's folder may themselves be links, say to a larger disk. A link inside may not lead out: what is
written whole replaces a link, but logs are appended to and locks emptied where a link leads, and a folder that came
from a stranger could so make us write to any file of its user. Who writes to a named pipe waits for ever.
"""

from __future__ import annotations

import os
from pathlib import Path

from colorgan.errors import BadInputError
from colorgan.plain_text import plain
from colorgan.regular_file import is_special

_NAMED = 3  # links that a message names


class LinkError(BadInputError):
    """A folder that leads elsewhere."""


def real_path(path: Path) -> Path:
    """Returns a path without links; one that leads to itself stays, where `Path.resolve` raises before Python 3.13."""
    return Path(os.path.realpath(path))


def links_out(folder: Path) -> list[Path]:
    """Returns the links below a folder whose targets, there or not, lie outside it; follows none of them."""
    home = real_path(folder)
    return sorted(
        path
        for root, folders, files in os.walk(folder)
        for path in (Path(root, name) for name in (*folders, *files))
        if path.is_symlink() and not real_path(path).is_relative_to(home)
    )


def refuse_links_out(folder: Path) -> None:
    """Refuses a folder with such a link, a pipe, a socket or a device, before anything is written into it.

    Raises:
        LinkError: It has one.
    """
    for path in folder.rglob("*"):
        if is_special(path):
            raise LinkError(f"{plain(str(path))}: a pipe, socket or device, not a file; remove it")
    if found := links_out(folder):
        named = ", ".join(plain(str(path)) for path in found[:_NAMED])
        rest = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise LinkError(f"{named}{rest}: a link that leads out of {plain(str(folder))}; put the file itself there")
