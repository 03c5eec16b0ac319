"""A Gaussian process of learning curves: what a configuration would reach, from trainings that mostly stopped early.

A report is the curve of its configuration, plus what the seed of its trial adds to the whole curve, plus noise of its
own. Curves of configurations that lie near each other are alike, and all grow apart with the epochs, so what a trial
shows early counts for what it shows, and no more. How near is near, how fast curves grow apart and how much is luck
are learned from the reports themselves (maximum a posteriori).

Source: a Matern 5/2 kernel with a length for each parameter (Rasmussen & Williams 2006, 4.17 and 5.1), times a linear
model in the logarithm of the epochs that are left (intrinsic coregionalization: Alvarez et al. 2012, section 4.2), plus
a curve for each trial, as in freeze-thaw Bayesian optimization (Swersky et al. 2014, arXiv 1406.3896). Differs: curves
are straight lines in that logarithm instead of exponential decays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

Array = NDArray[np.float64]

JITTER = 1e-6  # on the diagonal, for numbers that are nearly equal
COMMON, COMMON_SLOPE = 1.0, 4.0  # variances of what all curves share: their level in the end, and how they get there
LENGTH_PRIOR = (math.log(0.7), 1.0)  # of the logarithm, mean and standard deviation, in shares of a parameter's range
SCALE_PRIORS = (  # the same of the model's other numbers, in standard deviations of the reports
    (0.0, 0.7),  # how much configurations differ in the end
    (0.3, 0.7),  # how much more with a whole logarithm left; not a logarithm, as it is mostly below zero
    (math.log(0.3), 0.7),  # how much they differ in the way there
    (math.log(0.4), 0.7),  # how much seeds of one configuration differ in the end
    (math.log(0.3), 0.7),  # how much they differ in the way there
    (math.log(0.3), 0.7),  # noise of a single report
)
WIDEST = 3.0  # standard deviations of its prior that a number may be away from its mean
ITERATIONS = 40  # of L-BFGS, at most


@dataclass(frozen=True)
class Reports:
    """What trials have reported.

    Attributes:
        points: A row a report: the configuration, each parameter between 0 and 1, NaN where it is not active.
        left: The logarithm of how many times as many epochs a whole training has, a whole training's being 1.
        trials: Number of the trial that reported it.
        values: What was reported; less is better.
    """

    points: Array
    left: Array
    trials: NDArray[np.int64]
    values: Array


class CurveModel:
    """Foretells the last report of a configuration's whole training, without its seed's luck."""

    def __init__(self, reports: Reports, *, unordered: Sequence[bool], numbers: Array | None = None) -> None:
        """Fits it.

        Args:
            reports: At least one.
            unordered: For each parameter whether its values have no order, so that any two are equally far apart.
            numbers: Of a model of the same parameters, to be taken instead of learned.
        """
        self._reports, self._unordered = reports, tuple(unordered)
        self._mean, self._scale = float(reports.values.mean()), float(reports.values.std()) or 1.0
        self._values = (reports.values - self._mean) / self._scale
        self._distances = self._squared(reports.points, reports.points)
        self._same = (reports.trials[:, None] == reports.trials[None]).astype(np.float64)
        self._both = np.outer(reports.left, reports.left)
        self.numbers = self._learned() if numbers is None else numbers
        near, _ = _matern(self._distances, self.numbers)
        self._factor = linalg.cholesky(self._covariance(near, self.numbers), lower=True, check_finite=False)
        self._weights = linalg.cho_solve((self._factor, True), self._values, check_finite=False)

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Returns the mean and the standard deviation of configurations' last reports, a row of `points` each."""
        level, *_ = self._scales(self.numbers)
        near, _ = _matern(self._squared(self._reports.points, points), self.numbers)
        covariance = near * (level * self._spread(self.numbers))[:, None] + COMMON
        explained = linalg.solve_triangular(self._factor, covariance, lower=True, check_finite=False)
        variance = level**2 + COMMON - np.square(explained).sum(axis=0)
        mean = self._mean + self._scale * (covariance.T @ self._weights)
        return mean, self._scale * np.sqrt(np.maximum(variance, JITTER))

    def _learned(self) -> Array:
        """Returns the likeliest numbers: a logarithm of a length for each parameter, then those of `SCALE_PRIORS`."""
        priors = np.array([LENGTH_PRIOR] * self._distances.shape[0] + list(SCALE_PRIORS))
        mean, deviation = priors.T

        def loss(numbers: Array) -> tuple[float, Array]:
            away = (numbers - mean) / deviation
            value, slope = self._evidence(numbers)
            return value + 0.5 * float(away @ away), slope + away / deviation

        bounds = list(zip(mean - WIDEST * deviation, mean + WIDEST * deviation, strict=True))
        found = optimize.minimize(
            loss, mean, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": ITERATIONS}
        )
        return np.asarray(found.x)

    def _evidence(self, numbers: Array) -> tuple[float, Array]:
        """Returns minus the logarithm of the reports' likelihood but for a constant, and its slope."""
        left, spread, both = self._reports.left, self._spread(numbers), self._both
        level, _, way, seed, seed_way, noise = self._scales(numbers)
        near, steep = _matern(self._distances, numbers)
        factor = linalg.cholesky(self._covariance(near, numbers), lower=True, check_finite=False)
        weights = linalg.cho_solve((factor, True), self._values, check_finite=False)
        inverse = np.tril(linalg.lapack.dpotri(factor, lower=1)[0])
        inverse += np.tril(inverse, -1).T
        value = 0.5 * float(self._values @ weights) + float(np.log(np.diag(factor)).sum())
        pull = inverse - np.outer(weights, weights)  # half of it is the slope by the covariance
        pull_near, pull_same = pull * near, pull * self._same
        steep = pull * steep * (np.outer(spread, spread) + way**2 * both)
        drawn = pull_near @ spread
        rest = (
            level * drawn.sum(),
            left @ drawn,
            way**2 * np.vdot(pull_near, both),
            seed**2 * pull_same.sum(),
            seed_way**2 * np.vdot(pull_same, both),
            noise**2 * np.trace(pull),
        )
        lengths = 0.5 * np.exp(-2.0 * numbers[: -len(rest)]) * np.tensordot(self._distances, steep, 2)
        return value, np.array([*lengths, *rest])

    def _covariance(self, near: Array, numbers: Array) -> Array:
        """Returns that of the reports, by the kernel of their configurations."""
        _, _, way, seed, seed_way, noise = self._scales(numbers)
        spread = self._spread(numbers)
        found: Array = near * (np.outer(spread, spread) + way**2 * self._both) + COMMON + COMMON_SLOPE * self._both
        found += self._same * (seed**2 + seed_way**2 * self._both)
        found[np.diag_indices_from(found)] += noise**2 + JITTER
        return found

    def _spread(self, numbers: Array) -> Array:
        """Returns how much configurations differ, by report."""
        level, slope, *_ = self._scales(numbers)
        return level + slope * self._reports.left

    def _scales(self, numbers: Array) -> tuple[float, ...]:
        level, slope, *rest = (float(number) for number in numbers[-len(SCALE_PRIORS) :])
        return math.exp(level), slope, *(math.exp(number) for number in rest)

    def _squared(self, first: Array, second: Array) -> Array:
        """Returns squared distances, parameter by parameter; the most is 1, as from where it is not active."""
        found = np.square(first.T[:, :, None] - second.T[:, None, :])
        found[list(self._unordered)] = found[list(self._unordered)] > 0
        if np.isnan(first).any() or np.isnan(second).any():
            idle, other = np.isnan(first.T)[:, :, None], np.isnan(second.T)[:, None, :]
            found = np.where(idle | other, (idle != other).astype(np.float64), found)
        return found


def _matern(distances: Array, numbers: Array) -> tuple[Array, Array]:
    """Returns the Matern 5/2 kernel of squared distances, and minus its slope by half of their scaled sum."""
    lengths = numbers[: -len(SCALE_PRIORS)]
    away = np.sqrt(5.0 * np.tensordot(np.exp(-2.0 * lengths), distances, 1))
    fade = np.exp(-away)
    return (1.0 + away + away**2 / 3.0) * fade, 5.0 / 3.0 * (1.0 + away) * fade
