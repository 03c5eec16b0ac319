"""At each rung the best of those that reached it go on, whenever they came."""

from __future__ import annotations

import math
import random

import pytest
from pydantic import ValidationError

from colorgan.config import TrainConfig
from colorgan.record import EpochRecord, TrialRecord
from search.method import Pruner
from search.rungs import Asha, Rungs, agreement
from search.settings import Search
from search.study import StudySpec


def trial(number: int, *objectives: float | None) -> TrialRecord:
    epochs = tuple(
        EpochRecord(epoch=n, step=n, objective=value, metrics={}, train_seconds=1.0, valid_seconds=1.0)
        for n, value in enumerate(objectives, 1)
    )
    return TrialRecord(number=number, state="waiting", seed=number, epochs=epochs)


@pytest.mark.parametrize(
    ("first", "factor", "epochs", "levels"),
    [
        (None, 2, 24, (8, 16)),
        (None, 2, 6, (2, 4)),
        (None, 2, 2, (1,)),
        (None, 2, 1, ()),
        (None, 3, 8, (3,)),
        (1, 3, 27, (1, 3, 9)),
        (1, 3, 28, (1, 3, 9, 27)),
        (2, 4, 6, (2,)),
        (4, 2, 4, ()),
        (1, 3, 1, ()),
    ],
)
def test_rungs_are_powers_of_the_factor_before_the_end(
    first: int | None, factor: int, epochs: int, levels: tuple[int, ...]
) -> None:
    assert Asha(first, factor).levels(epochs) == levels


def test_a_trial_goes_from_rung_to_rung() -> None:
    rungs = Rungs((1, 3), factor=3, direction="minimize")
    assert [rungs.next(trial(0, *[1.0] * done)) for done in range(5)] == [1, 3, 3, None, None]
    assert [rungs.pause(trial(0, *[1.0] * done)) for done in range(5)] == [False, True, False, True, False]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_best_of_those_who_came_go_on_and_nobody_twice(direction: str) -> None:
    rungs = Rungs((1,), factor=3, direction=direction)
    sign = 1.0 if direction == "minimize" else -1.0
    for number, value in enumerate([5.0, 3.0]):
        rungs.pause(trial(number, sign * value))
        assert rungs.promote() is None
    rungs.pause(trial(2, sign * 4.0))
    assert [rungs.promote(), rungs.promote()] == [1, None]
    for number, value in enumerate([9.0, 8.0, 2.0], 3):
        rungs.pause(trial(number, sign * value))
    assert [rungs.promote(), rungs.promote()] == [5, None]
    assert [rungs.promote_best(feasible=False), rungs.promote_best(feasible=False)] == [2, 0]


def test_a_higher_rung_goes_first_and_counts_all_who_reached_it() -> None:
    rungs = Rungs((1, 2), factor=2, direction="minimize")
    rungs.note(trial(0, 1.0, 5.0, 5.0))  # went by long ago, or failed later
    rungs.pause(trial(1, 2.0, 4.0))
    rungs.pause(trial(2, 1.5))
    assert [rungs.promote(), rungs.promote()] == [1, None]
    rungs.pause(trial(3, 3.0))
    assert rungs.promote() == 2
    assert rungs.promote_best(feasible=False) == 3
    assert rungs.promote_best(feasible=False) is None


def test_trials_that_violate_constraints_are_behind_all_others_and_not_trained_for_want_of_better() -> None:
    violated = {0: 0.5, 1: 0.1}
    rungs = Rungs((1,), factor=2, direction="minimize", violation=lambda record: violated.get(record.number, 0.0))
    for number, value in enumerate([1.0, 2.0, 4.0, 3.0]):
        rungs.pause(trial(number, value))
    assert [rungs.promote() for _ in range(3)] == [3, 2, None]
    assert [rungs.promote_best(feasible=feasible) for feasible in (True, False, False)] == [None, 1, 0]


def test_one_seed_of_several_pauses_nowhere_and_takes_no_place() -> None:
    rungs = Rungs((1,), factor=2, direction="minimize")
    seed = trial(0, 1.0).model_copy(update={"group": "trial-0007"})
    assert rungs.next(seed.model_copy(update={"epochs": ()})) is None
    assert not rungs.pause(seed)
    rungs.note(seed)
    rungs.pause(trial(1, 2.0))
    assert rungs.promote() is None  # as the only one


def test_a_trial_without_a_finite_objective_is_the_last() -> None:
    rungs = Rungs((1,), factor=2, direction="maximize")
    rungs.pause(trial(0, None))
    rungs.pause(trial(1, -1e30))
    assert [rungs.promote(), rungs.promote(), rungs.promote_best(feasible=False)] == [1, None, 0]


def test_no_rungs_is_nothing() -> None:
    rungs = Rungs((), factor=2, direction="minimize")
    assert not rungs
    assert rungs.next(trial(0)) is rungs.promote() is rungs.promote_best(feasible=False) is None
    assert not rungs.pause(trial(0, 1.0))


