"""Whose checkpoints a study keeps: those of its best finished trials, as a checkpoint is a trial's largest file."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import Literal

from colorgan.checkpoint import remove_checkpoints
from colorgan.record import FINISHED, TrialRecord
from search.snapshot import place
from search.storage import StudyFolder


class KeptCheckpoints:
    """Removes the checkpoints of finished trials that are not among the best; each trial is looked at once."""

    def __init__(self, folder: StudyFolder, direction: str, *, keep: int | Literal["all"]) -> None:
        """Keeps none yet.

        Args:
            folder: The study's files.
            direction: The objective's, "minimize" or "maximize".
            keep: How many trials keep theirs.
        """
        self._folder, self._direction, self._keep = folder, direction, keep
        self._best: list[tuple[float, int]] = []  # places of those that keep theirs, the best first

    def look_at(self, records: Iterable[TrialRecord]) -> None:
        """Takes trials in and removes what need not be kept any more; a trial that is not finished keeps its own.

        Raises:
            OSError: A checkpoint cannot be removed.
        """
        if self._keep == "all":
            return
        for record in records:
            if (found := place(record, self._direction)) is not None:
                if found not in self._best:  # as it is when it is looked at twice
                    bisect.insort(self._best, found)
                for _, number in self._best[self._keep :]:
                    self._remove(number)
                del self._best[self._keep :]
            elif record.state in FINISHED:
                self._remove(record.number)

    def _remove(self, number: int) -> None:
        remove_checkpoints(self._folder.trial(number).checkpoint)
