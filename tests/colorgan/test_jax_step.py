"""JAX's step as a pure function; `test_on_jax.py` runs it in a process of its own."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "jax":
    pytest.skip("of a process on JAX", allow_module_level=True)


import jax
import jax.numpy as jnp

from colorgan.blocks import initialize
from colorgan.config import parse_config
from colorgan.discriminator import build_discriminator
from colorgan.generator import build_generator
from colorgan.jax_step import JaxStep, LossScale, Moments, NetworkState, _adam, _Rates, _updated
from colorgan.step import INITIAL_LOSS_SCALE, Knobs, Networks

KNOBS = Knobs(1e-3, 1e-3, 0.5, 0.5, 0.999, 1e-7, 1.0, 100.0, 0.0, 0.0, 0.9)
PHOTOS = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)


def network(weight, scale=None):
    zero = jnp.zeros_like(weight)
    return NetworkState((weight,), (), Moments(jnp.float32(0.0), (zero,), (zero,)), scale)


def built(policy="float32", **generator):
    config = parse_config(
        {
            "data": {"size": 16},
            "generator": {"filters": 2, "depth": 2, "dropout": 0.5, **generator},
            "discriminator": {"filters": 2, "depth": 1},
            "schedule": {"batch_size": 2},
            "precision": {"policy": policy},
        }
    )
    generators = [build_generator(config.generator, size=16, policy=policy) for _ in range(2)]
    discriminator = build_discriminator(config.discriminator, size=16, policy=policy)
    return Networks(config, generators[0], discriminator, generators[1])


def state_of(networks, train_step, seed):
    """A state of its own memory, as many are used here."""
    for index, one in enumerate((networks.generator, networks.discriminator, networks.average)):
        initialize(one, seed=seed + index % 2, dropout=0.5)
    train_step.reset()
    return jax.tree.map(lambda place: jnp.array(place.value), train_step._places)


def test_adam_equals_keras_own():
    random = np.random.default_rng(0)
    ours, theirs = network(jnp.ones((3, 2))), keras.Variable(np.ones((3, 2), np.float32))
    reference = keras.optimizers.Adam(0.01, beta_1=0.5, beta_2=0.9, epsilon=1e-3)
    for _ in range(20):
        gradient = jnp.asarray(random.normal(size=(3, 2)), jnp.float32)
        ours = _adam(ours, (gradient,), _Rates(0.01, 0.5, 0.9, 1e-3))
        reference.apply([gradient], [theirs])
    assert np.allclose(ours.weights[0], theirs.value, atol=1e-6)


def test_a_loss_scale_skips_steps_that_overflow_and_shrinks_and_grows_in_the_end():
    before = network(jnp.ones(2), LossScale(jnp.float32(4.0), jnp.float32(1999.0)))
    rates = _Rates(0.01, 0.5, 0.9, 1e-3)
    skipped = _updated(before, (jnp.array([1.0, jnp.inf]),), rates)
    assert skipped.weights[0].tolist() == [1.0, 1.0]
    assert (float(skipped.adam.updates), *map(float, skipped.loss_scale)) == (0.0, 2.0, 0.0)
    after = _updated(before, (jnp.array([8.0, 8.0]),), rates)
    assert after.adam.first[0].tolist() == [1.0, 1.0]  # half of 8 / 4
    assert (float(after.adam.updates), *map(float, after.loss_scale)) == (1.0, 8.0, 0.0)


def test_16_bit_losses_are_scaled_by_less_until_their_gradients_fit():
    networks = built("mixed_float16")
    train_step = JaxStep(networks)
    generator, discriminator, _ = state_of(networks, train_step, 0)
    assert float(generator.loss_scale.scale) == float(discriminator.loss_scale.scale) == INITIAL_LOSS_SCALE
    for _ in range(6):  # an L1 weight of 100 times that does not fit
        assert np.isfinite(train_step(PHOTOS, KNOBS)).all()
    train_step.settle()
    updates, scale = train_step._places.generator.adam.updates, train_step._places.generator.loss_scale.scale
    skipped = np.log2(INITIAL_LOSS_SCALE / float(scale.value))
    assert 0 < skipped < 6
    assert float(updates.value) == 6 - skipped
    assert float(train_step._places.discriminator.adam.updates.value) == 6.0


def test_the_state_comes_back_to_the_variables_and_nothing_is_traced_twice():
    networks = built()
    train_step = JaxStep(networks)
    state_of(networks, train_step, 0)
    seeds = [np.array(v.value) for v in networks.generator.variables if v.name == "seed_generator_state"]
    for _ in range(3):
        train_step(PHOTOS, KNOBS)
        train_step.settle()
    after = [np.array(v.value) for v in networks.generator.variables if v.name == "seed_generator_state"]
    assert [b[1] - a[1] for a, b in zip(seeds, after, strict=True)] == [3] * len(seeds) != []
    assert float(train_step.variables[0].value) == 3.0
    assert train_step._program._cache_size() == 1
