import math

import keras
import numpy as np
import pytest

from colorgan.blocks import initialize
from colorgan.color import lab_chroma, split_photo
from colorgan.config import GeneratorConfig
from colorgan.generator import DECODERS, build_generator, find_chroma


def trained_weights(network):
    return sum(math.prod(weight.shape) for weight in network.trainable_weights)


@pytest.mark.parametrize(("split", "weights"), [(False, 16_655_554), (True, 26_356_802)])
def test_the_papers_filters_at_depth_5_make_the_thesis_16_7_and_26_million_weights(split, weights):
    assert trained_weights(build_generator(GeneratorConfig(split_decoders=split), size=256)) == weights


def test_split_decoders_share_the_encoder_and_nothing_else():
    generator = build_generator(GeneratorConfig(filters=2, depth=3, split_decoders=True), size=16)
    initialize(generator, seed=0)
    lightness = np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype(np.float32)
    before = np.asarray(generator(lightness))
    assert before.shape == (2, 16, 16, 2)
    for layer, changed in (("first_up_2", [True, False]), ("second_up_1", [False, True]), ("down_1", [True, True])):
        initialize(generator, seed=0)
        kernel = generator.get_layer(layer).kernel
        kernel.assign(3.0 * kernel)
        after = np.asarray(generator(lightness))
        assert [not np.array_equal(after[..., i], before[..., i]) for i in range(2)] == changed


def test_each_split_decoder_is_a_whole_one_with_a_single_channel():
    def shapes(prefix, **split):
        generator = build_generator(GeneratorConfig(filters=2, depth=4, **split), size=16)
        layers = [layer for layer in generator.layers if layer.name.startswith(prefix)]
        return [(layer.name.removeprefix(prefix), *[w.shape for w in layer.weights]) for layer in layers]

    first, second = (shapes(f"{name}_up_", split_decoders=True) for name in DECODERS)
    assert first == second
    assert first[:-1] == shapes("up_")[:-1]
    assert first[-1] == ("0", (4, 4, 1, 4), (1,))


def test_noise_is_drawn_anew_in_training_and_is_zero_outside():
    generator = build_generator(GeneratorConfig(filters=2, depth=2, noise=0.3, dropout=0.0), size=16)
    initialize(generator, seed=0, noise=0.3)
    lightness = np.zeros((1, 16, 16, 1), np.float32)
    quiet = [np.asarray(generator(lightness, training=False)) for _ in range(2)]
    loud = [np.asarray(generator(lightness, training=True)) for _ in range(2)]
    assert np.array_equal(*quiet)
    assert not np.array_equal(*loud)
    initialize(generator, seed=0, noise=0.3)
    assert np.array_equal(np.asarray(generator(lightness, training=True)), loud[0])
    initialize(generator, seed=0, noise=0.0)
    assert np.allclose(np.asarray(generator(lightness, training=True)), quiet[0], atol=1e-6)


def test_noise_zero_leaves_the_channel_out():
    generator = build_generator(GeneratorConfig(filters=2, depth=2), size=16)
    assert generator.get_layer("down_0").kernel.shape[2] == 1
    noisy = build_generator(GeneratorConfig(filters=2, depth=2, noise=0.1), size=16)
    assert noisy.get_layer("down_0").kernel.shape[2] == 2
    assert noisy.input_shape == generator.input_shape


def test_what_is_found_in_lab_is_what_the_network_gives_and_in_hsv_its_colour():
    photos = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    generator = build_generator(GeneratorConfig(filters=2, depth=2), size=16)
    initialize(generator, seed=0)
    for space in ("lab", "hsv"):
        lightness, _ = split_photo(photos, space)
        expected = lab_chroma(lightness, generator(lightness), photos, space)
        assert np.array_equal(np.asarray(find_chroma(generator, photos, space)), np.asarray(expected))
    assert not np.array_equal(find_chroma(generator, photos, "lab"), find_chroma(generator, photos, "hsv"))


@pytest.mark.parametrize("size", [16, 48, 64])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_chroma_has_the_size_of_the_lightness_and_two_channels(size, depth):
    generator = build_generator(GeneratorConfig(filters=2, depth=depth), size=size)
    assert generator(np.zeros((3, size, size, 1), np.float32)).shape == (3, size, size, 2)


