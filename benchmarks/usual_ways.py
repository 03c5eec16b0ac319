"""The networks and the training step as TensorFlow's pix2pix tutorial has them, for lightness -> chroma.

Keras layers, Keras' BatchNormalization and Adam, a Python object a model, a `tf.function` with two gradient tapes. The
layer plan is that of colorgan's networks, so that both train the same thing. As `python -m benchmarks.usual_ways FOLDER
NUMBER` it trains one trial of a plan and prints the outcome: the process that a process per trial means.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.trial_plan import (
    BATCH_SIZE,
    CHROMA_LIMIT,
    DEPTH,
    DISCRIMINATOR_FILTERS,
    FILTERS,
    LEARNING_RATES,
    SIZE,
    Plan,
)

L1_WEIGHT, BETA_1, LEAK, KERNEL = 100.0, 0.5, 0.2, 4
DISCRIMINATOR_LEARNING_RATE = 2e-4
VALID_BATCH_SIZE = 32


@dataclass(frozen=True)
class Outcome:
    """What a trial took and found; the excess of the first step, which traces the graph, is not training."""

    train_seconds: float
    valid_seconds: float
    delta_e: float


class Pix2Pix:
    """Both networks, their optimizers and the compiled step."""

    def __init__(
        self, *, size: int, depth: int, filters: int, discriminator_filters: int, learning_rate: float
    ) -> None:
        self.generator = build_generator(size, depth, filters)
        self.discriminator = build_discriminator(size, discriminator_filters)
        self.generator_optimizer = keras.optimizers.Adam(learning_rate, beta_1=BETA_1)
        self.discriminator_optimizer = keras.optimizers.Adam(DISCRIMINATOR_LEARNING_RATE, beta_1=BETA_1)
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        self.train_step = tf.function(self._train_step)

    def _train_step(self, lightness: Any, chroma: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            generated = self.generator(lightness, training=True)
            on_real = self.discriminator([lightness, chroma], training=True)
            on_generated = self.discriminator([lightness, generated], training=True)
            l1 = tf.reduce_mean(tf.abs(chroma - generated))
            generator_loss = self.cross_entropy(tf.ones_like(on_generated), on_generated) + L1_WEIGHT * l1
            discriminator_loss = self.cross_entropy(tf.ones_like(on_real), on_real) + self.cross_entropy(
                tf.zeros_like(on_generated), on_generated
            )
        for tape, loss, network, optimizer in (
            (generator_tape, generator_loss, self.generator, self.generator_optimizer),
            (discriminator_tape, discriminator_loss, self.discriminator, self.discriminator_optimizer),
        ):
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return generator_loss, discriminator_loss


def build_generator(size: int, depth: int, filters: int) -> keras.Model:
    """Returns the U-Net: (batch, size, size, 1) -> (batch, size, size, 2)."""
    widths = [filters * min(2**block, 8) for block in range(depth)]
    inputs = keras.Input((size, size, 1))
    x, skips = inputs, []
    for block, width in enumerate(widths):
        x = _down(width, normalized=block not in (0, depth - 1))(x)
        skips.append(x)
    for width, skip in zip(reversed(widths[:-1]), reversed(skips[:-1]), strict=True):
        x = keras.layers.Concatenate()([_up(width)(x), skip])
    last = keras.layers.Conv2DTranspose(2, KERNEL, strides=2, padding="same", activation="tanh", **_initial())
    return keras.Model(inputs, last(x))


def build_discriminator(size: int, filters: int) -> keras.Model:
    """Returns the 70 x 70 PatchGAN: lightness and chroma -> logits."""
    lightness, chroma = keras.Input((size, size, 1)), keras.Input((size, size, 2))
    x = keras.layers.Concatenate()([lightness, chroma])
    for block in range(3):
        x = _down(filters * 2**block, normalized=block > 0)(x)
    x = keras.layers.ZeroPadding2D()(x)
    x = keras.layers.Conv2D(filters * 8, KERNEL, use_bias=False, **_initial())(x)
    x = keras.layers.LeakyReLU(LEAK)(keras.layers.BatchNormalization()(x))
    x = keras.layers.ZeroPadding2D()(x)
    return keras.Model([lightness, chroma], keras.layers.Conv2D(1, KERNEL, **_initial())(x))


def train_trial(plan: Plan, number: int, photos: dict[str, Any]) -> Outcome:
    """Builds a trial's networks, trains and validates them; `photos` is part -> lightness and chroma."""
    model = Pix2Pix(
        size=SIZE,
        depth=DEPTH,
        filters=FILTERS[number % len(FILTERS)],
        discriminator_filters=DISCRIMINATOR_FILTERS,
        learning_rate=LEARNING_RATES[number % len(LEARNING_RATES)],
    )
    lightness, chroma = photos["train"]
    order, seconds = np.random.default_rng(number).permutation(len(lightness)), []
    for step in range(plan.steps):
        batch = np.take(order, range(step * BATCH_SIZE, (step + 1) * BATCH_SIZE), mode="wrap")
        started = time.perf_counter()
        losses = model.train_step(lightness[batch], chroma[batch])
        _ = [float(loss) for loss in losses] if step == plan.steps - 1 else []
        seconds.append(time.perf_counter() - started)
    started = time.perf_counter()
    delta_e = validate(model.generator, *photos["valid"])
    later = seconds[1:] or seconds
    return Outcome(sum(later) / len(later) * plan.steps, time.perf_counter() - started, delta_e)


def validate(generator: keras.Model, lightness: Any, chroma: Any) -> float:
    """Returns the mean Delta E of all crops; as in the tutorial, with the statistics of each batch."""
    errors = []
    for start in range(0, len(lightness), VALID_BATCH_SIZE):
        part = slice(start, start + VALID_BATCH_SIZE)
        difference = (generator(lightness[part], training=True) - chroma[part]) * CHROMA_LIMIT
        errors.append(np.sqrt(np.sum(np.square(np.asarray(difference)), axis=-1)).mean(axis=(1, 2)))
    return float(np.concatenate(errors).mean())


def load_photos(plan: Plan) -> dict[str, Any]:
    """Returns part -> (lightness, chroma)."""
    return {part: plan.photos(part) for part in ("train", "valid")}


def _initial() -> dict[str, Any]:
    return {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.02)}


def _down(width: int, *, normalized: bool) -> keras.Sequential:
    """Returns a block that halves height and width."""
    convolve = keras.layers.Conv2D(width, KERNEL, strides=2, padding="same", use_bias=not normalized, **_initial())
    layers = [convolve, *([keras.layers.BatchNormalization()] if normalized else []), keras.layers.LeakyReLU(LEAK)]
    return keras.Sequential(layers)


def _up(width: int) -> keras.Sequential:
    """Returns a block that doubles height and width."""
    convolve = keras.layers.Conv2DTranspose(width, KERNEL, strides=2, padding="same", use_bias=False, **_initial())
    return keras.Sequential([convolve, keras.layers.BatchNormalization(), keras.layers.LeakyReLU(LEAK)])


if __name__ == "__main__":
    _plan = Plan.load(Path(sys.argv[1]))
    print(json.dumps(dataclasses.asdict(train_trial(_plan, int(sys.argv[2]), load_photos(_plan)))))
