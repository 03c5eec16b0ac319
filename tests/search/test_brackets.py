"""Hyperband's brackets made anew for each trial are those that KerasTuner's Hyperband goes through by itself."""

from collections.abc import Iterator
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from search.brackets import BracketPruner, Brackets, first_of
from search.oracle import NOTE, Proposal
from search.oracles import keras_tuner

Place = tuple[int, int | None]  # epochs, the trial that goes on


def oracle(seed: int, **settings: Any) -> Any:
    space = keras_tuner().HyperParameters()
    space.Float("x", 0.0, 1.0)
    objective = keras_tuner().Objective("objective", "min")
    return keras_tuner().oracles.HyperbandOracle(
        objective, seed=seed, hyperparameters=space, hyperband_iterations=None, **settings
    )


def finish(told: Any, number: int, values: dict[str, Any], score: float) -> None:
    space = told.get_space()
    space.values = values
    told.trials[str(number)] = keras_tuner().engine.trial.Trial(space, trial_id=str(number), status="COMPLETED")
    told.trials[str(number)].score = score


def by_itself(trials: int, **settings: Any) -> Iterator[Place]:
    """What one oracle proposes that keeps all its state."""
    told = oracle(1, **settings)
    for number in range(trials):
        values = told.populate_space(str(number))["values"]
        finish(told, number, values, score=number * 7 % 11)
        past = values.get("tuner/trial_id")
        yield values["tuner/epochs"], None if past is None else int(past)


def made_anew(trials: int, **settings: Any) -> Iterator[Place]:
    """What oracles propose that know nothing but the notes of the trials before."""
    notes: dict[int, Proposal | None] = {}
    for number in range(trials):
        told = oracle(number + 1, **settings)
        for past in notes:
            finish(told, past, {"x": past / 1000}, score=past * 7 % 11)
        brackets = Brackets(told, notes)
        told.populate_space(str(number))
        note = brackets.proposal(number, {"x": 0.5})
        notes[number] = note
        assert note.epochs is not None
        yield note.epochs, note.past


@pytest.mark.parametrize(
    "settings", [{"max_epochs": 9}, {"max_epochs": 10, "factor": 2}, {"max_epochs": 4, "factor": 4}]
)
def test_brackets_made_anew_are_kerastuners_own(settings: dict[str, int]) -> None:
    assert list(made_anew(60, **settings)) == list(by_itself(60, **settings))


def test_trials_of_no_oracle_are_in_no_bracket() -> None:
    told = oracle(1, max_epochs=9)
    brackets = Brackets(told, {0: None, 1: Proposal(params={"x": 0.5})})
    told.populate_space("2")
    assert brackets.proposal(2, {}) == Proposal(params={}, bracket=0, round=0, past=None, epochs=1)


def test_a_trial_ends_after_its_epochs_and_others_never() -> None:
    study = optuna.create_study(pruner=BracketPruner())
    notes = [
        {NOTE: Proposal(params={}, bracket=0, epochs=3).model_dump()},
        {NOTE: Proposal(params={}).model_dump()},
        {},
    ]
    for note in notes:
        study.add_trial(create_trial(state=TrialState.RUNNING, system_attrs=note))
    for trial, ends in zip(study.trials, ([3, 4], [], []), strict=True):
        live = optuna.Trial(study, trial._trial_id)
        ended = []
        for epoch in range(1, 5):
            live.report(1.0, epoch)
            ended += [epoch] if live.should_prune() else []
        assert ended == ends


def test_what_goes_on_goes_back_to_its_first_trial() -> None:
    study = optuna.create_study()
    for past in (None, None, 1, None, 2):
        note = Proposal(params={"x": 0.5}, bracket=0, past=past, epochs=1).model_dump()
        study.add_trial(
            create_trial(
                value=0.0, params={"x": 0.5}, distributions={"x": FloatDistribution(0, 1)}, system_attrs={NOTE: note}
            )
        )
    assert [first_of(study, number) for number in range(5)] == [0, 1, 1, 3, 1]