def test_a_generator_without_a_fixed_size_colours_any_multiple_of_its_depth():
    generator = build_generator(GeneratorConfig(filters=2, depth=3), size=None)
    assert generator(np.zeros((1, 16, 40, 1), np.float32)).shape == (1, 16, 40, 2)


def test_chroma_stays_between_minus_one_and_one_however_large_the_weights():
    generator = build_generator(GeneratorConfig(filters=4, depth=3), size=16)
    generator.set_weights([100.0 * np.ones_like(weight) for weight in generator.get_weights()])
    chroma = np.asarray(generator(np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype(np.float32)))
    assert np.all(np.abs(chroma) <= 1.0)


def test_channels_double_with_each_block_up_to_eight_times():
    generator = build_generator(GeneratorConfig(filters=4, depth=6), size=64)
    assert [generator.get_layer(f"down_{block}").filters for block in range(6)] == [4, 8, 16, 32, 32, 32]
    assert [generator.get_layer(f"up_{block}").filters for block in range(6)] == [2, 4, 8, 16, 32, 32]


def test_the_first_and_the_innermost_block_are_not_normalized():
    names = [layer.name for layer in build_generator(GeneratorConfig(filters=2, depth=4), size=32).layers]
    assert {name for name in names if name.startswith("down") and name.endswith("normalize")} == {
        "down_1_normalize",
        "down_2_normalize",
    }


@pytest.mark.parametrize(("depth", "blocks", "expected"), [(5, 3, 3), (3, 3, 2), (5, 1, 1), (5, 0, 0)])
def test_dropout_is_in_the_innermost_decoder_blocks(depth, blocks, expected):
    config = GeneratorConfig(filters=2, depth=depth, dropout=0.5, dropout_blocks=blocks)
    names = [layer.name for layer in build_generator(config, size=32).layers if layer.name.endswith("dropout")]
    assert names == [f"up_{block}_dropout" for block in range(depth - 1, depth - 1 - expected, -1)]


def test_dropout_zero_leaves_the_layers_out():
    generator = build_generator(GeneratorConfig(filters=2, depth=3, dropout=0.0), size=16)
    assert not [layer for layer in generator.layers if "dropout" in layer.name]


def test_relu_and_leaky_relu_differ_only_below_zero():
    lightness = np.random.default_rng(0).normal(size=(1, 16, 16, 1)).astype(np.float32)

    def colour(**activation):
        config = GeneratorConfig(filters=2, depth=2, normalization="none", dropout=0.0, **activation)
        generator = build_generator(config, size=16)
        initialize(generator, seed=3)
        return np.asarray(generator(lightness))

    assert np.array_equal(colour(activation="relu"), colour(activation="leaky_relu", leak=0.0))
    assert not np.array_equal(colour(activation="relu"), colour(activation="leaky_relu", leak=0.2))


def test_instance_normalization_keeps_photos_apart_and_batch_normalization_does_not():
    photos = np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype(np.float32)
    for kind, equal in (("instance", True), ("batch", False)):
        generator = build_generator(GeneratorConfig(filters=2, depth=3, normalization=kind, dropout=0.0), size=16)
        initialize(generator, seed=0)
        together, alone = generator(photos, training=True), generator(photos[:1], training=True)
        assert np.allclose(np.asarray(together)[0], np.asarray(alone)[0], atol=1e-6) is equal


def test_mixed_precision_computes_in_16_bit_and_keeps_weights_and_output_in_32():
    generator = build_generator(GeneratorConfig(filters=2, depth=2), size=16, policy="mixed_bfloat16")
    assert generator.get_layer("down_1").compute_dtype == "bfloat16"
    assert {variable.dtype for variable in generator.trainable_variables} == {"float32"}
    assert keras.backend.standardize_dtype(generator(np.zeros((1, 16, 16, 1), np.float32)).dtype) == "float32"


def test_a_saved_generator_is_loaded_in_safe_mode_to_the_same_colours(tmp_path):
    generator = build_generator(GeneratorConfig(filters=2, depth=3, noise=0.2, split_decoders=True), size=16)
    initialize(generator, seed=1, dropout=0.5, noise=0.2)
    generator.save(tmp_path / "generator.keras")
    loaded = keras.saving.load_model(tmp_path / "generator.keras", safe_mode=True)
    lightness = np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype(np.float32)
    assert np.array_equal(np.asarray(generator(lightness)), np.asarray(loaded(lightness)))
