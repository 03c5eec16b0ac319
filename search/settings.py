"""What a study searches for (`objective`, `further_objectives`, `constraints`), and how (`search`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from colorgan.config import Part
from colorgan.epoch import METRICS
from colorgan.mistakes import Mistake, MistakesError, did_you_mean, shown
from search.method import Pruner, Sampler
from search.quantities import QUANTITIES

MAY_CHANGE = {  # of `search`, while a study goes on; everything else is the question it asks
    "trials",
    "workers",
    "workers_per_gpu",
    "resources",
    "trial_timeout_seconds",
    "study_timeout_seconds",
    "stuck_seconds",
    "retries",
    "max_consecutive_failures",
    "trials_per_worker",
    "worker_memory_bytes",
    "keep_checkpoints",
}


@dataclass(frozen=True)
class CountOr:
    """Refuses what is neither one of some words nor a whole number within bounds."""

    words: tuple[str, ...]
    least: int
    most: int

    @property
    def allowed(self) -> str:
        """What is not refused."""
        return f"{', '.join(self.words)} or a whole number of at least {self.least} and at most {self.most}"

    def __call__(self, value: Any) -> Any:
        """Returns the value, or raises a `ValueError`."""
        count = isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most
        if value in self.words or count:
            return value
        raise ValueError(f"must be {self.allowed}; received {shown(value)}")


def _count_or(*words: str, least: int, most: int) -> PlainValidator:
    return PlainValidator(CountOr(words, least, most))


MAX_TRIALS, MAX_WORKERS, MAX_FUSED = 1_000_000, 1024, 256
Number = Annotated[float, Field(allow_inf_nan=False)]
MOST_SECONDS = 1e9  # 30 years
Seconds = Annotated[float, Field(gt=0, le=MOST_SECONDS)] | None


class Objective(Part):
    """What is searched for."""

    metric: str = "valid/delta_e"
    """One of `METRICS` in colorgan/epoch.py."""
    direction: Literal["minimize", "maximize"]
    """By default the metric's better one; must be given for a metric that has none."""
    smooth_epochs: Annotated[int, Field(ge=1)] = 1
    """The objective is the mean of the metric over this many last validations, because GANs swing."""
    failed_value: Number | None = None
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
        _refuse_unknown(self.metric, METRICS)
        _refuse_the_other_way(self.metric, self.direction)
        return self


