"""The driver's storage: what it keeps in memory is what lies in the database, and is read from there once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.database import open_study
from search.storage import StudyFolder

FLOAT = optuna.distributions.FloatDistribution(0, 1)


def opened(folder: StudyFolder) -> optuna.Study:
    return open_study(folder, name="s", direction="minimize")


def test_memory_holds_what_the_database_holds(tmp_path: Path) -> None:
    study = opened(StudyFolder(tmp_path))
    study.enqueue_trial({"rate": 0.5, "norm": "batch"}, user_attrs={"pair": (1, 2), "keys": {3: "three"}})
    study.add_trial(create_trial(params={"rate": 0.25}, distributions={"rate": FLOAT}, value=1.0))
    for state, value in ((TrialState.COMPLETE, 2.0), (TrialState.PRUNED, None), (TrialState.FAIL, None), (None, None)):
        trial = study.ask()
        trial.suggest_float("rate", 0, 1)
        trial.suggest_categorical("norm", ["batch", None, 2, True])
        trial.suggest_int("filters", 8, 64, log=True)
        for step, report in ((1, math.inf), (2, -math.inf), (3, 1 / 3)):
            trial.report(report, step)
        trial.set_user_attr("metrics", {"valid/l1": 0.1, "pair": (1, 2)})
        trial.set_constraint("size", -1.0)
        if state is not None:
            study.tell(trial, value, state=state)
    again = opened(StudyFolder(tmp_path))
    assert study.trials == again.trials
    assert [trial.state.name for trial in again.trials] == ["COMPLETE", "COMPLETE", "PRUNED", "FAIL", "RUNNING"]


def test_a_study_that_is_opened_again_goes_on_in_memory_too(tmp_path: Path) -> None:
    first = opened(StudyFolder(tmp_path))
    number = first.ask().number
    study = opened(StudyFolder(tmp_path))
    left = optuna.Trial(study, study.trials[number]._trial_id)
    left.suggest_float("rate", 0, 1)
    left.report(1.0, 1)
    study.tell(left, 1.0)
    assert study.trials == opened(StudyFolder(tmp_path)).trials


def test_what_was_returned_stays_as_it_was(tmp_path: Path) -> None:
    study = opened(StudyFolder(tmp_path))
    trial = study.ask()
    before = study.get_trials(deepcopy=False)
    trial.suggest_float("rate", 0, 1)
    trial.report(1.0, 1)
    during = study.get_trials(deepcopy=False)
    study.tell(trial, 1.0)
    assert (before[0].state, before[0].params, before[0].intermediate_values) == (TrialState.RUNNING, {}, {})
    assert (during[0].state, during[0].intermediate_values) == (TrialState.RUNNING, {1: 1.0})
    assert study.trials[0].state == TrialState.COMPLETE


def test_trials_are_read_once_however_many_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, real = list[int](), RDBStorage._get_trials

    def counted(storage: RDBStorage, *arguments: Any, **named: Any) -> list[FrozenTrial]:
        trials = real(storage, *arguments, **named)
        read.append(len(trials))
        return trials

    monkeypatch.setattr(RDBStorage, "_get_trials", counted)
    study = opened(StudyFolder(tmp_path))
    running = [study.ask() for _ in range(5)]
    for trial in running:
        trial.report(float(trial.number), 1)
        assert not trial.should_prune()
        assert len(study.get_trials(deepcopy=False)) == 5
    assert sum(read) == 0


def test_a_change_that_the_database_refuses_is_not_in_memory(tmp_path: Path) -> None:
    study = opened(StudyFolder(tmp_path))
    trial = study.ask()
    study.tell(trial, 1.0)
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        trial.set_user_attr("late", 1)
    assert study.trials[0].user_attrs == {}
