import math

import keras
import numpy as np
import pytest

from colorgan.blocks import initialize
from colorgan.config import ConfigError, DiscriminatorConfig, parse_config
from colorgan.discriminator import build_discriminator, receptive_field


def test_each_logit_of_the_papers_settings_sees_70_pixels():
    assert receptive_field(DiscriminatorConfig()) == 70


@pytest.mark.parametrize(("depth", "field"), [(1, 16), (2, 34), (4, 142)])
def test_the_receptive_fields_are_the_papers(depth, field):
    assert receptive_field(DiscriminatorConfig(depth=depth)) == field


@pytest.mark.parametrize(("blocks", "field"), [(0, 46), (2, 94)])
def test_each_unstrided_block_widens_the_field(blocks, field):
    assert receptive_field(DiscriminatorConfig(unstrided_blocks=blocks)) == field


def test_without_unstrided_blocks_it_is_the_thesis_discriminator_of_0_66_million_weights():
    discriminator = build_discriminator(DiscriminatorConfig(unstrided_blocks=0), size=256)
    assert sum(math.prod(weight.shape) for weight in discriminator.trainable_weights) == 663_361
    convolutions = [layer for layer in discriminator.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [64, 128, 256, 1]
    assert discriminator.output_shape == (None, 31, 31, 1)


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_the_receptive_field_is_what_a_logit_reacts_to(blocks):
    """Disturbs one pixel after the other; a logit in the middle must react to exactly its field."""
    config = DiscriminatorConfig(
        filters=2, depth=2, normalization="none", activation="leaky_relu", unstrided_blocks=blocks
    )
    discriminator = build_discriminator(config, size=96)
    initialize(discriminator, seed=0)
    discriminator.set_weights([np.abs(weight) + 0.1 for weight in discriminator.get_weights()])
    lightness, chroma = np.zeros((96, 96, 96, 1), np.float32), np.zeros((96, 96, 96, 2), np.float32)
    lightness[np.arange(96), np.arange(96)] = 1.0  # photo i has one bright row
    logits = np.asarray(discriminator([lightness, chroma]))
    middle = logits.shape[1] // 2
    still = np.asarray(discriminator([lightness[:1] * 0, chroma[:1]]))[0, middle, middle, 0]
    assert np.count_nonzero(logits[:, middle, middle, 0] != still) == receptive_field(config)


def test_256_pixels_give_30_by_30_logits():
    assert build_discriminator(DiscriminatorConfig(filters=2), size=256).output_shape == (None, 30, 30, 1)


def test_the_papers_filters_make_2_8_million_weights():
    assert build_discriminator(DiscriminatorConfig(), size=256).count_params() == pytest.approx(2.77e6, rel=0.005)


def test_the_verdict_depends_on_lightness_and_on_chroma():
    discriminator = build_discriminator(DiscriminatorConfig(filters=4, depth=1), size=16)
    initialize(discriminator, seed=0)
    zeros, ones = np.zeros((1, 16, 16, 2), np.float32), np.ones((1, 16, 16, 2), np.float32)
    plain = np.asarray(discriminator([zeros[..., :1], zeros]))
    assert not np.array_equal(plain, discriminator([ones[..., :1], zeros]))
    assert not np.array_equal(plain, discriminator([zeros[..., :1], ones]))


@pytest.mark.parametrize("depth", [1, 3, 7])
@pytest.mark.parametrize("blocks", [0, 1, 4])
@pytest.mark.parametrize("kernel", range(2, 10))
def test_a_configuration_is_taken_where_its_discriminator_can_be_built_and_else_refused(kernel, blocks, depth):
    config = DiscriminatorConfig(filters=1, depth=depth, kernel=kernel, unstrided_blocks=blocks)
    sizes = range(8, 2048, 4)
    least = next(size for size in sizes if config.logits(size) >= 1)
    tree = {"generator": {"depth": 2}, "discriminator": config.model_dump()}
    for size in (least, least + 4, least + 2**depth // 4 * 4):
        side = config.logits(size)
        assert parse_config({**tree, "data": {"size": size}}).discriminator == config
        assert build_discriminator(config, size=size).output_shape == (None, side, side, 1)
    if least > sizes[0]:
        with pytest.raises(ConfigError, match=f"kernel {kernel} leave nothing of a {least - 4} px crop to judge"):
            parse_config({**tree, "data": {"size": least - 4}})
        with pytest.raises(ValueError, match="output"):
            build_discriminator(config, size=least - 4)