class FurtherObjective(Part):
    """What is searched for as well: the sampler looks for the trials that none beats in all objectives.

    Trials are still pruned, paused and ranked by the first objective.
    """

    metric: str
    """One of `QUANTITIES` in search/quantities.py: a metric, or what a trial costs."""
    direction: Literal["minimize", "maximize"]
    """By default the metric's better one; must be given for a metric that has neither that nor a target."""
    target: Number | None = None
    """Where given, the distance from it is what is minimized, e.g. 1.0 for `valid/colorfulness_ratio`."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return self.metric

    def words(self) -> str:
        """Returns what is minimized or maximized."""
        return self.metric if self.target is None else f"distance of {self.metric} from {self.target:g}"

    @model_validator(mode="before")
    @classmethod
    def _take_the_metrics_direction(cls, tree: Any) -> Any:
        if isinstance(tree, dict) and "direction" not in tree:
            known = QUANTITIES.get(str(tree.get("metric")))
            better = "minimize" if known is None or tree.get("target") is not None else known.better
            return tree if better is None else {**tree, "direction": better}
        return tree

    @model_validator(mode="after")
    def _be_known(self) -> Self:
        _refuse_unknown(self.metric, QUANTITIES)
        if self.target is None:
            _refuse_the_other_way(self.metric, self.direction)
        elif self.direction == "maximize":
            message = "the distance from a target is minimized; leave direction out"
            raise MistakesError([Mistake(("direction",), message)])
        return self


class Bounds(Part):
    """What a quantity may be, both ends included."""

    min: Number | None = None
    """The least; null: none."""
    max: Number | None = None
    """The most; null: none."""

    @model_validator(mode="after")
    def _bound_something(self) -> Self:
        if self.min is None and self.max is None:
            raise MistakesError([Mistake((), "must have min or max, or both")])
        if self.min is not None and self.max is not None and self.min > self.max:
            message = f"{self.min:g} is more than max {self.max:g}, so nothing is allowed; exchange them"
            raise MistakesError([Mistake(("min",), message)])
        return self

    def words(self) -> str:
        """Returns what is allowed, e.g. `at most 5e+06`."""
        ends = (("at least", self.min), ("at most", self.max))
        return " and ".join(f"{word} {end:g}" for word, end in ends if end is not None)


class Resources(Part):
    """What Ray sets aside for each worker; the local engine gives each a core or a GPU of its own instead."""

    cpu: Annotated[Number, Field(gt=0, le=1024)] = 1.0
    """Cores. Without a GPU a worker has so many threads."""
    gpu: Annotated[Number, Field(ge=0, le=64)] | None = None
    """GPUs, or a part of one; null: one where the cluster has any, else none."""
    memory: Annotated[Number, Field(gt=0)] | None = None
    """Bytes of main memory; null: not counted."""


class Search(Part):
    """How it is searched."""

    trials: Annotated[int, Field(ge=1, le=MAX_TRIALS)] = 50
    """Of the study in all, those of earlier runs included."""
    sampler: Sampler = Field(default_factory=lambda: Sampler(name="tpe"))
    """Chooses each trial's configuration: a name, and the method's own arguments beside it."""
    pruner: Pruner = Field(default_factory=lambda: Pruner(name="none"))
    """Stops or pauses trials that lag behind: a name, and the method's own arguments beside it."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Of the sampler; the trainings' is `train.seed`."""
    workers: Annotated[Literal["auto"] | int, _count_or("auto", least=1, most=MAX_WORKERS)] = "auto"
    """Processes that train; `auto` is `workers_per_gpu` for each GPU, else one per processor core; on Ray as many as
    there is room for."""
    workers_per_gpu: Annotated[int, Field(ge=1, le=64)] = 1
    """Workers that share a GPU. A small network leaves most of one idle, and each worker has a core's work to do beside
    it. Each gets its part of the memory. On Ray `resources` says it."""
    fuse: Annotated[Literal["off", "auto"] | int, _count_or("off", "auto", least=2, most=MAX_FUSED)] = "off"
    """How many trials of one architecture a worker trains at a time, as one program; only with `backend: jax`. `auto`:
    as many as it measures to be faster than one after another, and on a CPU none."""
    resources: Resources = Resources()
    """Of each worker on Ray."""
    trial_timeout_seconds: Seconds = None
    """A trial that takes longer is stopped and fails; one that is about to be pruned is pruned."""
    study_timeout_seconds: Seconds = None
    """After this time running trials are saved and the study stops; the same command goes on, for as long again. `run
    --hours` and `make search HOURS=` say it too."""
    stuck_seconds: Seconds = 120.0
    """A worker that neither says nor computes anything for so long, though it has a trial, is replaced; null: never."""
    retries: Annotated[int, Field(ge=0)] = 3
    """So many lost workers a trial survives, and errors that others in its worker may be to blame for (`fuse`)."""
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
    """A worker is replaced after so many; null: never for that."""
    worker_memory_bytes: Annotated[int, Field(ge=1)] | None = None
    """A worker that has grown beyond this is replaced after its trial; null: never for that."""
    keep_checkpoints: Annotated[Literal["all"] | int, _count_or("all", least=0, most=MAX_TRIALS)] = 5
    """`all`, or of so many best finished trials, by the means of their configurations. Unfinished trials keep theirs,
    and those whose configuration has further seeds to come."""

    @property
    def most_trials(self) -> int:
        """How many trials there may be in all, further seeds included."""
        return self.trials * self.seeds_per_trial

    @property
    def places(self) -> int | None:
        """How many trials a worker trains at a time; None: as many as it measures to be fastest."""
        if isinstance(self.fuse, int):
            return self.fuse
        return 1 if self.fuse == "off" else None


def unknown_metric(name: str, known: Mapping[str, Any]) -> str:
    """Returns what to say of a metric that is none of those known."""
    return f"unknown metric {shown(name)}{did_you_mean(name, known)}; allowed are {', '.join(known)}"


def _refuse_unknown(name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        raise MistakesError([Mistake(("metric",), unknown_metric(name, known))])


def _refuse_the_other_way(metric: str, direction: str) -> None:
    better = QUANTITIES[metric].better
    if better not in (None, direction):
        message = f"{metric} is better the other way: use {better}, or leave direction out"
        raise MistakesError([Mistake(("direction",), message)])
