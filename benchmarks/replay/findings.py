"""Searches made into the regret curves and figures that the page shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.replay.plan import BUDGETS, WHOLE, Cell
from benchmarks.replay.regret import Curves, Estimate, Measure, at_time, curves
from benchmarks.replay.searches import Results
from benchmarks.replay.surrogate import Surrogate, recorded_surrogate

MEASURES: tuple[Measure, ...] = ("promoted", "confirmed", "found")
NOTHING = Estimate(math.nan, math.nan, math.nan)
FEW = (1, 2, 8)  # workers, with which a method learns about as much from a trial
AFTER = (16.0, 25.0, 50.0, 100.0)  # trainings: the quickstart's, a quarter and a half of the measure's, all of it


@dataclass(frozen=True)
class Pair:
    """A sampler and a pruner, all searches with few workers together.

    Attributes:
        promoted: Regret of what is promoted, after each of `AFTER` trainings.
        confirmed: The same, of what is confirmed.
        found: The same, of what is found.
        cost: Trainings until it has found what random search finds in `WHOLE`.
        asked: Configurations begun, on average.
        searches: How many.
    """

    sampler: str
    pruner: str
    promoted: tuple[Estimate, ...]
    confirmed: tuple[Estimate, ...]
    found: tuple[Estimate, ...]
    cost: Estimate
    asked: float
    searches: int


class Findings:
    """All searches of a plan, seen as curves.

    Attributes:
        plan: The cells that there are results of.
        default: Regret of the default configuration.
        goals: Regret of what plain random search promotes, confirms and finds in `WHOLE` trainings.
    """

    def __init__(self, plan: Sequence[Cell], results: Results, surrogate: Surrogate) -> None:
        """Takes the results of a plan."""
        self.plan = [cell for cell in plan if cell.name in results]
        self.surrogate, self.results = surrogate, results
        self.default = surrogate.value(surrogate.default()) - surrogate.optimum()[0]
        self._curves: dict[tuple[str, Measure], Curves] = {}
        plain = self.cells("cross", row="random", column="none", workers=FEW)
        self.goals = {measure: self._pooled(plain, measure).at(WHOLE) for measure in MEASURES}

    def cells(
        self, part: str, *, row: str | None = None, column: str | None = None, workers: Iterable[int] = tuple(BUDGETS)
    ) -> list[Cell]:
        """Returns the cells of a part that are of a row, a column, and have one of these numbers of workers."""
        return [
            cell
            for cell in self.plan
            if cell.part == part
            and row in (None, cell.row)
            and column in (None, cell.column)
            and cell.setting.workers in tuple(workers)
        ]

    def curves(self, cell: Cell, measure: Measure) -> Curves:
        """Returns a cell's regret curves."""
        key = cell.name, measure
        if key not in self._curves:
            searches, seconds = self.results[cell.name], self.seconds(cell, cell.setting.trainings)
            self._curves[key] = curves(searches, measure, trainings=cell.setting.trainings, seconds=seconds)
        return self._curves[key]

    def pairs(self) -> list[Pair]:
        """Returns all samplers and pruners, with few workers, the cheapest first."""
        names = dict.fromkeys((cell.row, cell.column) for cell in self.cells("cross", workers=FEW))
        pairs = [self._pair(*name) for name in names]
        return sorted(pairs, key=lambda pair: (pair.cost.value, pair.found[-1].value))

    def seconds(self, cell: Cell, trainings: float) -> float:
        """Returns the simulated time in which a cell's workers spend so many trainings."""
        setting = cell.setting
        return trainings * setting.seconds(recorded_surrogate(setting.recording)) / setting.trainings

    def asked(self, cell: Cell) -> float:
        """Returns how many configurations a cell's searches begin, on average."""
        return float(np.mean([search.asked for search in self.results[cell.name]]))

    def retrained(self, cell: Cell, trainings: float) -> float:
        """Returns how many trainings confirming takes after so many of the search, on average."""
        seconds = self.seconds(cell, trainings)
        return float(np.mean([at_time(search, "retrained", seconds) for search in self.results[cell.name]]))

    def _pair(self, row: str, column: str) -> Pair:
        cells = self.cells("cross", row=row, column=column, workers=FEW)
        whole = {measure: self._pooled(cells, measure) for measure in MEASURES}
        regrets = {
            measure: tuple(one.at(cost) if cost <= one.costs[-1] * (1 + 1e-9) else NOTHING for cost in AFTER)
            for measure, one in whole.items()
        }
        cost = whole["found"].cost_of(self.goals["found"].value)
        asked = float(np.mean([self.asked(cell) for cell in cells]))
        return Pair(row, column, **regrets, cost=cost, asked=asked, searches=len(whole["found"].regrets))

    def _pooled(self, cells: Sequence[Cell], measure: Measure) -> Curves:
        """Returns the searches of several cells of one budget as one."""
        several = [self.curves(cell, measure) for cell in cells]
        regrets = np.concatenate([one.regrets for one in several])
        return Curves(several[0].costs, regrets, np.concatenate([one.defaults for one in several]))
