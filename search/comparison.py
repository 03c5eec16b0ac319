"""Which of a few configurations is better than the default, and how sure that is: statistics over common seeds.

Every configuration is trained on the same seeds, so differences are taken within a seed. With a handful of seeds a
plain bootstrap of one configuration's differences is far too sure of itself; so the noise is pooled over all
configurations, and its own uncertainty is drawn too, which gives intervals of Student's t form.

Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 9.4 (bootstrapping residuals) and 16;
Bouthillier et al. 2021, arXiv 2103.03098, on why seeds must be varied and shared; Spiegelhalter, Freedman and Blackburn
1986, Controlled Clinical Trials 7, on the chance that remains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT = "default"  # the group of the default configuration
DRAWS = 10_000  # of the bootstrap; moves an interval's end by a percent of its width
LEVEL = 0.95  # of the intervals
LEAST_SEEDS = 2  # fewer give no noise to judge by
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
        return best(found, direction)
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


def best(found: Scores, direction: Direction) -> str:
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
