"""Whose checkpoints a study keeps: those of its best finished trials, as a checkpoint is a trial's largest file.

Of a configuration that is trained with several seeds the mean counts, so all of its trials keep theirs until the last
of them is finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from colorgan.checkpoint import remove_checkpoints
from colorgan.record import FINISHED, TrialRecord
from search.checkpoint_store import CheckpointStore
from search.snapshot import group_name, ranked
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
        seeds: int = 1,
        store: CheckpointStore | None = None,
    ) -> None:
        """Keeps none yet.

        Args:
            folder: The study's files.
            direction: The objective's, "minimize" or "maximize".
            keep: How many trials keep theirs.
            seeds: Of each configuration whose first trial is complete and feasible.
            store: Where unfinished trials have theirs; None: in their folders.
        """
        self._folder, self._direction, self._keep, self._seeds, self._store = folder, direction, keep, seeds, store
        self._stored: set[int] | None = None  # trials that have something in the store, once that was asked
        # Finished trials of configurations of which any keep theirs.
        self._groups: dict[str, dict[int, TrialRecord]] = {}

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
            self._groups.setdefault(record.group or group_name(record.number), {})[record.number] = record
        settled = {name: group for name, group in self._groups.items() if not self._goes_on(group)}
        trials = (record for group in settled.values() for record in group.values())
        best = {record.number for record in ranked(trials, self._direction)[:keep]}
        for name, group in settled.items():
            for number in group.keys() - best:
                self._remove(number)
            if best.isdisjoint(group):
                del self._groups[name]

    def _goes_on(self, group: Mapping[int, TrialRecord]) -> bool:
        """Returns whether further seeds of a configuration are still to come."""
        first = group[min(group)]
        return first.state == "complete" and first.feasible and len(group) < self._seeds

    def _remove(self, number: int) -> None:
        remove_checkpoints(self._folder.trial(number).checkpoint)
        if self._store is not None and self._stored and number in self._stored:
            self._store.remove(number)
            self._stored.remove(number)
