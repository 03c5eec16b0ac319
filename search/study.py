"""A study file: YAML -> `StudySpec`, with all mistakes of the file at once, each with file, line and key.

    name: quickstart              # letters, digits, ., _ and -; the study's folder in results/
    backend: jax                  # short for `backend` in `train`: tensorflow or jax
    train:                        # a TrainConfig (colorgan/config.py): what all trials share; the rest are defaults
      data: {photos: sample, size: 64}
      schedule: {epochs: 8, steps_per_epoch: 75}
    space:                        # dotted path into train -> what is searched (search/parameter.py)
      optimizer.generator_learning_rate: {type: float, low: 1.0e-4, high: 5.0e-3, log: true}
      optimizer.discriminator_learning_rate:
        {type: categorical, choices: [1.0, 0.1], factor_of: optimizer.generator_learning_rate}
      generator.normalization: {type: categorical, choices: [batch, none]}
      generator.dropout: {type: float, low: 0.0, high: 0.5, when: {generator.normalization: batch}}
    objective:                    # a metric of colorgan/epoch.py, the mean of the last smooth_epochs validations
      {metric: valid/delta_e, direction: minimize, smooth_epochs: 3}
    further_objectives:           # what is searched for as well: metrics, or what a trial costs (search/quantities.py)
      - {metric: parameters}
      - {metric: valid/colorfulness_ratio, target: 1.0}
    constraints:                  # what must hold of a trial that is to be the best
      valid/colorfulness_ratio: {min: 0.6}
      parameters: {max: 5.0e+6}
    search:                       # sampler and pruner: search/method.py; the rest: `Search`
      {trials: 16, sampler: {name: tpe}, pruner: {name: median, warmup_epochs: 3}, seed: 0, workers: auto}
    enqueue:                      # configurations to begin with: values by path, or a configuration's file
      - {optimizer.generator_learning_rate: 1.0e-3}
    learn_from: [results/earlier] # studies whose trials the sampler learns from, where they could be this one's
    scales:                       # what `--scale small` changes of it (colorgan/scales.py)
      small: {train: {schedule: {epochs: 4}}, search: {trials: 6}}

Only `name` and `space` must be there. What may not be searched, and why: `FIXED` in search/space_mistakes.py.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, model_validator

from colorgan.config import Part, TrainConfig
from colorgan.config_parts import BACKENDS
from colorgan.errors import BadInputError
from colorgan.mistakes import Mistake, MistakesError, explain, listed, shown
from colorgan.scales import at_scale
from colorgan.strict_yaml import YamlError, read_yaml, write_yaml
from search.fields import leaves
from search.parameter import Choice, Parameter
from search.photo_mistakes import photo_mistakes
from search.settings import MAY_CHANGE, MOST_SECONDS, Bounds, FurtherObjective, Search
from search.settings import Objective as Objective  # search.study is where others look for it
from search.space_mistakes import space_mistakes
from search.study_mistakes import (
    aim_mistakes,
    bracket_mistakes,
    epoch_mistakes,
    finite_space_mistakes,
    fuse_mistakes,
    margin_mistakes,
    start_mistakes,
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RESERVED = {"runs", "con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
"""Names of no study: colorgan's own folder for runs by hand, and devices, which Windows allows no folder to be."""
HARMLESS_SPACE = {"losses.l1_weight": {"type": "categorical", "choices": [100.0]}}  # stands in for an unreadable one


class StudyError(BadInputError):
    """A study that cannot be run; one line per mistake, `file:line: dotted.key: what is wrong and what is allowed`."""


def _safe_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(
            f"must be a file name of 1 to 64 letters, digits, `.`, `_` and `-`, beginning with a letter or digit; "
            f"received {shown(name)}"
        )
    if name.endswith(".") or name.partition(".")[0].lower() in RESERVED:
        raise ValueError(f"{shown(name)} is reserved, or no folder's name on other systems; choose another")
    return name


class _Unread(NamedTuple):
    """What of a study could not be read, so that its harmless stand-ins are not judged."""

    train: bool = False
    parameters: frozenset[str] = frozenset()


