from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from pydantic import TypeAdapter

from search import curve_sampler
from search.curve_sampler import CurveSampler
from search.methods import make_sampler
from search.parameter import Parameter
from search.space import Params, Space
from search.study import StudySpec

RATE, WEIGHT, KIND = "optimizer.generator_learning_rate", "losses.l1_weight", "generator.normalization"
SPACE = {
    RATE: {"type": "float", "low": 1e-5, "high": 1e-1, "log": True},
    WEIGHT: {"type": "float", "low": 1.0, "high": 101.0},
    KIND: {"type": "categorical", "choices": ["batch", "instance", "none"]},
}
EPOCHS, STARTUP = 8, 6


def spec_of(name: str = "curve_gp", *, pruner: str = "none", **search: Any) -> StudySpec:
    arguments = {"n_startup_trials": STARTUP} if name == "curve_gp" else {}
    methods = {"sampler": {"name": name, **arguments}, "pruner": {"name": pruner}}
    return StudySpec.model_validate(
        {
            "name": "valley",
            "train": {"schedule": {"epochs": EPOCHS}},
            "space": SPACE,
            "search": {**methods, "start_with_default": False, **search},
        }
    )


def end(params: Params) -> float:
    """Returns what a whole training would say, at best 0: at 1e-3 and 51, with batch normalization."""
    away = (math.log10(float(params[RATE])) + 3) ** 2 / 4 + ((float(params[WEIGHT]) - 51) / 50) ** 2  # type: ignore[arg-type]
    return away + 0.5 * (params[KIND] != "batch")


class Valley:
    """A study in memory whose trials say at once what they have to say."""

    def __init__(self, spec: StudySpec, *, direction: str = "minimize") -> None:
        self.space = Space(spec.space, spec.train)
        self.study = optuna.create_study(sampler=make_sampler(spec, self.space), direction=direction)

    def ask(self) -> optuna.Trial:
        trial = self.study.ask()
        self.space.suggest(trial)
        return trial

    def search(self, trials: int, say: Callable[[optuna.Trial], None]) -> None:
        for _ in range(trials):
            say(self.ask())

    def whole(self, trial: optuna.Trial) -> None:
        """Has a trial come to its end."""
        value = end(trial.params)
        value = value if self.study.direction.name == "MINIMIZE" else -value
        trial.report(value, EPOCHS)
        self.study.tell(trial, value)

    def ends(self) -> list[float]:
        return [end(trial.params) for trial in self.study.get_trials()]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_it_goes_where_trials_were_good(direction: str) -> None:
    valley, chance = Valley(spec_of(), direction=direction), Valley(spec_of("random"))
    for one in (valley, chance):
        one.search(30, one.whole)
    assert min(valley.ends()) < 0.5 * min(chance.ends())
    assert sorted(valley.ends())[10] < 0.5 * sorted(chance.ends())[10]


def test_it_learns_from_trials_that_pause_and_never_end() -> None:
    valley = Valley(spec_of(pruner="asha"))

    def begin(trial: optuna.Trial) -> None:
        trial.report(1.0 + 0.5 * end(trial.params), 2)

    valley.search(30, begin)
    assert {trial.state for trial in valley.study.get_trials()} == {TrialState.RUNNING}
    assert sum(valley.ends()[-10:]) < 0.5 * sum(valley.ends()[:STARTUP]) * 10 / STARTUP


@pytest.mark.parametrize("how", ["failed", "infeasible"])
def test_it_keeps_away_from_where_trials_fail_or_violate_a_constraint(how: str) -> None:
    valley = Valley(spec_of())

    def say(trial: optuna.Trial) -> None:
        if trial.params[WEIGHT] < 41:  # the best of all lies beyond
            valley.whole(trial)
        elif how == "failed":
            valley.study.tell(trial, state=TrialState.FAIL)
        else:
            trial.report(end(trial.params), EPOCHS)
            trial.set_constraint("parameters max", 1.0)
            valley.study.tell(trial, end(trial.params))

    valley.search(40, say)
    good = [trial for trial in valley.study.get_trials() if trial.params[WEIGHT] < 41]
    assert sum(trial.number >= 20 for trial in good) >= 12
    assert min(end(trial.params) for trial in good) < 0.15


