"""Everything that the thesis searched is one space here, with what only some values need searched only beside them."""

import optuna
import pytest

from colorgan.config import TrainConfig
from search.methods import make_sampler
from search.space import Space
from search.study import StudySpec, read_study

STUDY = """\
name: thesis
train:
  data: {size: 64, train_limit: 384, valid_limit: 64}
  generator: {dropout: 0.0}
  discriminator: {unstrided_blocks: 0}
  losses: {l1_weight: 0.0, label_smoothing: 0.0}
space:
  data.color_space: {type: categorical, choices: [lab, hsv]}
  generator.filters: {type: categorical, choices: [16, 32, 64]}
  generator.depth: {type: int, low: 4, high: 6}
  generator.normalization: {type: categorical, choices: [batch, instance]}
  generator.activation: {type: categorical, choices: [relu, leaky_relu]}
  generator.leak: {type: categorical, choices: [0.1, 0.2], when: {generator.activation: leaky_relu}}
  generator.dropout: {type: categorical, choices: [0.0, 0.25, 0.5]}
  generator.noise: {type: float, low: 0.0, high: 1.0, when: {generator.dropout: 0.0}}
  generator.split_decoders: {type: categorical, choices: [false, true]}
  discriminator.filters: {type: categorical, choices: [16, 32, 64]}
  discriminator.depth: {type: int, low: 3, high: 5} # the thesis' 4 to 6, which count the last layer
  discriminator.unstrided_blocks: {type: categorical, choices: [0, 1], when: {discriminator.depth: [3, 4]}}
  discriminator.normalization: {type: categorical, choices: [batch, instance]}
  discriminator.activation: {type: categorical, choices: [relu, leaky_relu]}
  discriminator.leak: {type: categorical, choices: [0.1, 0.2], when: {discriminator.activation: leaky_relu}}
  losses.adversarial: {type: categorical, choices: [bce, least_squares]}
  losses.label_smoothing: {type: float, low: 0.0, high: 0.2, when: {losses.adversarial: bce}}
  losses.l2_weight: {type: categorical, choices: [0.0, 100.0]}
  losses.l1_weight: {type: float, low: 1.0, high: 300.0, log: true, when: {losses.l2_weight: 0.0}}
  optimizer.generator_learning_rate: {type: float, low: 1.0e-5, high: 1.0e-2, log: true}
  optimizer.discriminator_learning_rate:
    {type: categorical, choices: [1.0, 0.1], factor_of: optimizer.generator_learning_rate}
  schedule.batch_size: {type: categorical, choices: [16, 32, 64]}
search: {trials: 64, sampler: {name: random}}
"""
ONLY_BESIDE = {
    "generator.leak": ("generator.activation", {"leaky_relu"}),
    "generator.noise": ("generator.dropout", {0.0}),
    "discriminator.unstrided_blocks": ("discriminator.depth", {3, 4}),
    "discriminator.leak": ("discriminator.activation", {"leaky_relu"}),
    "losses.label_smoothing": ("losses.adversarial", {"bce"}),
    "losses.l1_weight": ("losses.l2_weight", {0.0}),
}
SAMPLED = 300


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudySpec:
    path = tmp_path_factory.mktemp("study") / "thesis.yaml"
    path.write_text(STUDY)
    return read_study(path)


@pytest.fixture(scope="module")
def sampled(study: StudySpec) -> list[tuple[dict, TrainConfig]]:
    """Parameters as a search draws them, and the configurations that they make."""
    space = Space(study.space, study.train)
    trials = optuna.create_study(sampler=make_sampler(study, space))
    drawn = [space.suggest(trials.ask()) for _ in range(SAMPLED)]
    return [(params, space.to_config(params, seed=number)) for number, params in enumerate(drawn)]


def field(config: TrainConfig, path: str) -> object:
    value: object = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def test_every_combination_that_is_drawn_is_a_configuration_with_these_values(study, sampled):
    tied = "optimizer.discriminator_learning_rate"
    for params, config in sampled:
        assert all(field(config, path) == value for path, value in params.items() if path != tied)
        rates = config.optimizer
        assert rates.discriminator_learning_rate == params[tied] * rates.generator_learning_rate
        assert all(field(config, path) == field(study.train, path) for path in study.space if path not in params)


def test_what_only_some_values_need_is_searched_beside_them_alone(sampled):
    for path, (parent, values) in ONLY_BESIDE.items():
        found = {path in params for params, _ in sampled}
        assert found == {True, False}
        assert all((path in params) == (params[parent] in values) for params, _ in sampled)


def test_one_regularization_and_one_reconstruction_loss_at_a_time(sampled):
    for _, config in sampled:
        assert not (config.generator.dropout and config.generator.noise)
        assert (config.losses.l1_weight > 0) != (config.losses.l2_weight > 0)


def test_every_choice_of_the_thesis_is_drawn(study, sampled):
    for path, parameter in study.space.items():
        if (count := parameter.count()) is not None:
            assert len({params[path] for params, _ in sampled if path in params}) == count


def test_the_photos_that_all_trials_share_cannot_be_renewed_by_some():
    with pytest.raises(ValueError, match="must be measured on the same photos"):
        StudySpec.model_validate({"name": "s", "space": {"data.renew_epochs": {"type": "int", "low": 1, "high": 3}}})
