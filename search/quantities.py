"""What a trial can be judged by: its metrics, and what it costs, as far as its record knows them."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING

from colorgan.epoch import METRICS, Metric

if TYPE_CHECKING:
    from colorgan.record import TrialRecord

SIZE, STEP_TIME, TIME = "parameters", "step_seconds", "training_seconds"
COSTS: tuple[Metric, ...] = (
    Metric(SIZE, "minimize", "trainable weights of the generator"),
    Metric(STEP_TIME, "minimize", "seconds a training step takes, the median over epochs; a measurement, no result"),
    Metric(TIME, "minimize", "seconds of training and validation in all; a measurement, no result"),
)
QUANTITIES: dict[str, Metric] = {**METRICS, **{cost.key: cost for cost in COSTS}}


def quantity(record: TrialRecord, key: str, *, epochs: int = 1) -> float | None:
    """Returns a quantity of a trial as it stands; None where it is not known, or not finite.

    Args:
        record: The trial's.
        key: Of `QUANTITIES`.
        epochs: A metric is the mean over so many of its last values.
    """
    if key in _COSTS:
        return _COSTS[key](record)
    kind = key.partition("/")[0] + "/"
    measured = [epoch.metrics for epoch in record.epochs if any(name.startswith(kind) for name in epoch.metrics)]
    if not measured or key not in measured[-1]:  # a metric that was not finite is left out of its epoch
        return None
    return statistics.fmean([metrics[key] for metrics in measured if key in metrics][-epochs:])


def _size(record: TrialRecord) -> float | None:
    return record.parameters


def _step_seconds(record: TrialRecord) -> float | None:
    steps = [0, *(epoch.step for epoch in record.epochs)]
    pace = [
        epoch.train_seconds / (now - before)
        for before, now, epoch in zip(steps, steps[1:], record.epochs, strict=False)
        if now > before
    ]
    return statistics.median(pace) if pace else None


def _seconds(record: TrialRecord) -> float | None:
    return record.training_seconds if record.epochs else None


_COSTS: dict[str, Callable[[TrialRecord], float | None]] = {SIZE: _size, STEP_TIME: _step_seconds, TIME: _seconds}
