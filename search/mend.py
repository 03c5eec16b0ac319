"""Mends what a disk has spoilt of a study's trials, before a driver goes on with it: records and event files.

Both are recognised by their checksums. A finished trial's record comes back from its copy; event files are written anew
from the record. Checkpoints are the worker's (`colorgan/run.py`), the storage is `database.py`'s and `restore.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorgan.disk import set_aside
from colorgan.event_file import set_aside_damaged
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
            aside = set_aside(trial.record)
            copied = _use_copy(trial)
            say(f"{error}; set aside as {aside.name}{', its copy is used' if copied else ''}")


def mend_events(folder: StudyFolder, space: Space, aims: Aims, say: Callable[[str], None]) -> None:
    """Writes the sessions of trials anew whose event files are damaged or torn.

    Args:
        folder: The study's files, owned by this process.
        space: The study's.
        aims: The study's.
        say: Is told what was found.

    Raises:
        OSError: A file may not be read, renamed or written.
    """
    for record in folder.records():
        home = folder.trial(record.number).path
        if damaged := set_aside_damaged(folder.session(record.number), home):
            _write_session(folder, record, space, aims)
            say(f"{damaged}: damaged; the trial's event files are set aside in {home} and made anew from its record")


def _use_copy(trial: TrialFolder) -> bool:
    """Writes a record anew from its copy; returns whether there is a usable one."""
    with suppress(RecordError):
        write_record(trial.record, read_record(record_copy(trial.record)))
        return True
    return False


def _write_session(folder: StudyFolder, record: TrialRecord, space: Space, aims: Aims) -> None:
    """Writes all that the record knows of a session; of its images there are only the last."""
    session = folder.open_session(record, space.shown(record.params))
    for done, epoch in enumerate(record.epochs, start=1):
        then = aims.judged(record.model_copy(update={"epochs": record.epochs[:done]}))
        session.scalars(epoch.step, epoch_scalars(epoch) | aim_scalars(then))
    step = record.epochs[-1].step if record.epochs else 0
    if (sheet := _sheet(folder.trial(record.number).examples)) is not None:
        session.images(step, "examples", sheet[np.newaxis])
    end_session(session, record)


def _sheet(path: Path) -> NDArray[np.uint8] | None:
    """Returns a trial's last examples; None where there are none or they cannot be read."""
    with suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError), Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
    return None
