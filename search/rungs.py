"""Successive halving that promotes by resuming: trials pause at rungs, and the best of each rung go on.

Most configurations are trained for a few epochs only; of those that reach a rung the best part, one in
`reduction_factor`, goes on to the next. A trial that pauses keeps its checkpoint, so one that goes on, be it hours
later, is to the last bit the trial that never paused. Nobody waits for a rung to fill: a worker that is free takes the
best paused trial that may go on, from the highest rung that has one, else a new configuration.

Trials that violate constraints where they pause come behind all that do not.

What a rung shows may say less and less of the end: once a sampler proposes good configurations only, which of them is
best at a third of a training is luck, and one that begins slowly never gets further. With `min_agreement` a rung is
judged by the trials that are complete, and lets all of the present ones go on where it no longer tells.

Source: Li et al. 2020 (ASHA), arXiv 1810.05934, algorithm 2. Differs: when there are no new configurations left and
nothing may go on by the rule, and no trial is complete, the best of the highest rung goes on all the same; constraints;
and `min_agreement`, which is ours (Kendall 1938, Biometrika 30, is the rank correlation's).
"""

from __future__ import annotations

import bisect
import heapq
import itertools
import math
from collections.abc import Callable, Sequence

from colorgan.record import TrialRecord

RECENT, FEWEST = 12, 8  # complete trials, the latest begun, by which a rung is judged; of fewer it is not
Badness = tuple[float, float]
"""By how much constraints are violated, then the objective, less being better."""
Place = tuple[Badness, int]
"""How bad a trial was at a rung, and its number."""
_END = 0  # no rung, as those are epochs after which trials pause


class Asha:
    """The rungs of a study's trials."""

    def __init__(
        self, min_epochs: int | None = None, reduction_factor: int = 2, min_agreement: float | None = None
    ) -> None:
        """Takes what a study file says.

        Args:
            min_epochs: The first rung: as many epochs are trained of each configuration; None is a third of a trial's,
                which was the best of those measured for trials of 6 and of 24 epochs (docs/methods_measured.md).
            reduction_factor: One in so many goes on; each rung is so many times as far as the one before.
            min_agreement: Of the ranks that the latest complete trials had at a rung and have in the end (Kendall's
                tau, -1 to 1); where it is less, the rung lets all go on that began since the first of them. None: no
                rung is judged.

        Raises:
            ValueError: A value that makes no rungs.
        """
        if min_epochs is not None and min_epochs < 1:
            raise ValueError(f"min_epochs must be at least 1; received {min_epochs}")
        if reduction_factor < 2:
            raise ValueError(f"reduction_factor must be at least 2; received {reduction_factor}")
        if min_agreement is not None and not -1 <= min_agreement <= 1:
            raise ValueError(f"min_agreement must be between -1 and 1; received {min_agreement}")
        self.min_epochs, self.reduction_factor, self.min_agreement = min_epochs, reduction_factor, min_agreement

    def first(self, epochs: int) -> int:
        """Returns the first epoch after which a trial of so many pauses."""
        return self.min_epochs or max(1, round(epochs / 3))

    def levels(self, epochs: int) -> tuple[int, ...]:
        """Returns the epochs after which a trial of so many pauses."""
        rungs = (self.first(epochs) * self.reduction_factor**rung for rung in itertools.count())
        return tuple(itertools.takewhile(lambda level: level < epochs, rungs))


