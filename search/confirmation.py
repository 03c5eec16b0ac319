"""Which of a few configurations is better than the default, and how sure that is: statistics over common seeds.

Every configuration is trained on the same seeds, so differences are taken within a seed. With a handful of seeds a
plain bootstrap of one configuration's differences is far too sure of itself; so the noise is pooled over all
configurations, and its own uncertainty is drawn too, which gives intervals of Student's t form.

How many seeds it takes is not known before. So all get a few, then it is looked at what they say, and those that are
still of interest get as many again, until something is sure or nothing is likely to become so. Whoever looks several
times sees more luck; intervals are wider by as much, so that at all looks together they are as sure as they say. What
is decided at a look is a function of the seeds due by then alone, not of who was trained first.

Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 9.4 (bootstrapping residuals) and 16;
Bouthillier et al. 2021, arXiv 2103.03098, on why seeds must be varied and shared; Pocock 1977, Biometrika 64, on
looks of one level; Jennison and Turnbull 1989, J. R. Statist. Soc. B 51, on intervals that hold at all of them;
Spiegelhalter, Freedman and Blackburn 1986, Controlled Clinical Trials 7, on the chance that remains.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np

from colorgan.record import FINISHED
from search.aims import feasible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from colorgan.record import TrialRecord

DEFAULT = "default"  # the group of the default configuration
DRAWS = 10_000  # of the bootstrap; moves an interval's end by a percent of its width
LEVEL = 0.95  # of the intervals
PATHS = 100_000  # simulated for the level of a single look; moves it by a thousandth
LEAST_SEEDS = 2  # fewer give no noise to judge by
LEAST_CHANCE = 0.1  # of becoming surely better than the default, below which a configuration gets no more seeds
Direction = Literal["minimize", "maximize"]
Scores = Mapping[str, Mapping[int, float]]  # group -> seed -> final objective


@dataclass(frozen=True)
class Comparison:
    """One configuration against another on their common seeds; all differences say how much better it is.

    Attributes:
        seeds: How many seeds both have.
        difference: The mean over these seeds, in the objective's unit; above 0 is better.
        low: Lower end of the interval that holds the true difference with probability `LEVEL`.
        high: Its upper end.
    """

    seeds: int
    difference: float
    low: float
    high: float


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


def compare(found: Scores, group: str, other: str, direction: Direction, *, level: float = LEVEL) -> Comparison | None:
    """Returns how much better one group is than another; None where they have fewer than two common seeds."""
    seeds = _common(found, group, other)
    noise, freedom = _pooled_noise(found, other, direction)
    if len(seeds) < LEAST_SEEDS or freedom < 1:
        return None
    differences = _differences(found, group, other, seeds, direction)
    drawn = differences.mean() + _noise_of_means(noise, freedom, len(seeds))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Comparison(len(seeds), float(differences.mean()), float(low), float(high))


def winner(found: Scores, direction: Direction, *, level: float = LEVEL) -> str:
    """Returns the group to promote: the best mean that is surely better than the default, else the default.

    Where the default was never trained to its end, whatever was is better: the best mean of all.
    """
    if DEFAULT not in found and found:
        return _best(found, direction)
    surely = []
    for group in found:
        comparison = compare(found, group, DEFAULT, direction, level=level) if group != DEFAULT else None
        if comparison is not None and comparison.low > 0:
            surely.append((comparison.difference, group))
    return max(surely)[1] if surely else DEFAULT


def hopeless(found: Scores, group: str, direction: Direction, *, level: float = LEVEL) -> str:
    """Returns the group that is surely better than this one, or nothing; the default is never hopeless."""
    if group == DEFAULT:
        return ""
    for other in found:
        comparison = compare(found, group, other, direction, level=level) if other != group else None
        if comparison is not None and comparison.high < 0:
            return other
    return ""


def chance(found: Scores, group: str, direction: Direction, *, seeds: int, level: float = LEVEL) -> float:
    """Returns how likely a group is surely better than the default once it has so many seeds, by those that it has.

    Nothing but these seeds is taken to be known of the true difference (predictive power).
    """
    noise, freedom = _pooled_noise(found, DEFAULT, direction)
    common = _common(found, group, DEFAULT)
    if len(common) < LEAST_SEEDS or freedom < 1:
        return 1.0  # nothing speaks against it
    stddev = math.sqrt(float(np.square(noise).mean()))
    to_come = stddev * math.sqrt(max(0.0, 1 / len(common) - 1 / seeds))
    difference = float(_differences(found, group, DEFAULT, common, direction).mean())
    ahead = difference - NormalDist().inv_cdf((1 + level) / 2) * stddev / math.sqrt(seeds)
    return NormalDist().cdf(ahead / to_come) if to_come else float(ahead > 0)


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
    best = _best(open_, direction)
    comparison = compare(fit, best, DEFAULT, direction, level=level)
    if comparison is not None and comparison.low > 0:
        return dict.fromkeys(going, f"{best} is the best, and surely better than the default") | found
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


def _best(found: Scores, direction: Direction) -> str:
    """Returns the group with the best mean."""
    sign = 1.0 if direction == "minimize" else -1.0
    return min(found, key=lambda group: sign * float(np.mean(list(found[group].values()))))


def _common(found: Scores, group: str, other: str) -> list[int]:
    """Returns the seeds that both groups have."""
    return sorted(found.get(group, {}).keys() & found.get(other, {}).keys())


def _differences(
    found: Scores, group: str, other: str, seeds: Sequence[int], direction: Direction
) -> NDArray[np.float64]:
    """Returns, by seed, how much better `group` is than `other`."""
    sign = 1.0 if direction == "maximize" else -1.0
    return np.array([sign * (found[group][seed] - found[other][seed]) for seed in seeds])


def _pooled_noise(found: Scores, other: str, direction: Direction) -> tuple[NDArray[np.float64], int]:
    """Returns what differences to `other` vary by, over all groups, centred and scaled up, and their freedom."""
    noise: list[NDArray[np.float64]] = []
    freedom = 0
    for group in found:
        seeds = _common(found, group, other)
        if group == other or len(seeds) < LEAST_SEEDS:
            continue
        differences = _differences(found, group, other, seeds, direction)
        noise.append((differences - differences.mean()) * np.sqrt(len(seeds) / (len(seeds) - 1)))
        freedom += len(seeds) - 1
    return np.concatenate(noise) if noise else np.zeros(0), freedom


def _noise_of_means(noise: NDArray[np.float64], freedom: int, seeds: int) -> NDArray[np.float64]:
    """Returns draws of the error of a mean over so many seeds."""
    random = np.random.default_rng(0)
    means = random.choice(noise, size=(DRAWS, seeds)).mean(axis=1)
    drawn: NDArray[np.float64] = means * np.sqrt(freedom / random.chisquare(freedom, size=DRAWS))
    return drawn
