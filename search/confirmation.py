"""How long a confirmation goes on: who is trained on more seeds, and when something is sure.

How many seeds it takes is not known before. So all get a few, then it is looked at what they say, and those that are
still of interest get as many again, until something is sure or nothing is likely to become so. Whoever looks several
times sees more luck; intervals are wider by as much, so that at all looks together they are about as sure as they say
(of 95 % intervals of equal candidates, on 4 to 16 seeds, one missed at some look in 7 % of simulated studies). What is
decided at a look is a function of the seeds due by then alone, not of who was trained first.

Source: Pocock 1977, Biometrika 64, on looks of one level; Jennison and Turnbull 1989, J. R. Statist. Soc. B 51, on
intervals that hold at all of them. The statistics of one look are `comparison.py`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from colorgan.record import FINISHED, TrialRecord
from search.aims import feasible
from search.comparison import DEFAULT, LEVEL, Direction, Scores, best, chance, compare, hopeless

PATHS = 100_000  # simulated for the level of a single look; moves it by a thousandth
LEAST_CHANCE = 0.1  # of becoming surely better than the default, below which a configuration gets no more seeds


def scores(records: Iterable[TrialRecord]) -> dict[str, dict[int, float]]:
    """Returns the final objective of each complete planned trial, by group and seed."""
    found: dict[str, dict[int, float]] = {}
    for record in records:
        if record.state == "complete" and record.objective is not None:
            found.setdefault(record.group, {})[record.seed] = record.objective
    return found


def infeasible(records: Iterable[TrialRecord]) -> set[str]:
    """Returns the groups whose trials violate a constraint on average over their seeds."""
    groups: dict[str, list[Mapping[str, float]]] = {}
    for record in records:
        groups.setdefault(record.group, []).append(record.violations)
    return {group for group, violations in groups.items() if not feasible(violations)}


@dataclass(frozen=True)
class Design:
    """Who is trained on what, and when it is looked at what came of it.

    Attributes:
        groups: The default and its challengers.
        seeds: Of each of them, at most, in their order.
        every: Seeds after which it is looked at, and again after as many; and once all are trained.
        direction: Which way scores are better.
    """

    groups: Sequence[str]
    seeds: Sequence[int]
    every: int
    direction: Direction

    @property
    def looks(self) -> tuple[int, ...]:
        """How many seeds each has when it is looked at."""
        return (*range(self.every, len(self.seeds), self.every), len(self.seeds))

    @property
    def level(self) -> float:
        """The level of a single interval, with which those of all looks together have `LEVEL`."""
        return _look_level(self.looks)


@dataclass(frozen=True)
class Standing:
    """What a confirmation has come to.

    Attributes:
        scores: What it was judged by, at the last look.
        unfit: Groups that failed on a seed, or violate a constraint on average over theirs.
        settled: Why groups need no more seeds.
    """

    scores: Scores
    unfit: frozenset[str]
    settled: Mapping[str, str]

    @property
    def fit(self) -> Scores:
        """The scores of the groups that can be promoted."""
        return {group: values for group, values in self.scores.items() if group not in self.unfit}


def standing(records: Iterable[TrialRecord], design: Design) -> Standing:
    """Returns what finished trials say: at each look that is due, which groups need no more seeds."""
    place = {group: number for number, group in enumerate(design.groups)}
    planned = (record for record in records if record.state in FINISHED and record.group in place)
    finished = sorted(planned, key=lambda record: (place[record.group], record.seed))
    ended = {(record.group, record.seed) for record in finished}
    now = Standing({}, frozenset(), {})
    judged: dict[str, int] = {}  # seeds that count, by group
    for look in design.looks:
        going = [group for group in design.groups if group not in now.settled]
        if not going or any((group, seed) not in ended for group in going for seed in design.seeds[:look]):
            break
        judged |= dict.fromkeys(going, look)
        counted = {(group, seed) for group, many in judged.items() for seed in design.seeds[:many]}
        seen = [record for record in finished if (record.group, record.seed) in counted]
        unfit = frozenset(record.group for record in seen if record.state == "failed") | infeasible(seen)
        now = Standing(scores(seen), unfit, now.settled)
        now = replace(now, settled={**now.settled, **_settled(now, going, look, design)})
    return now


def _settled(now: Standing, going: Sequence[str], look: int, design: Design) -> dict[str, str]:
    """Returns which of the groups that were trained so far need no more seeds, and why."""
    fit, direction, level = now.fit, design.direction, design.level
    if DEFAULT not in fit:
        return dict.fromkeys(
            going, "the default configuration failed or violates a constraint, so there is nothing to beat"
        )
    found = dict.fromkeys((group for group in going if group not in fit), "it failed or violates a constraint")
    for group in (group for group in going if group in fit and group != DEFAULT):
        if better := hopeless(fit, group, direction, level=level):
            found[group] = f"{better} is surely better"
        elif chance(fit, group, direction, seeds=len(design.seeds), level=level) < LEAST_CHANCE:
            found[group] = "more seeds would hardly show that it is better than the default"
    open_ = {group: fit[group] for group in going if group not in found and group != DEFAULT}
    if not open_:
        return dict.fromkeys(going, "nothing is likely to become surely better than the default") | found
    leader = best(open_, direction)
    comparison = compare(fit, leader, DEFAULT, direction, level=level)
    if comparison is not None and comparison.low > 0:
        return dict.fromkeys(going, f"{leader} is the best, and surely better than the default") | found
    return dict.fromkeys(going, "all seeds are trained") | found if look == len(design.seeds) else found


@cache
def _look_level(looks: tuple[int, ...]) -> float:
    """Returns the level of intervals that hold at all of several looks, after so many seeds each, with `LEVEL`."""
    if len(looks) == 1:
        return LEVEL
    seeds = np.array(looks, dtype=np.float64)
    steps = np.sqrt(np.diff(seeds, prepend=0.0)) * np.random.default_rng(0).standard_normal((PATHS, len(looks)))
    furthest = np.abs(steps.cumsum(axis=1) / np.sqrt(seeds)).max(axis=1)
    return math.erf(float(np.quantile(furthest, LEVEL)) / math.sqrt(2.0))