class Rungs:
    """Who has reached which rung, and who may go on. Plain bookkeeping; all of it is in the trials' records."""

    def __init__(
        self,
        levels: Sequence[int],
        *,
        factor: int,
        direction: str,
        violation: Callable[[TrialRecord], float] = lambda _: 0.0,
        min_agreement: float | None = None,
    ) -> None:
        """Starts without trials.

        Args:
            levels: The epochs after which trials pause, rising; none where no trial does.
            factor: One trial in so many goes on.
            direction: "minimize" or "maximize" the objective.
            violation: By how much a trial as it stands violates its constraints; such trials come behind all others.
            min_agreement: As `Asha`'s.
        """
        self._levels, self._factor, self._min_agreement = tuple(levels), factor, min_agreement
        self._sign = 1.0 if direction == "minimize" else -1.0
        self._violation = violation
        self._reached: dict[int, list[Place]] = {level: [] for level in self._levels}  # sorted
        self._paused: dict[int, list[Place]] = {level: [] for level in self._levels}  # heaps
        self._known: set[tuple[int, int]] = set()
        self._complete: dict[int, dict[int, Badness]] = {}  # by number: how bad at each rung, and at 0 in the end

    def __bool__(self) -> bool:
        """Returns whether there are any."""
        return bool(self._levels)

    def next(self, record: TrialRecord) -> int | None:
        """Returns the epoch after which a trial will pause next; None where it is to be trained to its end."""
        return next((level for level in self._levels_of(record) if level > record.epochs_done), None)

    def note(self, record: TrialRecord) -> None:
        """Notes the rungs that a trial has reached, whatever became of it since."""
        for level in self._levels_of(record):
            if level <= record.epochs_done and (level, record.number) not in self._known:
                self._known.add((level, record.number))
                bisect.insort(self._reached[level], (self._badness(record, level), record.number))
        if record.state == "complete" and not record.group and self._min_agreement is not None:
            ranked = {level: self._badness(record, level) for level in self._levels}
            self._complete[record.number] = {**ranked, _END: self._badness(record, record.epochs_done)}

    def pause(self, record: TrialRecord) -> bool:
        """Notes that a trial pauses at the rung that it has reached; returns whether it is at one."""
        level = record.epochs_done
        if level not in self._levels_of(record):
            return False
        self.note(record)
        heapq.heappush(self._paused[level], (self._badness(record, level), record.number))
        return True

    def promote(self) -> int | None:
        """Takes the paused trial that goes on by the rule, and returns its number; None where none may."""
        for level in reversed(self._levels):
            paused, reached = self._paused[level], self._reached[level]
            if passing := self._passing(level):
                paused.remove(chosen := min(passing))
                heapq.heapify(paused)
                return chosen[1]
            if paused and bisect.bisect_left(reached, paused[0]) < len(reached) // self._factor:
                return heapq.heappop(paused)[1]
        return None

    def promote_best(self, *, feasible: bool) -> int | None:
        """Takes the best paused trial, or `feasible` one, of the highest rung that has any, and returns its number."""
        populated = (paused for level in reversed(self._levels) if (paused := self._paused[level]))
        worst = (0.0, math.inf) if feasible else (math.inf, math.inf)
        return next((heapq.heappop(paused)[1] for paused in populated if paused[0][0] <= worst), None)

    def _passing(self, level: int) -> list[Place]:
        """Returns the paused trials that a rung lets go on because it does not tell them from others."""
        recent = sorted(self._complete)[-RECENT:]
        if self._min_agreement is None or len(recent) < FEWEST:
            return []
        latest = [self._complete[number] for number in recent]
        told = agreement([one[level] for one in latest], [one[_END] for one in latest])
        return [] if told >= self._min_agreement else [one for one in self._paused[level] if one[1] > recent[0]]

    def _levels_of(self, record: TrialRecord) -> tuple[int, ...]:
        """Returns where a trial pauses: one seed of several nowhere, as their mean is wanted."""
        return () if record.group else self._levels

    def _badness(self, record: TrialRecord, level: int) -> Badness:
        """Returns how bad a trial was after an epoch."""
        then = record.model_copy(update={"epochs": tuple(one for one in record.epochs if one.epoch <= level)})
        objective = next((one.objective for one in then.epochs if one.epoch == level), None)
        return self._violation(then), math.inf if objective is None else self._sign * objective


def agreement(first: Sequence[Badness], second: Sequence[Badness]) -> float:
    """Returns Kendall's tau of two rankings, from -1 to 1: pairs in the same order less those in opposite ones."""
    pairs = list(itertools.combinations(zip(first, second, strict=True), 2))
    return sum(_sign(a, c) * _sign(b, d) for (a, b), (c, d) in pairs) / len(pairs)


def _sign(first: Badness, second: Badness) -> int:
    return (first > second) - (first < second)
