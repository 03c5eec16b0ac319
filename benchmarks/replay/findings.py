"""Searches made into the regret curves and figures that the page shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.replay.plan import AT_HOME, BUDGETS, Cell
from benchmarks.replay.regret import Curves, Estimate, curves
from benchmarks.replay.searches import Results
from benchmarks.replay.surrogate import Surrogate

FEW = (1, 2, 8)  # workers, with which a method learns about as much from a trial
BUDGET = 100.0  # whole trainings with these
AFTER = (16.0, 50.0, 100.0)  # trainings: the quickstart's, a default study's, and what all is measured with


@dataclass(frozen=True)
class Pair:
    """A sampler and a pruner, all searches with few workers together.

    Attributes:
        regrets: After each of `AFTER` trainings.
        cost: Trainings until it stays as good as random search after `BUDGET`.
        asked: Configurations begun, on average.
        searches: How many.
    """

    sampler: str
    pruner: str
    regrets: tuple[Estimate, ...]
    cost: Estimate
    asked: float
    searches: int


class Findings:
    """All searches of a plan, seen as curves.

    Attributes:
        plan: The cells that there are results of.
        optimum: The surrogate's least objective.
        default: Regret of the default configuration.
        goal: Regret of what plain random search promotes after `BUDGET` trainings.
    """

    def __init__(self, plan: Sequence[Cell], results: Results, surrogate: Surrogate) -> None:
        """Takes the results of a plan."""
        self.plan = [cell for cell in plan if cell.name in results]
        self.surrogate, self.results = surrogate, results
        self.optimum, self.best_params = surrogate.optimum()
        self.default = surrogate.value(surrogate.default()) - self.optimum
        self._curves: dict[str, Curves] = {}
        plain = self.cells("cross", row="random", column="none", workers=FEW)
        self.goal = _pooled([self.curves(cell) for cell in plain]).at(BUDGET)

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

    def curves(self, cell: Cell) -> Curves:
        """Returns a cell's regret curves."""
        if cell.name not in self._curves:
            setting = cell.setting
            self._curves[cell.name] = curves(
                self.results[cell.name],
                trainings=setting.trainings,
                seconds=setting.seconds(self.surrogate),
                optimum=self.optimum,
            )
        return self._curves[cell.name]

    def pairs(self) -> list[Pair]:
        """Returns all samplers and pruners, with few workers, the cheapest first."""
        names = dict.fromkeys((cell.row, cell.column) for cell in self.cells("cross", workers=FEW))
        pairs = [self._pair(*name) for name in names]
        return sorted(pairs, key=lambda pair: (pair.cost.value, pair.regrets[-1].value, pair.regrets[0].value))

    def seconds(self, cell: Cell, trainings: float) -> float:
        """Returns the simulated time in which a cell's workers spend so many trainings."""
        return trainings * cell.setting.seconds(self.surrogate) / cell.setting.trainings

    def asked(self, cell: Cell) -> float:
        """Returns how many configurations a cell's searches begin, on average."""
        return float(np.mean([search.asked for search in self.results[cell.name]]))

    def at_home(self, row: str, column: str) -> Curves:
        """Returns the curves of a pair on a laptop's workers."""
        return self.curves(self.cells("cross", row=row, column=column, workers=(AT_HOME,))[0])

    def _pair(self, row: str, column: str) -> Pair:
        cells = self.cells("cross", row=row, column=column, workers=FEW)
        whole = [cell for cell in cells if cell.setting.trainings == max(c.setting.trainings for c in cells)]
        pooled = _pooled([self.curves(cell) for cell in whole])
        last = float(pooled.costs[-1])
        none = Estimate(math.nan, math.nan, math.nan)
        return Pair(
            row,
            column,
            tuple(pooled.at(cost) if cost <= last * (1 + 1e-9) else none for cost in AFTER),
            pooled.cost_of(self.goal.value),
            float(np.mean([self.asked(cell) for cell in whole])),
            len(pooled.regrets),
        )


def _pooled(several: Sequence[Curves]) -> Curves:
    """Returns the searches of several cells of one budget as one."""
    return Curves(several[0].costs, np.concatenate([one.regrets for one in several]))
