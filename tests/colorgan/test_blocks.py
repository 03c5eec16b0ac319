import keras
import numpy as np
import pytest
from keras import ops

from colorgan.blocks import EPSILON, Dropout, NoiseChannel, Normalize, initialize
from colorgan.config import GeneratorConfig
from colorgan.generator import build_generator


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(3.0, 2.0, size=(4, 8, 8, 5)).astype(np.float32)


@pytest.mark.parametrize(("per_photo", "axes"), [(False, (0, 1, 2)), (True, (1, 2))])
def test_normalized_features_have_mean_0_and_variance_1(features, per_photo, axes):
    out = np.asarray(Normalize(per_photo=per_photo)(features, training=True))
    assert np.allclose(out.mean(axis=axes), 0.0, atol=1e-5)
    assert np.allclose(out.var(axis=axes), 1.0, atol=1e-3)


def test_batch_normalization_equals_keras_own(features):
    ours = Normalize(per_photo=False)
    theirs = keras.layers.BatchNormalization(momentum=0.9, epsilon=EPSILON)
    for _ in range(3):
        assert np.allclose(ours(features, training=True), theirs(features, training=True), atol=1e-5)
    assert np.allclose(ours(features, training=False), theirs(features, training=False), atol=1e-5)


def test_instance_normalization_equals_keras_own(features):
    theirs = keras.layers.GroupNormalization(groups=-1, epsilon=EPSILON)
    assert np.allclose(Normalize(per_photo=True)(features), theirs(features), atol=1e-5)


def test_dropout_zeroes_the_stated_share_and_keeps_the_mean():
    layer = Dropout(0.3)
    out = np.asarray(layer(np.ones((10, 100, 100, 1), np.float32), training=True))
    assert np.mean(out == 0.0) == pytest.approx(0.3, abs=0.01)
    assert out.mean() == pytest.approx(1.0, abs=0.01)


def test_dropout_does_nothing_outside_training():
    ones = np.ones((1, 4, 4, 1), np.float32)
    assert np.array_equal(Dropout(0.9)(ones, training=False), ones)


def test_the_rate_can_be_changed_after_building():
    layer = Dropout(0.5)
    layer.build((None, 4, 4, 1))
    layer.rate.assign(0.0)
    ones = np.ones((2, 4, 4, 1), np.float32)
    assert np.array_equal(layer(ones, training=True), ones)


def test_the_noise_is_normal_with_the_stated_deviation_in_a_channel_of_its_own(features):
    layer = NoiseChannel(0.5)
    found = np.asarray(layer(features, training=True))
    assert np.array_equal(found[..., :-1], features)
    assert not np.asarray(layer(features, training=False))[..., -1].any()
    noise = np.asarray(layer(np.zeros((10, 100, 100, 1), np.float32), training=True))[..., 1]
    assert noise.mean() == pytest.approx(0.0, abs=0.005)
    assert noise.std() == pytest.approx(0.5, rel=0.01)
    assert np.mean(np.abs(noise) > 1.0) == pytest.approx(0.0455, abs=0.002)  # not truncated
    layer.deviation.assign(0.0)
    assert not np.asarray(layer(features, training=True))[..., -1].any()


@pytest.fixture(scope="module")
def network():
    return build_generator(GeneratorConfig(filters=16, depth=4, dropout=0.5), size=32)


def test_kernels_are_drawn_from_a_normal_of_two_hundredths(network):
    initialize(network, seed=0)
    kernels = np.concatenate([np.ravel(v) for v in network.variables if v.name == "kernel"])
    assert kernels.mean() == pytest.approx(0.0, abs=1e-4)
    assert kernels.std() == pytest.approx(0.02, rel=0.01)
    assert np.mean(np.abs(kernels) > 0.04) == pytest.approx(0.0455, abs=0.002)  # not truncated


def test_the_same_seed_gives_the_same_state_and_another_another(network):
    def state(seed):
        initialize(network, seed=seed, dropout=0.2)
        return [ops.convert_to_numpy(variable).copy() for variable in network.variables]

    first, other, again = state(0), state(1), state(0)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    kernels = [i for i, v in enumerate(network.variables) if v.name in ("kernel", "seed_generator_state")]
    assert all(not np.array_equal(first[i], other[i]) for i in kernels)


def test_no_two_layers_share_their_draws(network):
    initialize(network, seed=0)
    seeds = [tuple(ops.convert_to_numpy(v)) for v in network.variables if v.name == "seed_generator_state"]
    starts = [float(np.ravel(v)[0]) for v in network.variables if v.name == "kernel"]
    assert len(set(seeds)) == len(seeds) > 1
    assert len(set(starts)) == len(starts)


def test_initializing_undoes_training(network):
    initialize(network, seed=0, dropout=0.1)
    before = [ops.convert_to_numpy(variable).copy() for variable in network.variables]
    network(np.random.default_rng(0).normal(size=(2, 32, 32, 1)).astype(np.float32), training=True)
    assert any(not np.array_equal(a, b) for a, b in zip(before, network.variables, strict=True))
    initialize(network, seed=0, dropout=0.1)
    assert all(np.array_equal(a, b) for a, b in zip(before, network.variables, strict=True))
