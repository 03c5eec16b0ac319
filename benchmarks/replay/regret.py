"""What searches were worth: regret against budget, and the cost of reaching what random search reaches.

Regret is by how much the objective of what a search would promote, or has found, exceeds the surrogate's optimum, both
without noise, so luck counts for nothing. Intervals are bootstrapped over repeats.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.replay.judgement import Search
from benchmarks.replay.process import Array

Measure = Literal["promoted", "confirmed", "found"]
"""See `Search`."""
POINTS = 200  # of a budget at which a curve is looked at
RESAMPLES, TAILS = 1000, (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A mean or a cost, and its 95 % interval; infinite where the budget did not do."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Curves:
    """The regret of a cell's searches over the budget.

    Attributes:
        costs: Points of the budget, in whole trainings of average length.
        regrets: A row a search, a column a point; infinite before the first trial is complete.
        defaults: The default configuration's regret, by search.
    """

    costs: Array
    regrets: Array
    defaults: Array

    def at(self, cost: float) -> Estimate:
        """Returns the mean regret when so much of the budget is spent, or all of it."""
        column = self.regrets[:, self._place(cost)]
        means = _resampled(column[:, None])[:, 0]
        return Estimate(
            float(column.mean()), *(float(np.quantile(means, tail / 100, method="nearest")) for tail in TAILS)
        )

    def mean(self) -> Array:
        """Returns the mean curve."""
        return np.asarray(self.regrets.mean(axis=0))

    def band(self) -> tuple[Array, Array]:
        """Returns the mean curve's interval at each point."""
        means = _resampled(self.regrets)
        low, high = (np.quantile(means, tail / 100, axis=0, method="nearest") for tail in TAILS)
        return low, high

    def cost_of(self, regret: float) -> Estimate:
        """Returns the cost from which on the mean regret stays at or below one."""
        costs = [_cost(self.costs, row, regret) for row in _resampled(self.regrets)]
        low, high = (float(np.quantile(costs, tail / 100, method="nearest")) for tail in TAILS)
        return Estimate(_cost(self.costs, self.mean(), regret), low, high)

    def worse_than_default(self, cost: float) -> float:
        """Returns the share of searches that would then promote something worse than the default configuration."""
        return float(np.mean(self.regrets[:, self._place(cost)] > self.defaults + 1e-9))

    def _place(self, cost: float) -> int:
        return min(int(np.searchsorted(self.costs, cost * (1 - 1e-9))), len(self.costs) - 1)


def curves(searches: Sequence[Search], measure: Measure, *, trainings: float, seconds: float) -> Curves:
    """Returns the regret of searches.

    Args:
        searches: Repeats of one.
        measure: The regret of what.
        trainings: Their budget.
        seconds: The same in simulated time.
    """
    costs = np.linspace(0.0, trainings, POINTS + 1)[1:]
    regrets = [[at_time(one, measure, seconds * cost / trainings) - one.optimum for cost in costs] for one in searches]
    return Curves(costs, np.array(regrets), np.array([one.default - one.optimum for one in searches]))


def at_time(search: Search, column: str, seconds: float) -> float:
    """Returns one of a search's columns at a time; infinite before the first trial is complete."""
    place = bisect.bisect_right(search.seconds, seconds)
    values: list[float] = getattr(search, column)
    return values[place - 1] if place else math.inf


def _cost(costs: Array, regrets: Array, wanted: float) -> float:
    above = np.flatnonzero(regrets > wanted)
    if not len(above):
        return float(costs[0])
    return float(costs[above[-1] + 1]) if above[-1] + 1 < len(costs) else math.inf


def _resampled(rows: Array) -> Array:
    """Returns the mean of rows drawn with replacement, many times."""
    chance = np.random.default_rng(0)
    drawn = chance.integers(len(rows), size=(RESAMPLES, len(rows)))
    return np.asarray(rows[drawn].mean(axis=1))
