"""One simulated search: a method and so many workers, on the surrogate, until its budget is spent."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from benchmarks.replay.engine import Costs, SimulatedEngine
from benchmarks.replay.judgement import Search, Seeds, judge
from benchmarks.replay.recording import SHORT, Recording
from benchmarks.replay.surrogate import Surrogate
from benchmarks.replay.unwritten import UnwrittenStudy
from search.driver import Driver
from search.methods import make_pruner, make_sampler
from search.source import TrialSource
from search.space import Space
from search.study import StudySpec

COSTS = Costs()
FOUR = Seeds(4, 4)  # fresh seeds, whatever they say: what most tables confirm by
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
        smooth_epochs: The objective's; None is the recorded study's.
        seeds_per_trial: The search's.
        drawn: Whether each repeat searches another space that the recording leaves possible.
        noise: How many times as much a seed adds as in the recording.
        recording: Of what trainings.
        judged: The trainings that decide what its configurations are worth; None: its own.
        fresh: Seeds of its confirmation.
    """

    sampler: Mapping[str, Any]
    pruner: Mapping[str, Any]
    workers: int
    trainings: float
    repeat: int = 0
    smooth_epochs: int | None = None
    seeds_per_trial: int = 1
    drawn: bool = False
    noise: float = 1.0
    recording: Recording = SHORT
    judged: Recording | None = None
    fresh: Seeds = FOUR

    def study(self, surrogate: Surrogate) -> StudySpec:
        """Returns it as a study whose end is the budget's."""
        tree = surrogate.study.model_dump()
        tree["train"]["seed"] = self.repeat * SEEDS_APART
        if self.smooth_epochs is not None:
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


def simulate(setting: Setting, surrogate: Surrogate, *, judged: Surrogate | None = None) -> Search:
    """Runs the project's driver with the project's methods on simulated workers.

    Args:
        setting: The search.
        surrogate: What its trainings say.
        judged: What its configurations are worth, if that is something else.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    surrogate = surrogate if setting.noise == 1.0 else surrogate.with_noise(setting.noise)
    spec = setting.study(surrogate)
    space = Space(spec.space, spec.train)
    study = optuna.create_study(  # by its name Optuna's Hyperband draws brackets
        study_name=f"repeat {setting.repeat}", sampler=make_sampler(spec, space), pruner=make_pruner(spec)
    )
    engine = SimulatedEngine(workers=setting.workers, train=lambda _, config: surrogate.train(config), costs=COSTS)
    with tempfile.TemporaryDirectory() as nothing:  # nothing is written to it
        folder = UnwrittenStudy(Path(nothing), clock=lambda: engine.now)
        source = TrialSource(spec, study, space)
        driver = Driver(spec, study, engine, folder, source=source, show=_ignore, say=_ignore, clock=lambda: engine.now)
        engine.start()
        driver.run()
    asked = len(study.get_trials(deepcopy=False))
    return judge(folder.complete, judged or surrogate, setting.repeat, asked=asked, fresh=setting.fresh)


def _ignore(_: object) -> None:
    """Does nothing."""
