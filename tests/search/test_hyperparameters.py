"""A space in KerasTuner's words, and back."""

from typing import Any

import pytest

from colorgan.config import TrainConfig
from search.hyperparameters import declare, to_params, to_values
from search.oracles import keras_tuner
from search.parameter import CategoricalParameter, FloatParameter, IntParameter
from search.space import Space

SPACE = Space(
    {
        "losses.l1_weight": FloatParameter(low=1, high=300, log=True),
        "generator.depth": IntParameter(low=3, high=5),
        "discriminator.filters": IntParameter(low=4, high=64, log=True),
        "generator.filters": IntParameter(low=8, high=32, step=8, when={"generator.depth": (4, 5)}),
        "generator.normalization": CategoricalParameter(choices=("batch", "none")),
        "generator.dropout": FloatParameter(low=0, high=0.5, step=0.1, when={"generator.normalization": ("batch",)}),
        "optimizer.discriminator_learning_rate": CategoricalParameter(
            choices=(1, 0.1), factor_of="optimizer.generator_learning_rate"
        ),
        "data.flip": CategoricalParameter(choices=(True, False)),
        "validation.moving_average": CategoricalParameter(choices=(None, 0.98, "1"), when={"data.flip": (True,)}),
    },
    TrainConfig(),
)


@pytest.fixture(scope="module")
def declared() -> Any:
    hyperparameters = keras_tuner().HyperParameters()
    declare(SPACE, hyperparameters)
    return hyperparameters


def test_each_parameter_is_declared_once_with_its_default(declared: Any) -> None:
    assert [hp.name for hp in declared.space] == list(SPACE.parameters)
    assert to_params(SPACE, declared.values) == SPACE.default_params()[0]


def test_conditions_stay_conditions(declared: Any) -> None:
    assert {hp.name: [(c.name, c.values) for c in hp.conditions] for hp in declared.space if hp.conditions} == {
        "generator.filters": [("generator.depth", [4, 5])],
        "generator.dropout": [("generator.normalization", ["batch"])],
        "validation.moving_average": [("data.flip", ["true"])],
    }


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize(
    "params",
    [
        {"losses.l1_weight": 1.0, "generator.depth": 3, "discriminator.filters": 64, "generator.normalization": "none",
         "optimizer.discriminator_learning_rate": 1, "data.flip": False},
        {"losses.l1_weight": 7.125, "generator.depth": 5, "discriminator.filters": 4, "generator.filters": 24,
         "generator.normalization": "batch", "generator.dropout": 0.3, "optimizer.discriminator_learning_rate": 0.1,
         "data.flip": True, "validation.moving_average": None},
        {"losses.l1_weight": 300.0, "generator.depth": 4, "discriminator.filters": 5, "generator.filters": 8,
         "generator.normalization": "batch", "generator.dropout": 0.0, "optimizer.discriminator_learning_rate": 0.1,
         "data.flip": True, "validation.moving_average": "1"},
    ],
)  # fmt: skip
def test_parameters_come_back_as_they_went(params: dict[str, Any], listed: bool) -> None:
    there = to_values(SPACE, params, listed=listed)
    back = to_params(SPACE, there, listed=listed)
    assert back == params
    assert [type(value) for value in back.values()] == [type(value) for value in params.values()]


@pytest.mark.parametrize(
    "path", ["generator.depth", "generator.filters", "generator.dropout", "generator.normalization"]
)
def test_kerastuner_draws_all_values_of_a_parameter_and_no_other(declared: Any, path: str) -> None:
    parameter, hp = SPACE.parameters[path], next(hp for hp in declared.space if hp.name == path)
    above = to_values(SPACE, {parent: values[0] for parent, values in parameter.when.items()})
    drawn = {to_params(SPACE, {**above, path: hp.prob_to_value(i / 1000)})[path] for i in range(1000)}
    assert drawn == set(parameter.values())


def test_one_beyond_the_end_is_the_end() -> None:
    assert to_params(SPACE, {"discriminator.filters": 65})["discriminator.filters"] == 64
