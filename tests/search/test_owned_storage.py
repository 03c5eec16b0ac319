"""The driver's storage: what it keeps in memory is what lies in the database, and is read from there once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import event
from sqlalchemy.orm import Session

from search.address import StorageLostError
from search.database import open_study
from search.opening import Opener
from search.owned_storage import gathered, settle
from search.source import TrialSource
from search.space import Space
from search.storage import StorageError, StudyFolder
from search.study import StudySpec

RATE = "optimizer.generator_learning_rate"
FLOAT = optuna.distributions.FloatDistribution(0, 1)


def opened(folder: StudyFolder) -> optuna.Study:
    return open_study(folder, name="s", directions=["minimize"])


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


def test_of_two_drivers_the_second_to_make_a_trial_stops_and_no_number_is_given_twice(tmp_path: Path) -> None:
    first, second, third = (opened(StudyFolder(tmp_path)) for _ in range(3))
    assert first.ask().number == 0
    with pytest.raises(StorageError, match="another one runs the study"):
        second.ask()
    first.enqueue_trial({"rate": 0.5})
    with pytest.raises(StorageError, match="another one runs the study"):
        third.enqueue_trial({"rate": 0.25})
    with pytest.raises(StorageError, match="another one runs the study"):
        first.tell(first.ask(), 1.0)  # the one that waited
        first.ask()
    assert [trial.number for trial in opened(StudyFolder(tmp_path)).trials] == [0, 1, 2]


def test_a_study_that_is_opened_again_goes_on_in_memory_too(tmp_path: Path) -> None:
    first = opened(StudyFolder(tmp_path))
    number = first.ask().number
    study = opened(StudyFolder(tmp_path))
    left = optuna.Trial(study, study.trials[number]._trial_id)
    left.suggest_float("rate", 0, 1)
    left.report(1.0, 1)
    study.tell(left, 1.0)
    assert study.trials == opened(StudyFolder(tmp_path)).trials


def test_trials_are_found_by_their_states(tmp_path: Path) -> None:
    study, plain = opened(StudyFolder(tmp_path)), optuna.create_study()
    for each in (study, plain):
        each.add_trial(create_trial(value=1.0))
        trials = [each.ask() for _ in range(3)]
        each.enqueue_trial({"rate": 0.5})
        each.add_trial(create_trial(state=TrialState.RUNNING))
        each.tell(trials[1], 1.0)
        each.tell(trials[0], state=TrialState.PRUNED)
    for states in (None, (), *((state,) for state in TrialState), (TrialState.WAITING, TrialState.COMPLETE)):
        found = [trial.number for trial in study.get_trials(deepcopy=False, states=states)]
        assert found == [trial.number for trial in plain.get_trials(states=states)]


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


def test_what_is_gathered_is_written_together_and_in_order(tmp_path: Path) -> None:
    study = opened(StudyFolder(tmp_path))
    study.ask().suggest_float("rate", 0, 1)
    with gathered(study):
        trial = study.ask()
        trial.suggest_float("rate", 0, 1)
        trial.report(2.0, 1)
        study.tell(trial, 1.0)
        assert study.trials[1].value == 1.0  # whoever asks here is told
        left = opened(StudyFolder(tmp_path)).trials
        assert (left[1].state, left[1].params, left[1].intermediate_values) == (TrialState.RUNNING, {}, {})
        settle(study._storage)
        assert opened(StudyFolder(tmp_path)).trials == study.trials
        trial = study.ask()
        trial.report(3.0, 1)
        study.ask()  # nothing may be newer than what was told before
        assert opened(StudyFolder(tmp_path)).trials == study.trials
        trial.report(4.0, 2)
        study._storage.set_study_system_attr(study._study_id, "sampler", "knows of it")
        assert opened(StudyFolder(tmp_path)).trials == study.trials
        trial.report(5.0, 3)
    assert opened(StudyFolder(tmp_path)).trials == study.trials


def test_an_error_leaves_what_was_gathered_as_a_killed_driver_would(tmp_path: Path) -> None:
    study = opened(StudyFolder(tmp_path))
    with pytest.raises(OSError, match="no room"), gathered(study):
        study.ask().report(1.0, 1)
        raise OSError("no room")
    assert opened(StudyFolder(tmp_path)).trials[0].intermediate_values == {}


@pytest.mark.parametrize("next_trial", [False, True])
def test_a_commit_whose_answer_was_lost_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, next_trial: bool
) -> None:
    study, real, lost = opened(StudyFolder(tmp_path)), Session.commit, ["once"]

    def commit(session: Session) -> None:
        real(session)
        if lost:
            lost.clear()
            raise StorageLostError("away")

    trial = study.ask()
    with gathered(study):
        trial.report(1.0, 1)
        study.tell(trial, 2.0)
        monkeypatch.setattr(Session, "commit", commit)
        if next_trial:
            assert study.ask().number == 1
    assert not lost
    assert opened(StudyFolder(tmp_path)).trials == study.trials
    assert [each.value for each in study.trials] == [2.0, None][: 1 + next_trial]


def test_a_trial_that_another_driver_made_while_a_commit_was_lost_is_not_taken_for_an_own_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (opened(StudyFolder(tmp_path)) for _ in range(2))
    real, lost = Session.commit, ["once"]

    def commit(session: Session) -> None:
        if lost:
            lost.clear()
            session.rollback()
            assert second.ask().number == 0
            raise StorageLostError("away")
        real(session)

    monkeypatch.setattr(Session, "commit", commit)
    with pytest.raises(StorageError, match="another one runs the study"):
        first.ask()
    assert [trial.number for trial in opened(StudyFolder(tmp_path)).trials] == [0]


@pytest.mark.parametrize("cut", [False, True])
def test_a_queued_trial_that_another_driver_took_is_not_taken_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: bool
) -> None:
    opened(StudyFolder(tmp_path)).enqueue_trial({})
    first, second = (opened(StudyFolder(tmp_path)) for _ in range(2))
    real, lost = Session.commit, ["once"]

    def commit(session: Session) -> None:
        if lost:
            lost.clear()
            session.rollback()
            assert second.ask().number == 0
            raise StorageLostError("away")
        real(session)

    if cut:
        monkeypatch.setattr(Session, "commit", commit)
    else:
        second.ask()
    with pytest.raises(StorageError, match="another one runs the study"):
        first.ask()
    assert [trial.number for trial in opened(StudyFolder(tmp_path)).trials] == [0]


@pytest.mark.parametrize("queued", [False, True])
def test_a_trial_that_another_driver_takes_between_look_and_write_is_not_taken_too(
    tmp_path: Path, queued: bool
) -> None:
    if queued:
        opened(StudyFolder(tmp_path)).enqueue_trial({})
    first, second = (opened(StudyFolder(tmp_path)) for _ in range(2))

    def meanwhile(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT INTO trials ", "UPDATE trials ")) and not taken:
            taken.append(second.ask().number)

    taken: list[int] = []
    event.listen(first._storage._backend.engine, "before_cursor_execute", meanwhile)
    with pytest.raises(StorageError, match="another one runs the study"):
        first.ask()
    assert taken == [0]
    assert [trial.number for trial in opened(StudyFolder(tmp_path)).trials] == [0]


def test_parameters_are_durable_before_the_dashboard_shows_them(tmp_path: Path) -> None:
    shown: list[dict[str, Any]] = []

    class Folder(StudyFolder):
        def open_session(self, *arguments: Any) -> Any:
            shown.append(opened(self).trials[-1].params)
            return super().open_session(*arguments)

    spec = StudySpec.model_validate({"name": "s", "space": {RATE: {"type": "float", "low": 1e-4, "high": 1e-2}}})
    folder = Folder(tmp_path)
    folder.prepare()
    study = opened(folder)
    source = TrialSource(spec, study, Space(spec.space, spec.train))
    opener = Opener(spec, folder, source=source, clock=lambda: 0.0)
    with gathered(study):
        trials = [opener.open(study.ask())[0] for _ in range(2)]
    assert shown == [live.record.params for live in trials]
