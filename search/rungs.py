"""Successive halving that promotes by resuming: trials pause at rungs, and the best of each rung go on.

Most configurations are trained for a few epochs only; of those that reach a rung the best part, one in
`reduction_factor`, goes on to the next. A trial that pauses keeps its checkpoint, so one that goes on, be it hours
later, is to the last bit the trial that never paused. Nobody waits for a rung to fill: a worker that is free takes the
best paused trial that may go on, from the highest rung that has one, else a new configuration.

Source: Li et al. 2020 (ASHA), arXiv 1810.05934, algorithm 2. Differs: when there are no new configurations left and
nothing may go on by the rule, and no trial is complete, the best of the highest rung goes on all the same.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
import math
from collections.abc import Sequence

from colorgan.record import TrialRecord

Place = tuple[float, int]
"""How bad a trial was at a rung, and its number."""


class Asha:
    """The rungs of a study's trials."""

    def __init__(self, min_epochs: int | None = None, reduction_factor: int = 2) -> None:
        """Takes what a study file says.

        Args:
            min_epochs: The first rung: as many epochs are trained of each configuration; None is a third of a trial's,
                which was the best of those measured for trials of 6 and of 24 epochs (docs/methods_measured.md).
            reduction_factor: One in so many goes on; each rung is so many times as far as the one before.

        Raises:
            ValueError: A value that makes no rungs.
        """
        if min_epochs is not None and min_epochs < 1:
            raise ValueError(f"min_epochs must be at least 1; received {min_epochs}")
        if reduction_factor < 2:
            raise ValueError(f"reduction_factor must be at least 2; received {reduction_factor}")
        self.min_epochs, self.reduction_factor = min_epochs, reduction_factor

    def first(self, epochs: int) -> int:
        """Returns the first epoch after which a trial of so many pauses."""
        return self.min_epochs or max(1, round(epochs / 3))

    def levels(self, epochs: int) -> tuple[int, ...]:
        """Returns the epochs after which a trial of so many pauses."""
        rungs = (self.first(epochs) * self.reduction_factor**rung for rung in itertools.count())
        return tuple(itertools.takewhile(lambda level: level < epochs, rungs))


class Rungs:
    """Who has reached which rung, and who may go on. Plain bookkeeping; all of it is in the trials' records."""

    def __init__(self, levels: Sequence[int], *, factor: int, direction: str) -> None:
        """Starts without trials.

        Args:
            levels: The epochs after which trials pause, rising; none where no trial does.
            factor: One trial in so many goes on.
            direction: "minimize" or "maximize" the objective.
        """
        self._levels, self._factor = tuple(levels), factor
        self._sign = 1.0 if direction == "minimize" else -1.0
        self._reached: dict[int, list[Place]] = {level: [] for level in self._levels}  # sorted
        self._paused: dict[int, list[Place]] = {level: [] for level in self._levels}  # heaps
        self._known: set[tuple[int, int]] = set()

    def __bool__(self) -> bool:
        """Returns whether there are any."""
        return bool(self._levels)

    def next(self, record: TrialRecord) -> int | None:
        """Returns the epoch after which a trial will pause next; None where it is to be trained to its end."""
        return next((level for level in self._levels if level > _epochs(record)), None)

    def note(self, record: TrialRecord) -> None:
        """Notes the rungs that a trial has reached, whatever became of it since."""
        objectives = {epoch.epoch: epoch.objective for epoch in record.epochs}
        for level in self._levels:
            if level <= _epochs(record) and (level, record.number) not in self._known:
                self._known.add((level, record.number))
                bisect.insort(self._reached[level], (self._badness(objectives.get(level)), record.number))

    def pause(self, record: TrialRecord) -> bool:
        """Notes that a trial pauses at the rung that it has reached; returns whether it is at one."""
        level = _epochs(record)
        if level not in self._paused:
            return False
        self.note(record)
        heapq.heappush(self._paused[level], (self._badness(record.epochs[-1].objective), record.number))
        return True

    def promote(self) -> int | None:
        """Takes the paused trial that goes on by the rule, and returns its number; None where none may."""
        for level in reversed(self._levels):
            paused, reached = self._paused[level], self._reached[level]
            if paused and bisect.bisect_left(reached, paused[0]) < len(reached) // self._factor:
                return heapq.heappop(paused)[1]
        return None

    def promote_best(self) -> int | None:
        """Takes the best paused trial of the highest rung that has one, and returns its number."""
        populated = (paused for level in reversed(self._levels) if (paused := self._paused[level]))
        return next((heapq.heappop(paused)[1] for paused in populated), None)

    def _badness(self, objective: float | None) -> float:
        return math.inf if objective is None else self._sign * objective


def _epochs(record: TrialRecord) -> int:
    return record.epochs[-1].epoch if record.epochs else 0
