"""Training one pix2pix GAN: builds the networks once, then trains them for any number of runs of one architecture.

A run is a function of its configuration and seed: on one CPU thread the same numbers to the last bit, whether the
trainer is new or has trained a hundred runs before, and whether the run was interrupted or not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from colorgan.backend import compiled, load_batch
from colorgan.backend_choice import check_imported
from colorgan.blocks import count_weights, initialize
from colorgan.checkpoint import Checkpoint, CheckpointError
from colorgan.config import TrainConfig
from colorgan.discriminator import build_discriminator
from colorgan.epoch import EpochResult
from colorgan.generator import build_generator, find_chroma
from colorgan.photos import Photos, measured_crops
from colorgan.progress import Progress
from colorgan.step import Networks, build_step
from colorgan.validation import Validator

PAUSE_SECONDS = 0.5  # between two pauses; a caller reacts to a stop within it


class Trainer:
    """The networks, the compiled step and the state of one run.

    The caller takes results from `epochs` for as long as it wants the run to go on.
    """

    def __init__(
        self, config: TrainConfig, photos: Photos, *, validator: Validator | None = None, warm_step: bool = True
    ) -> None:
        """Builds and compiles the networks for the configuration's architecture and starts its run.

        Args:
            config: Checked configuration.
            photos: Crops of side `config.data.size`.
            validator: One to share between trainers of equal validation batch size and precision.
            warm_step: Compile the step now; False where it may never be taken, as a `FusedTrainer` has its own.

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
        self.train_step = build_step(Networks(config, self.generator, self.discriminator, self._average))
        self.validator = validator or Validator(batch_size=config.validation.batch_size, precision=config.precision)
        self._predict = compiled(self._colour, config.precision, self.best_generator.variables)
        self.progress = Progress(config, photos)
        self.reset(config)
        self._warm_up(step=warm_step)
        self.reset(config)

    @property
    def best_generator(self) -> keras.Model:
        """The generator that is validated and used: the moving average if there is one."""
        return self._average or self.generator

    @property
    def parameters(self) -> int:
        """Number of trainable weights of the generator."""
        return count_weights(self.generator)

    @property
    def config(self) -> TrainConfig:
        """The run's configuration, its seed inside."""
        return self.progress.config

    @property
    def photos(self) -> Photos:
        """What the run started with."""
        return self.progress.photos

    @property
    def step(self) -> int:
        """Training steps done."""
        return self.progress.step

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return self.progress.epoch

    @property
    def history(self) -> list[EpochResult]:
        """The results of the epochs done."""
        return self.progress.history

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
        config = config if seed is None else config.with_values({"seed": seed})
        self.progress = Progress(config, photos or self.photos)
        seed, parts = config.seed, config.generator
        initialize(self.generator, seed=2 * seed, dropout=parts.dropout, noise=parts.noise)
        initialize(self.discriminator, seed=2 * seed + 1)
        self.train_step.reset()
        if self._average:
            _copy(self.generator.weights, self._average.weights)

    def epochs(self) -> Iterator[EpochResult]:
        """Trains, and yields the result of each epoch, until the schedule's end.

        Raises:
            NonFiniteLossError: A loss became NaN or infinite.
        """
        return (result for result in self.pauses() if result is not None)

    def pauses(self) -> Iterator[EpochResult | None]:
        """As `epochs`, and yields None about every half second in between, where the state may be saved."""
        while self.epoch < self.config.schedule.epochs:
            while self.step < self.progress.epoch_end:
                self._train()
                if self.step < self.progress.epoch_end:
                    yield None
            yield self.finish_epoch()

    def baselines(self) -> dict[str, dict[str, float]]:
        """Returns the metrics of `gray` and `tint` on the photos that the run started with."""
        return self.validator.baselines(self.photos.train, measured_crops(self.photos, self.config))

    def finish_epoch(self) -> EpochResult:
        """Measures what the schedule wants after the epoch whose steps are done, and returns its result."""
        started, epoch, plan = time.perf_counter(), self.epoch + 1, self.config.validation
        last, metrics, examples = epoch == self.config.schedule.epochs, {}, None
        if last or epoch % plan.epochs == 0:
            metrics = self.validator.measure(self.progress.measured, self._predict)
        if plan.examples and (last or epoch == 1 or epoch % plan.example_epochs == 0):
            examples = self.validator.examples(self.progress.measured, self._predict, count=plan.examples)
        return self.progress.finish_epoch(metrics, examples, time.perf_counter() - started)

    def save(self, path: Path) -> None:
        """Writes a checkpoint; allowed wherever `epochs` or `pauses` has yielded."""
        arrays = {name: ops.convert_to_numpy(variable) for name, variable in self._variables().items()}
        progress = self.progress
        Checkpoint(
            progress.config,
            progress.step,
            progress.epoch,
            tuple(progress.loss_sums.tolist()),
            progress.train_seconds,
            tuple(progress.history),
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
        progress = self.progress
        progress.step, progress.epoch, progress.history = checkpoint.step, checkpoint.epoch, list(checkpoint.history)
        progress.loss_sums, progress.train_seconds = np.array(checkpoint.loss_sums), checkpoint.train_seconds

    def _warm_up(self, *, step: bool) -> None:
        """Traces and compiles all graphs, so that no run's first epoch pays for it."""
        if step:
            self.train_step(load_batch(self.progress.batch()), self.progress.knobs())
            self.train_step.settle()
        self.validator.measure(self.progress.measured[:1], self._predict)
        self.validator.examples(self.progress.measured[:1], self._predict, count=1)

    def _variables(self) -> dict[str, keras.Variable]:
        groups: dict[str, list[keras.Variable]] = {
            "generator": self.generator.variables,
            "discriminator": self.discriminator.variables,
            "average": self._average.weights if self._average else [],
            "step": self.train_step.variables,
        }
        return {f"{group}/{i}/{v.name}": v for group, vs in groups.items() for i, v in enumerate(vs)}

    def _train(self) -> None:
        """Trains for about `PAUSE_SECONDS`, at least one step and at most to the epoch's end."""
        losses: list[Any] = []
        started, progress = time.perf_counter(), self.progress
        while progress.step < progress.epoch_end and (not losses or time.perf_counter() - started < PAUSE_SECONDS):
            losses.append(self.train_step(load_batch(progress.batch()), progress.knobs()))
            progress.step += 1
        values = [np.asarray(loss) for loss in losses]
        self.train_step.settle()
        progress.take(values, time.perf_counter() - started)

    def _colour(self, photos: Any) -> Any:
        return find_chroma(self.best_generator, photos, self.config.data.color_space)


def _copy(source: list[keras.Variable], target: list[keras.Variable]) -> None:
    for new, old in zip(source, target, strict=True):
        old.assign(ops.convert_to_numpy(new))  # a JAX step takes its variables' memory, so no two may share it
