"""What both networks are built of: normalization, activation, dropout, noise, and the initial weights.

The layers keep in variables what trials change (the dropout rate, the noise's deviation) and take their initial state
from `initialize`, so that a built network can be started anew without building it again.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from colorgan.backend import normalize_batch
from colorgan.config import Activation, Normalization

WEIGHT_STDDEV = 0.02  # pix2pix, section 6.2
BATCH_MOMENTUM = 0.9  # pix2pix reference implementation (0.1 of the new value)
EPSILON = 1e-5  # pix2pix reference implementation


@keras.saving.register_keras_serializable("colorgan")
class Normalize(keras.layers.Layer):  # type: ignore[misc]
    """Batch or instance normalization with learned scale and offset, computed in float32.

    Batch statistics are over photos and pixels, instance statistics over the pixels of one photo. Input and output:
    (batch, height, width, channels). Source: Ioffe and Szegedy 2015, arXiv 1502.03167; Ulyanov et al. 2016,
    arXiv 1607.08022.
    """

    def __init__(self, *, per_photo: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.per_photo = per_photo

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates scale and offset and, for batch normalization, the moving statistics."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")
        if not self.per_photo:
            kind: dict[str, Any] = {"shape": shape, "trainable": False, "autocast": False}
            self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **kind)
            self.moving_variance = self.add_weight(initializer="ones", name="moving_variance", **kind)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Normalizes; in training a batch layer also updates its moving statistics."""
        x, gamma, beta = (ops.cast(values, "float32") for values in (inputs, self.gamma, self.beta))
        if training and not self.per_photo:
            normalized, mean, variance = normalize_batch(x, gamma, beta, epsilon=EPSILON)
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance)
            return ops.cast(normalized, self.compute_dtype)
        if self.per_photo:
            mean, variance = ops.moments(x, axes=(1, 2), keepdims=True)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        scale = ops.rsqrt(variance + EPSILON) * gamma
        return ops.cast(x * scale + (beta - mean * scale), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs."""
        return {**super().get_config(), "per_photo": self.per_photo}

    @staticmethod
    def _move(statistic: keras.Variable, value: Any) -> None:
        statistic.assign(statistic + (value - statistic) * (1.0 - BATCH_MOMENTUM))


@keras.saving.register_keras_serializable("colorgan")
class Dropout(keras.layers.Layer):  # type: ignore[misc]
    """Dropout whose rate is a variable, so that trials with other rates share one built network.

    Source: Srivastava et al. 2014, JMLR 15.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial_rate = rate
        self.seed_generator = keras.random.SeedGenerator(0)

    def build(self, _: tuple[int | None, ...]) -> None:
        """Creates the rate."""
        constant = keras.initializers.Constant(self.initial_rate)
        self.rate = self.add_weight(shape=(), initializer=constant, name="rate", trainable=False, autocast=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Zeroes values with probability `rate` in training and scales the rest up; else returns its input."""
        if not training:
            return inputs
        keep = keras.random.uniform(ops.shape(inputs), dtype="float32", seed=self.seed_generator) >= self.rate
        return inputs * ops.cast(keep, inputs.dtype) / ops.cast(1.0 - self.rate, inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs."""
        return {**super().get_config(), "rate": self.initial_rate}


@keras.saving.register_keras_serializable("colorgan")
class NoiseChannel(keras.layers.Layer):  # type: ignore[misc]
    """Adds a channel of Gaussian noise, whose deviation is a variable, in training; outside it is zero, its mean.

    Input: (batch, height, width, channels). Source: the thesis of `config_parts.py`.
    """

    def __init__(self, deviation: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial_deviation = deviation
        self.seed_generator = keras.random.SeedGenerator(0)

    def build(self, _: tuple[int | None, ...]) -> None:
        """Creates the deviation."""
        kind: dict[str, Any] = {"name": "deviation", "trainable": False, "autocast": False}
        self.deviation = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(self.initial_deviation), **kind
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Returns the input with the noise as its last channel."""
        channel = ops.zeros_like(inputs[..., :1])
        if training:
            noise = keras.random.normal(ops.shape(channel), dtype="float32", seed=self.seed_generator)
            channel = ops.cast(noise * self.deviation, inputs.dtype)
        return ops.concatenate([inputs, channel], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs."""
        return {**super().get_config(), "deviation": self.initial_deviation}


@keras.saving.register_keras_serializable("colorgan")
class InitialKernel(keras.initializers.Initializer):  # type: ignore[misc]
    """N(0, 0.02), drawn with NumPy: JAX would compile a program of Keras' own for each shape, a second each."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Returns the same values for the same shape."""
        random = np.random.Generator(np.random.Philox(0))
        return ops.convert_to_tensor(random.standard_normal(shape, dtype=np.float32) * WEIGHT_STDDEV, dtype=dtype)


def normalize(x: Any, kind: Normalization, *, name: str, policy: str) -> Any:
    """Returns `x` normalized as configured."""
    if kind == "none":
        return x
    return Normalize(per_photo=kind == "instance", name=f"{name}_normalize", dtype=policy)(x)


def activate(x: Any, kind: Activation, *, leak: float, name: str, policy: str) -> Any:
    """Returns `x` after ReLU, or after leaky ReLU with slope `leak` below zero."""
    slope = leak if kind == "leaky_relu" else 0.0
    return keras.layers.LeakyReLU(negative_slope=slope, name=f"{name}_{kind}", dtype=policy)(x)


def initialize(network: keras.Model, *, seed: int, dropout: float = 0.0, noise: float = 0.0) -> None:
    """Gives all variables of a network their initial values, the same for the same seed.

    Kernels are N(0, 0.02), biases and offsets 0, scales 1, moving statistics those of a standard normal. Drawn with
    NumPy, so equal on every backend. Source: pix2pix, section 6.2; scales start at 1 where its reference
    implementation draws them from N(1, 0.02).

    Args:
        network: A built network.
        seed: Not negative.
        dropout: Rate for the network's `Dropout` layers.
        noise: Deviation for its `NoiseChannel`.
    """
    constants = {"bias": 0.0, "beta": 0.0, "gamma": 1.0, "moving_mean": 0.0, "moving_variance": 1.0}
    constants |= {"rate": dropout, "deviation": noise}
    for index, variable in enumerate(network.variables):
        stream = np.random.SeedSequence([seed, index])
        if variable.name == "kernel":
            random = np.random.Generator(np.random.Philox(stream))
            variable.assign(random.standard_normal(variable.shape, dtype=np.float32) * WEIGHT_STDDEV)
        elif variable.name == "seed_generator_state":
            variable.assign(stream.generate_state(2))
        else:
            variable.assign(np.full(variable.shape, constants[variable.name], dtype=np.float32))


def count_weights(network: keras.Model) -> int:
    """Returns the number of trainable weights of a network."""
    return sum(math.prod(weight.shape) for weight in network.trainable_weights)
