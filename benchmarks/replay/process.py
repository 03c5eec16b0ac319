"""A Gaussian process over the unit cube: its mean, quickly, and functions drawn from what it leaves open."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

Array = NDArray[np.float64]
LENGTH_SCALES = (0.4, 20.0)  # of the unit cube: shorter ones fit the noise of two seeds, and foretell worse
NOISE = (0.1, 10.0)  # of the scores' variance; two seeds leave more than a tenth
SMOOTHNESS = 2.5
WAVES = 1024  # of a drawn function


def gaussian_process(points: Array, scores: Array) -> GaussianProcessRegressor:
    """Returns a process whose kernel is fitted by marginal likelihood, a length scale for each axis."""
    rough = Matern(np.ones(points.shape[1]), LENGTH_SCALES, nu=SMOOTHNESS)
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * rough + WhiteKernel(0.3, NOISE)
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its bound: a parameter without effect
        return process.fit(points, scores)


class Scores:
    """What a fitted process says of points, without noise.

    A drawn function is one of the prior, corrected by how far it is from what was observed.
    Source: Wilson et al. 2020, arXiv 2002.09309, equation 12; waves: Rahimi and Recht 2007.
    """

    def __init__(self, process: GaussianProcessRegressor, draw: Sequence[int] | None) -> None:
        """Takes what a prediction needs.

        Args:
            process: Fitted.
            draw: Seed of a drawn function; None is the mean.
        """
        kernel, self._points = process.kernel_, process.X_train_
        self._height, self._scale = kernel.k1.k1.constant_value, np.asarray(kernel.k1.k2.length_scale)
        self._level, self._unit = float(process._y_train_mean), float(process._y_train_std)
        self._weights, self._waves = process.alpha_, None
        if draw is not None:
            chance = np.random.default_rng(list(draw))
            self._waves = self._drawn_waves(chance)
            noise = np.sqrt(kernel.k2.noise_level) * chance.standard_normal(len(self._points))
            self._weights = process.alpha_ - cho_solve((process.L_, True), self._prior(self._points) + noise)

    def __call__(self, points: Array) -> Array:
        """Returns the score of each point."""
        found = self._height * self._covariances(points) @ self._weights
        if self._waves is not None:
            found = found + self._prior(points)
        return np.asarray(self._level + self._unit * found)

    def _covariances(self, points: Array) -> Array:
        difference = (points[:, None, :] - self._points[None, :, :]) / self._scale
        distance = np.sqrt(2 * SMOOTHNESS * np.einsum("abc,abc->ab", difference, difference))
        return np.asarray((1.0 + distance + distance**2 / 3.0) * np.exp(-distance))

    def _drawn_waves(self, chance: np.random.Generator) -> tuple[Array, Array, Array]:
        """Returns frequencies, phases and heights of waves whose sum has the kernel's covariance."""
        heavy = np.sqrt(chance.chisquare(2 * SMOOTHNESS, size=(WAVES, 1)) / (2 * SMOOTHNESS))
        frequencies = chance.standard_normal((WAVES, len(self._scale))) / heavy / self._scale
        heights = np.sqrt(2.0 * self._height / WAVES) * chance.standard_normal(WAVES)
        return frequencies, chance.uniform(0.0, 2.0 * np.pi, WAVES), heights

    def _prior(self, points: Array) -> Array:
        if self._waves is None:
            return np.zeros(len(points))
        frequencies, phases, heights = self._waves
        return np.asarray(np.cos(points @ frequencies.T + phases) @ heights)
