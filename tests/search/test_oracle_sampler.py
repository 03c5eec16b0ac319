"""KerasTuner's oracles as samplers: what they propose, that a study goes on with it, what they learn."""

from collections.abc import Iterator
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from search.brackets import first_of
from search.methods import make_pruner, make_sampler
from search.oracle import NOTE, ORACLES
from search.source import TrialSource
from search.space import Space
from search.study import StudySpec

FINITE = {
    "generator.filters": {"type": "int", "low": 8, "high": 32, "step": 8},
    "generator.normalization": {"type": "categorical", "choices": ["batch", "none"]},
    "generator.dropout":
        {"type": "float", "low": 0, "high": 0.5, "step": 0.1, "when": {"generator.normalization": "batch"}},
}  # fmt: skip
SPACE = FINITE | {
    "optimizer.generator_learning_rate": {"type": "float", "low": 1e-4, "high": 5e-3, "log": True},
    "optimizer.discriminator_learning_rate":
        {"type": "categorical", "choices": [1, 0.1], "factor_of": "optimizer.generator_learning_rate"},
    "losses.l1_weight": {"type": "float", "low": 1, "high": 300, "log": True},
    "discriminator.filters": {"type": "int", "low": 4, "high": 64, "log": True},
    "data.flip": {"type": "categorical", "choices": [True, False]},
    "validation.moving_average": {"type": "categorical", "choices": [None, 0.98], "when": {"data.flip": True}},
}  # fmt: skip
SMALL = {path: SPACE[path] for path in ("generator.filters", "losses.l1_weight", "discriminator.filters")}
SMALL |= {"generator.dropout": SPACE["generator.dropout"] | {"when": {"generator.filters": [8, 16]}}}
LEARNING = {"keras_tuner.bayesian": {"num_initial_points": 4}}
EPOCHS = 9


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(level)


def spec(
    name: str, space: dict[str, Any] | None = None, *, seed: int = 0, default: bool = True, **more: Any
) -> StudySpec:
    space = space or {"keras_tuner.grid": FINITE, "keras_tuner.bayesian": SMALL}.get(name, SPACE)
    sampler = {"name": name, **LEARNING.get(name, {})}
    search = {"sampler": sampler, "seed": seed, "trials": 1000, "start_with_default": default, **more}
    return StudySpec.model_validate(
        {"name": "s", "train": {"schedule": {"epochs": EPOCHS}}, "space": space, "search": search}
    )


def loss(params: dict[str, Any]) -> float:
    return float(params.get("generator.filters", 0)) / 10 + float(params.get("losses.l1_weight", 0)) / 100


class Toy:
    """A study on a toy objective, driven one trial at a time as the driver would."""

    def __init__(self, study_spec: StudySpec, storage: optuna.storages.BaseStorage | None = None) -> None:
        self.space = Space(study_spec.space, study_spec.train)
        sampler, pruner = make_sampler(study_spec, self.space), make_pruner(study_spec)
        self.study = optuna.create_study(
            study_name="s", storage=storage, load_if_exists=True, sampler=sampler, pruner=pruner
        )
        self.source = TrialSource(study_spec, self.study, self.space)
        self.left, _ = self.source.begin()

    def ask(self) -> optuna.Trial:
        trial = self.source.ask([])
        assert isinstance(trial, optuna.Trial)
        return trial

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        params = self.space.suggest(trial)
        self.space.to_config(params, seed=self.source.seed(trial))
        return params

    def train(self, trial: optuna.Trial) -> int:
        """Trains a trial until it is pruned or at its end; returns the epochs it had."""
        value = loss(self.suggest(trial))
        for epoch in range(1, EPOCHS + 1):
            trial.report(value + 1 / epoch, epoch)
            if epoch < EPOCHS and trial.should_prune():
                self.study.tell(trial, state=TrialState.PRUNED)
                return epoch
        self.study.tell(trial, value)
        return EPOCHS

    def run(self, trials: int) -> list[dict[str, Any]]:
        """Goes on until the study has so many trials, or wants no more; returns their parameters."""
        for trial in self.left:
            self.train(trial)
        while len(self.study.trials) < trials and self.source.more():
            self.train(self.ask())
        return self.params()

    def params(self) -> list[dict[str, Any]]:
        return [trial.params for trial in self.study.trials]


@pytest.mark.parametrize("name", ORACLES)
def test_a_driver_killed_at_any_moment_goes_on_with_the_same_proposals(name: str) -> None:
    storage, undisturbed = optuna.storages.InMemoryStorage(), Toy(spec(name))
    whole, space = undisturbed.run(7), undisturbed.space
    Toy(spec(name), storage).run(3)
    Toy(spec(name), storage).ask()  # killed before its first parameter
    killed = Toy(spec(name), storage)
    first, parameter = next(iter(killed.space.parameters.items()))
    killed.run(4)
    parameter.suggest(killed.ask(), first)  # killed after it
    assert Toy(spec(name), storage).run(7) == whole
    assert whole[0] == space.default_params()[0]
    for params in whole:
        assert list(params) == list(space.complete(params))  # active ones alone
        assert {path: space.parameters[path].nearest(value) for path, value in params.items()} == params


@pytest.mark.parametrize("name", ["keras_tuner.random", "keras_tuner.bayesian", "keras_tuner.hyperband"])
def test_another_seed_is_another_study(name: str) -> None:
    assert Toy(spec(name)).run(4)[1:] != Toy(spec(name, seed=1)).run(4)[1:]


@pytest.mark.parametrize("default", [False, True])
@pytest.mark.parametrize("name", ["keras_tuner.random", "keras_tuner.grid"])
def test_random_and_grid_go_through_a_finite_space_once_and_end(name: str, default: bool) -> None:
    toy = Toy(spec(name, FINITE, default=default))
    params = toy.run(1000)
    assert len(params) == toy.source.wanted == 4 * (6 + 1)
    assert len({str(sorted(p.items())) for p in params}) == len(params)


