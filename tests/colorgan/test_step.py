import numpy as np
import pytest
from keras import ops

from colorgan.blocks import initialize
from colorgan.config import parse_config
from colorgan.discriminator import build_discriminator
from colorgan.epoch import TRAIN_METRICS
from colorgan.generator import build_generator
from colorgan.step import Knobs, Networks, build_step

KNOBS = {
    "generator_learning_rate": 1e-3,
    "discriminator_learning_rate": 1e-3,
    "generator_beta_1": 0.5,
    "discriminator_beta_1": 0.5,
    "beta_2": 0.999,
    "epsilon": 1e-7,
    "adversarial_weight": 1.0,
    "l1_weight": 100.0,
    "l2_weight": 0.0,
    "label_smoothing": 0.0,
    "moving_average": 0.9,
}
PHOTOS = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def networks():
    config = parse_config(
        {
            "data": {"size": 16},
            "generator": {"filters": 2, "depth": 2, "dropout": 0.0},
            "discriminator": {"filters": 2, "depth": 1},
            "schedule": {"batch_size": 2},
        }
    )
    generator = build_generator(config.generator, size=16)
    discriminator = build_discriminator(config.discriminator, size=16)
    return config, generator, discriminator, build_step(Networks(config, generator, discriminator))


@pytest.fixture
def step(networks):
    """A step on networks in their initial state, which returns its losses by name."""
    _, generator, discriminator, train_step = networks
    initialize(generator, seed=0)
    initialize(discriminator, seed=1)
    train_step.reset()

    def train(**knobs):
        losses = np.asarray(train_step(PHOTOS, Knobs(**{**KNOBS, **knobs})))
        train_step.settle()
        return dict(zip([metric.key for metric in TRAIN_METRICS], losses.tolist(), strict=True))

    return train


def snapshot(network):
    return [ops.convert_to_numpy(variable).copy() for variable in network.trainable_variables]


def changed(before, network):
    return [not np.array_equal(a, b) for a, b in zip(before, snapshot(network), strict=True)]


def test_each_step_updates_every_weight_of_both_networks(step, networks):
    _, generator, discriminator, _ = networks
    before = snapshot(generator), snapshot(discriminator)
    step()
    assert all(changed(before[0], generator))
    assert all(changed(before[1], discriminator))


def test_the_learning_rates_are_separate(step, networks):
    _, generator, discriminator, _ = networks
    before = snapshot(generator), snapshot(discriminator)
    step(generator_learning_rate=0.0)
    assert not any(changed(before[0], generator))
    assert all(changed(before[1], discriminator))


def test_the_reported_losses_add_up(step):
    losses = step(adversarial_weight=2.0, l1_weight=10.0, l2_weight=3.0)
    expected = 2.0 * losses["train/generator_adversarial"] + 10.0 * losses["train/l1"] + 3.0 * losses["train/l2"]
    assert losses["train/generator_total"] == pytest.approx(expected, rel=1e-5)
    assert losses["train/discriminator_total"] == pytest.approx(
        losses["train/discriminator_real"] + losses["train/discriminator_fake"], rel=1e-5
    )


def test_an_undecided_discriminator_costs_ln_2(step):
    losses = step()  # initial weights of 0.02 give logits near 0
    for key in ("train/generator_adversarial", "train/discriminator_real", "train/discriminator_fake"):
        assert losses[key] == pytest.approx(np.log(2.0), abs=0.02)


def test_smoothing_touches_only_the_loss_on_real_photos(step, networks):
    _, generator, discriminator, train_step = networks
    plain = step()
    initialize(generator, seed=0)
    initialize(discriminator, seed=1)
    train_step.reset()
    smooth = step(label_smoothing=0.3)
    assert smooth["train/discriminator_fake"] == plain["train/discriminator_fake"]
    assert smooth["train/generator_adversarial"] == plain["train/generator_adversarial"]
    assert smooth["train/discriminator_real"] != plain["train/discriminator_real"]


def test_without_an_adversarial_weight_the_generator_ignores_the_discriminator(step, networks):
    _, generator, discriminator, train_step = networks
    step(adversarial_weight=0.0)
    alone = snapshot(generator)
    initialize(generator, seed=0)
    initialize(discriminator, seed=77)
    train_step.reset()
    step(adversarial_weight=0.0)
    assert not any(changed(alone, generator))
