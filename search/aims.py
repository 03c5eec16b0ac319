"""What a study aims at: one objective or several, and what must hold; and how a trial stands by all of it.

The first objective is the one that trials are pruned, paused and ranked by. With further ones a sampler looks for the
front: the trials that no other trial beats in one objective without losing in another.

A constraint is a number for each trial, at most 0 where it holds: by how much of its bound a quantity is beyond it. So
violations of several constraints can be compared and summed, whatever their units, as Optuna's samplers do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from search.quantities import SIZE, quantity
from search.words import number

if TYPE_CHECKING:
    from colorgan.record import TrialRecord
    from search.settings import Bounds, FurtherObjective
    from search.study import StudySpec


MEASURED = "measured"  # user attribute of a trial


class Aims:
    """The objectives and constraints of a study.

    Attributes:
        objective: The first objective.
        further: The others.
        constraints: Bounds by quantity.
    """

    def __init__(self, spec: StudySpec) -> None:
        self.objective, self.further, self.constraints = spec.objective, spec.further_objectives, spec.constraints

    @property
    def several(self) -> bool:
        """Whether there is more than one objective."""
        return bool(self.further)

    @property
    def directions(self) -> list[Literal["minimize", "maximize"]]:
        """Which way each objective is better, the first one's first."""
        return [self.objective.direction, *(one.direction for one in self.further)]

    def further_values(self, record: TrialRecord) -> dict[str, float]:
        """Returns the further objectives of a trial as it stands, as far as it knows them, by name."""
        values = {one.name: self._value(one, record) for one in self.further}
        return {name: value for name, value in values.items() if value is not None}

    def violations(self, record: TrialRecord) -> dict[str, float]:
        """Returns by how much of its bound each constraint is violated, at most 0 where it holds.

        Those are left out whose quantity the trial does not know yet, or that is not finite.
        """
        found = {key: quantity(record, key, epochs=self.objective.smooth_epochs) for key in self.constraints}
        return {key: _violation(self.constraints[key], value) for key, value in found.items() if value is not None}

    def violation(self, record: TrialRecord) -> float:
        """Returns by how much a trial as it stands violates its constraints in sum; 0 where they hold."""
        return sum(max(0.0, violation) for violation in self.violations(record).values())

    def unknown(self, record: TrialRecord) -> str:
        """Returns the first further objective or constrained quantity that a trial does not know, or nothing."""
        values, violations = self.further_values(record), self.violations(record)
        missing = [one.metric for one in self.further if one.name not in values]
        missing += [key for key in self.constraints if key not in violations]
        return next(iter(missing), "")

    def hopeless(self, record: TrialRecord) -> str:
        """Returns why a trial cannot become feasible, whatever it learns, or nothing."""
        if self.violations(record).get(SIZE, 0.0) <= 0:
            return ""
        return f"infeasible: {SIZE} {number(record.parameters)}, allowed {self.constraints[SIZE].words()}"

    def judged(self, record: TrialRecord) -> TrialRecord:
        """Returns a trial's record with how it stands."""
        judged = {"further": self.further_values(record), "violations": self.violations(record)}
        return record.model_copy(update=judged)

    def notes(self, record: TrialRecord) -> dict[str, dict[str, Any]]:
        """Returns what a sampler may want to know of a trial that stops as it stands, as Optuna keeps it."""
        if not self.several and not self.constraints:
            return {}  # its reports say it all
        return {MEASURED: {"values": self.values(record), "violations": record.violations}}

    def values(self, record: TrialRecord) -> list[float] | None:
        """Returns all objectives of a trial as it stands; None where one is not known."""
        further = self.further_values(record)
        if record.objective is None or len(further) < len(self.further):
            return None
        return [record.objective, *further.values()]

    def _value(self, one: FurtherObjective, record: TrialRecord) -> float | None:
        value = quantity(record, one.metric, epochs=self.objective.smooth_epochs)
        return value if value is None or one.target is None else abs(value - one.target)


def feasible(violations: Iterable[Mapping[str, float]]) -> bool:
    """Returns whether the trials of one configuration hold their constraints on average."""
    trials = list(violations)
    keys = {key for trial in trials for key in trial}
    return all(fmean(trial[key] for trial in trials if key in trial) <= 0 for key in keys)


def _violation(bounds: Bounds, value: float) -> float:
    beyond = []
    if bounds.max is not None:
        beyond.append((value - bounds.max) / (abs(bounds.max) or 1.0))
    if bounds.min is not None:
        beyond.append((bounds.min - value) / (abs(bounds.min) or 1.0))
    return min(max(beyond), sys.float_info.max)  # a bound near 0 may make it infinite, which no file can hold
