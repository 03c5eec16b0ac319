"""A space asks Optuna for what is active, and makes of it the configuration that the study's author meant."""

import itertools

import optuna
import pytest

from colorgan.config import ConfigError, TrainConfig
from search.parameter import CategoricalParameter, FloatParameter, IntParameter
from search.space import Space
from search.space_mistakes import space_mistakes

BASE = TrainConfig().with_values({"data.size": 64, "generator.depth": 4})
RATE, FACTOR = "optimizer.generator_learning_rate", "optimizer.discriminator_learning_rate"
DROPOUT, NORM = "generator.dropout", "generator.normalization"
PARAMETERS = {
    FACTOR: CategoricalParameter(choices=(1.0, 0.1), factor_of=RATE),
    DROPOUT: FloatParameter(low=0.0, high=0.5, when={NORM: "batch", "generator.depth": [3, 4]}),
    RATE: FloatParameter(low=1e-4, high=1e-2, log=True),
    NORM: CategoricalParameter(choices=("batch", "none")),
    "generator.depth": IntParameter(low=3, high=5),
}


@pytest.fixture
def space() -> Space:
    return Space(PARAMETERS, BASE)


def suggest(space: Space, fixed: dict) -> dict:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(fixed)
    return space.suggest(study.ask())


@pytest.mark.parametrize(("normalization", "depth"), list(itertools.product(["batch", "none"], [3, 4, 5])))
def test_a_conditional_parameter_is_asked_for_only_where_all_its_conditions_hold(space, normalization, depth):
    params = suggest(space, {NORM: normalization, "generator.depth": depth})
    assert (DROPOUT in params) == (normalization == "batch" and depth < 5)
    dropout = space.to_config(params, seed=0).generator.dropout
    assert dropout == params.get(DROPOUT, BASE.generator.dropout)


def test_a_condition_on_an_inactive_parameter_does_not_hold():
    space = Space(
        {
            NORM: CategoricalParameter(choices=("batch", "none")),
            "generator.depth": IntParameter(low=3, high=4, when={NORM: "batch"}),
            DROPOUT: FloatParameter(low=0.0, high=0.5, when={"generator.depth": [3, 4]}),
        },
        BASE,
    )
    assert list(suggest(space, {NORM: "none"})) == [NORM]
    assert list(suggest(space, {NORM: "batch"})) == [NORM, "generator.depth", DROPOUT]


def test_parents_come_before_their_children_and_the_order_is_always_the_same(space):
    assert list(space.parameters) == [RATE, FACTOR, NORM, "generator.depth", DROPOUT]
    assert list(Space(PARAMETERS, BASE).parameters) == list(space.parameters)


def test_parameters_that_wait_for_each_other_are_refused():
    circle = {
        NORM: CategoricalParameter(choices=("batch",), when={"generator.depth": 3}),
        "generator.depth": IntParameter(low=3, high=4, when={NORM: "batch"}),
    }
    with pytest.raises(ConfigError, match="circle"):
        Space(circle, BASE)
    assert "circle" in space_mistakes(circle, BASE)[0].message


def test_a_factor_multiplies_the_others_value_searched_or_not():
    factor = {FACTOR: CategoricalParameter(choices=(1.0, 0.1), factor_of=RATE)}
    fixed = Space(factor, BASE).to_config({FACTOR: 0.1}, seed=0)
    assert fixed.optimizer.discriminator_learning_rate == pytest.approx(2e-5)
    searched = Space(PARAMETERS, BASE).to_config({RATE: 3e-3, FACTOR: 0.1}, seed=0)
    assert searched.optimizer.discriminator_learning_rate == pytest.approx(3e-4)
    assert searched.optimizer.generator_learning_rate == 3e-3


def test_a_factor_of_a_whole_number_gives_the_nearest_whole_number():
    parameters = {"discriminator.filters": FloatParameter(low=0.5, high=1.0, factor_of="generator.filters")}
    assert Space(parameters, BASE).to_config({"discriminator.filters": 0.6}, seed=0).discriminator.filters == 38


def test_a_whole_number_that_is_null_by_default_is_one_too_as_a_factor_and_of_a_factor():
    steps, batch = "schedule.steps_per_epoch", "schedule.batch_size"
    parameters = {steps: FloatParameter(low=0.5, high=2.0, factor_of=batch)}
    assert BASE.schedule.steps_per_epoch is None
    assert space_mistakes(parameters, BASE) == []
    assert Space(parameters, BASE).to_config({steps: 0.6}, seed=0).schedule.steps_per_epoch == 10
    assert Space(parameters, BASE).default_params()[1] == [
        f"{steps}: the default None lies outside the space; trial 0 takes 0.5"
    ]
    other = {steps: IntParameter(low=10, high=20), batch: FloatParameter(low=0.5, high=1.0, factor_of=steps)}
    assert space_mistakes(other, BASE) == []
    assert Space(other, BASE).to_config({steps: 10, batch: 0.84}, seed=0).schedule.batch_size == 8
    nothing = {**other, steps: CategoricalParameter(choices=(None, 10))}
    assert "is no finite number" in space_mistakes(nothing, BASE)[0].message


