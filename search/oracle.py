"""KerasTuner's oracles as a study names them: their arguments, and what is noted of each trial that one has proposed.

    sampler: {name: keras_tuner.random}                 RandomSearchOracle: at random, no configuration twice
    sampler: {name: keras_tuner.bayesian, beta: 2.6}    BayesianOptimizationOracle: a Gaussian process
    sampler: {name: keras_tuner.hyperband, factor: 3}   HyperbandOracle: short trials first, the best of them longer
    sampler: {name: keras_tuner.grid}                   GridSearchOracle: all configurations in turn, also conditional

What is not an argument here is said elsewhere in the study: how many trials, the seed, the objective, and for hyperband
the epochs of the longest trial, which are `train.schedule.epochs`. This room imports neither KerasTuner nor Optuna;
the oracles are `oracle_sampler.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from colorgan.config import Part
from colorgan.mistakes import Mistake, explain

MODULE = "keras_tuner."
NOTE = "oracle"  # the system attribute of an Optuna trial that holds a `Proposal`
MAX_POINTS = 1_000_000  # trials that a study can have


class Plain(Part):
    """The arguments of an oracle that has none."""


class Bayesian(Part):
    """The arguments of KerasTuner's `BayesianOptimizationOracle`, with its defaults."""

    num_initial_points: Annotated[int, Field(ge=1, le=MAX_POINTS)] | None = None
    """So many trials are drawn at random first; null: three for each parameter."""
    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-4
    """Variance of the objective's noise, in units of the objective's own variance."""
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 2.6
    """Weight of the unknown against the promising."""


class Hyperband(Part):
    """The arguments of KerasTuner's `HyperbandOracle`, with its defaults."""

    factor: Annotated[int, Field(ge=2, le=1000)] = 3
    """One in so many trials goes on, with so many times the epochs."""


class Proposal(Part):
    """What an oracle has proposed for a trial, as it stands in Optuna's storage before the trial has any parameter.

    Attributes:
        params: By dotted path, those that are active.
        bracket: Hyperband's, counted from the study's first.
        round: In its bracket; the first is 0.
        past: The trial of the round before that this one repeats and goes beyond.
        epochs: After so many it ends as pruned; None: never.
    """

    params: dict[str, bool | int | float | str | None]
    bracket: int | None = None
    round: int = 0
    past: int | None = None
    epochs: int | None = None


ORACLES: dict[str, type[Part]] = {
    f"{MODULE}random": Plain,
    f"{MODULE}bayesian": Bayesian,
    f"{MODULE}hyperband": Hyperband,
    f"{MODULE}grid": Plain,
}


def argument_mistakes(name: str, arguments: Mapping[str, Any]) -> list[Mistake]:
    """Returns what is wrong with the arguments of an oracle."""
    kind = ORACLES[name]
    try:
        kind.model_validate(arguments)
    except ValidationError as error:
        none = f"{name} has no arguments" if kind is Plain else ""
        return [Mistake(mistake.keys, none or mistake.message) for mistake in explain(error, kind)]
    return []


def proposal(system_attrs: Mapping[str, Any]) -> Proposal | None:
    """Returns what is noted in a trial's system attributes; None where no oracle has proposed it."""
    note = system_attrs.get(NOTE)
    return None if note is None else Proposal.model_validate(note)
