"""What a simulated search has at each time, judged without noise: what it would promote, and what it has found."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean

from benchmarks.replay.surrogate import Surrogate
from colorgan.record import TrialRecord
from search.snapshot import group_name
from search.space import Params

CANDIDATES, CONFIRM_SEEDS = 3, 4  # as `make promote`
FRESH = 2**30  # beyond the seeds of searches
DEFAULT = group_name(0)


@dataclass(frozen=True)
class Search:
    """What became of a search: objectives without noise, over time.

    Attributes:
        optimum: The least that there is.
        default: That of the default configuration.
        seconds: When one of the following changed.
        promoted: That of the best trial by its noisy objective.
        confirmed: That of the best of the three best and the default by `CONFIRM_SEEDS` fresh seeds each, which are
            not counted as cost.
        found: The least among complete trials, the default's not counted; infinite while there is none.
        asked: Configurations that it has begun.
        complete: Trainings that came to their end.
    """

    optimum: float
    default: float
    seconds: list[float] = field(default_factory=list)
    promoted: list[float] = field(default_factory=list)
    confirmed: list[float] = field(default_factory=list)
    found: list[float] = field(default_factory=list)
    asked: int = 0
    complete: int = 0


class _Judge:
    """The trials so far."""

    def __init__(self, surrogate: Surrogate, repeat: int) -> None:
        self._surrogate, self._repeat = surrogate, repeat
        self._seeds: dict[str, list[float]] = defaultdict(list)
        self._means: dict[str, float] = {}
        self._params: dict[str, Params] = {DEFAULT: surrogate.space.default_params()[0]}
        self._values: dict[str, float] = {}
        self._confirmed: dict[str, float] = {}
        self._found = math.inf

    def see(self, record: TrialRecord) -> tuple[float, float, float]:
        """Takes a complete trial; returns what is promoted, confirmed and found then."""
        name = record.group or group_name(record.number)
        self._params.setdefault(name, dict(record.params))
        self._seeds[name].append(math.inf if record.objective is None else record.objective)
        self._means[name] = fmean(self._seeds[name])
        if name != DEFAULT:
            self._found = min(self._found, self._value(name))
        best = heapq.nsmallest(CANDIDATES, self._means, key=self._means.__getitem__)
        confirmed = min(dict.fromkeys([*best, DEFAULT]), key=self._confirm)
        return self._value(best[0]), self._value(confirmed), self._found

    def _value(self, name: str) -> float:
        if name not in self._values:
            config = self._surrogate.space.to_config(self._params[name], seed=0)
            self._values[name] = self._surrogate.value(config)
        return self._values[name]

    def _confirm(self, name: str) -> float:
        if name not in self._confirmed:
            first = FRESH + CONFIRM_SEEDS * self._repeat
            seeds = range(first, first + CONFIRM_SEEDS)
            configs = [self._surrogate.space.to_config(self._params[name], seed=seed) for seed in seeds]
            noise = [self._surrogate.noise(config)[-self._surrogate.last :].mean() for config in configs]
            self._confirmed[name] = self._value(name) + float(fmean(noise))
        return self._confirmed[name]


def judge(complete: Iterable[tuple[float, TrialRecord]], surrogate: Surrogate, repeat: int, *, asked: int) -> Search:
    """Judges a search.

    Args:
        complete: When each trial was complete, in this order, and its record.
        surrogate: Knows what they are worth.
        repeat: Of the search, from which fresh seeds come.
        asked: Configurations that it has begun.
    """
    judge, changes, trials = _Judge(surrogate, repeat), [], 0
    for seconds, record in complete:
        trials += 1
        now = judge.see(record)
        if not changes or changes[-1][1] != now:
            changes.append((seconds, now))
    columns = zip(*(now for _, now in changes), strict=True) if changes else ((), (), ())
    promoted, confirmed, found = (list(column) for column in columns)
    default = surrogate.value(surrogate.default())
    times = [seconds for seconds, _ in changes]
    return Search(surrogate.optimum()[0], default, times, promoted, confirmed, found, asked=asked, complete=trials)