def test_factors_can_be_chained_and_their_whole_reach_is_tried():
    def chain(high: float) -> dict:
        return {
            "losses.l2_weight": FloatParameter(low=0.1, high=high, factor_of="losses.l1_weight"),
            "losses.l1_weight": FloatParameter(low=0.1, high=high, factor_of="losses.adversarial_weight"),
            "losses.adversarial_weight": FloatParameter(low=0.1, high=high),
        }

    params = dict.fromkeys(chain(1), 0.5)
    assert Space(chain(1), BASE).to_config(params, seed=0).losses.l2_weight == 0.125
    assert space_mistakes(chain(100), BASE) == []
    assert "at most 1000000" in space_mistakes(chain(101), BASE)[0].message


def test_a_trial_has_the_seed_it_is_given_and_keeps_what_is_not_searched(space):
    config = space.to_config({}, seed=17)
    assert config == BASE.with_values({"seed": 17})


def test_what_is_not_searched_is_refused_as_a_parameter(space):
    with pytest.raises(ConfigError, match=r"losses\.l1_weight: not searched"):
        space.to_config({"losses.l1_weight": 3.0}, seed=0)


def test_the_default_parameters_make_the_configuration_as_written(space):
    params, notes = space.default_params()
    assert space.to_config(params, seed=0) == BASE
    assert notes == []


def test_a_default_outside_the_space_becomes_the_nearest_and_is_reported():
    space = Space(
        {"losses.l1_weight": FloatParameter(low=1, high=10), NORM: CategoricalParameter(choices=("none",))}, BASE
    )
    params, notes = space.default_params()
    assert params == {"losses.l1_weight": 10.0, NORM: "none"}
    assert [note.split(":")[0] for note in notes] == ["losses.l1_weight", NORM]


def test_the_default_parameters_can_be_enqueued(space):
    params, _ = space.default_params()
    assert suggest(space, params) == params


def test_what_tensorboard_is_told_fits_what_trials_show(space):
    domains = {domain.name: domain for domain in space.hparams()}
    shown = space.shown(suggest(space, {NORM: "batch"}))
    assert set(shown) <= set(domains) == {space.label(path) for path in PARAMETERS}
    for name, value in shown.items():
        domain = domains[name]
        assert value in domain.values if domain.kind == "discrete" else domain.low <= value <= domain.high


def test_a_null_choice_is_shown_as_text():
    space = Space({"validation.moving_average": CategoricalParameter(choices=(None, 0.99))}, BASE)
    assert space.shown({"validation.moving_average": None}) == {"validation.moving_average": "null"}
    assert space.hparams()[0].values == ("null", "0.99")


def test_combinations_are_counted_without_those_that_differ_in_nothing_active():
    parameters = {**PARAMETERS, DROPOUT: FloatParameter(low=0, high=0.5, step=0.25, when={NORM: "batch"})}
    del parameters[RATE]
    assert Space(parameters, BASE).combinations() == 2 * 3 * (3 + 1)  # factor x depth x (dropout with batch + without)


def test_every_end_that_the_configuration_takes_alone_and_together_is_accepted(space):
    assert space_mistakes(PARAMETERS, BASE) == []
    for rate, depth in itertools.product((1e-4, 1e-2), (3, 4, 5)):
        space.to_config({RATE: rate, FACTOR: 0.1, "generator.depth": depth, NORM: "none"}, seed=0)


def test_a_default_that_no_trial_has_refuses_nothing():
    base = TrainConfig().with_values({"data.size": 64, "generator.depth": 4})
    parameters = {
        "generator.depth": CategoricalParameter(choices=(5, 6)),
        "losses.l1_weight": FloatParameter(low=1, high=2),
    }
    assert space_mistakes(parameters, base) == []
    mistakes = space_mistakes({**parameters, "generator.depth": CategoricalParameter(choices=(7, 8))}, base)
    assert all(mistake.keys[0] == "generator.depth" for mistake in mistakes)
    assert mistakes


def test_a_factor_is_not_mistaken_for_the_value_it_makes(space):
    tied = [path for path, parameter in space.parameters.items() if parameter.factor_of]
    assert tied
    assert all(space.label(path) == f"{path} (factor)" for path in tied)
    assert all(space.label(path) == path for path in space.parameters if path not in tied)
