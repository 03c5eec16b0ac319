"""Where one training run stands, without its networks: position, losses so far, results, and what each step is given.

A trainer trains the run whose progress it has been given; one that trains several at once keeps a progress for each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorgan.batches import Batch, Batches
from colorgan.config import TrainConfig
from colorgan.epoch import TRAIN_METRICS, EpochResult
from colorgan.photos import Photos, measured_crops
from colorgan.step import Knobs


class NonFiniteLossError(ArithmeticError):
    """A training loss became NaN or infinite; the message says at which step, which loss, and its value."""


class Progress:
    """One run between its start and its end.

    Attributes:
        config: The run's, its seed inside.
        photos: What it started with.
        batches: Which of them each step sees.
        step: Training steps done.
        epoch: Epochs done.
        history: Their results.
        loss_sums: Sum of each training loss over the steps of the epoch under way, in the order of TRAIN_METRICS.
        train_seconds: Time spent in these steps.
    """

    def __init__(self, config: TrainConfig, photos: Photos) -> None:
        """Stands at the run's start."""
        self.config, self.photos = config, photos
        self.step = self.epoch = 0
        self.history: list[EpochResult] = []
        self.loss_sums: NDArray[np.float64] = np.zeros(len(TRAIN_METRICS))
        self.train_seconds = 0.0
        self.batches = Batches(photos, config)

    @property
    def epoch_end(self) -> int:
        """The number of steps at which the epoch under way is done."""
        return (self.epoch + 1) * self.batches.steps_per_epoch

    @property
    def measured(self) -> NDArray[np.uint8]:
        """The crops that it is measured on at the end of the epoch under way.

        Raises:
            PhotosError: The photos have no such part.
        """
        return measured_crops(self.batches.photos(self.epoch), self.config)

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.config.schedule.epochs * self.batches.steps_per_epoch

    def batch(self) -> Batch:
        """Returns what the next step sees."""
        return self.batches.batch(self.step)

    def knobs(self) -> Knobs:
        """Returns the numbers of the next step, the schedule applied."""
        adam, losses, limit = self.config.optimizer, self.config.losses, self.config.validation.moving_average
        factor = self._decay()
        return Knobs(
            generator_learning_rate=adam.generator_learning_rate * factor,
            discriminator_learning_rate=adam.discriminator_learning_rate * factor,
            generator_beta_1=adam.generator_beta_1,
            discriminator_beta_1=adam.discriminator_beta_1,
            beta_2=adam.beta_2,
            epsilon=adam.epsilon,
            adversarial_weight=losses.adversarial_weight,
            l1_weight=losses.l1_weight,
            l2_weight=losses.l2_weight,
            label_smoothing=losses.label_smoothing,
            moving_average=min(limit or 0.0, (1 + self.step) / (10 + self.step)),
        )

    def take(self, losses: Iterable[NDArray[Any]], seconds: float) -> None:
        """Adds up the losses of the last steps done, each float (7,), which took so long together.

        Raises:
            NonFiniteLossError: One became NaN or infinite.
        """
        self.train_seconds += seconds
        rows = np.array(list(losses), dtype=np.float64)
        for offset, row in enumerate(rows):
            _check_finite(row, self.step - len(rows) + offset + 1)
            self.loss_sums += row

    def finish_epoch(
        self, metrics: dict[str, float], examples: NDArray[np.uint8] | None, valid_seconds: float
    ) -> EpochResult:
        """Returns the result of the epoch under way, with its training means, and begins the next."""
        means = self.loss_sums / self.batches.steps_per_epoch
        means_by_key = {metric.key: float(mean) for metric, mean in zip(TRAIN_METRICS, means, strict=True)}
        self.epoch += 1
        result = EpochResult(self.epoch, self.step, means_by_key | metrics, examples, self.train_seconds, valid_seconds)
        self.history.append(replace(result, examples=None))  # which are shown once, and large
        self.loss_sums, self.train_seconds = np.zeros(len(TRAIN_METRICS)), 0.0
        return result

    def _decay(self) -> float:
        schedule = self.config.schedule
        if schedule.decay == "constant":
            return 1.0
        done = self.step / self.total_steps
        return min(1.0, (1.0 - done) / (1.0 - schedule.decay_start))


def _check_finite(losses: NDArray[np.float64], step: int) -> None:
    for metric, value in zip(TRAIN_METRICS, losses, strict=True):
        if not math.isfinite(value):
            raise NonFiniteLossError(f"{metric.key} is {value} at step {step}; a lower learning rate may help")
