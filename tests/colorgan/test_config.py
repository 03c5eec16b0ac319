"""A configuration is complete, frozen and checked; its mistakes are told in plain words, with file and line."""

import pytest
from pydantic import ValidationError

from colorgan.config import ConfigError, GeneratorConfig, TrainConfig, load_config, parse_config


def test_the_defaults_are_the_papers():
    config = TrainConfig()
    assert (config.generator.filters, config.discriminator.filters, config.generator.kernel) == (64, 64, 4)
    assert (config.optimizer.generator_learning_rate, config.optimizer.generator_beta_1) == (2e-4, 0.5)
    assert (config.losses.adversarial, config.losses.l1_weight) == ("bce", 100.0)


def test_a_configuration_survives_its_own_yaml(tmp_path):
    config = TrainConfig().with_values(
        {"data.photos": "1e5", "optimizer.epsilon": 1e-8, "data.train_limit": 7, "validation.moving_average": None}
    )
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert load_config(path) == config


def test_an_empty_file_is_the_default_configuration_and_a_list_is_none(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("# nothing\n")
    assert load_config(path) == TrainConfig()
    path.write_text("[]\n")
    with pytest.raises(ConfigError, match="must be a mapping"):
        load_config(path)


def test_a_configuration_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        TrainConfig().generator.filters = 3


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (
            {"generator": {"filers": 3}},
            "generator.filers: unknown key; did you mean filters?; allowed are filters, depth",
        ),
        ({"generater": {}}, "generater: unknown key; did you mean generator?; allowed are data, generator"),
        ({"generator": {"filters": "3"}}, "generator.filters: must be a whole number; received '3'"),
        ({"generator": {"filters": 3.0}}, "generator.filters: must be a whole number; received 3.0"),
        ({"generator": {"filters": 0}}, "generator.filters: must be at least 1; received 0"),
        ({"generator": {"filters": 513}}, "generator.filters: must be at most 512; received 513"),
        (
            {"generator": {"activation": "tanh"}},
            "generator.activation: must be 'relu' or 'leaky_relu'; received 'tanh'",
        ),
        ({"generator": 3}, "generator: must be a mapping, `key: value`; received 3"),
        ({"generator": None}, "generator: must be a mapping, `key: value`; received null"),
        ({"losses": {"l1_weight": None}}, "losses.l1_weight: must be a number; received null"),
        ({"losses": {"l1_weight": float("nan")}}, "losses.l1_weight: must be a finite number; received nan"),
        ({"generator": {"dropout": 0.99999999}}, "dropout: must be at most 0.999999; received 0.99999999"),
        ({"optimizer": {"beta_2": 1.0}}, "optimizer.beta_2: must be at most 0.999999; received 1.0"),
        ({"optimizer": {"epsilon": 0}}, "optimizer.epsilon: must be at least 1e-30; received 0"),
        ({"schedule": {"decay_start": 1.0}}, "schedule.decay_start: must be less than 1.0; received 1.0"),
        ({"optimizer": {"generator_learning_rate": 0}}, "learning_rate: must be more than 0.0; received 0"),
        ({"data": {"flip": 1}}, "data.flip: must be true or false; received 1"),
        ({"data": {"photos": ""}}, "data.photos: must not be empty"),
        ({"data": {"photos": 3}}, "data.photos: must be text; received 3"),
        ({"data": {"crop_scales": 1.0}}, "data.crop_scales: must be a list, `[a, b]`; received 1.0"),
        ({"data": {"crop_scales": []}}, "data.crop_scales: must not be empty"),
        ({"data": {"crop_scales": [1.0, "2"]}}, "data.crop_scales.1: must be a number; received '2'"),
        ({"data": {"train_limit": 0}}, "data.train_limit: must be at least 1; received 0"),
        ({"schedule": {"steps_per_epoch": 1.5}}, "schedule.steps_per_epoch: must be a whole number; received 1.5"),
        ({"data": {"valid_fraction": 0.5, "confirm_fraction": 0.5}}, "data: valid_fraction 0.5 + confirm_fraction 0.5"),
        ({"data": {"renew_epochs": 3}}, "data: renew_epochs 3 has no new photos to take"),
        ({"data": {"renew_epochs": 0, "train_limit": 3}}, "data.renew_epochs: must be at least 1; received 0"),
        ({"data": {"color_space": "rgb"}}, "data.color_space: must be 'lab' or 'hsv'; received 'rgb'"),
        ({"generator": {"noise": -1.0}}, "generator.noise: must be at least 0.0; received -1.0"),
        ({"discriminator": {"unstrided_blocks": 5}}, "unstrided_blocks: must be at most 4; received 5"),
        ({"data": {"size": 100}}, "Use data.size 96 or 128, or a smaller depth"),
    ],
)
def test_a_mistake_is_told_in_one_plain_line(tree, words):
    with pytest.raises(ConfigError) as refused:
        parse_config(tree, source="here")
    message = str(refused.value)
    assert words in message
    assert message.startswith("here: ")
    assert len(message.splitlines()) == 1


