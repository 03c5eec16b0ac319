"""The photo files of a folder: which are there, and which could not even be looked at. Reads no contents."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from colorgan.errors import BadInputError
from colorgan.mistakes import did_you_mean
from colorgan.plain_text import plain

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp"})
SAMPLE = "sample"
SAMPLE_FOLDER = Path(__file__).parent / "sample_photos"
NOTHING = "no such folder"


class PhotosError(BadInputError):
    """Photos that cannot be used; the message names the folder or file, what is wrong, and what to do."""


@dataclass(frozen=True)
class PhotoFile:
    """A regular file with a photo's suffix; `name` is its path below the folder, with slashes."""

    name: str
    path: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """What a folder holds: files in order of their names, and what could not even be looked at."""

    folder: Path
    files: tuple[PhotoFile, ...]
    skipped: tuple[Skipped, ...]


def list_photos(photos: str, *, most: int | None = None) -> Listing:
    """Lists the photo files of `sample` or a folder, recursively, symbolic links followed, hidden files left out.

    Args:
        photos: The folder; a relative path starts at the one that this process is in.
        most: Look into no further subfolder once so many are found; None looks into all.

    Raises:
        PhotosError: There is no such folder.
    """
    folder = photo_folder(photos)
    try:
        problem = "" if folder.is_dir() else _what_is_there(folder)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    if problem:
        where = "" if folder.is_absolute() else f" (it was looked for in {printable(str(Path.cwd()))})"
        hint = (did_you_mean(photos, [SAMPLE]) if problem == NOTHING and not folder.parent.name else "") or "."
        raise PhotosError(
            f"data.photos: {printable(str(folder))}: {problem}{hint} Give a folder of photos, or `{SAMPLE}`{where}"
        )
    files: list[PhotoFile] = []
    skipped: list[Skipped] = []
    seen = {_identity(parent) for parent in folder.resolve().parents}  # a link upwards must not bring its siblings in
    pending = [""]
    while pending and (most is None or len(files) < most):
        pending += _list_folder(folder, pending.pop(), seen, files, skipped)
    return Listing(folder, tuple(sorted(files, key=lambda file: file.name)), tuple(skipped))


def photo_folder(photos: str) -> Path:
    """Returns where `sample` or a folder lies, whether it is there or not."""
    return SAMPLE_FOLDER if photos == SAMPLE else expanded(photos)


def expanded(photos: str) -> Path:
    """Returns a folder's path with the home folder that it may begin with; one of nobody's stays as it is written."""
    try:
        return Path(photos).expanduser()
    except RuntimeError:  # ~name of nobody
        return Path(photos)


def _what_is_there(path: Path) -> str:
    """Returns why a path is no folder."""
    if path.exists():
        return "is a file, not a folder; unpack an archive first"
    return "a symbolic link that leads to no folder" if path.is_symlink() else NOTHING


def _list_folder(
    root: Path, prefix: str, seen: set[tuple[int, int]], files: list[PhotoFile], skipped: list[Skipped]
) -> list[str]:
    """Adds the files of `root/prefix`; returns its subfolders in reverse order, or none where it was seen before."""
    subfolders: list[str] = []
    try:
        identity = _identity(root / prefix)
        if identity in seen:  # a loop of links, or a second way to the same folder
            return []
        seen.add(identity)
        with os.scandir(root / prefix) as found:  # several times as fast as pathlib, and opening a pack waits for it
            entries = sorted(found, key=lambda entry: entry.name, reverse=True)
    except OSError as error:
        skipped.append(Skipped(prefix, f"cannot be listed: {error.strerror}"))
        return []
    for entry in entries:
        is_photo = os.path.splitext(entry.name)[1].lower() in SUFFIXES  # noqa: PTH122
        if entry.name.startswith("."):
            continue
        name = prefix + entry.name
        try:
            info = entry.stat()
        except OSError as error:
            if is_photo:
                skipped.append(Skipped(name, f"cannot be read: {error.strerror}"))
            continue
        if stat.S_ISDIR(info.st_mode):
            subfolders.append(name + "/")
        elif is_photo and not stat.S_ISREG(info.st_mode):
            skipped.append(Skipped(name, "not a regular file"))
        elif is_photo and not os.access(entry.path, os.R_OK):
            skipped.append(Skipped(name, "cannot be read: no permission"))
        elif is_photo:
            files.append(PhotoFile(name, entry.path, info.st_size, info.st_mtime_ns))
    return subfolders


def _identity(folder: Path) -> tuple[int, int]:
    info = folder.stat()
    return info.st_dev, info.st_ino


def printable(name: str) -> str:
    """Returns a file name with bytes that are not UTF-8 and control characters escaped, to be printed and stored."""
    return plain(os.fsencode(name).decode("utf-8", "backslashreplace")).replace("\n", "\\n").replace("\t", "\\t")
