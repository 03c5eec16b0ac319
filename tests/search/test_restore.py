"""A study's Optuna trials beside the trials' records: contradictions are seen, and the records give all back."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from colorgan.record import EpochRecord, TrialRecord, read_record, record_copy, write_record
from search.aims import Aims
from search.database import open_study
from search.methods import make_sampler
from search.outage import Patience
from search.owned_storage import settle
from search.restore import restore, unrecorded
from search.space import Space
from search.storage import StorageError, StudyFolder
from search.study import Objective, StudySpec

RATE, LOSS, SMOOTHING = "optimizer.generator_learning_rate", "losses.adversarial", "losses.label_smoothing"
SPEC = StudySpec.model_validate(
    {
        "name": "s",
        "search": {"sampler": {"name": "tpe", "n_startup_trials": 4}},
        "space": {
            RATE: {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
            "generator.filters": {"type": "int", "low": 8, "high": 64, "log": True},
            LOSS: {"type": "categorical", "choices": ["bce", "least_squares"]},
            SMOOTHING: {"type": "categorical", "choices": [0.0, 0.1], "when": {LOSS: "bce"}},
        },
    }
)
SPACE = Space(SPEC.space, SPEC.train)


def opened(folder: StudyFolder, said: list[str] | None = None, url: str | None = None) -> optuna.Study:
    patience, sampler = Patience((said if said is not None else []).append), make_sampler(SPEC, SPACE)
    return open_study(folder, name="s", directions=["minimize"], url=url, sampler=sampler, patience=patience)


def play(study: optuna.Study, folder: StudyFolder, states: list[str]) -> None:
    """Runs trials that end so, with their records, as the driver writes them."""
    for state in states:
        trial = study.ask()
        params = SPACE.suggest(trial)
        objectives = {epoch: 1000.0 * params[RATE] - epoch for epoch in (1, 2)}  # type: ignore[operator]
        for epoch, objective in objectives.items():
            trial.report(objective, epoch)
        epochs = tuple(
            EpochRecord(
                epoch=e, step=e, objective=o, metrics={"valid/delta_e": o}, train_seconds=1.0, valid_seconds=1.0
            )
            for e, o in objectives.items()
        )
        record = TrialRecord(
            number=trial.number,
            state=state,
            params=params,
            seed=trial.number,
            epochs=epochs,
            objective=objectives[2],
            started=1e9,
            seconds=4.0,
        )  # type: ignore[arg-type]
        folder.trial(trial.number).path.mkdir(parents=True)
        write_record(folder.trial(trial.number).record, record)
        if state in ("complete", "pruned", "failed"):
            trial.set_user_attr("metrics", record.metrics)
            value = objectives[2] if state == "complete" else None
            study.tell(
                trial,
                value,
                state={"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}.get(state, TrialState.FAIL),
            )


def said_of(trial: optuna.trial.FrozenTrial) -> tuple[object, ...]:
    return (
        trial.number,
        trial.state,
        trial.value,
        trial.params,
        trial.distributions,
        trial.intermediate_values,
        trial.user_attrs,
    )


STATES = ["complete", "pruned", "failed", "complete"] * 2 + ["running"]


@pytest.mark.parametrize("loss", ["removed", "emptied"])
def test_a_study_without_its_storage_goes_on_as_if_it_were_there(tmp_path: Path, loss: str) -> None:
    folder = StudyFolder(tmp_path)
    study = opened(folder)
    play(study, folder, STATES)
    folder.summary.write_text(json.dumps({"baselines": {"gray": {"valid/delta_e": 20.0}}}))
    before, following = [said_of(trial) for trial in study.trials], SPACE.suggest(study.ask())
    if loss == "removed":
        folder.database.unlink()
    else:
        folder.database.write_bytes(b"")
    study = opened(folder)
    assert (
        restore(study, SPACE, folder, Aims(SPEC))
        == "the storage knew no trial of this study: 9 are taken from their records"
    )
    assert [said_of(trial) for trial in study.trials] == before
    assert study.user_attrs == {"baselines": {"gray": {"valid/delta_e": 20.0}}}
    assert SPACE.suggest(study.ask()) == following  # the sampler knows no difference
    assert restore(study, SPACE, folder, Aims(SPEC)) == ""


def test_a_trial_without_a_record_in_between_is_asked_for_again(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    study = opened(folder)
    play(study, folder, ["complete", "complete", "complete"])
    params = study.trials[1].params
    for path in (folder.trial(1).record, record_copy(folder.trial(1).record)):
        path.unlink()
    folder.database.unlink()
    study = opened(folder)
    restore(study, SPACE, folder, Aims(SPEC))
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.RUNNING, TrialState.COMPLETE]
    assert SPACE.suggest(optuna.Trial(study, study.trials[1]._trial_id)) == params


def test_a_database_that_lacks_the_last_trials_is_filled_from_their_records(tmp_path: Path) -> None:
    folder, url = StudyFolder(tmp_path), f"sqlite:///{tmp_path}/own.db"
    study = opened(folder, url=url)
    play(study, folder, STATES[:3])
    older = (tmp_path / "own.db").read_bytes()  # or a driver was killed while it filled an empty one
    play(study, folder, STATES[3:])
    before = [said_of(trial) for trial in study.trials]
    (tmp_path / "own.db").write_bytes(older)
    study = opened(folder, url=url)
    assert (
        restore(study, SPACE, folder, Aims(SPEC))
        == "the storage knew only the first 3 trials of this study: 6 are taken from their records"
    )
    assert [said_of(trial) for trial in study.trials] == before


def test_a_database_in_which_another_study_of_the_name_has_begun_is_refused(tmp_path: Path) -> None:
    folder, url = StudyFolder(tmp_path), f"sqlite:///{tmp_path}/own.db"
    play(opened(folder, url=url), folder, STATES)
    (tmp_path / "own.db").unlink()
    other = opened(StudyFolder(tmp_path / "other"), url=url)
    other.enqueue_trial({RATE: 0.002})
    SPACE.suggest(other.ask())
    settle(other._storage)
    with pytest.raises(StorageError, match=r"own.db: holds a study 's' that is not the one in .*: trial 0 contradicts"):
        opened(folder, url=url)


def test_a_trial_whose_record_and_copy_are_lost_is_named(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    study = opened(folder)
    play(study, folder, STATES)
    assert unrecorded(study, range(9)) == ""
    assert unrecorded(study, range(1, 9)).startswith("the record and its copy are lost of trial 0: ")
    assert unrecorded(study, range(1, 7)).startswith("the record and its copy are lost of trials 0, 7: ")  # 8 runs


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE trial_values SET value = value + 1 WHERE trial_id = 2",
        "UPDATE trial_params SET param_value = 0.005 WHERE trial_id = 1 AND param_name LIKE '%learning_rate'",
        "UPDATE trial_intermediate_values SET intermediate_value = 0 WHERE trial_id = 3",
        "UPDATE trials SET state = 'FAIL' WHERE trial_id = 1",
        "UPDATE study_directions SET direction = 'MAXIMIZE'",
        "DELETE FROM trials WHERE trial_id = 3",
    ],
)
def test_a_storage_that_contradicts_the_records_is_kept_aside(tmp_path: Path, change: str) -> None:
    folder, said = StudyFolder(tmp_path), list[str]()
    study = opened(folder)
    play(study, folder, ["complete", "complete", "complete"])
    before = [said_of(trial) for trial in study.trials]
    with closing(sqlite3.connect(folder.database)) as connection:
        assert connection.execute(change).rowcount
        connection.commit()
    study = opened(folder, said)
    assert "study.db: the study's storage is damaged (" in said[0]
    restore(study, SPACE, folder, Aims(SPEC))
    assert [said_of(trial) for trial in study.trials] == before
    assert (tmp_path / "damaged-study.db").exists()


def test_a_record_ahead_of_the_storage_is_no_contradiction(tmp_path: Path) -> None:
    folder, said = StudyFolder(tmp_path), list[str]()
    study = opened(folder)
    play(study, folder, ["complete", "running"])  # a driver killed just before it told Optuna
    record = read_record(folder.trial(1).record)
    write_record(folder.trial(1).record, record.model_copy(update={"state": "complete"}))
    assert [trial.state for trial in opened(folder, said).trials] == [TrialState.COMPLETE, TrialState.RUNNING]
    assert said == []


def test_a_failed_trial_that_counts_for_the_sampler_is_no_contradiction_and_counts_again(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "s")
    study = opened(folder)
    play(study, folder, ["complete"])
    trial = study.ask()
    record = TrialRecord(number=1, state="failed", params=SPACE.suggest(trial), seed=1, reason="train/l1 is nan")
    folder.trial(1).path.mkdir(parents=True)
    write_record(folder.trial(1).record, record)
    trial.report(99.0, 1)
    study.tell(trial, state=TrialState.PRUNED)
    said: list[str] = []
    assert opened(folder, said).trials == study.trials
    assert said == []
    folder.database.unlink()
    again = opened(folder)
    counting = SPEC.model_copy(update={"objective": Objective(direction="minimize", failed_value=99.0)})
    restore(again, SPACE, folder, Aims(counting))
    assert said_of(again.trials[1])[:4] == said_of(study.trials[1])[:4]
    assert (again.trials[1].state, again.trials[1].intermediate_values) == (TrialState.PRUNED, {1: 99.0})
