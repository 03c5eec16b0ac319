"""Whose checkpoints a study keeps: those of its best finished trials, as a checkpoint is a trial's largest file."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import Literal

from colorgan.checkpoint import remove_checkpoints
from colorgan.record import FINISHED, TrialRecord
from search.checkpoint_store import CheckpointStore
from search.snapshot import place
from search.storage import StudyFolder


class KeptCheckpoints:
    """Removes the checkpoints of finished trials that are not among the best; each trial is looked at once.

    Those that are kept come from the store, if there is one, into the trials' folders.
    """

    def __init__(
        self,
        folder: StudyFolder,
        direction: str,
        *,
        keep: int | Literal["all"],
        store: CheckpointStore | None = None,
    ) -> None:
        """Keeps none yet.

        Args:
            folder: The study's files.
            direction: The objective's, "minimize" or "maximize".
            keep: How many trials keep theirs.
            store: Where unfinished trials have theirs; None: in their folders.
        """
        self._folder, self._direction, self._keep, self._store = folder, direction, keep, store
        self._stored: set[int] | None = None  # trials that have something in the store, once that was asked
        self._best: list[tuple[float, int]] = []  # places of those that keep theirs, the best first

    def look_at(self, records: Iterable[TrialRecord]) -> None:
        """Takes trials in and removes what need not be kept any more; a trial that is not finished keeps its own.

        Raises:
            OSError: A checkpoint cannot be removed.
            StoreError: The store does not answer.
        """
        finished = [record for record in records if record.state in FINISHED]
        if self._store is not None and finished:
            self._stored = self._found(self._store, finished)
        if self._keep != "all":
            self._remove_needless(finished, self._keep)
        for record in finished:
            if self._store is not None and self._stored and record.number in self._stored:
                self._store.bring(record.number, self._folder.trial(record.number).checkpoint)
                self._stored.discard(record.number)

    def _found(self, store: CheckpointStore, finished: Iterable[TrialRecord]) -> set[int]:
        """Returns the trials that have something in the store: all of them are looked for once, then the new ones."""
        if self._stored is None:
            return store.numbers()
        return self._stored | {record.number for record in finished if store.has(record.number)}

    def _remove_needless(self, finished: Iterable[TrialRecord], keep: int) -> None:
        for record in finished:
            if (found := place(record, self._direction)) is not None:
                if found not in self._best:  # as it is when it is looked at twice
                    bisect.insort(self._best, found)
                for _, number in self._best[keep:]:
                    self._remove(number)
                del self._best[keep:]
            else:
                self._remove(record.number)

    def _remove(self, number: int) -> None:
        remove_checkpoints(self._folder.trial(number).checkpoint)
        if self._store is not None and self._stored and number in self._stored:
            self._store.remove(number)
            self._stored.remove(number)
