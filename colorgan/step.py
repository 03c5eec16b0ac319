"""One training step of both networks: what it computes, on any backend, and what the trainer knows of it.

Both networks are updated on each batch from the same forward pass: the generator by
adversarial_weight x adversarial + l1_weight x L1 + l2_weight x L2, the discriminator by its loss on real plus its loss
on generated photos (Isola et al. 2017, arXiv 1611.07004, section 3.1 and 3.3). What trials change is an input of the
compiled step (`Knobs`), so a built step serves all trials of its architecture. Gradients and updates are the
backend's: `tensorflow_step.py`, `jax_step.py`.

Differs from pix2pix: the discriminator's loss is not halved (its learning rate says the same).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from colorgan.color import split_photo
from colorgan.config import TrainConfig
from colorgan.losses import discriminator_loss, generator_loss, l1_loss, l2_loss

INITIAL_LOSS_SCALE = 2.0**15  # Keras' LossScaleOptimizer
LOSS_SCALE_GROWTH_STEPS = 2000  # Micikevicius et al. 2018, section 3.2


@dataclass(frozen=True)
class Knobs:
    """The inputs of a step that are numbers: what trials change and what a schedule changes.

    Attributes:
        moving_average: Decay of the moving average of the generator's weights at this step.
    """

    generator_learning_rate: float
    discriminator_learning_rate: float
    generator_beta_1: float
    discriminator_beta_1: float
    beta_2: float
    epsilon: float
    adversarial_weight: float
    l1_weight: float
    l2_weight: float
    label_smoothing: float
    moving_average: float

    def array(self) -> NDArray[np.float32]:
        """Returns the values in the order of the fields."""
        return np.array(dataclasses.astuple(self), dtype=np.float32)


class Losses(NamedTuple):
    """The losses of one batch, scalars, in the order of `colorgan.epoch.TRAIN_METRICS`."""

    adversarial: Any
    l1: Any
    l2: Any
    generator_total: Any
    discriminator_real: Any
    discriminator_fake: Any
    discriminator_total: Any


@dataclass(frozen=True)
class Networks:
    """What is trained.

    Attributes:
        config: What they were built from.
        average: Takes the moving average of the generator's weights; None where the configuration wants none.
    """

    config: TrainConfig
    generator: keras.Model
    discriminator: keras.Model
    average: keras.Model | None = None

    def losses(self, photos: Any, k: Knobs) -> Losses:
        """Returns the losses of a training batch of sRGB photos, uint8 (batch, size, size, 3)."""
        adversarial_loss = self.config.losses.adversarial
        lightness, real = split_photo(photos, self.config.data.color_space)
        generated = self.generator(lightness, training=True)
        on_real = self.discriminator([lightness, real], training=True)
        on_generated = self.discriminator([lightness, generated], training=True)
        adversarial = generator_loss(on_generated, adversarial_loss)
        l1, l2 = l1_loss(real, generated), l2_loss(real, generated)
        total = k.adversarial_weight * adversarial + k.l1_weight * l1 + k.l2_weight * l2
        loss_real, loss_fake = discriminator_loss(on_real, on_generated, adversarial_loss, k.label_smoothing)
        return Losses(adversarial, l1, l2, total, loss_real, loss_fake, loss_real + loss_fake)


class TrainStep(Protocol):
    """The compiled step of one backend and all state that only it changes: optimizer slots and loss scales.

    The networks' variables and `variables` hold the state before the first call, and again once `settle` is called.
    """

    @property
    def variables(self) -> list[keras.Variable]:
        """All state, in a fixed order."""

    def reset(self) -> None:
        """Gives all state its initial value."""

    def __call__(self, photos: Any, knobs: Knobs) -> Any:
        """Trains on one batch and returns its losses.

        Args:
            photos: sRGB, uint8 (batch, size, size, 3), as `backend.load_batch` returns them.
            knobs: The numbers of this step.

        Returns:
            An array of the backend, perhaps still being computed: the losses in the order of `Losses`.
        """

    def settle(self) -> None:
        """Lets the networks' variables and `variables` hold the state reached."""


def build_step(networks: Networks) -> TrainStep:
    """Returns the step of the backend that the networks were built with."""
    if keras.backend.backend() == "jax":
        from colorgan.jax_step import JaxStep

        return JaxStep(networks)
    from colorgan.tensorflow_step import TensorflowStep

    return TensorflowStep(networks)


def slot(shape: tuple[int, ...], name: str) -> keras.Variable:
    """Returns a variable of a step's own state."""
    return keras.Variable(np.zeros(shape, dtype=np.float32), trainable=False, name=name)
