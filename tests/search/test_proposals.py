"""Every proposal is a new configuration, and methods see what they can learn from."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from search import proposals
from search.database import open_study
from search.experience import Lesson, as_trials
from search.history import History, Remembered, pruned_as_complete, stopped_as_pruned
from search.methods import make_sampler
from search.owned_storage import gathered
from search.signature import make_silently
from search.space import Space
from search.storage import StudyFolder
from search.study import StudySpec

L1, DEPTH, NORMAL, DROPOUT = "losses.l1_weight", "generator.depth", "generator.normalization", "generator.dropout"
SMALL = {
    DEPTH: {"type": "int", "low": 2, "high": 5},
    NORMAL: {"type": "categorical", "choices": ["batch", "none"]},
    DROPOUT: {"type": "float", "low": 0.0, "high": 0.5, "step": 0.25, "when": {NORMAL: "batch"}},
}  # 4 x (3 + 1)
ENDLESS = {L1: {"type": "float", "low": 1.0, "high": 300.0}}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(level)


def spec(space: dict[str, Any], sampler: str, **search: Any) -> StudySpec:
    tree = {"name": "study", "space": space, "search": {"sampler": {"name": sampler}, **search}}
    return StudySpec.model_validate(tree)


def drive(study_spec: StudySpec, trials: int, learned: tuple[Lesson, ...] = ()) -> list[dict[str, Any]]:
    space = Space(study_spec.space, study_spec.train)
    sampler = make_sampler(study_spec, space, learned=as_trials(learned, space))
    study = optuna.create_study(sampler=sampler)
    for _ in range(trials):
        trial = study.ask()
        params = space.suggest(trial)
        study.tell(trial, abs(float(params.get(L1, 0)) - 100.0) + float(params.get(DEPTH, 0)))
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc", "nsgaii", "curve_gp"])
def test_a_small_space_is_gone_through_without_a_repeat(sampler: str) -> None:
    study_spec = spec(SMALL, sampler)
    assert Space(study_spec.space, study_spec.train).limit(study_spec) == 16
    assert len({frozenset(params.items()) for params in drive(study_spec, 16)}) == 16


@pytest.mark.parametrize("sampler", ["random", "tpe", "curve_gp", "grid", "brute_force"])
def test_factors_that_are_rounded_to_the_same_make_one_configuration(sampler: str) -> None:
    factor = {"type": "categorical", "choices": [1.0, 0.95, 0.5], "factor_of": "generator.filters"}
    filters = {"type": "categorical", "choices": [4, 8, 12]}  # 95 % of 12 are 11, of 4 and 8 all
    study_spec = spec({"generator.filters": filters, "discriminator.filters": factor}, sampler)
    space = Space(study_spec.space, study_spec.train)
    assert space.limit(study_spec) == 7
    made = [space.to_config(params, seed=0) for params in drive(study_spec, 7)]
    assert len({(config.generator.filters, config.discriminator.filters) for config in made}) == 7


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_what_is_hardly_ever_drawn_is_found_where_all_can_be_counted(sampler: str) -> None:
    whole = {"type": "int", "low": 1, "high": 10}
    chain = {
        "generator.filters": whole,
        "discriminator.filters": {**whole, "when": {"generator.filters": 1}},
        "schedule.batch_size": {**whole, "when": {"discriminator.filters": 1}},
        "generator.kernel": {**whole, "low": 2, "high": 9, "when": {"schedule.batch_size": 1}},
    }
    study_spec = spec(chain, sampler)
    limit = Space(study_spec.space, study_spec.train).limit(study_spec)
    assert limit == 9 + 9 + 9 + 8
    assert len({frozenset(params.items()) for params in drive(study_spec, limit)}) == limit


def test_what_waits_or_was_drawn_before_is_no_new_proposal_once_it_has_run() -> None:
    study_spec = spec(SMALL, "random")
    space, everything = Space(study_spec.space, study_spec.train), list[Any]()
    study = optuna.create_study(sampler=make_sampler(study_spec, space))
    known = list(space.configurations())
    for turn in range(8):  # one that was enqueued, and waits while another is drawn, in turn
        trial = study.ask()
        everything.append(space.suggest(trial))
        free = [params for params in known if params not in everything]
        study.enqueue_trial(free[turn % len(free)])
        study.tell(trial, 1.0)
        everything.append(space.suggest(study.ask()))
    assert sorted(map(str, everything)) == sorted(map(str, known))


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc", "nsgaii"])
def test_a_number_in_steps_is_one_value_however_it_was_reckoned(sampler: str) -> None:
    study_spec = spec({DROPOUT: {"type": "float", "low": 0.0, "high": 0.7, "step": 0.1}}, sampler)
    found = [params[DROPOUT] for params in drive(study_spec, 8)]
    assert sorted(found) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    repeated = drive(spec(dict(study_spec.space), sampler, repeat_configurations=True), 20)
    assert {params[DROPOUT] for params in repeated} <= set(found)


def test_trials_that_were_left_without_parameters_are_known_once_they_have_them() -> None:
    study_spec = spec({L1: {"type": "categorical", "choices": [1.0, 2.0, 3.0, 4.0]}}, "random")
    space = Space(study_spec.space, study_spec.train)
    for seed in range(10):
        again = study_spec.model_copy(update={"search": study_spec.search.model_copy(update={"seed": seed})})
        study = optuna.create_study(sampler=make_sampler(again, space))
        for _ in range(2):
            study.add_trial(create_trial(state=TrialState.RUNNING))
        left = [optuna.Trial(study, trial._trial_id) for trial in study.trials]
        found = [space.suggest(trial)[L1] for trial in (*left, study.ask(), study.ask())]
        assert sorted(map(float, found)) == [1.0, 2.0, 3.0, 4.0]


def test_configurations_are_repeated_where_the_study_wants_it() -> None:
    study_spec = spec(SMALL, "random", repeat_configurations=True)
    assert Space(study_spec.space, study_spec.train).limit(study_spec) is None
    assert len({frozenset(params.items()) for params in drive(study_spec, 16)}) < 16


def test_a_space_that_is_used_up_is_no_endless_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposals, "RANDOM_ATTEMPTS", 10)
    assert len(drive(spec(SMALL, "random"), 18)) == 18


def test_a_method_proposes_what_it_would_without_us() -> None:
    study_spec = spec(ENDLESS, "random", seed=3)
    assert drive(study_spec, 4) == drive(spec(ENDLESS, "random", seed=3, repeat_configurations=True), 4)


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsgaii", "curve_gp"])
def test_trials_that_are_not_finished_keep_no_method(sampler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: weakref.WeakSet[optuna.samplers.BaseSampler] = weakref.WeakSet()

    def make(*arguments: Any) -> optuna.samplers.BaseSampler:
        method: optuna.samplers.BaseSampler = make_silently(*arguments)
        made.add(method)
        return method

    monkeypatch.setattr("search.methods.make_silently", make)
    study_spec = spec(ENDLESS, sampler)
    space = Space(study_spec.space, study_spec.train)
    study = optuna.create_study(sampler=make_sampler(study_spec, space))
    trials = [study.ask() for _ in range(5) if space.suggest(study.ask())]
    gc.collect()
    assert len(made) == 1
    for trial in trials:
        study.tell(trial, 1.0)
    assert [trial.state.name for trial in study.trials if trial.values] == ["COMPLETE"] * 5


@pytest.mark.parametrize("sampler", ["tpe", "curve_gp", "nsgaii"])
def test_what_is_proposed_depends_on_the_history_alone_not_on_what_was_asked_before(sampler: str) -> None:
    study_spec = spec({**SMALL, **ENDLESS}, sampler, pruner={"name": "asha"})
    space = Space(study_spec.space, study_spec.train)

    def params_of(study: optuna.Study, *, anew: bool) -> list[dict[str, Any]]:
        paused = list[optuna.Trial]()
        for number in range(40):
            if anew:
                study.sampler = make_sampler(study_spec, space)
            trial = study.ask()
            params = space.suggest(trial)
            trial.report(worth := abs(float(params[L1]) - 100.0) + float(params[DEPTH]), 1)
            if (
                params[NORMAL] == "none" and number < 30 and not paused
            ):  # the only one that lacks DROPOUT, until it fails
                paused.append(trial)
            elif params[NORMAL] == "none":
                study.tell(trial, state=TrialState.FAIL)
            else:
                study.tell(trial, worth)
            if number == 30:
                study.tell(paused.pop(), state=TrialState.FAIL)
        return [trial.params for trial in study.trials]

    kept = params_of(optuna.create_study(sampler=make_sampler(study_spec, space)), anew=False)
    assert kept == params_of(optuna.create_study(), anew=True)


def test_tpe_begins_where_earlier_trials_were_good() -> None:
    lessons = tuple(
        Lesson(study="old", trial=n, params={L1: 20.0 * n + 1.0}, value=abs(20.0 * n - 99.0), reports={1: 1.0})
        for n in range(15)
    )
    taught = [abs(params[L1] - 100.0) for params in drive(spec(ENDLESS, "tpe"), 8, lessons)]
    alone = [abs(params[L1] - 100.0) for params in drive(spec(ENDLESS, "tpe"), 8)]
    assert sum(taught) < 0.5 * sum(alone)


def test_earlier_trials_stand_before_the_studys_own() -> None:
    study_spec = spec(ENDLESS, "tpe")
    space = Space(study_spec.space, study_spec.train)
    lesson = Lesson(study="old", trial=7, params={L1: 5.0}, value=None, reports={1: 4.0, 2: 3.0})
    study = optuna.create_study()
    own = study.ask()
    space.suggest(own)
    seen = History(study, learned=as_trials([lesson], space), see=lambda trial: trial)
    first, second = seen.get_trials()
    assert (first.number, first.state, first.value) == (0, TrialState.PRUNED, 3.0)
    assert (second.number, second.params) == (1, own.params)
    assert first.distributions == second.distributions
    assert seen.get_trials(states=(TrialState.RUNNING,)) == [second]
    assert seen.direction == study.direction
    assert study.trials[0].number == 0


def running(reports: dict[int, float]) -> FrozenTrial:
    return create_trial(state=TrialState.RUNNING, intermediate_values=reports)


def test_what_a_trial_has_reported_is_seen_as_if_it_had_ended_there() -> None:
    paused = running({1: 5.0, 2: 4.0})
    seen = stopped_as_pruned(paused)
    assert (seen.state, seen.value) == (TrialState.PRUNED, 4.0)
    assert paused.state == TrialState.RUNNING
    assert stopped_as_pruned(new := running({})) is new
    complete = pruned_as_complete(seen)
    assert (complete.state, complete.value) == (TrialState.COMPLETE, 4.0)
    assert pruned_as_complete(paused) is paused


@pytest.mark.parametrize("stored", [False, True])
def test_a_trial_is_looked_at_once_and_again_when_it_has_changed(stored: bool, tmp_path: Path) -> None:
    stored_study = open_study(StudyFolder(tmp_path), name="x", directions=["minimize"])
    study = stored_study if stored else optuna.create_study()
    looked = []
    see = Remembered(lambda trial: looked.append(trial.number) or stopped_as_pruned(trial))  # type: ignore[func-returns-value]
    seen = History(study, learned=(), see=see)

    def shown() -> list[tuple[TrialState, float | None]]:
        seen.get_trials(deepcopy=False)
        return [(trial.state, trial.value) for trial in seen.get_trials()]

    with gathered(study):
        first, second = study.ask(), study.ask()
        assert shown() == [(TrialState.RUNNING, None)] * 2
        for step, value in enumerate((3.0, 2.0)):
            first.report(value, step)
            assert shown() == [(TrialState.PRUNED, value), (TrialState.RUNNING, None)]
        study.tell(first, 1.0)
        assert shown() == [(TrialState.COMPLETE, 1.0), (TrialState.RUNNING, None)]
    assert looked == [0, 1, 0, 0, 0]
    assert second.number == 1


def test_gp_learns_from_stopped_trials() -> None:
    pytest.importorskip("torch")
    study_spec = spec(ENDLESS, "gp", pruner={"name": "median"})
    space = Space(study_spec.space, study_spec.train)
    study = optuna.create_study(sampler=make_sampler(study_spec, space))
    for _ in range(20):
        trial = study.ask()
        params = space.suggest(trial)
        trial.report(abs(float(params[L1]) - 100.0), 1)
        study.tell(trial, state=TrialState.PRUNED)
    values = [abs(trial.params[L1] - 100.0) for trial in study.trials]
    assert max(values[-5:]) < 10.0 < max(values[:10])
