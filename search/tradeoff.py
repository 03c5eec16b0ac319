"""What a better objective costs: the Pareto front of complete and feasible configurations, and the picks from it.

Traded against the objective can be the study's further objectives, or whatever every trial records: its generator's
weights, its time, another metric. Nothing of the latter needs to be known when the study runs. Of a configuration that
was trained with several seeds the means count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from colorgan.epoch import VALID_METRICS
from colorgan.errors import BadInputError
from search.quantities import COSTS, quantity
from search.snapshot import Seeds, configurations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from colorgan.record import TrialRecord
    from search.aims import Aims
    from search.settings import FurtherObjective, Objective

COLOURFULNESS = "valid/colorfulness_ratio"
Price = Callable[["TrialRecord"], float | None]


class TradeOffError(BadInputError):
    """Nothing can be traded so; the message says why and what is allowed."""


@dataclass(frozen=True)
class Measure:
    """Something that configurations are better or worse by.

    Attributes:
        name: The objective's metric, or another quantity (`quantities.py`).
        price: Its value of a trial; the smaller the better, None where the trial does not know it.
    """

    name: str
    price: Price

    def of(self, seeds: Seeds) -> float | None:
        """Returns its mean over a configuration's trials; None where one does not know it."""
        prices = [self.price(record) for record in seeds.records]
        known = [price for price in prices if price is not None]
        return fmean(known) if len(known) == len(prices) else None


@dataclass(frozen=True)
class TradeOff:
    """Configurations that no other beats in one measure without losing in another.

    Attributes:
        measures: The objective first.
        front: The configurations, the best objective first.
    """

    measures: tuple[Measure, ...]
    front: tuple[Seeds, ...]

    def knee(self) -> Seeds:
        """Returns where a little more of one measure starts to cost much of the others.

        It is the one with the least sum of all measures, each scaled to its range over the front: of two measures,
        the one farthest from the line through the front's ends.
        Source: Das 1999, "On characterizing the knee of the Pareto curve in multicriteria optimization".
        """
        return self.weighted([1.0] * len(self.measures))

    def weighted(self, weights: Sequence[float]) -> Seeds:
        """Returns the configuration with the least weighted sum of all measures, each scaled to its range on the front.

        Args:
            weights: One for each measure, the objective's first.

        Raises:
            TradeOffError: There are more or fewer weights than measures, or one is negative, or all are 0.
        """
        names = ", ".join(measure.name for measure in self.measures)
        if len(weights) != len(self.measures):
            raise TradeOffError(f"{len(weights)} weights: give {len(self.measures)}, one each for {names}")
        if not all(0 <= weight < float("inf") for weight in weights) or not any(weights):
            raise TradeOffError(f"weights {', '.join(f'{weight:g}' for weight in weights)}: give numbers above 0")
        values = _values(self.front, self.measures)
        span = np.ptp(values, axis=0)
        scaled = (values - values.min(axis=0)) / np.where(span > 0, span, 1.0)
        return self.front[int(np.argmin(scaled @ np.asarray(weights)))]


def trade_off(records: Iterable[TrialRecord], objective: Objective, against: Sequence[str]) -> TradeOff:
    """Returns the front of what a study has trained.

    Args:
        records: Its trials.
        objective: What it searched for.
        against: Names of what is traded against it.

    Raises:
        TradeOffError: A name is not known, or no complete trial knows all of it.
    """
    allowed = _allowed(objective)
    if unknown := [name for name in against if name not in allowed]:
        raise TradeOffError(
            f"{unknown[0]}: nothing to trade {objective.metric} against; allowed are {', '.join(allowed)}"
        )
    return _front(records, objective, [Measure(name, allowed[name]) for name in dict.fromkeys(against)])


def study_trade_off(records: Iterable[TrialRecord], aims: Aims) -> TradeOff:
    """Returns the front that a study of several objectives looks for.

    Raises:
        TradeOffError: No complete trial knows all of its objectives.
    """
    return _front(records, aims.objective, [Measure(one.name, _further(one)) for one in aims.further])


def study_front(records: Iterable[TrialRecord], aims: Aims) -> tuple[Seeds, ...]:
    """Returns that front, the best first objective first; nothing before a trial is complete."""
    with suppress(TradeOffError):
        return study_trade_off(records, aims).front
    return ()


def pair_front(records: Iterable[TrialRecord], aims: Aims, one: FurtherObjective) -> tuple[Seeds, ...]:
    """Returns the configurations that no other beats in both the first objective and this further one."""
    with suppress(TradeOffError):
        return _front(records, aims.objective, [Measure(one.name, _further(one))]).front
    return ()


def _front(records: Iterable[TrialRecord], objective: Objective, chosen: Sequence[Measure]) -> TradeOff:
    sign = 1.0 if objective.direction == "minimize" else -1.0
    measures = (Measure(objective.metric, lambda record: sign * (record.objective or 0.0)), *chosen)
    known = [
        seeds
        for seeds in configurations(records)
        if seeds.feasible and all(measure.of(seeds) is not None for measure in measures)
    ]
    if not known:
        raise TradeOffError(f"no complete trial knows its {', '.join(measure.name for measure in measures)}")
    known.sort(key=lambda seeds: sign * seeds.mean)
    values = _values(known, measures)
    front = [
        seeds
        for seeds, own in zip(known, values, strict=True)
        if not np.any(np.all(values <= own, axis=1) & np.any(values < own, axis=1))
    ]
    return TradeOff(measures, tuple(front))


def _allowed(objective: Objective) -> dict[str, Price]:
    """Returns what can be traded against an objective; a colourfulness ratio counts by its distance from 1."""
    found: dict[str, Price] = {COLOURFULNESS: _off_colour}
    for metric in (*COSTS, *VALID_METRICS):
        if metric.better is not None:
            found[metric.key] = _metric(metric.key, 1.0 if metric.better == "minimize" else -1.0)
    return {name: price for name, price in found.items() if name != objective.metric}


def _further(one: FurtherObjective) -> Price:
    """Returns a further objective as its trials were told it."""
    sign = 1.0 if one.direction == "minimize" else -1.0
    return lambda record: sign * record.further[one.name] if one.name in record.further else None


def _metric(key: str, sign: float) -> Price:
    def price(record: TrialRecord) -> float | None:
        value = quantity(record, key)
        return None if value is None else sign * value

    return price


def _off_colour(record: TrialRecord) -> float | None:
    value = quantity(record, COLOURFULNESS)
    return None if value is None else abs(value - 1.0)


def _values(front: Sequence[Seeds], measures: Sequence[Measure]) -> NDArray[np.float64]:
    return np.array([[measure.of(seeds) for measure in measures] for seeds in front], dtype=np.float64)
