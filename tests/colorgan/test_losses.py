"""Losses have their textbook values, at any logit and in any precision."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from keras import ops

from colorgan.losses import Adversarial, adversarial_loss, discriminator_loss, generator_loss, l1_loss, l2_loss


def value(loss: object) -> float:
    return float(ops.convert_to_numpy(loss))


@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_cross_entropy_at_logit_zero_is_ln_2_whatever_the_target(target: float) -> None:
    assert value(adversarial_loss(np.zeros((2, 3, 3, 1), np.float32), target, "bce")) == pytest.approx(math.log(2))


@pytest.mark.parametrize("target", [0.0, 0.9, 1.0])
def test_cross_entropy_is_that_of_the_sigmoid(target: float) -> None:
    logits = np.linspace(-8, 8, 64, dtype=np.float32).reshape(4, 4, 4, 1)
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    expected = -(target * np.log(p) + (1 - target) * np.log1p(-p)).mean()
    assert value(adversarial_loss(logits, target, "bce")) == pytest.approx(expected, rel=1e-6)


def test_cross_entropy_is_exact_where_a_sigmoid_would_saturate() -> None:
    for logit, target, expected in ((1e4, 1.0, 0.0), (1e4, 0.0, 1e4), (-1e4, 1.0, 1e4), (-1e4, 0.0, 0.0)):
        assert value(adversarial_loss(np.array([logit], np.float32), target, "bce")) == pytest.approx(expected)


def test_least_squares_is_the_mean_squared_distance_from_the_target() -> None:
    logits = np.array([[-1.0, 0.0], [1.0, 3.0]], np.float32)
    assert value(adversarial_loss(logits, 1.0, "least_squares")) == pytest.approx((4 + 1 + 0 + 4) / 4)
    assert value(adversarial_loss(logits, 0.0, "least_squares")) == pytest.approx((1 + 0 + 1 + 9) / 4)


@pytest.mark.parametrize("kind", ["bce", "least_squares"])
def test_the_generator_wins_what_the_discriminator_loses(kind: Adversarial) -> None:
    sure = np.full((2, 3, 3, 1), 1.0, np.float32)
    assert value(generator_loss(sure, kind)) < value(generator_loss(-sure, kind))
    _, tricked = discriminator_loss(sure, sure, kind, 0.0)
    _, right = discriminator_loss(sure, 0 * sure, kind, 0.0)
    assert value(tricked) > value(right)


@pytest.mark.parametrize("kind", ["bce", "least_squares"])
def test_smoothing_moves_the_real_target_and_leaves_the_generated_one(kind: Adversarial) -> None:
    logits = np.linspace(-2, 2, 8, dtype=np.float32)
    real, generated = discriminator_loss(logits, logits, kind, ops.convert_to_tensor(0.1))
    assert value(real) == pytest.approx(value(adversarial_loss(logits, 0.9, kind)))
    assert value(generated) == pytest.approx(value(adversarial_loss(logits, 0.0, kind)))
    assert value(generated) == pytest.approx(value(discriminator_loss(logits, logits, kind, 0.0)[1]))


def test_a_smoothed_discriminator_gains_nothing_from_being_surer_than_its_target() -> None:
    at_target = math.log(0.9 / 0.1)
    losses = [
        value(discriminator_loss(np.array([logit], np.float32), np.zeros(1, np.float32), "bce", 0.1)[0])
        for logit in (at_target - 1, at_target, at_target + 1)
    ]
    assert min(losses) == losses[1]


def test_l1_and_l2_are_means_over_everything() -> None:
    real = np.zeros((2, 4, 4, 2), np.float32)
    generated = real.copy()
    generated[0, ..., 0] = 0.5
    assert value(l1_loss(real, generated)) == pytest.approx(0.5 / 4)
    assert value(l2_loss(real, generated)) == pytest.approx(0.25 / 4)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_outputs_of_16_bit_networks_are_summed_in_32_bit(precision: str) -> None:
    many = ops.cast(np.full((8, 64, 64, 1), 2.0, np.float32), precision)  # a sum of 65,536 overflows float16
    losses = [
        generator_loss(many, "bce"), generator_loss(many, "least_squares"),
        *discriminator_loss(many, many, "bce", 0.1), l1_loss(many, -many), l2_loss(many, ops.zeros_like(many)),
    ]  # fmt: skip
    expected = [math.log1p(math.exp(-2)), 1.0, math.log1p(math.exp(2)) - 0.9 * 2, math.log1p(math.exp(2))]
    assert [keras.backend.standardize_dtype(loss.dtype) for loss in losses] == ["float32"] * 6
    np.testing.assert_allclose([value(loss) for loss in losses], [*expected, 4.0, 4.0], rtol=1e-4)
