"""Asks a study's pruner about a trial. Of several objectives it hears of the first alone.

Optuna neither takes reports of a study with several objectives nor asks its pruner, as it cannot know which objective
to compare trials by; here that is always the first.
"""

from __future__ import annotations

from typing import Any, cast

import optuna
from optuna.study import StudyDirection


def report(trial: optuna.Trial, value: float, epoch: int) -> None:
    """Tells a study the first objective of a running trial after an epoch."""
    if len(trial.study.directions) == 1:
        trial.report(value, epoch)
    else:
        trial.storage.set_trial_intermediate_value(trial._trial_id, epoch, value)


def should_prune(trial: optuna.Trial) -> bool:
    """Returns whether the study's pruner would stop the trial now."""
    study = trial.study
    if len(study.directions) == 1:
        return bool(trial.should_prune())
    frozen = study._storage.get_trial(trial._trial_id)
    return bool(study.pruner.prune(cast(optuna.Study, _FirstObjective(study)), frozen))


class _FirstObjective:
    """A study as a pruner sees it: pruners look at reports, and ask for one direction."""

    def __init__(self, study: optuna.Study) -> None:
        self._real = study

    @property
    def direction(self) -> StudyDirection:
        return self._real.directions[0]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
