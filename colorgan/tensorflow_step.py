"""The training step (`step.py`) as a TensorFlow graph. `tensorflow_backend.py` knows TensorFlow as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from colorgan.step import INITIAL_LOSS_SCALE, LOSS_SCALE_GROWTH_STEPS, Knobs, Networks, slot
from colorgan.tensorflow_backend import compiled


class Adam:
    """Adam whose learning rate and betas are inputs, for the variables of one network.

    Source: Kingma and Ba 2015, arXiv 1412.6980, in the form of its section 2's last paragraph.
    """

    def __init__(self, variables: Sequence[keras.Variable], *, name: str) -> None:
        self.trained = list(variables)
        self.updates = slot((), f"{name}_updates")
        self.first = [slot(v.shape, f"{name}_first_{i}") for i, v in enumerate(self.trained)]
        self.second = [slot(v.shape, f"{name}_second_{i}") for i, v in enumerate(self.trained)]

    @property
    def variables(self) -> list[keras.Variable]:
        """All state, in a fixed order."""
        return [self.updates, *self.first, *self.second]

    def apply(self, gradients: Sequence[Any], *, rate: Any, beta_1: Any, beta_2: Any, epsilon: Any) -> None:
        """Updates the network's variables in place."""
        self.updates.assign_add(1.0)
        updates = self.updates.value.read_value()
        beta_1_power, beta_2_power = tf.pow(beta_1, updates), tf.pow(beta_2, updates)
        for variable, first, second, gradient in zip(self.trained, self.first, self.second, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.value.handle,
                m=first.value.handle,
                v=second.value.handle,
                beta1_power=beta_1_power,
                beta2_power=beta_2_power,
                lr=rate,
                beta1=beta_1,
                beta2=beta_2,
                epsilon=epsilon,
                grad=tf.cast(gradient, tf.float32),
            )


class LossScale:
    """Keeps 16-bit gradients in range: scales the loss, and skips the update of a step whose gradients overflow.

    Source: Micikevicius et al. 2018, arXiv 1710.03740, section 3.2.
    """

    def __init__(self, *, name: str) -> None:
        self.scale = slot((), f"{name}_loss_scale")
        self.good_steps = slot((), f"{name}_good_steps")

    @property
    def variables(self) -> list[keras.Variable]:
        """All state, in a fixed order."""
        return [self.scale, self.good_steps]

    def apply(self, gradients: Sequence[Any], update: Callable[[Sequence[Any]], None]) -> None:
        """Calls `update` with unscaled gradients if all are finite, and adapts the scale."""
        unscaled = [tf.cast(gradient, tf.float32) / self.scale.value for gradient in gradients]
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(gradient)) for gradient in unscaled])
        tf.cond(finite, lambda: self._good(unscaled, update), self._overflow)

    def _good(self, gradients: Sequence[Any], update: Callable[[Sequence[Any]], None]) -> Any:
        update(gradients)
        grow = self.good_steps.value + 1.0 >= LOSS_SCALE_GROWTH_STEPS
        self.scale.value.assign(self.scale.value * tf.where(grow, 2.0, 1.0))
        self.good_steps.value.assign(tf.where(grow, 0.0, self.good_steps.value + 1.0))
        return tf.constant(True)

    def _overflow(self) -> Any:
        self.scale.value.assign(tf.maximum(self.scale.value / 2.0, 1.0))
        self.good_steps.value.assign(0.0)
        return tf.constant(False)


class TensorflowStep:
    """See `TrainStep`."""

    def __init__(self, networks: Networks) -> None:
        generator, discriminator, average = networks.generator, networks.discriminator, networks.average
        self._networks = networks
        self._averaged = list(zip(average.weights, generator.weights, strict=True)) if average else []
        self._generator_adam = Adam(generator.trainable_variables, name="generator")
        self._discriminator_adam = Adam(discriminator.trainable_variables, name="discriminator")
        precision = networks.config.precision
        scaled = precision.policy == "mixed_float16"
        self._scales = [LossScale(name="generator"), LossScale(name="discriminator")] if scaled else []
        self._compiled = compiled(self._step, precision)

    @property
    def variables(self) -> list[keras.Variable]:
        """All state, in a fixed order."""
        scales = [variable for scale in self._scales for variable in scale.variables]
        return [*self._generator_adam.variables, *self._discriminator_adam.variables, *scales]

    def reset(self) -> None:
        """Gives all state its initial value."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, dtype=variable.dtype))
        for scale in self._scales:
            scale.scale.assign(INITIAL_LOSS_SCALE)

    def __call__(self, photos: NDArray[np.uint8], knobs: Knobs) -> Any:
        """Trains on one batch and returns its losses."""
        return self._compiled(photos, knobs.array())

    def settle(self) -> None:
        """Has nothing to do: a graph updates variables in place."""

    def _step(self, photos: Any, knobs: Any) -> Any:
        k = Knobs(*tf.unstack(knobs))
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            losses = self._networks.losses(photos, k)
            scaled = self._scaled([losses.generator_total, losses.discriminator_total])
        self._update(k, generator_tape, discriminator_tape, scaled)
        self._move_average(k.moving_average)
        return ops.stack(losses)

    def _scaled(self, losses: list[Any]) -> list[Any]:
        if not self._scales:
            return losses
        return [loss * scale.scale.value for loss, scale in zip(losses, self._scales, strict=True)]

    def _update(self, k: Knobs, generator_tape: Any, discriminator_tape: Any, losses: list[Any]) -> None:
        jobs = (
            (self._generator_adam, generator_tape, k.generator_learning_rate, k.generator_beta_1),
            (self._discriminator_adam, discriminator_tape, k.discriminator_learning_rate, k.discriminator_beta_1),
        )
        gradients = [
            tape.gradient(loss, [v.value for v in adam.trained])
            for (adam, tape, _, _), loss in zip(jobs, losses, strict=True)
        ]  # both from the weights of this step's start, before either network moves
        for index, (adam, _, rate, beta_1) in enumerate(jobs):

            def update(finite: Sequence[Any], adam: Adam = adam, rate: Any = rate, beta_1: Any = beta_1) -> None:
                adam.apply(finite, rate=rate, beta_1=beta_1, beta_2=k.beta_2, epsilon=k.epsilon)

            if self._scales:
                self._scales[index].apply(gradients[index], update)
            else:
                update(gradients[index])

    def _move_average(self, decay: Any) -> None:
        for average, weight in self._averaged:
            tf.raw_ops.ResourceApplyGradientDescent(
                var=average.value.handle, alpha=1.0 - decay, delta=average.value - weight.value
            )
