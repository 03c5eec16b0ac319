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
from search import comparison, confirmation
from search.snapshot import group_name
from search.space import Params

CANDIDATES = 3  # as `make promote`
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
        confirmed: That of what `make promote` would take of the three best and the default, on fresh seeds, which are
            not counted as cost.
        retrained: How many trainings that would take.
        found: The least among complete trials, the default's not counted; infinite while there is none.
        asked: Configurations that it has begun.
        complete: Trainings that came to their end.
    """

    optimum: float
    default: float
    seconds: list[float] = field(default_factory=list)
    promoted: list[float] = field(default_factory=list)
    confirmed: list[float] = field(default_factory=list)
    retrained: list[float] = field(default_factory=list)
    found: list[float] = field(default_factory=list)
    asked: int = 0
    complete: int = 0


@dataclass(frozen=True)
class Seeds:
    """How many fresh seeds a confirmation trains a configuration on.

    Attributes:
        every: After so many it is looked at what they say, and again after as many.
        most: At most.
    """

    every: int
    most: int


class _Judge:
    """The trials so far."""

    def __init__(self, surrogate: Surrogate, repeat: int, fresh: Seeds) -> None:
        self._surrogate, self._repeat, self._fresh = surrogate, repeat, fresh
        self._seeds: dict[str, list[float]] = defaultdict(list)
        self._means: dict[str, float] = {}
        self._params: dict[str, Params] = {DEFAULT: surrogate.space.default_params()[0]}
        self._values: dict[str, float] = {}
        self._winners: dict[tuple[str, ...], tuple[str, int]] = {}
        self._found = math.inf

    def see(self, record: TrialRecord) -> tuple[float, float, float, float]:
        """Takes a complete trial; returns what is promoted, confirmed and found then, and what confirming takes."""
        name = record.group or group_name(record.number)
        self._params.setdefault(name, dict(record.params))
        self._seeds[name].append(math.inf if record.objective is None else record.objective)
        self._means[name] = fmean(self._seeds[name])
        if name != DEFAULT:
            self._found = min(self._found, self._value(name))
        best = heapq.nsmallest(CANDIDATES + 1, self._means, key=self._means.__getitem__)
        candidates = tuple(sorted([name for name in best if name != DEFAULT][:CANDIDATES]))
        winner, retrained = self._winner(candidates)
        return self._value(best[0]), self._value(winner), retrained, self._found

    def _value(self, name: str) -> float:
        if name not in self._values:
            config = self._surrogate.space.to_config(self._params[name], seed=0)
            self._values[name] = self._surrogate.value(config)
        return self._values[name]

    def _winner(self, candidates: tuple[str, ...]) -> tuple[str, int]:
        """Returns what is surely better than the default, else the default, and how many trainings tell that."""
        if candidates not in self._winners:
            groups = {comparison.DEFAULT: DEFAULT} | {name: name for name in candidates}
            first = FRESH + self._fresh.most * self._repeat
            seeds = range(first, first + self._fresh.most)
            design = confirmation.Design(list(groups), seeds, self._fresh.every, "minimize")
            records = [
                TrialRecord(number=0, state="complete", group=group, seed=seed, objective=self._score(name, seed))
                for group, name in groups.items()
                for seed in seeds
            ]
            found = confirmation.standing(records, design)
            winner = groups[comparison.winner(found.fit, "minimize", level=design.level)]
            self._winners[candidates] = winner, sum(map(len, found.scores.values()))
        return self._winners[candidates]

    def _score(self, name: str, seed: int) -> float:
        """Returns the objective of a configuration on one seed."""
        config = self._surrogate.space.to_config(self._params[name], seed=seed)
        return self._value(name) + float(self._surrogate.noise(config)[-self._surrogate.last :].mean())


def judge(
    complete: Iterable[tuple[float, TrialRecord]], surrogate: Surrogate, repeat: int, *, asked: int, fresh: Seeds
) -> Search:
    """Judges a search.

    Args:
        complete: When each trial was complete, in this order, and its record.
        surrogate: Knows what they are worth.
        repeat: Of the search, from which fresh seeds come.
        asked: Configurations that it has begun.
        fresh: Of the confirmation.
    """
    judge, trials = _Judge(surrogate, repeat, fresh), 0
    changes: list[tuple[float, tuple[float, float, float, float]]] = []
    for seconds, record in complete:
        trials += 1
        now = judge.see(record)
        if not changes or changes[-1][1] != now:
            changes.append((seconds, now))
    columns = zip(*(now for _, now in changes), strict=True) if changes else ((), (), (), ())
    promoted, confirmed, retrained, found = (list(column) for column in columns)
    default = surrogate.value(surrogate.default())
    times = [seconds for seconds, _ in changes]
    return Search(
        surrogate.optimum()[0], default, times, promoted, confirmed, retrained, found, asked=asked, complete=trials
    )