class StudySpec(Part):
    """A whole study, checked."""

    name: Annotated[str, AfterValidator(_safe_name)]
    """The study's folder in `results/`: 1 to 64 letters, digits, `.`, `_` and `-`."""
    train: TrainConfig = Field(default_factory=lambda: TrainConfig.model_validate({}))
    """What all trials share, and trial 0 is."""
    space: Annotated[dict[str, Parameter], Field(min_length=1)]
    """What is searched: a dotted path into `train` -> its values."""
    objective: Objective = Field(default_factory=lambda: Objective.model_validate({}))
    """What is searched for. Trials are pruned and ranked by it."""
    further_objectives: Annotated[tuple[FurtherObjective, ...], Field(strict=False)] = ()
    """What is searched for as well."""
    constraints: dict[str, Bounds] = Field(default_factory=dict)
    """Bounds by quantity; a metric is the mean of its last `objective.smooth_epochs` values."""
    search: Search = Field(default_factory=Search)
    """How it is searched."""
    enqueue: Annotated[tuple[Annotated[str, Field(min_length=1)] | dict[str, Choice], ...], Field(strict=False)] = ()
    """Configurations to begin with, after the default: parameters by dotted path, those left out as in `train`; or a
    configuration's file, e.g. `results/earlier/promoted/config.yaml`."""
    learn_from: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)] = ()
    """Folders of earlier studies whose trials the sampler learns from, also where their spaces were others."""

    @model_validator(mode="before")
    @classmethod
    def _take_backend_for_train(cls, tree: Any) -> Any:
        if not isinstance(tree, dict) or "backend" not in tree:
            return tree
        tree = dict(tree)
        backend, train = tree.pop("backend"), tree.get("train", {})
        if backend not in BACKENDS:
            message = f"must be {' or '.join(BACKENDS)}; received {shown(backend)}"
            raise MistakesError([Mistake(("backend",), message)])
        if not isinstance(train, dict):
            return tree
        if train.get("backend", backend) != backend:
            message = f"is {shown(backend)}, but train.backend is {shown(train['backend'])}; leave one of them out"
            raise MistakesError([Mistake(("backend",), message)])
        return {**tree, "train": {**train, "backend": backend}}

    @model_validator(mode="after")
    def _fit_together(self, info: ValidationInfo) -> Self:
        unread: _Unread = info.context or _Unread()
        base = None if unread.train else self.train
        mistakes = [Mistake(("space", *m.keys), m.message) for m in space_mistakes(self.space, base, unread.parameters)]
        mistakes += epoch_mistakes(self) if base else []
        mistakes += bracket_mistakes(self) + fuse_mistakes(self) if base else []
        mistakes += aim_mistakes(self) + margin_mistakes(self)
        mistakes += [] if mistakes else finite_space_mistakes(self) + start_mistakes(self)
        if mistakes:
            raise MistakesError(mistakes)
        return self

    def with_overrides(
        self,
        *,
        data: str | None = None,
        trials: int | None = None,
        workers: Literal["auto"] | int | None = None,
        hours: float | None = None,
    ) -> StudySpec:
        """Returns the study with what a command line says: other photos, number of trials or workers, time limit.

        Raises:
            StudyError: A value that is not allowed.
        """
        tree = self.model_dump()
        if data is not None:
            tree["train"]["data"]["photos"] = data
        seconds = None if hours is None else 3600.0 * hours
        if seconds is not None and not 0 < seconds <= MOST_SECONDS:
            raise StudyError(f"hours: must be more than 0 and at most {MOST_SECONDS / 3600:,.0f}; received {hours:g}")
        changed = {"trials": trials, "workers": workers, "study_timeout_seconds": seconds}
        tree["search"] |= {key: value for key, value in changed.items() if value is not None}
        try:
            return StudySpec.model_validate(tree)
        except ValidationError as error:
            raise StudyError("\n".join(listed(explain(error, StudySpec)))) from None

    def to_yaml(self) -> str:
        """Returns the study as YAML with every default written out; `read_study` reads it back equal."""
        return write_yaml(self.model_dump(mode="json"))

    def same_question(self, wanted: StudySpec) -> list[str]:
        """Returns what keeps a wanted study from continuing this recorded one, as `key (here, now there)`.

        Trials, workers and limits may change (`MAY_CHANGE`); what a trial is and how it is chosen may not.
        """
        here, there = (_answers(study, beside=other) for study, other in ((self, wanted), (wanted, self)))
        return [
            f"{key}{_change(here.get(key), there.get(key))}"
            for key in {**here, **there}
            if here.get(key) != there.get(key) and key.removeprefix("search.").partition(".")[0] not in MAY_CHANGE
        ]


