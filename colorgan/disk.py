"""Files that last: written whole or not at all, damaged ones set aside, and the disk's errors in words.

What is killed while it writes leaves a draft, `.NAME.PROCESS`, which nobody reads and `remove_drafts` removes. For a
long name it has a hash instead, as a file system has room for 255 bytes, some for 143.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
SHORT_BYTES = 100  # with dots and a process' number well below 143, eCryptfs' limit
NO_ACCESS = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def out_of_room(error: OSError) -> bool:
    """Returns whether a whole disk cannot be written: it is full, a quota or a limit is reached, or it is read-only."""
    return error.errno in NO_ROOM | {errno.EROFS}


def cannot_write(error: OSError) -> bool:
    """Returns whether the machine is at fault and not what was to be written: no room, no right, or a failing disk."""
    return error.errno in NO_ROOM | NO_ACCESS | {errno.EIO}


def explain(error: OSError) -> str:
    """Returns which file could not be used, why, and what to do."""
    reason = error.strerror or str(error) or type(error).__name__
    where = f"{error.filename}: " if error.filename is not None else ""
    if error.errno in NO_ROOM:
        return f"{where}cannot be written: {reason}; make room there and give the same command again, which goes on"
    if error.errno in NO_ACCESS:
        return f"{where}no access: {reason}; allow it, or choose another folder, and give the command again"
    if error.errno == errno.ENOENT and error.filename and not (folder := Path(error.filename).parent).is_dir():
        return (
            f"{where}{reason}; there is no folder {folder}: if there was one, see that what it lies on is still mounted"
        )
    return f"{where}{reason}"


def draft_of(path: Path) -> Path:
    """Returns where this process writes what is to be a file or a folder of this name."""
    return path.with_name(f".{_short_name(path)}.{os.getpid()}")


@contextmanager
def written_whole(path: Path, *, keep: Path | None = None) -> Iterator[BinaryIO]:
    """Yields a file to write, which takes the place of an older one where nothing is raised.

    After a crash of the process or the machine one of the two is there, whole; on return it is the new one.

    Args:
        path: The file.
        keep: Where the older file goes on being; nothing is done without an older one.

    Raises:
        OSError: The disk is full or the folder cannot be written, with `path` as its file; the older file is untouched.
    """
    draft = draft_of(path)
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if keep is not None and path.is_file():
            copy_whole(path, keep)
        draft.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        draft.unlink(missing_ok=True)


def copy_whole(source: Path, target: Path) -> None:
    """Gives a file, which nobody changes in place, a second name instead of what has it; copies it where that fails.

    Raises:
        OSError: The disk is full or the folder cannot be written; what had the name still has it.
    """
    draft = draft_of(target)
    try:
        draft.hardlink_to(source)
        draft.replace(target)
    except OSError:  # a file system without links
        with source.open("rb") as old, written_whole(target) as new:
            shutil.copyfileobj(old, new)
    finally:
        draft.unlink(missing_ok=True)  # it is there still where both names were of one file already


def append(path: Path, data: bytes) -> None:
    """Writes to the end of a file, all of it or nothing, so that what follows can be read; makes the file if need be.

    Raises:
        OSError: The disk is full or the file cannot be written; it is as long as before.
    """
    try:
        with path.open("ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                _write_all(file, data)
            except OSError:
                file.truncate(size)
                raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def flush_folder(folder: Path) -> None:
    """Makes the names in a folder outlast a power failure, where the file system knows how to."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def remove_drafts(path: Path) -> None:
    """Removes what processes that were killed while they wrote this file have left; nobody may be writing it."""
    for draft in path.parent.glob(f".{glob.escape(_short_name(path))}.*"):
        if draft.name.rpartition(".")[2].isdecimal():
            draft.unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Gives a damaged file, or whatever stands in its place, a name that nobody reads; returns it."""
    number, aside = 1, path.with_name(f"damaged-{path.name}")
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"damaged-{number}-{path.name}")
    return path.replace(aside)


def _short_name(path: Path) -> str:
    name = os.fsencode(path.name)
    return path.name if len(name) <= SHORT_BYTES else hashlib.sha256(name).hexdigest()[:32]


def _write_all(file: RawIOBase, data: bytes) -> None:
    """Writes all bytes to an unbuffered file, which may take fewer at a time: a disk that fills takes what fits."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]