def test_trials_that_are_asked_for_at_the_same_time_are_sent_to_different_places() -> None:
    valley = Valley(spec_of())
    valley.search(12, valley.whole)
    together = [valley.ask().params for _ in range(6)]  # of which none has said anything yet
    places = [(round(math.log10(params[RATE]) / 2), params[WEIGHT] // 34, params[KIND]) for params in together]
    assert len(set(places)) >= 5


def test_in_a_space_of_few_values_it_looks_for_the_best_among_the_new_ones() -> None:
    levels = {"type": "int", "low": 1, "high": 9, "step": 2}
    space = {"generator.depth": {"type": "int", "low": 4, "high": 6}, "schedule.batch_size": levels}
    spec = StudySpec.model_validate({"name": "few", "space": space})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    known = Space(spec.space, spec.train)
    for depth in (4, 5, 6):
        for batch in (1, 3, 7, 9):
            study.enqueue_trial({"generator.depth": depth, "schedule.batch_size": batch})
            trial = study.ask()
            known.suggest(trial)
            trial.report(float(depth + batch), 1)
            study.tell(trial, float(depth + batch))
    asked = study.ask()
    frozen = study._storage.get_trial(asked._trial_id)
    sampler = CurveSampler(known, epochs=1, seed=0, kappa=0.0)
    batch = study.trials[0].distributions["schedule.batch_size"]
    assert sampler.sample_independent(study, frozen, "schedule.batch_size", batch) == 5


def test_of_a_trial_it_sees_the_last_report_and_those_after_half_and_a_quarter_of_its_epochs() -> None:
    said = [(epoch, 20.0 - epoch) for epoch in range(1, 13)]
    assert curve_sampler._looks(said) == [(3, 17.0), (6, 14.0), (12, 8.0)]
    assert curve_sampler._looks(said[:1]) == [(1, 19.0)]
    assert curve_sampler._looks(said[1::4]) == [(2, 18.0), (10, 10.0)]  # 2, 6 and 10: of 5 and 2 the last before


def test_of_very_many_trials_it_sees_some_and_proposes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve_sampler, "MOST", 16)
    monkeypatch.setattr(curve_sampler, "LEARNED_FROM", 8)
    valley = Valley(spec_of())
    valley.search(60, valley.whole)
    assert min(valley.ends()) < 0.1
    trials = valley.study.get_trials()
    seen = curve_sampler._chosen(trials, 1.0)
    assert len(seen) <= 16
    assert {trial.number for trial in sorted(trials, key=lambda trial: trial.value or 0.0)[:4]} <= {
        t.number for t in seen
    }
    numbers = [trial.number for trial in seen]
    assert max(later - number for number, later in itertools.pairwise(numbers)) <= 8


@pytest.mark.parametrize(
    "keys",
    [
        {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
        {"type": "float", "low": 0.0, "high": 0.5, "step": 0.1},
        {"type": "int", "low": 8, "high": 32, "step": 8},
        {"type": "int", "low": 1, "high": 300, "log": True},
        {"type": "categorical", "choices": [64, 8, 16]},
        {"type": "categorical", "choices": ["batch", None, 3, True]},
        {"type": "int", "low": 4, "high": 4},
        {"type": "float", "low": 0.5, "high": 0.5},
    ],
    ids=str,
)
def test_each_value_has_a_place_and_evenly_drawn_places_give_evenly_drawn_values(keys: dict[str, Any]) -> None:
    parameter: Any = TypeAdapter(Parameter).validate_python(keys)
    values = parameter.values() if parameter.count() else [1e-4, 3e-4, 1e-2] if keys["low"] < keys["high"] else [0.5]
    places = curve_sampler._Range(parameter)
    for value in values:
        assert 0.0 <= places.place(value) <= 1.0
        assert places.value(places.place(value)) == pytest.approx(value)
    if parameter.count() and not keys.get("log"):
        drawn = [places.value((i + 0.5) / 1200) for i in range(1200)]
        counts = {value: sum(one == pytest.approx(value) for one in drawn) for value in values}
        assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"kappa": -1.0}, "kappa must be at least 0"), ({"n_startup_trials": 0}, "n_startup_trials must be at least 1")],
    ids=["kappa", "startup"],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spec_of(sampler={"name": "curve_gp", **arguments})
