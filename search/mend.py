"""Mends what a disk has spoilt of a study's trials, before a driver goes on with it: records and event files.

Both are recognised by their checksums. A finished trial's record comes back from its copy; event files are written anew
from the record. Checkpoints are the worker's (`colorgan/run.py`), the storage is `database.py`'s and `restore.py`'s.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorgan.disk import set_aside
from colorgan.event_file import FILE_PATTERN, damaged_file, set_events_aside
from colorgan.record import RecordError, TrialRecord, read_record, record_copy, write_record
from search.aims import Aims
from search.live_trial import aim_scalars, end_session, epoch_scalars
from search.space import Space
from search.storage import StudyFolder, TrialFolder


def mend_records(folder: StudyFolder, say: Callable[[str], None]) -> None:
    """Sets damaged records aside, and puts their copies in their place.

    A trial that was not finished has no copy and needs none: it goes on from its checkpoint, which knows its epochs.

    Args:
        folder: The study's files, owned by this process.
        say: Is told what was found.

    Raises:
        OSError: A file may not be read, renamed or written.
    """
    for trial in folder.trials():
        try:
            read_record(trial.record)
        except RecordError as error:
            there = os.path.lexists(trial.record)  # else whoever was killed here has set it aside already
            done = [f"set aside as {set_aside(trial.record).name}"] if there else []
            done += ["its copy is used"] if _use_copy(trial) else []
            say("; ".join([str(error), ", ".join(done)]) if done else str(error))


def mend_events(folder: StudyFolder, space: Space, aims: Aims, say: Callable[[str], None]) -> None:
    """Writes the sessions of trials anew whose event files are damaged or torn, or were set aside by one killed here.

    Args:
        folder: The study's files, owned by this process.
        space: The study's.
        aims: The study's.
        say: Is told what was found.

    Raises:
        OSError: A file may not be read, renamed or written.
    """
    for record in folder.records():
        home, run = folder.trial(record.number).path, folder.session(record.number)
        damaged = damaged_file(run)
        if damaged is None and (not run.is_dir() or any(run.glob(FILE_PATTERN))):
            continue
        anew = _write_session(folder, record, space, aims)
        if damaged is not None:
            set_events_aside(run, home, last=damaged)
            say(f"{damaged}: damaged; the trial's event files are set aside in {home} and made anew from its record")
        for file in anew.glob("*"):  # one
            file.replace(run / file.name)
        anew.rmdir()


def _use_copy(trial: TrialFolder) -> bool:
    """Writes a record anew from its copy; returns whether there is a usable one. Another is set aside as well."""
    copy = record_copy(trial.record)
    try:
        write_record(trial.record, read_record(copy))
    except RecordError:
        if os.path.lexists(copy):
            set_aside(copy)
        return False
    return True


def _write_session(folder: StudyFolder, record: TrialRecord, space: Space, aims: Aims) -> Path:
    """Writes all that the record knows of a session into a folder of the trial's, and returns that.

    Of its images there are only the last. What is killed here has changed nothing that anybody reads.
    """
    anew = folder.trial(record.number).path / "events-anew"
    shutil.rmtree(anew, ignore_errors=True)  # of one killed here
    session = folder.open_session(record, space.shown(record.params), run=anew)
    for done, epoch in enumerate(record.epochs, start=1):
        then = aims.judged(record.model_copy(update={"epochs": record.epochs[:done]}))
        session.scalars(epoch.step, epoch_scalars(epoch) | aim_scalars(then))
    if (sheet := _sheet(folder.trial(record.number).examples)) is not None:
        session.images(record.steps_done, "examples", sheet[np.newaxis])
    end_session(session, record)
    return anew


def _sheet(path: Path) -> NDArray[np.uint8] | None:
    """Returns a trial's last examples; None where there are none or they cannot be read."""
    with suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError), Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
    return None
