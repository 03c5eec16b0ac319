"""What training any configuration of the quickstart's space would say, foretold from the recording.

A mean learning curve (`curve_models.py`), and around it the noise of a seed: as large, and as alike from epoch to
epoch, as between recorded seeds of the configurations nearest by. A training is a function of (configuration, seed)
here too.
"""

from __future__ import annotations

import copy
import itertools
import zlib
from functools import cache

import numpy as np
from sklearn.linear_model import QuantileRegressor

from benchmarks.replay.curve_models import Process
from benchmarks.replay.engine import Training
from benchmarks.replay.process import Array
from benchmarks.replay.recording import SHORT, Recording, by_configuration
from colorgan.config import TrainConfig
from colorgan.epoch import EpochResult
from search.space import Params, Space

NEIGHBOURS = 12  # configurations whose seeds say how large the noise is: fewer are a guess, more are elsewhere
FREE_MACHINE = 0.1  # quantile of the recorded seconds: the machine did other things as well
GRID = 41  # values of each of both real parameters among which the optimum is looked for


class Surrogate:
    """The quickstart's space, foretold.

    Attributes:
        study: The recorded one.
        metric: Its objective's.
        space: Its space.
        points: A row a recorded configuration, in the unit cube.
        curves: The same, what is searched for by epoch, the mean over its seeds.
        paired: Which of them have two seeds.
        noise_curves: A row each of those: what a seed adds, by epoch.
    """

    def __init__(self, recording: Recording, *, draw: int | None = None) -> None:
        """Fits it.

        Args:
            recording: Of its trainings those that are complete count.
            draw: Seed of a space drawn from those that the recording leaves possible; None is the likeliest.
        """
        trainings = recording.complete()
        self.study, self.metric = recording.study(), recording.metric
        self.space = Space(self.study.space, self.study.train)
        self.last = self.study.objective.smooth_epochs
        seeds = [np.array([one.metrics[self.metric] for one in group]) for group in by_configuration(trainings)]
        self.points = np.stack([self._point(group[0].params) for group in by_configuration(trainings)])
        self.curves = np.stack([curves.mean(axis=0) for curves in seeds])
        self.model = Process(draw=draw)
        self.model.fit(self.points, self.curves)
        self.noise_curves = np.stack([(one[0] - one[1]) / np.sqrt(2.0) for one in seeds if len(one) > 1])
        self.paired = np.array([len(one) > 1 for one in seeds])
        self._seconds = _seconds()
        self._curves: dict[bytes, Array] = {}
        self._optimum: tuple[float, Params] | None = None

    def point(self, config: TrainConfig) -> Array:
        """Returns a configuration as a point of the unit cube."""
        rates, space = config.optimizer, self.study.space
        factor = rates.discriminator_learning_rate / rates.generator_learning_rate
        return np.array(
            [
                _share(rates.generator_learning_rate, space["optimizer.generator_learning_rate"]),
                1.0 + np.log10(factor),
                _share(config.losses.l1_weight, space["losses.l1_weight"]),
                (config.generator.filters - 8) / 8,
                (config.discriminator.filters - 8) / 8,
            ]
        )

    def _point(self, params: Params) -> Array:
        return self.point(self.space.to_config(params, seed=0))

    def curve(self, config: TrainConfig) -> Array:
        """Returns the mean learning curve of a configuration."""
        point = self.point(config)
        key = point.tobytes()
        if key not in self._curves:
            self._curves[key] = self.model.predict(point[None])[0]
        return self._curves[key]

    def value(self, config: TrainConfig) -> float:
        """Returns the objective of a configuration without noise."""
        return float(self.curve(config)[-self.last :].mean())

    def noise(self, config: TrainConfig) -> Array:
        """Returns what the configuration's seed adds to each epoch."""
        point = self.point(config)
        nearest = np.argsort(np.square(self.points[self.paired] - point).sum(axis=1), kind="stable")[:NEIGHBOURS]
        chance = np.random.default_rng([config.seed, zlib.crc32(point.tobytes())])
        noise: Array = chance.standard_normal(len(nearest)) @ self.noise_curves[nearest] / np.sqrt(len(nearest))
        return noise

    def with_noise(self, share: float) -> Surrogate:
        """Returns the same space, where a seed adds so many times as much."""
        self.optimum()  # looked for once for both
        other = copy.copy(self)
        other.noise_curves = share * self.noise_curves
        return other

    def train(self, config: TrainConfig) -> Training:
        """Returns what training a configuration says."""
        values = self.curve(config) + self.noise(config)
        parameters, train_seconds, valid_seconds = self._seconds[_architecture(config)]
        steps = config.schedule.steps_per_epoch or 0  # which the recorded study gives
        return Training(
            [
                EpochResult(number, number * steps, {self.metric: float(value)}, None, train_seconds, valid_seconds)
                for number, value in enumerate(values, 1)
            ],
            parameters,
        )

    def training_seconds(self) -> float:
        """Returns how long a training of the space takes on average."""
        epochs = self.study.train.schedule.epochs
        return epochs * float(np.mean([train + valid for _, train, valid in self._seconds.values()]))

    def default(self) -> TrainConfig:
        """Returns the configuration that a study begins with."""
        return self.study.train

    def optimum(self) -> tuple[float, Params]:
        """Returns the least objective without noise, and where it is; looked for once."""
        if self._optimum is None:
            rooms = itertools.product((1.0, 0.1), (8, 12, 16), (8, 16))
            self._optimum = min((self._best_of(*room) for room in rooms), key=lambda pair: pair[0])
        return self._optimum

    def _best_of(self, factor: float, filters: int, others: int) -> tuple[float, Params]:
        """Returns the least objective at one combination of what has few values."""
        rate, weight = np.meshgrid(np.linspace(0, 1, GRID), np.linspace(0, 1, GRID), indexing="ij")
        fixed = [np.full(GRID**2, one) for one in (1.0 + np.log10(factor), (filters - 8) / 8, (others - 8) / 8)]
        points = np.column_stack([rate.ravel(), fixed[0], weight.ravel(), *fixed[1:]])
        values = self.model.predict(points)[:, -self.last :].mean(axis=1)
        best, space = int(values.argmin()), self.study.space
        found = [
            _at(rate.flat[best], space["optimizer.generator_learning_rate"]),
            factor,
            _at(weight.flat[best], space["losses.l1_weight"]),
            filters,
            others,
        ]
        return float(values[best]), dict(zip(space, found, strict=True))


