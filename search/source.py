"""Where a driver's trials come from: some were left RUNNING, some are planned or known, a sampler chooses the rest.

The only room that asks Optuna for trials.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from colorgan.record import TrialRecord
from search.brackets import first_of
from search.experience import known_good
from search.history import feasible
from search.snapshot import group_name
from search.space import Key, Params, Space
from search.study import StudySpec

SEEDS = 2**31  # of a configuration
_SEED, GROUP = "seed", "group"  # user attributes of planned trials and of further seeds
_NEEDLESS = "needless"  # of those that were planned and not needed: why


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

    A configuration's further seeds are trials beyond those that the study file asks for.
    """

    def __init__(self, spec: StudySpec, study: optuna.Study, space: Space, plan: Plan | None = None) -> None:
        self._spec, self._study, self._space, self._plan = spec, study, space, plan
        trials = spec.search.trials
        self._configurations = len(plan.trials) if plan else min(trials, space.limit(spec) or trials)
        self._asked = self._repeats = self._needless = 0

    @property
    def wanted(self) -> int:
        """How many trials the study wants, as far as is known, those of earlier runs included."""
        return self._configurations + self._repeats - self._needless

    @property
    def at_most(self) -> bool:
        """Whether it may turn out to want fewer."""
        return self._plan is not None

    def begin(self) -> tuple[list[optuna.Trial], list[str]]:
        """Prepares a new study; returns the trials that an earlier driver left RUNNING, and notes for people."""
        trials = self._study.get_trials(deepcopy=False)
        notes = self._enqueue(done=len(trials))
        self._asked = sum(frozen.state != TrialState.WAITING for frozen in trials)
        self._needless = sum(_NEEDLESS in frozen.user_attrs for frozen in trials)
        self._repeats = sum(GROUP in frozen.user_attrs for frozen in trials) if self._plan is None else 0
        for frozen, missing in self._unrepeated(trials):
            self._repeat(frozen.number, frozen.params, missing)
        left = [frozen for frozen in trials if frozen.state == TrialState.RUNNING]
        return [optuna.Trial(self._study, frozen._trial_id) for frozen in left], notes

    def done(self) -> bool:
        """Returns whether the study has all its trials, and none is left unfinished."""
        trials = self._study.get_trials(deepcopy=False)
        open_ = any(not frozen.state.is_finished() for frozen in trials) or bool(self._unrepeated(trials))
        own = [frozen for frozen in trials if self._plan is not None or GROUP not in frozen.user_attrs]
        return not open_ and len(own) >= self._configurations

    def more(self) -> bool:
        """Returns whether `ask` would be of use."""
        return self._asked < self._configurations + self._repeats

    def ask(self, records: Iterable[TrialRecord]) -> optuna.Trial | str:
        """Returns a new trial, or why the one that was due is not needed; call it only while there are `more`.

        What has a record was needed: a storage that was lost is told it anew.
        """
        self._asked += 1
        trial = self._study.ask()
        needless = "" if self._recorded(trial, records) else self.needless(self.group(trial), records)
        if needless:
            self._needless += 1
            trial.set_user_attr(_NEEDLESS, needless)
            self._study.tell(trial, state=TrialState.PRUNED)
        return needless or trial

    def needless(self, group: str, records: Iterable[TrialRecord]) -> str:
        """Returns why a group needs no more trials by the records so far, or nothing; only a plan's can be so."""
        return self._plan.skip(group, records) if self._plan else ""

    def repeat(self, record: TrialRecord) -> None:
        """Queues the further seeds of a complete trial, where the study wants them."""
        if self._plan is None and not record.group:
            self._repeat(record.number, record.params, self._spec.search.seeds_per_trial - 1)

    def seed(self, trial: optuna.Trial) -> int:
        """Returns the seed of a trial's configuration, once its parameters are suggested: it may go on from another."""
        rounds = self._spec.search.sampler.name == "keras_tuner.hyperband"
        number = first_of(self._study, trial.number) if rounds else trial.number
        return int(trial.user_attrs.get(_SEED, (self._spec.train.seed + number) % SEEDS))

    def group(self, trial: optuna.Trial) -> str:
        """Returns the group that a trial was planned in, or nothing."""
        return str(trial.user_attrs.get(GROUP, ""))

    def _recorded(self, trial: optuna.Trial, records: Iterable[TrialRecord]) -> bool:
        """Returns whether a planned trial has a record."""
        if self._plan is None:
            return False
        planned = self._plan.trials[trial.number].params, self.seed(trial)
        return any((record.params, record.seed) == planned for record in records if record.number == trial.number)

    def _repeat(self, number: int, params: Params, times: int) -> None:
        for _ in range(times):
            self._study.enqueue_trial(params, user_attrs={GROUP: group_name(number)})
            self._repeats += 1

    def _unrepeated(self, trials: Sequence[FrozenTrial]) -> list[tuple[FrozenTrial, int]]:
        """Returns the complete trials that lack further seeds, each with how many: a driver was killed in between."""
        further = self._spec.search.seeds_per_trial - 1
        if self._plan is not None or not further:
            return []
        groups = Counter(trial.user_attrs.get(GROUP) for trial in trials)
        first = [t for t in trials if t.state == TrialState.COMPLETE and GROUP not in t.user_attrs and feasible(t)]
        lacking = [(trial, further - groups[group_name(trial.number)]) for trial in first]
        return [(trial, missing) for trial, missing in lacking if missing > 0]

    def _enqueue(self, *, done: int) -> list[str]:
        """Queues what the study begins with, but for so many: a plan, or the default and known good configurations."""
        if self._plan:
            for planned in self._plan.trials[done:]:
                attributes = {_SEED: planned.seed, GROUP: planned.group}
                self._study.enqueue_trial(planned.params, user_attrs=attributes)
            return []
        search = self._spec.search
        if done >= search.start_with_default + len(self._spec.enqueue):
            return []
        default, notes = self._space.default_params() if search.start_with_default else (None, [])
        first: dict[Key, Params] = {}
        for params in [*([] if default is None else [default]), *known_good(self._spec, self._space)]:
            first.setdefault(self._space.key(params), params)
        for params in list(first.values())[done:]:
            self._study.enqueue_trial(params)
        return [] if done else notes
