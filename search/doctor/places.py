"""The folders that are written to: can they be, do they keep what we rely on, and is there room?

Relied on: a rename replaces a file at once, a link replaces none, and a lock (flock) keeps others out. A file system
over a network may not keep these promises, so they are tried, in a folder that is removed again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from colorgan.packs import CacheError, cache_folder
from search.doctor.finding import Case, Finding, ok, problem, warning

LEAST_BYTES, ENOUGH_BYTES = 200e6, 2e9  # free: one checkpoint and its pack of photos; a study of hundreds of trials
LEAST_FILES = 10_000  # that may still be made; a trial makes some ten
SLACK_SECONDS = 2.0  # some file systems round times so much
NETWORK = {"9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs"} | {
    "nfs4", "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs", "webdav", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs"
} | {"fuse.sshfs", "fuse.gcsfuse", "fuse.davfs", "fuse.ceph", "fuse.juicefs"}  # fmt: skip


def results_folder(case: Case) -> Finding:
    """Can results be written, and does their file system keep what we rely on?"""
    return judge_folder(case.folder.path if case.folder else case.results, "--results (RESULTS=)")


def cache_of_photos(_case: Case) -> Finding:
    """Can packed photos be written, and does their file system keep what we rely on?"""
    try:
        return judge_folder(cache_folder(), "the environment variable COLORGAN_CACHE")
    except CacheError as error:
        return problem(str(error), "say `unset COLORGAN_CACHE`, or give it an absolute path")


def caches() -> list[Path]:
    """Returns the folder of packed photos; none where none is named as it must be, which `cache_of_photos` says."""
    with suppress(CacheError):
        return [cache_folder()]
    return []


def judge_folder(folder: Path, option: str) -> Finding:
    """Judges a folder, which need not be there yet.

    Args:
        folder: Where files will be written.
        option: What names another one.
    """
    place = nearest(folder)
    if not place.is_dir():
        return problem(f"{folder}: {place} is a file, not a folder", f"give another folder in {option}")
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as scratch:
            faults = [fault for look in (_renames, _links, _locks, _times) for fault in look(Path(scratch))]
    except OSError as error:
        return problem(f"{place}: cannot be written: {error.strerror}", f"give another folder in {option}")
    kind = filesystem(place)
    if faults:
        return problem(f"{place} ({kind}): {'; '.join(faults)}", f"give a folder on a local disk in {option}")
    if place.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH:
        return warning(f"{place}: everybody on this machine may change what is in it", f"chmod o-w {place}")
    return ok(f"{place} ({kind}): can be written; renames, links and locks work")


def disk(case: Case) -> Finding:
    """Is there room for results and packed photos?"""
    rooms = [free_room(nearest(folder)) for folder in (case.results, *caches())]
    return judge_room(*min(rooms, key=lambda room: room[1]))


def judge_room(place: Path, free_bytes: float, free_files: float) -> Finding:
    """Judges what is free for this user on a disk."""
    amount = f"{free_bytes / 1e9:.1f} GB" if free_bytes >= 1e9 else f"{free_bytes / 1e6:.0f} MB"
    found = f"{place}: {amount} free"
    mend = "make room: python -m colorgan cache --clean, old results, or other folders (--results, COLORGAN_CACHE)"
    if free_bytes < LEAST_BYTES:
        return problem(found, mend)
    if free_files < LEAST_FILES:
        return problem(f"{found}, but only {free_files:.0f} more files can be made (inodes)", mend)
    return ok(found) if free_bytes >= ENOUGH_BYTES else warning(f"{found}, little for a long study", mend)


def free_room(place: Path) -> tuple[Path, float, float]:
    """Returns the place, and the free bytes and files of its disk; a disk that does not count files has no end."""
    disk = os.statvfs(place)
    return place, shutil.disk_usage(place).free, disk.f_favail if disk.f_files else float("inf")


def nearest(folder: Path) -> Path:
    """Returns the folder, or of those above it the first that is there."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())


def filesystem(folder: Path) -> str:
    """Returns the kind of file system that a folder lies on, e.g. ext4 or nfs4."""
    real, found, kind = folder.resolve(), 0, "unknown file system"
    for mount in psutil.disk_partitions(all=True):
        if real.is_relative_to(mount.mountpoint) and len(mount.mountpoint) >= found:  # the last one hides the others
            found, kind = len(mount.mountpoint), mount.fstype
    return kind


def is_remote(kind: str) -> bool:
    """Returns whether a kind of file system lies on another machine."""
    return kind in NETWORK


def _renames(folder: Path) -> Iterator[str]:
    new, old = folder / "new", folder / "old"
    new.write_text("new")
    old.write_text("old")
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(old)
    if new.exists() or old.read_text() != "new":
        yield "a rename does not replace a file"


def _links(folder: Path) -> Iterator[str]:
    first, second = folder / "first", folder / "second"
    first.write_text("first")
    try:
        os.link(first, second)
    except OSError:
        return  # `write_photo` does without
    try:
        os.link(first, second)
    except FileExistsError:
        return
    yield "a link replaces a file"


def _locks(folder: Path) -> Iterator[str]:
    path = folder / "lock"
    with path.open("w") as ours, path.open("w") as theirs:
        try:
            fcntl.flock(ours, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            yield f"files cannot be locked ({error.strerror})"
            return
        try:
            fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    yield "a lock does not keep others out"


def _times(folder: Path) -> Iterator[str]:
    path = folder / "time"
    path.write_text("")
    off = path.stat().st_mtime - time.time()
    if abs(off) > SLACK_SECONDS:
        yield f"its clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} this machine's"
