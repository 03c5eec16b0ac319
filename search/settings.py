"""The `objective` and the `search` of a study: what is searched for, and how."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from colorgan.config import Part
from colorgan.epoch import METRICS
from colorgan.mistakes import Mistake, MistakesError, did_you_mean, shown
from search.method import Pruner, Sampler

MAY_CHANGE = {  # of `search`, while a study goes on; everything else is the question it asks
    "trials",
    "workers",
    "trial_timeout_seconds",
    "study_timeout_seconds",
    "stuck_seconds",
    "retries",
    "max_consecutive_failures",
    "trials_per_worker",
    "worker_memory_bytes",
    "keep_checkpoints",
}


def _count_or(word: str, least: int, most: int) -> PlainValidator:
    def check(value: Any) -> Any:
        if value == word or (isinstance(value, int) and not isinstance(value, bool) and least <= value <= most):
            return value
        allowed = f"a whole number of at least {least} and at most {most}"
        raise ValueError(f"must be {word} or {allowed}; received {shown(value)}")

    return PlainValidator(check)


MAX_TRIALS, MAX_WORKERS = 1_000_000, 1024
Seconds = Annotated[float, Field(gt=0, le=1e9)] | None  # 30 years


class Objective(Part):
    """What is searched for."""

    metric: str = "valid/delta_e"
    """A key of `colorgan.epoch.METRICS`."""
    direction: Literal["minimize", "maximize"]
    """By default the metric's better one; must be given for a metric that has none."""
    smooth_epochs: Annotated[int, Field(ge=1)] = 1
    """The objective is the mean of the metric over this many last validations, because GANs swing."""
    failed_value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """What the sampler learns of a failed trial: that it was pruned at this value. Null: it hears of none."""

    @model_validator(mode="before")
    @classmethod
    def _take_the_metrics_direction(cls, tree: Any) -> Any:
        if isinstance(tree, dict) and "direction" not in tree:
            metric = METRICS.get(str(tree.get("metric", "valid/delta_e")))
            if metric is None or metric.better:  # an unknown metric is reported below; its direction is no matter
                return {**tree, "direction": metric.better if metric else "minimize"}
        return tree

    @model_validator(mode="after")
    def _be_known(self) -> Self:
        if self.metric not in METRICS:
            hint = did_you_mean(self.metric, METRICS)
            message = f"unknown metric {shown(self.metric)}{hint}; allowed are {', '.join(METRICS)}"
            raise MistakesError([Mistake(("metric",), message)])
        better = METRICS[self.metric].better
        if better not in (None, self.direction):
            message = f"{self.metric} is better the other way: use {better}, or leave direction out"
            raise MistakesError([Mistake(("direction",), message)])
        return self


class Search(Part):
    """How it is searched."""

    trials: Annotated[int, Field(ge=1, le=MAX_TRIALS)] = 50
    """Of the study in all, those of earlier runs included."""
    sampler: Sampler = Field(default_factory=lambda: Sampler(name="tpe"))
    pruner: Pruner = Field(default_factory=lambda: Pruner(name="none"))
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Of the sampler; the trainings' is `train.seed`."""
    workers: Annotated[Literal["auto"] | int, _count_or("auto", 1, MAX_WORKERS)] = "auto"
    """Processes that train; `auto` is one per GPU, else one per processor core."""
    trial_timeout_seconds: Seconds = None
    """A trial that takes longer is stopped and fails."""
    study_timeout_seconds: Seconds = None
    """After this time the study stops as if interrupted; the same command continues it."""
    stuck_seconds: Seconds = 120.0
    """A worker that neither says nor computes anything for so long, though it has a trial, is replaced; null: never."""
    retries: Annotated[int, Field(ge=0)] = 3
    """So many lost workers a trial survives."""
    max_consecutive_failures: Annotated[int, Field(ge=1)] = 8
    """After so many failed trials in a row the study stops: something else is wrong."""
    repeat_configurations: bool = False
    """Whether a configuration may be trained again because the sampler happens to propose it again."""
    seeds_per_trial: Annotated[int, Field(ge=1, le=100)] = 1
    """A configuration whose first trial is complete is trained with so many seeds, each a trial of its own beyond
    `trials`; the mean over them counts."""
    start_with_default: bool = True
    """Trial 0 is what `train` says, or the nearest in the space, so that a search is never worse."""
    trials_per_worker: Annotated[int, Field(ge=1)] | None = None
    """A worker is replaced after so many; None: never for that."""
    worker_memory_bytes: Annotated[int, Field(ge=1)] | None = None
    """A worker that has grown beyond this is replaced after its trial; None: never for that."""
    keep_checkpoints: Annotated[Literal["all"] | int, _count_or("all", 0, MAX_TRIALS)] = 5
    """`all`, or of so many best finished trials. Unfinished trials keep theirs."""
