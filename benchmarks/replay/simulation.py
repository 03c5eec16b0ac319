"""One simulated search: a method and so many workers, on the surrogate, until its budget is spent."""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna

from benchmarks.replay.engine import Costs, SimulatedEngine
from benchmarks.replay.surrogate import Surrogate
from benchmarks.replay.unwritten import UnwrittenStudy
from search.driver import Driver
from search.methods import make_pruner, make_sampler
from search.snapshot import group_name
from search.source import TrialSource
from search.space import Space
from search.study import StudySpec

COSTS = Costs()
SEEDS_APART = 100_000  # of one repeat's trainings from the next one's
MAX_TRIALS = 100_000


@dataclass(frozen=True)
class Setting:
    """A search.

    Attributes:
        sampler: As in a study.
        pruner: As in a study.
        workers: How many.
        trainings: The budget: the time in which the workers could do so many whole trainings of average length.
        repeat: Number of the repeat, from which all seeds come.
        smooth_epochs: The objective's.
        seeds_per_trial: The search's.
    """

    sampler: Mapping[str, Any]
    pruner: Mapping[str, Any]
    workers: int
    trainings: float
    repeat: int = 0
    smooth_epochs: int = 2
    seeds_per_trial: int = 1

    def study(self, surrogate: Surrogate) -> StudySpec:
        """Returns it as a study whose end is the budget's."""
        tree = surrogate.study.model_dump()
        tree["train"]["seed"] = self.repeat * SEEDS_APART
        tree["objective"]["smooth_epochs"] = self.smooth_epochs
        tree["search"] |= {
            "trials": MAX_TRIALS,
            "sampler": dict(self.sampler),
            "pruner": dict(self.pruner),
            "seed": self.repeat,
            "seeds_per_trial": self.seeds_per_trial,
            "study_timeout_seconds": self.seconds(surrogate),
            "keep_checkpoints": "all",
        }
        return StudySpec.model_validate(tree)

    def seconds(self, surrogate: Surrogate) -> float:
        """Returns the budget in seconds of all workers together."""
        return self.trainings * (surrogate.training_seconds() + COSTS.reset) / self.workers


@dataclass(frozen=True)
class Search:
    """What became of a search.

    Attributes:
        seconds: When what it would promote changed.
        values: The objective, without noise, of what it would promote from then on.
        asked: Configurations that it has begun.
        complete: Trainings that came to their end.
    """

    seconds: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    asked: int = 0
    complete: int = 0


def simulate(setting: Setting, surrogate: Surrogate) -> Search:
    """Runs the project's driver with the project's methods on simulated workers."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spec = setting.study(surrogate)
    space = Space(spec.space, spec.train)
    study = optuna.create_study(sampler=make_sampler(spec, space), pruner=make_pruner(spec))
    engine = SimulatedEngine(workers=setting.workers, train=lambda _, config: surrogate.train(config), costs=COSTS)
    with tempfile.TemporaryDirectory() as nothing:  # nothing is written to it
        folder = UnwrittenStudy(Path(nothing), clock=lambda: engine.now)
        source = TrialSource(spec, study, space)
        driver = Driver(spec, study, engine, folder, source=source, show=_ignore, say=_ignore, clock=lambda: engine.now)
        engine.start()
        driver.run()
    return _judged(folder, space, surrogate, asked=len(study.get_trials(deepcopy=False)))


def _judged(folder: UnwrittenStudy, space: Space, surrogate: Surrogate, *, asked: int) -> Search:
    """Returns what the search would have promoted at each time: the least mean objective, as `snapshot.ranked`."""
    search = Search(asked=asked, complete=len(folder.complete))
    seeds: dict[str, list[float]] = defaultdict(list)
    params, means, best = {}, {}, ""
    for seconds, record in folder.complete:
        name = record.group or group_name(record.number)
        params.setdefault(name, record.params)
        seeds[name].append(math.inf if record.objective is None else record.objective)
        means[name] = fmean(seeds[name])
        now_best = (
            min(means, key=means.__getitem__) if name == best or not best else min(best, name, key=means.__getitem__)
        )
        if now_best != best:
            best = now_best
            search.seconds.append(seconds)
            search.values.append(surrogate.value(space.to_config(params[best], seed=0)))
    return search


def _ignore(_: object) -> None:
    """Does nothing."""
