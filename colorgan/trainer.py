"""Training one pix2pix GAN: builds the networks once, then trains them for any number of runs of one architecture.

A run is a function of its configuration and seed: on one CPU thread the same numbers to the last bit, whether the
trainer is new or has trained a hundred runs before, and whether the run was interrupted or not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from colorgan.backend import compiled
from colorgan.backend_choice import check_imported
from colorgan.batches import Batches
from colorgan.blocks import initialize
from colorgan.checkpoint import Checkpoint, CheckpointError
from colorgan.config import TrainConfig
from colorgan.discriminator import build_discriminator
from colorgan.epoch import TRAIN_METRICS, EpochResult
from colorgan.folder import PhotosError
from colorgan.generator import build_generator, find_chroma
from colorgan.photos import Photos
from colorgan.step import Knobs, Networks, build_step
from colorgan.validation import Validator

PAUSE_SECONDS = 0.5  # between two pauses; a caller reacts to a stop within it


class NonFiniteLossError(ArithmeticError):
    """A training loss became NaN or infinite; the message says at which step, which loss, and its value."""


class Trainer:
    """The networks, the compiled step and the state of one run.

    The caller takes results from `epochs` for as long as it wants the run to go on.
    """

    def __init__(self, config: TrainConfig, photos: Photos, *, validator: Validator | None = None) -> None:
        """Builds and compiles the networks for the configuration's architecture and starts its run.

        Args:
            config: Checked configuration.
            photos: Crops of side `config.data.size`.
            validator: One to share between trainers of equal validation batch size and precision.

        Raises:
            BackendError: Keras computes with another backend than the configuration's.
        """
        check_imported(config.backend)
        self.architecture = config.architecture()
        policy, size = config.precision.policy, config.data.size
        self.generator = build_generator(config.generator, size=size, policy=policy)
        self.discriminator = build_discriminator(config.discriminator, size=size, policy=policy)
        averaged = config.validation.moving_average is not None
        self._average = build_generator(config.generator, size=size, policy=policy) if averaged else None
        self._train_step = build_step(Networks(config, self.generator, self.discriminator, self._average))
        self.validator = validator or Validator(batch_size=config.validation.batch_size, precision=config.precision)
        self._predict = compiled(self._colour, config.precision, self.best_generator.variables)
        self.photos = photos
        self.reset(config)
        self._warm_up()
        self.reset(config)

    @property
    def best_generator(self) -> keras.Model:
        """The generator that is validated and used: the moving average if there is one."""
        return self._average or self.generator

    @property
    def parameters(self) -> int:
        """Number of trainable weights of the generator."""
        return sum(math.prod(variable.shape) for variable in self.generator.trainable_variables)

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.config.schedule.epochs * self._steps_per_epoch

    @property
    def measured(self) -> NDArray[np.uint8]:
        """The crops that the run is measured on, as long as they are not renewed.

        Raises:
            PhotosError: The photos have no such part.
        """
        return self._measured(self.photos)

    def _measured(self, photos: Photos) -> NDArray[np.uint8]:
        part = self.config.validation.part
        crops: NDArray[np.uint8] = getattr(photos, part)
        if not len(crops):
            raise PhotosError(
                f"data.photos: {self.config.data.photos}: no photos to {part}; raise data.{part}_fraction"
            )
        return crops

    def reset(self, config: TrainConfig, seed: int | None = None, *, photos: Photos | None = None) -> None:
        """Starts a new run without building or tracing anything.

        Args:
            config: Of the architecture this trainer was built for.
            seed: Replaces the configuration's own.
            photos: Replaces the photos of the run before.

        Raises:
            ValueError: The configuration needs another architecture.
        """
        if config.architecture() != self.architecture:
            raise ValueError("this trainer was built for another architecture; build a new one")
        self.config = config if seed is None else config.with_values({"seed": seed})
        self.photos = photos or self.photos
        seed, parts = self.config.seed, config.generator
        initialize(self.generator, seed=2 * seed, dropout=parts.dropout, noise=parts.noise)
        initialize(self.discriminator, seed=2 * seed + 1)
        self._train_step.reset()
        if self._average:
            _copy(self.generator.weights, self._average.weights)
        self.step = self.epoch = 0
        self.history: list[EpochResult] = []
        self._loss_sums, self._train_seconds = np.zeros(len(TRAIN_METRICS)), 0.0
        self._batches = Batches(self.photos, self.config)
        self._steps_per_epoch = self._batches.steps_per_epoch

    def epochs(self) -> Iterator[EpochResult]:
        """Trains, and yields the result of each epoch, until the schedule's end.

        Raises:
            NonFiniteLossError: A loss became NaN or infinite.
        """
        return (result for result in self.pauses() if result is not None)

    def pauses(self) -> Iterator[EpochResult | None]:
        """As `epochs`, and yields None about every half second in between, where the state may be saved."""
        while self.epoch < self.config.schedule.epochs:
            end = (self.epoch + 1) * self._steps_per_epoch
            while self.step < end:
                self._train_until(end)
                if self.step < end:
                    yield None
            yield self._finish_epoch()

    def save(self, path: Path) -> None:
        """Writes a checkpoint; allowed wherever `epochs` or `pauses` has yielded."""
        arrays = {name: ops.convert_to_numpy(variable) for name, variable in self._variables().items()}
        Checkpoint(
            self.config,
            self.step,
            self.epoch,
            tuple(self._loss_sums.tolist()),
            self._train_seconds,
            tuple(self.history),
            arrays,
        ).save(path)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continues the checkpoint's run as if it had never been interrupted.

        Raises:
            ValueError: It is of another architecture.
            CheckpointError: It does not hold this trainer's variables.
        """
        self.reset(checkpoint.config)
        variables = self._variables()
        if {name: tuple(v.shape) for name, v in variables.items()} != {
            name: array.shape for name, array in checkpoint.arrays.items()
        }:
            raise CheckpointError("the checkpoint's variables are not those of its configuration; another version's?")
        for name, variable in variables.items():
            variable.assign(checkpoint.arrays[name])
        self.step, self.epoch, self.history = checkpoint.step, checkpoint.epoch, list(checkpoint.history)
        self._loss_sums, self._train_seconds = np.array(checkpoint.loss_sums), checkpoint.train_seconds

    def _warm_up(self) -> None:
        """Traces and compiles all graphs, so that no run's first epoch pays for it."""
        self._train_step(self._batches.batch(0), self._knobs(0))
        self._train_step.settle()
        self.validator.measure(self.measured[:1], self._predict)
        self.validator.examples(self.measured[:1], self._predict, count=1)

    def _variables(self) -> dict[str, keras.Variable]:
        groups: dict[str, list[keras.Variable]] = {
            "generator": self.generator.variables,
            "discriminator": self.discriminator.variables,
            "average": self._average.weights if self._average else [],
            "step": self._train_step.variables,
        }
        return {f"{group}/{i}/{v.name}": v for group, vs in groups.items() for i, v in enumerate(vs)}

    def _train_until(self, end: int) -> None:
        """Trains for about `PAUSE_SECONDS`, at least one step and at most to step `end`, and adds up the losses."""
        losses: list[Any] = []
        started, first = time.perf_counter(), self.step
        while self.step < end and (not losses or time.perf_counter() - started < PAUSE_SECONDS):
            losses.append(self._train_step(self._batches.batch(self.step), self._knobs(self.step)))
            self.step += 1
        values = np.array([np.asarray(loss) for loss in losses], dtype=np.float64)
        self._train_step.settle()
        self._train_seconds += time.perf_counter() - started
        for offset, row in enumerate(values):
            _check_finite(row, first + offset + 1)
            self._loss_sums += row

    def _finish_epoch(self) -> EpochResult:
        self.epoch += 1
        means = self._loss_sums / self._steps_per_epoch
        metrics = {metric.key: float(mean) for metric, mean in zip(TRAIN_METRICS, means, strict=True)}
        started, last = time.perf_counter(), self.epoch == self.config.schedule.epochs
        plan, examples = self.config.validation, None
        photos = self._measured(self._batches.photos(self.epoch - 1))
        if last or self.epoch % plan.epochs == 0:
            metrics |= self.validator.measure(photos, self._predict)
        if plan.examples and (last or self.epoch == 1 or self.epoch % plan.example_epochs == 0):
            examples = self.validator.examples(photos, self._predict, count=plan.examples)
        valid_seconds = time.perf_counter() - started
        result = EpochResult(self.epoch, self.step, metrics, examples, self._train_seconds, valid_seconds)
        self.history.append(result)
        self._loss_sums, self._train_seconds = np.zeros(len(TRAIN_METRICS)), 0.0
        return result

    def _knobs(self, step: int) -> Knobs:
        """Returns the numbers of a step, the schedule applied."""
        adam, losses, limit = self.config.optimizer, self.config.losses, self.config.validation.moving_average
        factor = self._decay(step)
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
            moving_average=min(limit or 0.0, (1 + step) / (10 + step)),
        )

    def _decay(self, step: int) -> float:
        schedule = self.config.schedule
        if schedule.decay == "constant":
            return 1.0
        done = step / self.total_steps
        return min(1.0, (1.0 - done) / (1.0 - schedule.decay_start))

    def _colour(self, photos: Any) -> Any:
        return find_chroma(self.best_generator, photos, self.config.data.color_space)


def _copy(source: list[keras.Variable], target: list[keras.Variable]) -> None:
    for new, old in zip(source, target, strict=True):
        old.assign(ops.convert_to_numpy(new))  # a JAX step takes its variables' memory, so no two may share it


def _check_finite(losses: NDArray[np.float64], step: int) -> None:
    for metric, value in zip(TRAIN_METRICS, losses, strict=True):
        if not math.isfinite(value):
            raise NonFiniteLossError(f"{metric.key} is {value} at step {step}; a lower learning rate may help")
