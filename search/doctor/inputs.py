"""What a study reads and what it writes its trials to: photos and storage."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from colorgan.config import DataConfig
from colorgan.decode import PhotoError, read_crops, read_file
from colorgan.folder import Listing, PhotosError, Skipped, list_photos
from search.address import StorageUrlError
from search.database import open_study
from search.doctor.finding import Case, Finding, ok, problem, warning
from search.doctor.places import filesystem, is_remote, nearest
from search.outage import Patience
from search.storage import StorageError, StudyFolder
from search.words import counted

PHOTOS_TRIED, PHOTO_SECONDS = 100, 2.0  # a look, not a count: reading 36,500 files takes minutes
LEAST_PHOTOS = 2  # one to train on and one to measure
WRITES, SLOW_SECONDS = 10, 0.25  # of each of them; a report of a trial is one
PATIENCE_SECONDS = 3.0  # with a database that does not answer
NAMED = 3  # files that a line names


def photos(case: Case) -> Finding:
    """Can the study's photos, or the bundled ones, be read?"""
    config = case.study.train.data if case.study else DataConfig()
    try:
        listing = list_photos(config.photos)
    except PhotosError as error:
        return problem(str(error), "give another folder: data.photos, or --data (DATA=)")
    return judge_photos(listing, *_try(listing, config))


def judge_photos(listing: Listing, tried: int, broken: list[Skipped]) -> Finding:
    """Judges a folder of which some photos were tried and some of these are broken."""
    skipped = [*listing.skipped, *broken]
    named = "; ".join(f"{item.name} ({item.reason})" for item in skipped[:NAMED])
    rest = f"; and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
    found = f"{listing.folder}: {len(listing.files)} photos, {tried} of them tried"
    if len(listing.files) - len(broken) < LEAST_PHOTOS:
        unreadable = f"; {len(skipped)} unreadable: {named}{rest}" if skipped else ""
        return problem(f"{found}: too few{unreadable}", f"at least {LEAST_PHOTOS} JPEG, PNG or WebP files are needed")
    if skipped:
        return warning(
            f"{found}; {len(skipped)} unreadable: {named}{rest}", "mend or remove them; a search leaves them out"
        )
    return ok(f"{found}, all readable")


def _try(listing: Listing, config: DataConfig) -> tuple[int, list[Skipped]]:
    """Reads photos spread over a folder for some seconds; returns how many were tried, and the broken ones."""
    broken, tried, until = [], 0, time.monotonic() + PHOTO_SECONDS
    step = -(-len(listing.files) // PHOTOS_TRIED) or 1
    for file in listing.files[::step]:
        if time.monotonic() > until:
            break
        tried += 1
        try:
            read_crops(read_file(file.path), config)
        except PhotoError as error:
            broken.append(Skipped(file.name, str(error)))
    return tried, broken


def storage(case: Case) -> Finding:
    """Can the study's storage be opened and written, and how fast? Tried with a study that is removed again."""
    kind = filesystem(nearest(case.results))
    try:
        seconds = write_seconds(case)
    except (StorageError, StorageUrlError) as error:
        other = "start the database, mend its address, or give another --storage"
        return problem(str(error), other if case.storage else "mend it, or give other --results (RESULTS=)")
    except OSError as error:
        return problem(f"{case.results}: cannot be written: {error.strerror}", "give other --results (RESULTS=)")
    found = f"{'the database' if case.storage else f'SQLite on {kind}'}: {1000 * seconds:.0f} ms a write"
    if case.storage is None and is_remote(kind):
        return warning(
            f"{found}; SQLite over a network may lock badly and be damaged",
            "--results (RESULTS=) on a local disk, or --storage with a database server",
        )
    if seconds > SLOW_SECONDS:
        return warning(f"{found}, which is slow: the driver waits for each", "results on a local disk, best an SSD")
    return ok(found)


def write_seconds(case: Case) -> float:
    """Returns how long a write to the study's storage takes, the median of some.

    Raises:
        StorageError: It cannot be opened.
        StorageUrlError: There is no such kind of storage.
        OSError: The results cannot be written.
    """
    place = None if case.storage else nearest(case.results)
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as scratch:
        name = f"doctor-{os.getpid()}-{time.time_ns()}"
        study = open_study(
            StudyFolder(Path(scratch)),
            name=name,
            directions=["minimize"],
            url=case.storage,
            patience=Patience(seconds=PATIENCE_SECONDS),
        )
        try:
            times = []
            for number in range(WRITES):
                started = time.perf_counter()
                study.set_user_attr("write", number)
                times.append(time.perf_counter() - started)
        finally:
            study._storage.delete_study(study._study_id)
            study._storage.remove_session()
    return sorted(times)[WRITES // 2]


def databases(case: Case) -> Finding:
    """Are the studies' SQLite files whole?"""
    files = [folder.database for folder in case.folders() if folder.database.is_file()]
    torn = [f"{path} ({fault})" for path in files if (fault := _sqlite_fault(path))]
    if torn:
        return problem(
            f"damaged: {'; '.join(torn[:NAMED])}",
            "restore it from a copy; trials/*/result.json and trials.csv still hold what the trials found",
        )
    return ok(f"{counted(len(files), 'SQLite file')}, whole" if files else "no study has run here yet")


def _sqlite_fault(path: Path) -> str:
    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=5)) as connection:
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            connection.execute("SELECT study_id FROM studies")
        return "" if answer == "ok" else str(answer)
    except sqlite3.Error as error:
        return "" if "locked" in str(error) else str(error)  # a driver is at work on it