@pytest.mark.parametrize("name", ["keras_tuner.random", "keras_tuner.grid", "keras_tuner.bayesian"])
def test_factors_that_are_rounded_to_the_same_make_one_configuration(name: str) -> None:
    pytest.importorskip("sklearn" if name.endswith("bayesian") else "optuna")
    factor = {"type": "categorical", "choices": [1.0, 0.95, 0.5], "factor_of": "generator.filters"}
    filters = {"type": "categorical", "choices": [4, 8, 12]}  # 95 % of 12 are 11, of 4 and 8 all
    toy = Toy(spec(name, {"generator.filters": filters, "discriminator.filters": factor}))
    made = [toy.space.to_config(params, seed=0) for params in toy.run(1000)]
    assert len(made) == toy.source.wanted == 7
    assert len({(config.generator.filters, config.discriminator.filters) for config in made}) == 7


def test_a_grid_of_whole_numbers_with_log_leaves_none_out() -> None:
    space = {"discriminator.filters": {"type": "int", "low": 4, "high": 64, "log": True}}
    assert {p["discriminator.filters"] for p in Toy(spec("keras_tuner.grid", space)).run(1000)} == set(range(4, 65))


@pytest.mark.parametrize("name", ORACLES)
def test_trials_under_way_failed_and_pruned_hold_nothing_up_and_are_not_proposed_again(name: str) -> None:
    toy = Toy(spec(name))
    for number in range(6):
        trial = toy.ask()
        toy.suggest(trial)
        if number % 3 == 0:
            toy.study.tell(trial, state=TrialState.FAIL)
        elif number % 3 == 1:
            trial.report(5.0, 1)
            toy.study.tell(trial, state=TrialState.PRUNED)
    for _ in range(6):
        toy.suggest(toy.ask())
    assert len({str(sorted(p.items())) for p in toy.params()}) == 12


def test_a_gaussian_process_that_is_sure_proposes_another_one() -> None:
    space = {"generator.filters": {"type": "int", "low": 4, "high": 32, "step": 4}}
    params = Toy(spec("keras_tuner.bayesian", space)).run(20)
    assert sorted(p["generator.filters"] for p in params) == [*range(4, 33, 4)]


def test_where_all_has_been_tried_an_endless_study_goes_on_with_repetitions() -> None:
    space = {"generator.normalization": FINITE["generator.normalization"]}
    assert len(Toy(spec("keras_tuner.bayesian", space)).run(6)) == 2
    params = Toy(spec("keras_tuner.bayesian", space, repeat_configurations=True)).run(6)
    assert {p["generator.normalization"] for p in params[:2]} == {"batch", "none"}
    assert len(params) == 6


def lessons(sign: int) -> list[optuna.trial.FrozenTrial]:
    """Complete and pruned trials, the best of them around 90."""
    distribution, trials = optuna.distributions.FloatDistribution(0, 300), []
    for number, weight in enumerate([0.0, 10.0, 40.0, 70.0, 120.0, 160.0, 220.0, 300.0]):
        value = (weight - 90) ** 2 * sign
        trial = optuna.create_trial(
            state=TrialState.COMPLETE if number % 2 else TrialState.PRUNED,
            value=value,
            params={"losses.l1_weight": weight},
            distributions={"losses.l1_weight": distribution},
            intermediate_values={1: value},
        )
        trial.number = number
        trials.append(trial)
    return trials


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1), ("maximize", -1)])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_gaussian_process_learns_from_complete_and_pruned_trials_also_of_other_studies(
    direction: str, sign: int, elsewhere: bool
) -> None:
    study_spec = spec("keras_tuner.bayesian", {"losses.l1_weight": {"type": "float", "low": 0, "high": 300}})
    learned = lessons(sign) if elsewhere else []
    sampler = make_sampler(study_spec, Space(study_spec.space, study_spec.train), learned=learned)
    study = optuna.create_study(sampler=sampler, direction=direction)
    study.add_trials([] if elsewhere else lessons(sign))
    assert 70 < study.ask().suggest_float("losses.l1_weight", 0, 300) < 120


def test_hyperband_trains_many_a_little_and_the_best_of_them_on_with_the_same_seed() -> None:
    toy = Toy(spec("keras_tuner.hyperband", default=False))
    epochs = [toy.train(toy.ask()) for _ in range(14)]
    assert epochs == [1] * 9 + [3] * 3 + [9] + [3]  # factor 3, 9 epochs: the first bracket whole, the second begun
    best = sorted(range(9), key=lambda number: toy.study.trials[number].value or 0)
    assert toy.params()[9:12] == [toy.params()[number] for number in best[:3]]
    assert [first_of(toy.study, number) for number in range(9, 13)] == [*best[:3], best[0]]
    seeds = [toy.source.seed(optuna.Trial(toy.study, trial._trial_id)) for trial in toy.study.trials]
    assert seeds == [*range(9), *best[:3], best[0], 13]
    states = [trial.state for trial in toy.study.trials]
    assert states == [TrialState.COMPLETE if e == EPOCHS else TrialState.PRUNED for e in epochs]


def test_hyperband_begins_another_bracket_rather_than_wait_for_trials_under_way() -> None:
    toy = Toy(spec("keras_tuner.hyperband", default=False))
    for _ in range(40):
        toy.suggest(toy.ask())
    brackets = [trial.system_attrs[NOTE]["bracket"] for trial in toy.study.trials]
    assert brackets == sorted(brackets)
    assert brackets[-1] > 2
    assert {trial.system_attrs[NOTE]["round"] for trial in toy.study.trials} == {0}