def _answers(study: StudySpec, *, beside: StudySpec) -> dict[str, Any]:
    """Returns what a study says, by dotted path; of a parameter that the other one does not search only that it is."""
    tree = study.model_dump(mode="json")
    tree["space"] = {path: one if path in beside.space else "searched" for path, one in tree["space"].items()}
    return {path: value for path, value in leaves(tree).items() if value != {}}


def _change(before: Any, now: Any) -> str:
    both_lists = isinstance(before, list) and isinstance(now, list)
    return "" if both_lists else f" ({shown(before)}, now {shown(now)})"


def read_study(
    path: Path | str,
    *,
    scale: str | None = None,
    data: str | None = None,
    trials: int | None = None,
    workers: Literal["auto"] | int | None = None,
    hours: float | None = None,
    look: bool = False,
) -> StudySpec:
    """Reads a study file, at one of its scales if it is named, and changes in it what is given here.

    See `colorgan/scales.py` and `StudySpec.with_overrides`. With `look` a folder of photos that is not there, or cannot
    be used, is a mistake as well.

    Raises:
        StudyError: All mistakes of the file.
    """
    try:
        file = at_scale(read_yaml(Path(path)), scale)
    except YamlError as error:
        raise StudyError(str(error)) from None
    if isinstance(file.value, dict) and file.value and set(file.value) <= set(TrainConfig.model_fields):
        raise StudyError(
            f"{file.where(())}: a configuration for training, not a study: make train CONFIG={quote(str(path))}. "
            "In a study it stands below `train`, beside a `name` and a `space`"
        )
    study = _validate(file.value)
    mistakes, looked = study if isinstance(study, list) else [], photo_mistakes(file, data) if look else []
    if data is None:
        mistakes, looked = [*mistakes, *looked], []  # else these are of no line
    mistakes.sort(key=lambda mistake: file.line(mistake.keys))
    if mistakes or looked or isinstance(study, list):
        raise StudyError("\n".join([*listed(mistakes, file.where), *listed(looked)]))
    return study.with_overrides(data=data, trials=trials, workers=workers, hours=hours)


def _validate(tree: Any) -> StudySpec | list[Mistake]:
    """Returns the study, or all its mistakes: those of single keys, then those of what is left together."""
    try:
        return StudySpec.model_validate(tree)
    except ValidationError as error:
        mistakes = explain(error, StudySpec)
    if isinstance(tree, dict):
        try:
            StudySpec.model_validate(_mend(copy.deepcopy(tree), mistakes), context=_unread(mistakes))
        except ValidationError as error:
            mistakes += [mistake for mistake in explain(error, StudySpec) if mistake not in mistakes]
    return mistakes


def _unread(mistakes: list[Mistake]) -> _Unread:
    sections = [mistake.keys for mistake in mistakes]
    return _Unread(
        train=any(keys[:1] == ("train",) for keys in sections),
        parameters=frozenset(str(keys[1]) for keys in sections if keys[:1] == ("space",) and len(keys) > 1),
    )


def _mend(tree: dict[str, Any], mistakes: list[Mistake]) -> dict[str, Any]:
    """Takes what has mistakes out of a tree and puts harmless things where something must be."""
    for keys, _ in mistakes:
        section = tree.get(str(keys[0])) if keys else None
        if len(keys) > 1 and isinstance(section, dict) and keys[0] in ("space", "search"):
            section.pop(keys[1], None)
        elif keys:
            tree.pop(str(keys[0]), None)
    if not tree.get("space"):
        tree["space"] = HARMLESS_SPACE
    return {"name": "unnamed", **tree}
