"""What mattered: PED-ANOVA on the recorded trainings, as in a report, and the surrogate's variance by parameter.

PED-ANOVA says what distinguishes the best tenth; the variance says what moves the objective all over the space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from benchmarks.replay.curve_models import Process
from benchmarks.replay.process import Array
from benchmarks.replay.recording import METRIC, METRICS, Recorded, by_configuration
from benchmarks.replay.surrogate import Surrogate
from colorgan.record import TrialRecord
from search.importance import importances

SAMPLES = 4096
RATIO = METRICS[1]


@dataclass(frozen=True)
class Share:
    """What one parameter explains.

    Attributes:
        path: The parameter.
        ped_anova: Its share of the importance of being among the best tenth.
        stands_out: Whether that is more than in nearly all shuffles.
        alone: Part of the surrogate's variance of Delta E that goes with it alone.
        in_all: The same, with all that it does together with others.
        colour: As `in_all`, of the colourfulness ratio.
    """

    path: str
    ped_anova: float
    stands_out: bool
    alone: float
    in_all: float
    colour: float


def shares(trainings: Sequence[Recorded], surrogate: Surrogate) -> list[Share]:
    """Returns the parameters, the one that explains most of Delta E first."""
    groups = by_configuration(trainings)
    found = {one.path: one for one in importances(surrogate.study, [_record(n, g) for n, g in enumerate(groups)])}
    delta_e = _variances(lambda points: surrogate.model.predict(points)[:, -surrogate.last :].mean(axis=1))
    colour_model = Process()
    colour_model.fit(surrogate.points, np.array([np.mean([one.metrics[RATIO] for one in g], axis=0) for g in groups]))
    colour = _variances(lambda points: colour_model.predict(points)[:, -surrogate.last :].mean(axis=1))
    rows = [
        Share(
            path=path,
            ped_anova=found[path].share if path in found else 0.0,
            stands_out=path in found and found[path].stands_out,
            alone=delta_e[place][0],
            in_all=delta_e[place][1],
            colour=colour[place][1],
        )
        for place, path in enumerate(surrogate.study.space)
    ]
    return sorted(rows, key=lambda row: -row.in_all)


def _record(number: int, seeds: Sequence[Recorded]) -> TrialRecord:
    """Returns a configuration as one trial, with the mean over its seeds, which are no trials of their own here."""
    return TrialRecord(
        number=number,
        state="complete",
        seed=seeds[0].seed,
        params=dict(seeds[0].params),
        objective=fmean(fmean(one.metrics[METRIC][-2:]) for one in seeds),
    )


def _variances(function: Callable[[Array], Array]) -> list[tuple[float, float]]:
    """Returns each parameter's first-order and total Sobol' index.

    Source: Saltelli et al. 2010, Computer Physics Communications 181, table 2 (b) and (f).
    """
    chance = np.random.default_rng(0)
    first, second = _points(chance), _points(chance)
    at_first, at_second = function(first), function(second)
    variance = np.concatenate([at_first, at_second]).var()
    found = []
    for column in range(first.shape[1]):
        mixed = first.copy()
        mixed[:, column] = second[:, column]
        at_mixed = function(mixed)
        alone = np.mean((at_second - at_second.mean()) * (at_mixed - at_first)) / variance
        found.append((float(alone), float(np.mean((at_first - at_mixed) ** 2) / 2 / variance)))
    return found


def _points(chance: np.random.Generator) -> Array:
    """Returns points of the space as `Surrogate.point` has them."""
    return np.column_stack(
        [
            chance.random(SAMPLES),
            chance.integers(2, size=SAMPLES),
            chance.random(SAMPLES),
            chance.integers(3, size=SAMPLES) / 2,
            chance.integers(2, size=SAMPLES),
        ]
    ).astype(np.float64)
