"""Whose checkpoints a study keeps: those of its best finished trials, as a checkpoint is a trial's largest file."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from colorgan.checkpoint import remove_checkpoints
from colorgan.record import FINISHED, TrialRecord
from search.snapshot import ranked
from search.storage import StudyFolder


def thin_out(
    folder: StudyFolder, records: Collection[TrialRecord], direction: str, *, keep: int | Literal["all"]
) -> None:
    """Removes the checkpoints of finished trials that are not among the best.

    Args:
        folder: The study's files.
        records: Of all trials.
        direction: The objective's, "minimize" or "maximize".
        keep: How many trials keep theirs.

    Raises:
        OSError: A checkpoint cannot be removed.
    """
    if keep == "all":
        return
    kept = {record.number for record in ranked(records, direction)[:keep]}
    for record in records:
        if record.state in FINISHED and record.number not in kept:
            remove_checkpoints(folder.trial(record.number).checkpoint)