def test_all_mistakes_of_a_file_are_told_each_with_its_line(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("generator:\n  filters: 0\n  depth: deep\nlosses: {l1: 3}\n")
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    starts = [": ".join(line.split(": ")[:2]) for line in str(refused.value).splitlines()]
    assert starts == [f"{path}:2: generator.filters", f"{path}:3: generator.depth", f"{path}:4: losses.l1"]


def test_a_file_that_is_no_yaml_or_not_there_is_a_configuration_error(tmp_path):
    path = tmp_path / "config.yaml"
    with pytest.raises(ConfigError, match="no such file"):
        load_config(path)
    path.write_text("a: 1\na: 2")
    with pytest.raises(ConfigError, match="the same key"):
        load_config(path)


def test_fields_are_replaced_by_path_and_checked():
    config = TrainConfig().with_values({"generator.filters": 16, "seed": 3})
    assert (config.generator.filters, config.seed) == (16, 3)
    assert config.discriminator == TrainConfig().discriminator
    base = TrainConfig()
    assert base.with_values({"generator.filters": 16}).data is base.data  # thousands of trials share what is not theirs
    for values, words in [
        ({"generator.size": 1}, "generator.size: no such field"),
        ({"generator": 1}, "generator: no such field"),
        ({"seed.x": 1}, "seed.x: no such field"),
        ({"generator.filters": -1}, "must be at least 1"),
    ]:
        with pytest.raises(ConfigError, match=words):
            TrainConfig().with_values(values)


@pytest.mark.parametrize(
    ("values", "same"),
    [
        ({"seed": 5, "optimizer.generator_learning_rate": 1e-3, "losses.l1_weight": 3.0}, True),
        ({"schedule.epochs": 3, "data.photos": "elsewhere", "losses.label_smoothing": 0.1}, True),
        ({"generator.dropout": 0.3}, True),
        ({"generator.dropout": 0.0}, False),
        ({"generator.noise": 0.1}, False),
        ({"generator.split_decoders": True}, False),
        ({"discriminator.unstrided_blocks": 0}, False),
        ({"data.color_space": "hsv"}, False),
        ({"data.train_limit": 5, "data.renew_epochs": 2}, True),
        ({"generator.filters": 32}, False),
        ({"discriminator.normalization": "none"}, False),
        ({"losses.adversarial": "least_squares"}, False),
        ({"schedule.batch_size": 8}, False),
        ({"precision.policy": "mixed_bfloat16"}, False),
        ({"validation.moving_average": None}, False),
    ],
)
def test_one_built_trainer_serves_what_has_the_same_architecture(values, same):
    assert (TrainConfig().architecture() == TrainConfig().with_values(values).architecture()) is same


def test_the_deviation_of_noise_is_fed_to_the_graph():
    few, more = (TrainConfig().with_values({"generator.noise": noise}) for noise in (0.1, 0.5))
    assert few.architecture() == more.architecture() != TrainConfig().architecture()


def test_each_field_says_what_it_is():
    fields = GeneratorConfig.model_fields
    assert all(field.description for field in fields.values())


@pytest.mark.parametrize(
    ("values", "goes_on"),
    [
        ({}, True),
        ({"schedule.epochs": 7}, True),
        ({"schedule.epochs": 7, "losses.l1_weight": 1.0}, False),
        ({"seed": 1}, False),
        ({"schedule.decay": "linear"}, False),
    ],
)
def test_a_run_goes_on_as_one_that_differs_in_its_length_alone(values, goes_on):
    config = parse_config({})
    assert config.continues_as(config.with_values(values)) is goes_on


def test_a_schedule_that_ends_with_the_run_fixes_its_length():
    config = parse_config({"schedule": {"decay": "linear"}})
    assert not config.continues_as(config.with_values({"schedule.epochs": 7}))