def test_about_one_in_so_many_goes_on() -> None:
    chance, rungs = random.Random(0), Rungs((1,), factor=4, direction="minimize")  # noqa: S311 - no secret
    values, promoted = [chance.random() for _ in range(400)], []
    for number, value in enumerate(values):
        rungs.pause(trial(number, value))
        while (found := rungs.promote()) is not None:
            promoted.append(found)
    assert len(set(promoted)) == len(promoted)
    assert 90 <= len(promoted) <= 130  # the rule errs a little while few are there
    assert set(sorted(range(400), key=values.__getitem__)[:90]) <= set(promoted)


def complete(number: int, early: float, late: float) -> TrialRecord:
    return trial(number, early, late).model_copy(update={"state": "complete", "objective": late})


def judged(late: list[float], *, min_agreement: float | None = 0.5, direction: str = "minimize") -> Rungs:
    """Returns a rung that trials 10, 11, ... have passed with 1, 2, ..., and what they came to in the end."""
    rungs = Rungs((1,), factor=2, direction=direction, min_agreement=min_agreement)
    sign = 1.0 if direction == "minimize" else -1.0
    for number, value in enumerate(late):
        rungs.note(complete(10 + number, sign * (1.0 + number), sign * value))
    return rungs


TELLS = [1.0, 3.0, 2.0, 4.0, 5.0, 6.0, 7.0, 8.0]
TELLS_NOT = [4.0, 8.0, 1.0, 6.0, 2.0, 7.0, 3.0, 5.0]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_rung_that_does_not_tell_lets_the_present_trials_go_on_the_best_first(direction: str) -> None:
    sign = 1.0 if direction == "minimize" else -1.0
    for late, passed in ((TELLS, []), (TELLS_NOT, [41, 40])):
        rungs = judged(late, direction=direction)
        for number, value in ((3, 20.0), (40, 60.0), (41, 50.0)):  # 3 is from before the first of those judged by
            rungs.pause(trial(number, sign * value))
        assert [found for _ in range(3) if (found := rungs.promote()) is not None] == passed
        assert rungs.promote_best(feasible=False) == 3


def test_a_rung_is_judged_by_enough_complete_trials_and_only_where_the_study_wants_it() -> None:
    for rungs in (judged(TELLS_NOT[:7]), judged(TELLS_NOT, min_agreement=None), judged(TELLS_NOT, min_agreement=-1.0)):
        rungs.pause(trial(40, 60.0))
        assert rungs.promote() is None


def test_a_rung_is_judged_by_the_latest_trials_in_whatever_order_they_are_noted() -> None:
    late = [*TELLS, *[9.0, 10.0, 11.0, 12.0], *[7.0, 1.0, 5.0, 3.0, 6.0, 2.0, 8.0, 4.0]]
    records = [complete(10 + number, 1.0 + number, value) for number, value in enumerate(late)]
    random.Random(0).shuffle(records)  # noqa: S311 - no secret
    rungs = Rungs((1,), factor=2, direction="minimize", min_agreement=0.5)
    for record in records:
        rungs.note(record)
    for number, value in ((12, 99.0), (40, 60.0)):
        rungs.pause(trial(number, value))
    assert [rungs.promote(), rungs.promote()] == [40, None]


@pytest.mark.parametrize(
    ("first", "second", "tau"),
    [([1.0, 2.0, 3.0], [10.0, 20.0, 30.0], 1.0), ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], -1.0),
     ([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0], 4 / 6), ([1.0, math.inf, math.inf], [1.0, 2.0, 3.0], 2 / 3)],
)  # fmt: skip
def test_agreement_is_kendalls(first: list[float], second: list[float], tau: float) -> None:
    assert agreement(first, second) == pytest.approx(tau)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"min_epochs": 0}, "min_epochs must be at least 1; received 0"),
        ({"reduction_factor": 1}, "reduction_factor must be at least 2; received 1"),
        ({"min_epochs": "two"}, "must be a whole number"),
        ({"min_agreement": 1.5}, "min_agreement must be between -1 and 1; received 1.5"),
        ({"warmup_epochs": 1}, "asha has no such argument"),
        ({"min_epochs": 8}, "could stop a trial after epoch 8 at the earliest, but a trial has 8"),
        ({}, "pauses trials after epoch 3, but only each 2 are validated"),
        ({"min_epochs": 3}, "pauses trials after epoch 3, but only each 2 are validated"),
    ],
    ids=str,
)
def test_what_makes_no_rungs_is_refused(arguments: dict[str, object], words: str) -> None:
    train = TrainConfig().with_values({"schedule.epochs": 8, "validation.epochs": 2})
    space = {"losses.l1_weight": {"type": "float", "low": 1.0, "high": 9.0}}
    with pytest.raises(ValidationError) as caught:
        search = Search(pruner=Pruner(name="asha", **arguments))  # type: ignore[arg-type]
        StudySpec.model_validate({"name": "s", "train": train, "space": space, "search": search})
    assert words in str(caught.value)


def test_nothing_can_delay_what_pauses() -> None:
    with pytest.raises(ValidationError, match="asha pauses trials and cannot be delayed"):
        Pruner.model_validate({"name": "patient", "patience": 1, "wrapped": {"name": "asha"}})
