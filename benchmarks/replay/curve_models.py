"""Regressions from a configuration to its mean learning curve, and how well they foretell configurations left out.

A Gaussian process looks at the curves' principal components, each with length scales of its own. Extra trees and the
mean stand beside it, to see what it is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import KFold

from benchmarks.replay.process import Array, Scores, gaussian_process

COMPONENTS = 3  # of six epochs; the others are noise
FOLDS = 10


class CurveModel(Protocol):
    """What is fitted to points of the unit cube and their curves."""

    def fit(self, points: Array, curves: Array) -> None:
        """Fits it to configurations and their mean curves."""

    def predict(self, points: Array) -> Array:
        """Returns mean curves."""


class Process:
    """A Gaussian process for each of the curves' principal components: its mean, or one function drawn from it."""

    def __init__(self, *, draw: int | None = None) -> None:
        """Prepares it.

        Args:
            draw: Seed of a function drawn from the process, as rough as the true one may be; None is the mean.
        """
        self._draw = draw

    def fit(self, points: Array, curves: Array) -> None:
        """Fits kernels by marginal likelihood, and keeps what a prediction needs."""
        self._mean = curves.mean(axis=0)
        _, _, rows = np.linalg.svd(curves - self._mean, full_matrices=False)
        self._rows = rows[:COMPONENTS]
        scores = (curves - self._mean) @ self._rows.T
        self.scores = [
            Scores(gaussian_process(points, column), None if self._draw is None else [self._draw, place])
            for place, column in enumerate(scores.T)
        ]

    def predict(self, points: Array) -> Array:
        """Returns mean curves."""
        found: Array = self._mean + np.stack([scores(points) for scores in self.scores], axis=-1) @ self._rows
        return found


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