@cache
def recorded_surrogate(recording: Recording = SHORT, draw: int | None = None) -> Surrogate:
    """Returns the surrogate of a recording, fitted once a process."""
    return Surrogate(recording, draw=draw)


def _architecture(config: TrainConfig) -> tuple[int, int]:
    return config.generator.filters, config.discriminator.filters


@cache
def _seconds() -> dict[tuple[int, int], tuple[int, float, float]]:
    """Returns weights and seconds of an epoch's training and validation by architecture, as on a free machine.

    A low quantile, linear in both networks' filters: what load there was differed from architecture to architecture.
    Of the short trainings, as an epoch is the same in all and they are the most.
    """
    study, trainings = SHORT.study(), SHORT.complete()
    space = Space(study.space, study.train)
    shapes = [_architecture(space.to_config(one.params, seed=0)) for one in trainings]
    parameters = {shape: one.parameters for shape, one in zip(shapes, trainings, strict=True)}
    architectures = np.array(list(parameters), dtype=np.float64)
    quickest = []
    for name in ("train_seconds", "valid_seconds"):
        seconds = [getattr(one, name) for one in trainings]
        rows = np.repeat(np.array(shapes, dtype=np.float64), [len(one) for one in seconds], axis=0)
        line = QuantileRegressor(quantile=FREE_MACHINE, alpha=0.0).fit(rows, np.concatenate(seconds))
        quickest.append(line.predict(architectures))
    return {
        shape: (parameters[shape], float(train), float(valid))
        for shape, train, valid in zip(parameters, *quickest, strict=True)
    }


def _share(value: float, parameter: object) -> float:
    """Returns where a value lies between a parameter's ends, on a logarithmic scale."""
    low, high = parameter.low, parameter.high  # type: ignore[attr-defined]
    return float(np.log(value / low) / np.log(high / low))


def _at(share: float, parameter: object) -> float:
    """Returns the value at a place between a parameter's ends."""
    low, high = parameter.low, parameter.high  # type: ignore[attr-defined]
    return float(low * (high / low) ** share)
