"""Where a driver's trials come from: those that an earlier driver left RUNNING, those of a plan, those of a sampler.

The only room that asks Optuna for trials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import TrialState

from colorgan.record import TrialRecord
from search.space import Params, Space
from search.study import StudySpec

SEEDS = 2**31  # of a configuration
_SEED, _GROUP = "seed", "group"  # user attributes of planned trials


@dataclass(frozen=True)
class PlannedTrial:
    """A trial whose parameters and seed are given; trials of one group are seeds of one configuration."""

    params: Params
    seed: int
    group: str


@dataclass(frozen=True)
class Plan:
    """All trials of a study, in their order, when no sampler shall choose them.

    Attributes:
        trials: All of them.
        skip: Called with a group and the records so far when one of its trials is due: why the group needs no more of
            them, or nothing.
    """

    trials: Sequence[PlannedTrial]
    skip: Callable[[str, Iterable[TrialRecord]], str]


class TrialSource:
    """Asks for one trial after another until the study has as many as it wants.

    Attributes:
        wanted: How many trials the study wants, those of earlier runs included.
    """

    def __init__(self, spec: StudySpec, study: optuna.Study, space: Space, plan: Plan | None = None) -> None:
        self._spec, self._study, self._space, self._plan = spec, study, space, plan
        trials = spec.search.trials
        self.wanted = len(plan.trials) if plan else min(trials, space.limit(spec) or trials)
        self._asked = 0

    def begin(self) -> tuple[list[optuna.Trial], list[str]]:
        """Prepares a new study; returns the trials that an earlier driver left RUNNING, and notes for people."""
        trials = self._study.get_trials(deepcopy=False)
        notes = self._enqueue() if not trials else []
        self._asked = sum(frozen.state != TrialState.WAITING for frozen in trials)
        left = [frozen for frozen in trials if frozen.state == TrialState.RUNNING]
        return [optuna.Trial(self._study, frozen._trial_id) for frozen in left], notes

    def done(self) -> bool:
        """Returns whether the study has all its trials, and none is left unfinished."""
        trials = self._study.get_trials(deepcopy=False)
        running = any(frozen.state == TrialState.RUNNING for frozen in trials)
        return not running and sum(frozen.state.is_finished() for frozen in trials) >= self.wanted

    def more(self) -> bool:
        """Returns whether `ask` would be of use."""
        return self._asked < self.wanted

    def ask(self, records: Iterable[TrialRecord]) -> optuna.Trial | str:
        """Returns a new trial, or why the one that was due is not needed; call it only while there are `more`."""
        self._asked += 1
        trial = self._study.ask()
        needless = self._plan.skip(self.group(trial), records) if self._plan else ""
        if needless:
            self._study.tell(trial, state=TrialState.PRUNED)
        return needless or trial

    def seed(self, trial: optuna.Trial) -> int:
        """Returns the seed of a trial's configuration."""
        return int(trial.user_attrs.get(_SEED, (self._spec.train.seed + trial.number) % SEEDS))

    def group(self, trial: optuna.Trial) -> str:
        """Returns the group that a trial was planned in, or nothing."""
        return str(trial.user_attrs.get(_GROUP, ""))

    def _enqueue(self) -> list[str]:
        """Queues the plan, or the default configuration."""
        if self._plan:
            for planned in self._plan.trials:
                attributes = {_SEED: planned.seed, _GROUP: planned.group}
                self._study.enqueue_trial(planned.params, user_attrs=attributes)
            return []
        if not self._spec.search.start_with_default:
            return []
        params, notes = self._space.default_params()
        self._study.enqueue_trial(params)
        return notes
