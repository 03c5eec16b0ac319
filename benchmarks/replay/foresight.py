"""How well `curve_gp`'s model foretells recorded trainings that it never saw, from others of which half stopped early.

No surrogate is asked here: what is foretold are real trainings.
"""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import KFold

from benchmarks.replay.process import Array
from benchmarks.replay.recording import Recording, by_configuration
from benchmarks.replay.surrogate import recorded_surrogate
from search.curve_model import CurveModel, Reports

FOLDS = 10
MOST = 60  # configurations of a recording, evenly: the time grows with their cube
EARLY = 3  # those that stopped did so after one in so many epochs
LOOKS = (1, 2, 4)  # reports of a training that the model sees: after all its epochs, a half and a quarter of them
WAYS = ("whole", "half stopped", "half stopped, taken at their word")
"""All trainings to their end; every other after a third; the same, as if a third were all that there is."""


def foresight(recording: Recording, way: str) -> float:
    """Returns the part of the variance of configurations' objectives (means over seeds) that is foretold.

    Args:
        recording: Of what trainings.
        way: One of `WAYS`.
    """
    surrogate, groups = recorded_surrogate(recording), by_configuration(recording.complete())
    chosen = np.arange(len(groups))[:: -(-len(groups) // MOST)]
    curves = [[_smoothed(one.metrics[recording.metric], surrogate.last) for one in groups[place]] for place in chosen]
    truth, points = np.array([np.mean([curve[-1] for curve in each]) for each in curves]), surrogate.points[chosen]
    foretold = np.empty(len(chosen))
    for train, test in KFold(FOLDS, shuffle=True, random_state=0).split(points):
        told = [_reports(curves[place], points[place], place, way) for place in train]
        columns = (np.concatenate(column) for column in zip(*told, strict=True))
        model = CurveModel(Reports(*columns), unordered=[False] * points.shape[1])
        foretold[test] = model.predict(points[test])[0]
    return float(1 - np.mean(np.square(truth - foretold)) / truth.var())


def _smoothed(values: tuple[float, ...], last: int) -> Array:
    """Returns the objective by epoch."""
    return np.array([np.mean(values[max(0, epoch - last) : epoch]) for epoch in range(1, len(values) + 1)])


def _reports(curves: list[Array], point: Array, place: int, way: str) -> tuple[Array, Array, Array, Array]:
    """Returns what the model sees of a configuration: points, logarithms of epochs left, trials, values."""
    rows = []
    for seed, curve in enumerate(curves):
        done = len(curve) // EARLY if way != "whole" and (place + seed) % 2 else len(curve)
        looks = LOOKS if way != WAYS[2] else LOOKS[:1]
        for epoch in sorted({max(1, done // look) for look in looks}):
            left = np.log(len(curve) / epoch) if way != WAYS[2] else 0.0
            rows.append((left, 2 * place + seed, curve[epoch - 1]))
    left, trials, values = np.array(rows).T
    return np.tile(point, (len(rows), 1)), left, trials.astype(np.int64), values
