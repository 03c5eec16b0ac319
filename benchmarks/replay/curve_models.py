"""Regressions from a configuration to its mean learning curve, and how well they foretell configurations left out.

A Gaussian process looks at the curves' principal components, each with length scales of its own. Extra trees and the
mean stand beside it, to see what it is worth.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import KFold

Array = NDArray[np.float64]
COMPONENTS = 3  # of six epochs; the others are noise
LENGTH_SCALES = (0.4, 20.0)  # of the unit cube: shorter ones fit the noise of two seeds, and foretell worse
NOISE = (0.1, 10.0)  # of the scores' variance; two seeds leave more than a tenth
FOLDS = 10


class CurveModel(Protocol):
    """What is fitted to points of the unit cube and their curves."""

    def fit(self, points: Array, curves: Array) -> None:
        """Fits it to configurations and their mean curves."""

    def predict(self, points: Array) -> Array:
        """Returns mean curves."""


class Process:
    """A Gaussian process for each of the curves' principal components."""

    def __init__(self, components: int = COMPONENTS) -> None:
        self._components = components

    def fit(self, points: Array, curves: Array) -> None:
        """Fits kernels by marginal likelihood, and keeps what a prediction needs."""
        self._mean = curves.mean(axis=0)
        _, _, rows = np.linalg.svd(curves - self._mean, full_matrices=False)
        self._rows = rows[: self._components]
        scores = (curves - self._mean) @ self._rows.T
        self.fitted = [_gaussian_process(points, scores[:, place]) for place in range(self._components)]
        self._points = points
        self._scales = [process.kernel_.k1.k2.length_scale for process in self.fitted]
        self._heights = [
            process.kernel_.k1.k1.constant_value * process._y_train_std * process.alpha_ for process in self.fitted
        ]
        self._levels = [float(process._y_train_mean) for process in self.fitted]

    def predict(self, points: Array) -> Array:
        """Returns mean curves; as scikit-learn's own would, in a tenth of its time for a single point."""
        scores = [
            level + _matern(points, self._points, scale) @ height
            for level, scale, height in zip(self._levels, self._scales, self._heights, strict=True)
        ]
        return self._mean + np.stack(scores, axis=-1) @ self._rows


class Trees:
    """Extra trees, which average over a handful of neighbours."""

    def fit(self, points: Array, curves: Array) -> None:
        """Fits."""
        self._forest = ExtraTreesRegressor(300, min_samples_leaf=2, random_state=0).fit(points, curves)

    def predict(self, points: Array) -> Array:
        """Returns mean curves."""
        return np.asarray(self._forest.predict(points))


class Mean:
    """The same curve for all."""

    def fit(self, points: Array, curves: Array) -> None:  # noqa: ARG002 - it looks at no configuration
        """Fits."""
        self._curve = curves.mean(axis=0)

    def predict(self, points: Array) -> Array:
        """Returns mean curves."""
        return np.tile(self._curve, (len(points), 1))


MODELS: dict[str, Callable[[], CurveModel]] = {"Gaussian process": Process, "extra trees": Trees, "mean": Mean}


@dataclass(frozen=True)
class Foretold:
    """How well configurations that a model never saw were foretold.

    Attributes:
        rmse: Root mean squared error of the objective's mean over a configuration's seeds.
        r2: Part of its variance that is foretold.
        slope: Of the recorded values on the foretold ones; 1 where differences are foretold at their true size.
    """

    rmse: float
    r2: float
    slope: float


def cross_validate(make: Callable[[], CurveModel], points: Array, curves: Array, *, last: int) -> Foretold:
    """Foretells each configuration from the others, in ten folds.

    Args:
        make: Makes the model.
        points: A row a configuration.
        curves: The same.
        last: The objective is the mean over so many last epochs.
    """
    foretold = np.empty_like(curves)
    for train, test in KFold(FOLDS, shuffle=True, random_state=0).split(points):
        model = make()
        model.fit(points[train], curves[train])
        foretold[test] = model.predict(points[test])
    real, guess = (values[:, -last:].mean(axis=1) for values in (curves, foretold))
    errors = real - guess
    return Foretold(
        rmse=float(np.sqrt(np.mean(errors**2))),
        r2=float(1 - np.mean(errors**2) / real.var()),
        slope=float(np.cov(guess, real)[0, 1] / guess.var(ddof=1)),
    )


def _gaussian_process(points: Array, scores: Array) -> GaussianProcessRegressor:
    rough = Matern(np.ones(points.shape[1]), LENGTH_SCALES, nu=2.5)
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * rough + WhiteKernel(0.3, NOISE)
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its bound: a parameter without effect
        return process.fit(points, scores)


def _matern(points: Array, others: Array, scale: Array) -> Array:
    """Returns Matern covariances of smoothness 5/2."""
    difference = points[:, None, :] / scale - others[None, :, :] / scale
    distance = np.sqrt(5.0 * np.einsum("abc,abc->ab", difference, difference))
    return (1.0 + distance + distance**2 / 3.0) * np.exp(-distance)
